"""A steady load with a record of every request: its start, end and result.

It is open-loop: requests are sent at their times whether or not earlier ones have been answered, as by many
independent callers.
"""

import asyncio
import collections
import itertools
import json
import secrets
import statistics
import time
from dataclasses import dataclass

import aiohttp

SERIAL = itertools.count()
# Shorter than the idle timeouts of all servers, so that no server closes a connection that the client is about to use.
KEPT_IDLE = 15  # seconds
GIVEN_UP_AFTER = 120  # seconds; a request without an answer until then has failed


@dataclass(slots=True)
class Answer:
    """One request. Without a status there was no answer, and `code` is the reason."""

    sent: float
    ended: float
    status: int | None
    code: str
    verdict: str
    retry_after: str
    replica: str

    @property
    def wait(self):
        return self.ended - self.sent

    @property
    def kind(self):
        """What a caller can distinguish: status, error_code and verdict; a dash for an absent value."""
        return (self.status, self.code, self.verdict)

    @property
    def is_good(self):
        return self.kind == GOOD

    @property
    def is_shed(self):
        return self.kind == SHED and self.retry_after.isdigit()


GOOD = (200, "-", "valid")
SHED = (503, "Overloaded", "-")


def new_credentials():
    """New credentials for each request, so no call is shared."""
    return json.dumps({"stsAccessKey": f"AKIAOPS{next(SERIAL):013d}", "stsSecretKey": secrets.token_urlsafe(30)})


def error_code(status, body):
    """The error_code of an answer that is not a success; a balancer's page has none."""
    if status == 200:
        return "-"
    try:
        return json.loads(body)["error_code"]
    except (ValueError, KeyError, TypeError):
        return "no JSON"


async def verify(session, url, body=None, **headers):
    """Posts credentials once; new ones unless a body is given. It never retries."""
    sent = time.monotonic()
    told, status, code = {}, None, ""
    try:
        async with session.post(f"{url}/verify", data=body or new_credentials(),
                                headers={"Content-Type": "application/json", **headers}) as response:
            text = await response.read()
            told, status = response.headers, response.status
            code = error_code(status, text)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        code = type(error).__name__
    return Answer(sent, time.monotonic(), status, code, told.get("x-sts-verdict", "-"),
                  told.get("retry-after", ""), told.get("x-replica", ""))


def connector(kept):
    """Connections that are kept for the next request, or a new one for each."""
    if not kept:
        return aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_IDLE)


class SteadyLoad:
    """Sends this many requests a second while its block runs, then waits for the answers."""

    def __init__(self, url, rate, call=verify, kept=True):
        self.url, self.pause, self.call, self.kept = url, 1 / rate, call, kept
        self.answers, self.open, self.sent = [], set(), 0

    async def __aenter__(self):
        self.session = aiohttp.ClientSession(
            connector=connector(self.kept), timeout=aiohttp.ClientTimeout(total=GIVEN_UP_AFTER))
        self.began = self.ended = time.monotonic()
        self.sender = asyncio.create_task(self.send())
        return self

    async def __aexit__(self, *_):
        self.sender.cancel()
        self.ended = time.monotonic()
        await asyncio.gather(self.sender, *self.open, return_exceptions=True)
        await self.session.close()

    @property
    def pace(self):
        """The rate that was reached, in words."""
        return f"{self.sent / (self.ended - self.began):.0f} requests/s"

    async def send(self):
        due = time.monotonic()
        while True:
            # Requests that a stalled machine missed are not sent all at once, because that would be a different load.
            due = max(due + self.pause, time.monotonic() - 1)
            await asyncio.sleep(max(0, due - time.monotonic()))
            task = asyncio.create_task(self.call(self.session, self.url))
            self.open.add(task)
            self.sent += 1
            task.add_done_callback(self.keep)

    def keep(self, task):
        self.open.discard(task)
        if not task.cancelled():
            self.answers.append(task.result())

    async def until(self, condition, limit=900):
        """Continues until the condition is true; the limit only prevents a hang."""
        async with asyncio.timeout(limit):
            while not condition(self):
                await asyncio.sleep(0.02)


class Tally:
    """The summary of a list of answers."""

    def __init__(self, answers):
        self.answers = answers
        self.kinds = collections.Counter(answer.kind for answer in answers)
        self.good = [answer for answer in answers if answer.is_good]
        self.shed = [answer for answer in answers if answer.is_shed]
        self.failed = [answer for answer in answers if not answer.is_good and not answer.is_shed]

    @property
    def longest(self):
        return max((answer.wait for answer in self.answers), default=0.0)

    @property
    def median(self):
        return statistics.median(answer.wait for answer in self.answers) if self.answers else 0.0

    def words(self):
        """The kinds, most frequent first."""
        return ", ".join(f"{count} × {' '.join(map(str, kind))}" for kind, count in self.kinds.most_common())
