"""The contenders: how each is started and loaded, and what its image has to contain."""

import os
import pathlib
import shutil
import sysconfig
from dataclasses import dataclass, field
from typing import Callable

import questions
from machine import Program, answers_well, free_port, median, size_mib

HERE = pathlib.Path(__file__).parent
STARTS = 5


@dataclass
class Contender:
    name: str
    command: Callable  # port -> the command line
    settings: dict
    connections: int
    size: float
    asks: tuple = ("credentials",)  # as requests.lua names it
    program: Program = None
    port: int = 0
    first_answer: float = 0.0  # seconds
    idle: float = 0.0  # MiB
    results: list = field(default_factory=list)

    def start(self):
        self.port = free_port()
        self.program = Program(self.command(self.port), **self.settings)
        return self.program.wait_for(lambda: answers_well(self.port))

    def start_often(self):
        """Starts it a few times, and leaves the last one running."""
        times = []
        for number in range(STARTS):
            times.append(self.start())
            if number < STARTS - 1:
                self.program.stop()
        self.first_answer, self.idle = median(times), self.program.resident_mib()

    def stop(self):
        if self.program:
            self.program.stop()


def ours(name, url, connections=64, asks=("credentials",), **settings):
    """With default settings: logs at info (discarded), metrics, limits and documentation enabled."""
    binary = os.environ["STS_VERIFY_BIN"]
    command = lambda port: [binary, "serve", f"--listen=127.0.0.1:{port}"]
    return Contender(name, command, {"AWS_ENDPOINT_URL_STS": url, **settings}, connections, size_mib(binary), asks)


def floor(name, url, *ca):
    binary = os.environ["FLOOR_BIN"]
    return Contender(name, lambda port: [binary, f"127.0.0.1:{port}", f"{url}/", *ca], {}, 64, size_mib(binary))


def go(url):
    """`run` has built it, if this machine has Go and the SDK. An image of it needs nothing else."""
    binary = os.environ["GO_BIN"]
    return Contender("Go's net/http, aws-sdk-go-v2", lambda port: [binary, port, url], {}, 64, size_mib(binary))


def node(url):
    """An image of it needs Node and the packages."""
    server = pathlib.Path(os.environ["BENCH_WORK"]) / "node" / "server.mjs"
    program = pathlib.Path(shutil.which("node")).resolve()
    size = size_mib(program, server.parent / "node_modules")
    return Contender("Node's http, @aws-sdk/client-sts", lambda port: [program, server, port, url], {}, 64, size)


def boto3(url):
    """An image of it needs Python, its standard library and the packages. Two connections, because it is slower with
    more."""
    python = pathlib.Path(os.environ["BENCH_WORK"]) / "venv" / "bin" / "python"
    packages = next(python.parent.parent.glob("lib/python*/site-packages"))
    own = [path for path in packages.iterdir() if not path.name.startswith(("pip", "setuptools", "_distutils"))]
    standard = [path for path in pathlib.Path(sysconfig.get_path("stdlib")).iterdir()
                if path.name not in ("site-packages", "dist-packages", "test", "__pycache__")]
    settings = {"AWS_ENDPOINT_URL_STS": url, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    size = size_mib(python.resolve(), *standard, *own)
    return Contender("boto3's Lambda handler, Python's http.server",
                     lambda port: [python, HERE / "boto3_server.py", port], settings, 2, size)


def all_of_them(sts):
    return [
        ours("**sts-verify**", sts.url),
        floor("floor", sts.url),
        *([go(sts.url)] if os.environ.get("GO_BIN") else []),
        node(sts.url),
        boto3(sts.url),
        ours("**sts-verify**, TLS to STS", sts.tls_url, AWS_CA_BUNDLE=sts.ca),
        floor("floor, TLS to STS", sts.tls_url, sts.ca),
    ]


def other_answers(sts):
    """The service with its other answers. Four batches at once, with 16 lines of each in flight, make as many calls
    as 64 connections."""
    policies = pathlib.Path(os.environ["BENCH_WORK"]) / "policies.toml"
    policies.write_text(f'[policy.bench]\naccounts = ["{questions.ACCOUNT}"]\n')
    settings = {"STS_VERIFY_AUDIENCE": questions.AUDIENCE, "STS_VERIFY_TOKEN_ISSUERS": sts.issuer.url,
                "STS_VERIFY_POLICIES_FILE": policies}
    tokens = sts.issuer.files
    return [
        ours("a signed request", sts.url, asks=("signed-request",), **settings),
        ours("a web identity token, RS256", sts.url, asks=("token", tokens["RS256"]), **settings),
        ours("a web identity token, ES384", sts.url, asks=("token", tokens["ES384"]), **settings),
        ours("a gate's, cached", sts.url, asks=("gate",), **settings),
        ours("a line of a batch", sts.url, connections=4, asks=("batch",), **settings),
    ]
