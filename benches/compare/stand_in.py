"""The stand-in for STS: nginx with a recorded answer of STS, on one port for TCP and one for TLS. It also serves the
documents of a token issuer."""

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
KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class StandIn:
    def __init__(self, files):
        self.directory = pathlib.Path(tempfile.mkdtemp(dir=os.environ["BENCH_WORK"], prefix="nginx-"))
        self.port, self.tls_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.tls_url = f"https://localhost:{self.tls_port}"
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
        filled = {
            "DIRECTORY": self.directory, "FILES": files, "CONNECTIONS": min(files - 100, 16_384), "PORT": self.port,
            "TLS_PORT": self.tls_port, "CONTENT_TYPE": questions.CONTENT_TYPE, "HEADERS": headers,
            "BODY": questions.XML, "DISCOVERY": discovery, "KEYS": keys,
        }
        template = (HERE / "nginx.conf").read_text()
        return re.sub(r"%([A-Z_]+)%", lambda name: str(filled[name[1]]), template)

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
