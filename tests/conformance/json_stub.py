"""An HTTP server that answers every GET and POST with a JSON document, in place of services that need an account."""

import contextlib
import http.server
import json
import threading


@contextlib.contextmanager
def json_stub(get=None, post=None):
    """Yields the server's URL, and the bodies that were posted so far."""
    posted = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(get)

        def do_POST(self):
            posted.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(post)

        def answer(self, document):
            body = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield "http://%s:%d" % server.server_address, posted
        server.shutdown()
