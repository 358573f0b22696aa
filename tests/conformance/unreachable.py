"""The cases in which no STS answers. Each needs its own endpoint instead of a script."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading

import botocore.config

from comparison import ask_function, differences_of
from service import WORK, Program, verify

QUESTION = {"stsAccessKey": "AKIAUNREACHABLEXAMPL", "stsSecretKey": "canned/Secret+NotARealSecret/EXAMPLEKEY0"}


def compare(suite, show, mode):
    mode, rules = mode
    for name, place in (("connection refused", refused), ("TLS with an unknown CA", untrusted),
                        ("no TLS where TLS is expected", plain), ("connect timeout", unanswered),
                        ("a proxy that is not there", no_proxy)):
        with place() as settings:
            limits = {"connect_timeout": 1, "read_timeout": 30}
            botocore.config.Config.OPTION_DEFAULTS.update(limits)
            settings |= rules
            os.environ.update(settings)
            expected = ask_function(QUESTION)
            for setting in settings:
                del os.environ[setting]
            show(mode, name, expected, 0)
            if "--without-service" not in sys.argv:
                with Program("serve", STS_VERIFY_CONNECT_TIMEOUT="1s", STS_VERIFY_ATTEMPT_TIMEOUT="20s",
                             STS_VERIFY_RETRY_BACKOFF="1ms", **settings) as program:
                    suite.result(name, differences_of(expected, verify(program.address, QUESTION)))


def endpoint(port, scheme="http"):
    return {"AWS_ENDPOINT_URL_STS": f"{scheme}://127.0.0.1:{port}"}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def refused():
    yield endpoint(free_port())


@contextlib.contextmanager
def no_proxy():
    yield {"AWS_ENDPOINT_URL_STS": "https://sts.example.invalid",
           "HTTPS_PROXY": f"http://127.0.0.1:{free_port()}"}


@contextlib.contextmanager
def unanswered():
    """A listener whose queue is full: the kernel drops further handshakes, as a firewall would."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        while True:
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(1)
            try:
                waiting.connect(address)
            except TimeoutError:
                break
        yield endpoint(address[1])


@contextlib.contextmanager
def untrusted():
    """A server with an untrusted certificate."""
    key, certificate = WORK / "untrusted.key", WORK / "untrusted.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    def shake_hands(connection):
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    with accepting(shake_hands) as port:
        yield endpoint(port, "https")


@contextlib.contextmanager
def plain():
    """A server that answers a TLS handshake in plain text."""

    def answer(connection):
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with accepting(answer) as port:
        yield endpoint(port, "https")


@contextlib.contextmanager
def accepting(serve):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    serve(listener.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
