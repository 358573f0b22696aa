"""Redis is slow, hangs, is killed and restarted under load. No proof is accepted twice or without Redis, and requests
with credentials are not affected."""

import asyncio
import collections
import contextlib
import datetime
import json
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from urllib.parse import quote

from load import GOOD, SteadyLoad, Tally, verify
from processes import Service, StandIn, wait_for

AUDIENCE = "operations.example.com"
REPLAYED = (400, "ProofReplayed", "indeterminate")
UNAVAILABLE = (503, "ReplayStoreUnavailable", "indeterminate")


class Redis:
    """A redis-server on a free port."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        self.directory = tempfile.TemporaryDirectory(prefix="operations")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", self.directory.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("Redis", self.answers)

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
        except OSError:
            return False

    def pause(self, paused):
        self.process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()


def new_proof():
    """A presigned URL that was not posted before. The stand-in for STS checks no signature."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    members = {
        "Action": "GetCallerIdentity", "Version": "2011-06-15", "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AKIAOPERATIONS0EXAMPLE/{now[:8]}/us-east-1/sts/aws4_request", "X-Amz-Date": now, "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host;x-sts-verify-audience", "X-Amz-Signature": secrets.token_hex(32)}
    query = "&".join(f"{name}={quote(value, safe='-._~')}" for name, value in members.items())
    return json.dumps({"presigned_url": f"https://sts.us-east-1.amazonaws.com/?{query}"})


class Pairs:
    """Posts each proof to both replicas at once, and keeps how often each was accepted."""

    def __init__(self, urls):
        self.urls, self.accepted, self.answers = urls, collections.Counter(), []

    async def post(self, session, _):
        proof = new_proof()
        both = await asyncio.gather(*(verify(session, url, proof) for url in self.urls))
        self.accepted[sum(answer.is_good for answer in both)] += 1
        self.answers += both
        return both[0]

    def since(self, began, until=float("inf")):
        return Tally([answer for answer in self.answers if answer.sent >= began and answer.ended < until])


async def redis_in_trouble(report, plan):
    with contextlib.ExitStack() as stack:
        sts, redis = stack.enter_context(StandIn()), stack.enter_context(Redis())
        settings = {"STS_VERIFY_REDIS_URL": redis.url, "STS_VERIFY_AUDIENCE": AUDIENCE, "STS_VERIFY_SINGLE_USE": "true",
                    "STS_VERIFY_RATE_LIMIT": "100000/s"}
        replicas = [stack.enter_context(Service(sts.address, **settings)) for _ in range(2)]
        pairs = Pairs([replica.url for replica in replicas])
        async with SteadyLoad(replicas[0].url, plan.redis_rate, call=pairs.post):
            async with SteadyLoad(replicas[1].url, plan.redis_rate) as credentials:
                await phases(report, plan, redis, pairs)
        judge(report, pairs, Tally(credentials.answers))
        report.row("Redis slow, hanging, killed and restarted: proofs at two replicas", Tally(pairs.answers))
        report.row("the same Redis failures: credentials with a rate limit in Redis", Tally(credentials.answers))


async def phases(report, plan, redis, pairs):
    await good_again(report, pairs, "before anything is wrong")
    end = time.monotonic() + plan.redis
    while time.monotonic() < end:
        # Half of the time it answers nothing, for less time than a command may take.
        redis.pause(True)
        await asyncio.sleep(0.2)
        redis.pause(False)
        await asyncio.sleep(0.2)
    await good_again(report, pairs, "after Redis was slow")
    redis.pause(True)
    await asyncio.sleep(plan.redis)
    redis.pause(False)
    await good_again(report, pairs, "after Redis hung")
    await asyncio.to_thread(redis.kill)
    killed = time.monotonic()
    await asyncio.sleep(plan.redis)
    without = pairs.since(killed)
    report.holds("Redis killed: no proof is accepted", without.answers and set(without.kinds) == {UNAVAILABLE}, without.words())
    await asyncio.to_thread(redis.start)
    await good_again(report, pairs, "after Redis was started again")


async def good_again(report, pairs, when):
    """Waits for a second in which all proofs were accepted once."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        began = time.monotonic()
        await asyncio.sleep(1)
        found = pairs.since(began)
        if found.good and set(found.kinds) <= {GOOD, REPLAYED}:
            report.holds(f"Redis: all requests succeed {when}", True)
            return
    report.holds(f"Redis: all requests succeed {when}", False, pairs.since(began).words())


def judge(report, pairs, credentials):
    tally = Tally(pairs.answers)
    report.holds("Redis failures: no proof is accepted twice", pairs.accepted[2] == 0, dict(pairs.accepted))
    strange = set(tally.kinds) - {GOOD, REPLAYED, UNAVAILABLE}
    report.holds("Redis failures: callers get the documented answers", not strange, tally.words())
    report.holds("Redis failures: they occurred", tally.kinds[UNAVAILABLE] and tally.kinds[GOOD], tally.words())
    report.holds("Redis failures: credentials are verified throughout", set(credentials.kinds) == {GOOD}, credentials.words())
    report.note(f"Redis failures: of {sum(pairs.accepted.values())} proofs, each posted to two replicas at once, {pairs.accepted[1]} "
                f"were accepted once, {pairs.accepted[2]} twice, {pairs.accepted[0]} not at all ({tally.words()})")
