"""How the cost of an answer grows: with the connections, with STS's latency, and with the session token. Measures the
service, Go and the floor in turn, and stores the data beside the figures that are drawn from it."""

import datetime
import json
import os
import pathlib
import sys

import figures
from contenders import floor, go, ours
from load import measure, open_loop
from machine import describe, raise_file_limit
from stand_in import StandIn

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "performance"
DATA = DOCS / "growth.json"
CONNECTIONS = (1, 4, 16, 64, 256, 1000, 4000)
DELAYS = (0, 10, 100, 1000)  # milliseconds
RATE = 400  # requests a second: with the greatest delay fewer are in flight than the service allows
TOKENS = (0, 400, 1024, 4096, 8192, 16384)  # characters
# More connections and requests at once than the defaults allow.
ROOM = {"STS_VERIFY_MAX_IN_FLIGHT": 8192, "STS_VERIFY_MAX_CONNECTIONS_PER_ADDRESS": 8192}


def contenders(url):
    """The service first, and Go only where it is installed."""
    return [ours("sts-verify", url, **ROOM), *([go(url)] if os.environ.get("GO_BIN") else []), floor("floor", url)]


def over_connections(sts, cleanup, seconds):
    """The maximum rate over each number of connections. With thousands of connections the first answers take a
    while."""
    all_of_them = started(contenders(sts.url), cleanup)
    for number in CONNECTIONS:
        for contender in all_of_them:
            yield "connections", contender, number, measure(contender, seconds + number // 1000, number)
    stop(all_of_them)


def over_delays(sts, cleanup, seconds):
    """A steady rate of requests: the later STS answers, the more of them are in flight."""
    for delay in DELAYS:
        all_of_them = started(contenders(sts.late[delay] if delay else sts.url), cleanup)
        for contender in all_of_them:
            yield "delay", contender, delay, steadily(contender, seconds)
        stop(all_of_them)


def over_tokens(sts, cleanup, seconds):
    all_of_them = started(contenders(sts.url), cleanup)
    for length in TOKENS:
        for contender in all_of_them:
            contender.asks = ("credentials", str(length))
            yield "token", contender, length, measure(contender, seconds)
    stop(all_of_them)


def steadily(contender, seconds):
    url = f"http://127.0.0.1:{contender.port}/verify"
    open_loop("service", url, RATE, 1)
    before = contender.program.cpu_seconds()
    result = open_loop("service", url, RATE, seconds)
    return result | {"cpu": (contender.program.cpu_seconds() - before) / result["sent"] * 1e6}


def started(all_of_them, cleanup):
    for contender in all_of_them:
        cleanup.callback(contender.stop)
        contender.start()
    return all_of_them


def stop(all_of_them):
    for contender in all_of_them:
        contender.stop()


def run(cleanup, rounds, seconds):
    """Measures everything in rounds, so that a busy minute hits one figure of each point at most, and draws it."""
    files = raise_file_limit()
    if files < 3 * max(CONNECTIONS):
        sys.exit(f"{max(CONNECTIONS)} connections need {3 * max(CONNECTIONS)} open files, {files} are allowed (ulimit -n)")
    sts = StandIn(files, [delay for delay in DELAYS if delay])
    cleanup.callback(sts.stop)
    measured, failed = {}, {}
    for number in range(rounds):
        for over in (over_connections, over_delays, over_tokens):
            print(f"round {number + 1} of {rounds}: {over.__name__.replace('_', ' ')}", file=sys.stderr)
            for axis, contender, point, result in over(sts, cleanup, seconds):
                of_one = measured.setdefault(axis, {}).setdefault(contender.name, {})
                of_one.setdefault(str(point), []).append(round(result["cpu"], 1))
                if result["failed"]:
                    name = f"{contender.name}, {axis} {point}"
                    failed[name] = failed.get(name, 0) + result["failed"]
    keep({"measured": f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {describe()}, {rounds} × {seconds} s a point", "rate": RATE,
          "failed": failed, "cpu_microseconds": measured})
    draw()


def keep(data):
    DOCS.mkdir(exist_ok=True)
    DATA.write_text(json.dumps(data, indent=1) + "\n")
    print("Requests that failed: " + ("; ".join(f"{name}: {count}" for name, count in data["failed"].items()) or "none") + ".")


def draw():
    """Draws the figures from the data of the last run."""
    for file in figures.draw(json.loads(DATA.read_text()), DOCS):
        print(file)
