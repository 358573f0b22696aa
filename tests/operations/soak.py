"""A steady mixed load for a long time: memory and descriptors have to stay constant."""

import asyncio
import collections
import functools
import json
import random
import statistics

from load import GOOD, SteadyLoad, Tally, new_credentials, verify
from processes import Service
from sandbox_table import callers, named
from service import Program
from table import machine, markdown, say

RATE = 50
SAMPLES = 240
# The percentage of requests by each caller of the sandbox, and the expected answer.
MIX = (
    (30, "an IAM user, with a path", GOOD),
    (20, "an assumed role, its token", GOOD),
    (2, "good, after three seconds", GOOD),
    (8, "ExpiredToken", (400, "ExpiredToken", "invalid")),
    (2, "AccessDenied", (400, "AccessDenied", "indeterminate")),
    (3, "Throttling", (400, "Throttling", "indeterminate")),
    (2, "503 with an empty body", (400, "503", "indeterminate")),
    (2, "the connection closed", (502, "ConnectionClosedError", "indeterminate")),
    (2, "200 with HTML", (502, "ResponseParserError", "indeterminate")),
    (1, "never an answer", (504, "ReadTimeoutError", "indeterminate")),
)
UNKNOWN, UNKNOWN_IS_TOLD = 23, (400, "InvalidClientTokenId", "invalid")
MALFORMED, MALFORMED_IS_TOLD = 5, (400, "MalformedJson", "-")
# Growth above this is a leak; fluctuations of the allocator stay below it.
MOST_GROWTH = 4  # MiB
MOST_MORE_DESCRIPTORS = 16


class Mixed:
    """Picks a request, sends it, and records unexpected answers."""

    def __init__(self, table):
        self.questions = [(functools.partial(json.dumps, named(table, words).question()), told)
                          for _, words, told in MIX]
        self.questions += [(new_credentials, UNKNOWN_IS_TOLD), (lambda: '{"stsAccessKey": ', MALFORMED_IS_TOLD)]
        self.weights = [count for count, *_ in MIX] + [UNKNOWN, MALFORMED]
        self.wrong = collections.Counter()

    async def __call__(self, session, url):
        ((ask, told),) = random.choices(self.questions, self.weights)
        # Some callers come with a new connection each time.
        headers = {"Connection": "close"} if random.random() < 0.3 else {}
        answer = await verify(session, url, ask(), **headers)
        if answer.kind != told:
            self.wrong[f"{answer.kind} instead of {told}"] += 1
        return answer


async def soak(report, minutes):
    settings = {"STS_VERIFY_RETRY_BACKOFF": "100ms", "STS_VERIFY_ATTEMPT_TIMEOUT": "5s", "STS_VERIFY_DEADLINE": "10s"}
    with Program("sandbox") as sandbox, Service(sandbox.address, **settings) as service:
        mixed = Mixed(callers(sandbox.lines))
        loop = asyncio.get_running_loop()
        samples, errors = [], []
        async with SteadyLoad(service.url, RATE, mixed) as load:
            began = loop.time()
            while loop.time() < began + minutes * 60:
                await asyncio.sleep(minutes * 60 / SAMPLES)
                samples.append(((loop.time() - began) / 60, len(load.answers), service.memory(),
                                service.descriptors()))
                for lines in (service.lines, sandbox.lines):
                    errors += [line for line in lines if '"level":"ERROR"' in line]
                    lines.clear()
        last_memory = service.memory()
    judge(report, samples, mixed, errors)
    tell(report, minutes, samples, Tally(load.answers), last_memory)


def judge(report, samples, mixed, errors):
    """Compares the last quarter with the second; the first is the start phase."""
    quarter = len(samples) // 4
    second, last = samples[quarter:2 * quarter], samples[-quarter:]
    memory = [statistics.median(sample[2] for sample in part) for part in (second, last)]
    descriptors = [max(sample[3] for sample in part) for part in (second, last)]
    report.holds("soak: every request gets the expected answer", not mixed.wrong, mixed.wrong)
    report.holds("soak: no error in the log", not errors, *errors[:3])
    report.holds("soak: memory is constant", memory[1] <= memory[0] + MOST_GROWTH, f"{memory[0]:.1f} to {memory[1]:.1f} MiB")
    report.holds("soak: descriptors are constant", descriptors[1] <= descriptors[0] + MOST_MORE_DESCRIPTORS, descriptors)
    report.note(f"soak: memory {memory[0]:.1f} MiB in the second quarter, {memory[1]:.1f} MiB in the last (medians); "
                f"at most {descriptors[0]} and {descriptors[1]} descriptors")


def tell(report, minutes, samples, tally, last_memory):
    say("done")
    rows = [(f"{at:.1f}", answered, f"{memory:.1f}", descriptors)
            for at, answered, memory, descriptors in samples[SAMPLES // 12 - 1::SAMPLES // 12]]
    print(f"\n{machine()}; {minutes:g} minutes at {RATE} requests/s, {len(tally.answers)} requests in all, "
          f"the longest answer {tally.longest:.1f} s\n")
    print(markdown(("minute", "answered", "memory, MiB", "descriptors"), rows))
    print("\n" + "\n".join(f"- {note}" for note in report.notes))
    print(f"- after the last answer: {last_memory:.1f} MiB\n", flush=True)
