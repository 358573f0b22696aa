"""The upstream behind a proxy, which reports what reached it, and a client that sends given bytes."""

import hashlib
import http.client
import http.server
import json
import socket
import threading


class Upstream:
    """Answers every request with the request itself."""

    def __init__(self):
        self.count = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            upstream = self

            def answer(self):
                self.upstream.count += 1
                body = self.body()
                seen = {"method": self.command, "path": self.path, "headers": self.headers.items(),
                        "length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
                text = json.dumps(seen).encode()
                self.send_response(200)
                self.send_header("X-Seen", text.decode())  # for HEAD
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            def body(self):
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass  # a trailer
                return body

            def log_message(self, *_):
                pass

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a proxy closes connections as it likes
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Answer:
    """The answer of a proxy; `seen` is what reached the upstream, None if nothing did."""

    def __init__(self, raw, reached):
        self.status, self.headers, self.body = raw.status, raw.headers, raw.read()
        self.seen = json.loads(raw.headers["X-Seen"]) if reached else None

    def sent(self, name):
        """The values that the upstream got of headers that it may read as this one."""
        return [value for given, value in self.seen["headers"] if alike(given) == name]


def alike(name):
    """A name as an upstream may read it: CGI and similar interfaces treat `-`, `_` and `.` as equal, and ignore
    case."""
    return "".join(character if character.isalnum() else "-" for character in name.lower())


def send(upstream, address, method="GET", path="/", headers=(), body=b""):
    """Sends a request unchanged."""
    before = upstream.count
    lines = [f"{method} {path} HTTP/1.1", "Host: reports.example", *(f"{name}: {value}" for name, value in headers)]
    if body and not any(name.lower() == "transfer-encoding" for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}")
    if not any(name.lower() == "connection" for name, _ in headers):
        lines.append("Connection: close")
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        try:
            connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered already
        raw = http.client.HTTPResponse(connection, method=method)
        raw.begin()
        return Answer(raw, upstream.count > before)
