"""An STS with prescribed answers, byte for byte.

One server stands behind boto3 and behind the service. Which script of answers a request gets is looked up by the access
key id in its Authorization header, so every case, on either side, has its own script and record, and all cases can
run at once. It uses raw sockets, because no HTTP library would send half of these answers.
"""

import re
import socket
import struct
import threading
from dataclasses import dataclass, field

CREDENTIAL = re.compile(rb"Credential=(\w+)/\d{8}/([^,]*),")
TOKEN = re.compile(rb"^x-amz-security-token:[ \t]*([^\r]*)", re.I | re.M)
LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)", re.I | re.M)


@dataclass(frozen=True)
class Answer:
    """Bytes to send, and what happens to the connection: keep, close, reset, or stall until the client leaves."""

    data: bytes = b""
    then: str = "keep"


@dataclass
class Script:
    """The answers of one case, the last of which is repeated, and the requests that it received."""

    answers: tuple
    seen: list = field(default_factory=list)


class CannedSts:
    def __init__(self):
        self.scripts = {}
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def add(self, access_key, answers):
        script = Script(tuple(answers))
        with self.lock:
            self.scripts[access_key] = script
        return script

    def accept(self):
        while True:
            connection, _ = self.listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection:
                while self.serve_one(connection):
                    pass
        except OSError:
            pass  # The client went away, which some of the scripts make it do.

    def serve_one(self, connection):
        request = read_request(connection)
        if request is None:
            return False
        head, body = request
        answer = self.next_answer(head, body)
        connection.sendall(answer.data)
        if answer.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if answer.then == "stall":
            while connection.recv(4096):
                pass
        return answer.then == "keep"

    def next_answer(self, head, body):
        """Keeps the parts that must be equal on both sides: the request line, the body, the token and the scope."""
        credential = CREDENTIAL.search(head)
        if not credential:
            return Answer(b"HTTP/1.1 404 No script for this\r\nContent-Length: 0\r\n\r\n", "close")
        access_key, scope = (part.decode() for part in credential.groups())
        token = TOKEN.search(head)
        facts = (head.split(b"\r\n")[0].decode(), body.decode(), token and token[1].decode(), scope)
        with self.lock:
            script = self.scripts[access_key]
            script.seen.append(facts)
            return script.answers[min(len(script.seen), len(script.answers)) - 1]


def read_request(connection):
    """The head and the body of a request; None if the client has left."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    while length and len(body) < int(length[1]):
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return head, body
