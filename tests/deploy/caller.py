"""A caller that sends requests continuously, and counts the answers."""

import http.client
import json
import ssl
import threading

# A caller of the sandbox, whose credentials are made up.
CREDENTIALS = json.dumps(
    {"AccessKeyId": "AKIASBXUSER00EXAMPLE", "SecretAccessKey": "sbx/USER00+NotARealSecret/Key0EXAMPLEKEY"}
)

# Seconds; only to fail rather than hang.
PATIENCE = 60


def ask(address, method, path, key=None):
    """Sends one request over a new connection; returns the status, and the verdict if there is one."""
    # The certificate is made for this test; other checks compare it.
    connection = http.client.HTTPSConnection(address, timeout=PATIENCE, context=ssl._create_unverified_context())
    try:
        headers = {"Content-Type": "application/json"} | ({"x-api-key": key} if key else {})
        connection.request(method, path, body=CREDENTIALS if method == "POST" else None, headers=headers)
        response = connection.getresponse()
        response.read()
        return response.status, response.headers.get("x-sts-verdict")
    finally:
        connection.close()


def verify(address, key):
    return ask(address, "POST", "/verify", key)


class Caller:
    """Sends requests to the addresses in turn with `key` until it is stopped. Valid answers are counted; others are in
    `lost`."""

    def __init__(self, addresses, key):
        self.addresses, self.key = addresses, key
        self.good, self.lost = 0, []
        self.stopped = threading.Event()
        self.progress = threading.Condition()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        number = 0
        while not self.stopped.is_set():
            number += 1
            addresses = self.addresses
            try:
                answer = verify(addresses[number % len(addresses)], self.key)
            except (OSError, http.client.HTTPException) as error:
                answer = repr(error)
            with self.progress:
                if answer == (200, "valid"):
                    self.good += 1
                else:
                    self.lost.append(answer)
                self.progress.notify_all()

    def more(self, number=5):
        """Waits for this many further answers of any kind."""
        with self.progress:
            wanted = self.good + len(self.lost) + number
            enough = self.progress.wait_for(lambda: self.good + len(self.lost) >= wanted, timeout=PATIENCE)
        assert enough, "the caller gets no answers"

    def stop(self):
        self.stopped.set()
        self.thread.join(timeout=PATIENCE)
