"""A server that records its requests: a proxy that refuses TLS connections, or an STS that returns an identity."""

import base64
import re
import socket
import ssl
import threading

from canned import read_request
from cases import GOOD

REGION = re.compile(rb"Credential=\w+/\d{8}/([^/]*)/")
AUTHORIZATION = re.compile(rb"^proxy-authorization:[ \t]*basic[ \t]+([^\r]*)", re.I | re.M)
REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Recorder:
    """With a context for TLS it is one behind TLS."""

    def __init__(self, tls=None):
        self.seen, self.tls = set(), tls
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def take(self):
        """The requests since the last call: request line, the proxy's user and password, the region of the
        signature."""
        seen, self.seen = self.seen, set()
        return sorted(seen, key=str)

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with self.secured(connection) as stream:
                while self.serve_one(stream):
                    pass
        except (OSError, ssl.SSLError):
            pass  # The client does not trust it, or has left.

    def secured(self, connection):
        return self.tls.wrap_socket(connection, server_side=True) if self.tls else connection

    def serve_one(self, stream):
        request = read_request(stream)
        if request is None:
            return False
        head, _ = request
        line = head.split(b"\r\n")[0].decode("latin-1").rpartition(" HTTP/")[0]
        region, told = REGION.search(head), AUTHORIZATION.search(head)
        self.seen.add((line, told and base64.b64decode(told[1]).decode("latin-1"), region and region[1].decode()))
        connect = line.startswith("CONNECT ")
        stream.sendall(REFUSAL if connect else GOOD.data)
        return not connect
