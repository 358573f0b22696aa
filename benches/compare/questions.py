"""Credentials that were not used before, and an STS with a fixed answer."""

import asyncio
import http.server
import itertools
import json
import random
import threading

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
TOKEN_LENGTH = 400  # of the tokens that AssumeRole gives out, a short one

XML = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:sts::123456789012:assumed-role/bench-role/bench-session</Arn>
    <UserId>AROASBXBENCH00EXAMPLE:bench-session</UserId>
    <Account>123456789012</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>1020a616-1656-464c-9563-6690998cea47</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>
"""
ACCOUNT = "123456789012"
ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/bench-role/bench-session"
PRINCIPAL = f"arn:aws:iam::{ACCOUNT}:role/bench-role"
PRINCIPAL_NAME = "bench-role"  # in every good answer
AUDIENCE = "bench"  # the audience of the proofs
HEADERS = {
    "x-amzn-RequestId": "1020a616-1656-464c-9563-6690998cea47",
    "x-amz-sts-extended-request-id": "MTp1cy1lYXN0LTE6UzoxNzk1NDc3NDU1OTM2OlI6dVNhWkE0S2E=",
}
CONTENT_TYPE = "text/xml"


def questions(seed=0):
    """An endless sequence of bodies for POST /verify, each with a different access key ID, secret and token."""
    chance = random.Random(seed)
    text = lambda length: "".join(chance.choices(ALPHABET, k=length))
    for number in itertools.count():
        yield json.dumps({
            "stsAccessKey": f"ASIA{seed:04}{number:012}",
            "stsSecretKey": text(40),
            "stsSessionToken": "IQoJb3JpZ2luX2Vj" + text(TOKEN_LENGTH - 16),
        }).encode()


class _Connection(asyncio.Protocol):
    """Gives the same answer to every request, in one write. The SDKs' bodies contain no empty line."""

    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    answer = (f"HTTP/1.1 200 OK\r\n{head}Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(XML)}\r\n"
              f"Date: Tue, 24 Nov 2026 00:00:00 GMT\r\n\r\n{XML}").encode()

    def connection_made(self, transport):
        self.transport, self.received = transport, b""

    def data_received(self, data):
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if end and len(body) >= _content_length(head):
            self.received = b""
            self.transport.write(self.answer)


def _content_length(head):
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lengths[0]) if lengths else 0


def serve_canned():
    """Starts that STS in a thread of this process, and returns its port."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(_Connection, "127.0.0.1", 0))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return server.sockets[0].getsockname()[1]


class _Documents(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = self.server.documents[self.path].encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def serve_documents(documents):
    """Serves these texts by their paths in a thread of this process, and returns its port. More may be added later."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Documents)
    server.documents = documents
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port
