"""Starts the program under test and other local servers, and sends requests to them."""

import http.client
import json
import os
import pathlib
import queue
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "conformance"
KEPT = ("STS_VERIFY_BIN", "AWS_CLI_1", "AWS_CLI_2")  # set by tests/conformance/run
START_LIMIT = 60  # seconds; only to fail rather than hang


def clean_environment(**more):
    """The environment without variables of AWS or sts-verify, so that it does not depend on the machine."""
    rest = {name: value for name, value in os.environ.items() if name in KEPT or not (
        name.startswith(("AWS_", "STS_VERIFY_", "BOTO_", "PYTHONPATH")) or name.lower().endswith("_proxy"))}
    return rest | {
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true",
    } | {name: str(value) for name, value in more.items()}


def clean_this_process(**more):
    """Does the same for this process and its SDKs."""
    clean = clean_environment(**more)
    os.environ.clear()
    os.environ.update(clean)


class Program:
    """sts-verify, running. Its log is kept, line by line."""

    def __init__(self, *arguments, **settings):
        message = "sandbox listening" if arguments[0] == "sandbox" else "listening"
        environment = clean_environment(
            **{"STS_VERIFY_LOG_FORMAT": "json", "STS_VERIFY_STOP_DELAY": "0s"} | settings)
        self.lines = []
        self.found = queue.Queue()
        self.process = subprocess.Popen(
            [os.environ["STS_VERIFY_BIN"], *arguments, "--listen", "127.0.0.1:0"],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.reader = threading.Thread(target=self.read, args=(message,), daemon=True)
        self.reader.start()
        self.address = self.found.get(timeout=START_LIMIT)
        if self.address is None:
            raise RuntimeError(f"{arguments[0]} did not start: " + "".join(self.lines[-20:]))
        self.url = f"http://{self.address}"

    def read(self, message):
        for line in self.process.stdout:
            self.lines.append(line)
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict) and event.get("message") == message:
                self.found.put(event["address"])
        self.found.put(None)

    def stop(self):
        """Stops it gracefully; its log is complete afterwards."""
        self.process.terminate()
        try:
            self.process.wait(timeout=START_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(timeout=START_LIMIT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Response:
    def __init__(self, raw):
        self.status = raw.status
        self.headers = raw.headers
        self.body = raw.read()

    def json(self):
        """Objects as lists of pairs, so that a comparison takes their order into account."""
        return json.loads(self.body, object_pairs_hook=list)


def request(address, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(address, timeout=120)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        return Response(connection.getresponse())
    finally:
        connection.close()


def verify(address, credentials):
    body = json.dumps(credentials)
    return request(address, "POST", "/verify", body, {"Content-Type": "application/json"})
