"""Sends mutated requests to the service over many connections, and checks every byte of the answers."""

import asyncio
import collections
import json
import re

from leaks import Watch

BATCH = 16  # requests sent on a connection before its answers are read
AT_ONCE = 48  # connections of a process
QUIET = 0.5  # seconds without a byte after which an odd request is taken for one that waits for more
LOST = 60  # seconds for an answer that has to come
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
CODE = re.compile(rb'error_code\\?":\\?"(\w+)')
NAMED = re.compile(rb'"Arn\\?":\\?"([^"\\]+)')
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.I)


class Findings:
    """Counts of the answers, and the first unexpected ones."""

    def __init__(self):
        self.sent = self.odd = self.unanswered = self.bytes = 0
        self.statuses, self.codes, self.faults = collections.Counter(), collections.Counter(), []

    def fault(self, what, request, answer=b""):
        if len(self.faults) < 10:
            self.faults.append(f"{what}: {request[:1500]!r} was answered {answer[:1500]!r}")

    def as_dict(self):
        return {**vars(self), "statuses": dict(self.statuses), "codes": dict(self.codes)}


class Pelter:
    def __init__(self, address, source, mutator):
        self.address, self.source = address.split(":"), source
        self.mutator = mutator
        self.watch = Watch(self.mutator.secrets)
        self.found = Findings()

    async def connect(self):
        return await asyncio.open_connection(*self.address, local_addr=(self.source, 0), limit=1 << 20)

    async def framed(self, count):
        """Sends requests on one connection after another. Those without an answer when a connection closes are sent
        again."""
        waiting = []
        while count or waiting:
            fresh = min(count, BATCH - len(waiting))
            count -= fresh
            batch = waiting + [self.mutator.framed() for _ in range(fresh)]
            answered = await self.exchange(batch)
            if not answered:
                self.found.fault("no answer at all", batch[0])
                answered = 1
            self.found.sent += answered
            waiting = batch[answered:]

    async def exchange(self, batch):
        """Sends a batch and reads the answers. Returns the number of answers before the connection was closed."""
        reader, writer = await self.connect()
        answered = 0
        try:
            writer.write(b"".join(batch))
            for request in batch:
                answer = await asyncio.wait_for(read_answer(reader, request), LOST)
                self.judge(request, answer)
                answered += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except TimeoutError:
            self.found.fault("no answer", batch[answered])
        finally:
            writer.transport.abort()
        return answered

    async def raw(self, count):
        """Sends each request on its own connection, and reads the answers, if any, to the end."""
        for _ in range(count):
            request = self.mutator.raw()
            reader, writer = await self.connect()
            data = b""
            try:
                writer.write(request)
                while piece := await asyncio.wait_for(reader.read(1 << 16), QUIET):
                    data += piece
            except TimeoutError:
                self.found.odd += 1
            except ConnectionError:
                pass
            finally:
                writer.transport.abort()
            self.found.sent += 1
            self.found.unanswered += not data
            for answer in split_answers(data):
                self.judge(request, answer)

    def judge(self, request, answer):
        """Checks an answer's status, form and texts."""
        self.found.bytes += len(answer)
        status = STATUS.match(answer)
        if not status:
            return self.found.fault("not HTTP", request, answer)
        self.found.statuses[int(status[1])] += 1
        self.found.codes.update(code.decode() for code in CODE.findall(answer))
        if self.mutator.names is not None and not set(NAMED.findall(answer)) <= self.mutator.names:
            self.found.fault("somebody else is named", request, answer)
        if int(status[1]) >= 500 and not is_excused(int(status[1]), answer):
            self.found.fault("a fault of our own", request, answer)
        if self.watch.find(answer) is not None:
            # All secrets are made up, so they may be printed here.
            self.found.fault("part of a secret in an answer", request, answer)
        head, _, body = answer.partition(b"\r\n\r\n")
        if int(status[1]) >= 400 and body and not is_error(head, body):
            self.found.fault("an error in another shape", request, answer)


def is_excused(status, answer):
    """Whether the answer names STS or a limit as the cause."""
    head = answer.partition(b"\r\n\r\n")[0].lower()
    if status == 503:
        return b"\r\nretry-after:" in head and b"Overloaded" in answer
    return status in (502, 504) and b"\r\nx-sts-verdict: indeterminate" in head


def is_error(head, body):
    """Whether a body is an error in our form, or in Lambda's own where Lambda would refuse the payload."""
    of_lambda = b"\r\nx-amzn-errortype:" in head.lower()
    try:
        return list(json.loads(body)) == (["Type", "Message"] if of_lambda else ["exception", "error_code", "error_message"])
    except ValueError:
        return False


async def read_answer(reader, request):
    """Reads one answer. All answers have a length or no body."""
    head = await reader.readuntil(b"\r\n\r\n")
    if request.startswith(b"HEAD ") or head[9:12] in (b"204", b"304"):
        return head
    length = LENGTH.search(head)
    return head + (await reader.readexactly(int(length[1])) if length else b"")


def split_answers(data):
    """Splits the bytes of a connection into answers: perhaps 100 Continue first, and several if one request became
    two."""
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        size = int(length[1]) if length else 0
        if length and not rest or CHUNKED.search(head):
            size = len(rest)  # an answer to HEAD, or one that ends with the connection
        yield head + end + rest[:size]
        data = rest[size:]


async def throw(address, source, mutator, framed, raw):
    pelter = Pelter(address, source, mutator)
    shares = [pelter.framed(-(-framed // AT_ONCE)) for _ in range(AT_ONCE)]
    shares += [pelter.raw(-(-raw // AT_ONCE)) for _ in range(AT_ONCE)]
    await asyncio.gather(*shares)
    return pelter.found.as_dict()


def run(*task):
    """Runs in its own process."""
    return asyncio.run(throw(*task))
