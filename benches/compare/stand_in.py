"""The stand-in for STS: nginx with a recorded answer of STS, on one port for TCP and one for TLS, and with a delay on
further ports. It also serves the documents of a token issuer."""

import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

import questions
from issuer import Issuer
from machine import Program, free_port

HERE = pathlib.Path(__file__).parent
# nginx can delay only refusals (auth_delay). So every request is refused, and the error page is the answer.
LATE = """\
    server {
        listen 127.0.0.1:%PORT% backlog=8192;
        auth_delay %DELAY%ms;
        location = / {
            auth_request /refuse;
            error_page 401 =200 @answer;
        }
        location = /refuse {
            internal;
            return 401;
        }
        location @answer {
            default_type %CONTENT_TYPE%;
%HEADERS%
            return 200 '%BODY%';
        }
    }"""
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def fill(template, words):
    return re.sub(r"%([A-Z_]+)%", lambda name: str(words[name[1]]), template)


class StandIn:
    """`late` has an address for each of `delays`, in milliseconds, at which the answers have that delay."""

    def __init__(self, files, delays=()):
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=os.environ["BENCH_WORK"], prefix="nginx-"))
        self.port, self.tls_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.tls_url = f"https://localhost:{self.tls_port}"
        self.late_ports = {delay: free_port() for delay in delays}
        self.late = {delay: f"http://127.0.0.1:{port}" for delay, port in self.late_ports.items()}
        self.ca = self.directory / "ca.pem"
        self.issuer = Issuer(self.url, self.directory)
        self._make_certificates()
        configuration = self.directory / "nginx.conf"
        configuration.write_text(self._configuration(files))
        log = self.directory / "error.log"
        self.program = Program([shutil.which("nginx"), "-p", self.directory, "-e", log, "-c", configuration])
        self.program.wait_for(self._listens)
        self.looked = 0

    def _configuration(self, files):
        headers = "\n".join(f"            add_header {name} '{value}';" for name, value in questions.HEADERS.items())
        discovery, keys = self.issuer.documents()
        said = {"CONTENT_TYPE": questions.CONTENT_TYPE, "HEADERS": headers, "BODY": questions.XML}
        late = (fill(LATE, said | {"PORT": port, "DELAY": delay}) for delay, port in self.late_ports.items())
        filled = said | {
            "DIRECTORY": self.directory, "FILES": files, "CONNECTIONS": min(files - 100, 16_384), "PORT": self.port,
            "TLS_PORT": self.tls_port, "DISCOVERY": discovery, "KEYS": keys, "LATE": "\n".join(late),
        }
        return fill((HERE / "nginx.conf").read_text(), filled)

    def _make_certificates(self):
        """A new CA, and its certificate for localhost."""
        names = self.directory / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        for arguments in (
            ["req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=bench"],
            ["req", *KEY, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"],
            ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
             "-days", "2", "-out", "server.pem", "-extfile", "names"],
        ):
            made = subprocess.run(["openssl", *arguments], cwd=self.directory, capture_output=True, text=True)
            if made.returncode:
                sys.exit(f"openssl {arguments[0]} failed: {made.stderr}")

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.tls_port)) == 0

    def connections(self):
        """The numbers of open connections and of all connections so far, without that of this request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", "/connections")
        active, _, accepted, *_ = connection.getresponse().read().decode().replace(":", "\n").split("\n")[1:]
        connection.close()
        self.looked += 1
        return int(active) - 1, int(accepted.split()[0]) - self.looked

    def stop(self):
        self.program.stop_by_itself()
        shutil.rmtree(self.directory, ignore_errors=True)
