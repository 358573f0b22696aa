"""Runs the scenarios one after the other, and prints the table. Started by tests/operations/run."""

import argparse
import asyncio
import signal
import sys
import time
import traceback
from types import SimpleNamespace

from bad_input import mutated_requests
from crowd import crowd
from memory import memory
from overload import four_times_the_limit
from redis_trouble import redis_in_trouble
from refused_bodies import refused_bodies
from replicas import kill_one, stop_and_start
from service import clean_this_process
from soak import soak
from table import Report, machine, say
from trouble import sts_in_trouble

SCENARIOS = {
    "rolling": stop_and_start, "kill": kill_one, "sts": sts_in_trouble, "crowd": crowd,
    "overload": four_times_the_limit, "refused": refused_bodies, "memory": memory, "redis": redis_in_trouble,
    "input": mutated_requests,
}
SHORT = SimpleNamespace(
    rate=100, rounds=2, stop_delay="5s",
    # The defaults are 5 s and 20 s. An STS that takes 5 s must be within the attempt's timeout, or it counts as silent.
    attempt_timeout=6, deadline=7, trouble=9, trouble_rate=40,
    crowd=5, overload=30, refused=10, redis=3, redis_rate=40, mutated=100_000)
LONG = SimpleNamespace(
    rate=150, rounds=6, stop_delay="5s", attempt_timeout=6, deadline=20, trouble=60, trouble_rate=40,
    crowd=60, overload=120, refused=60, redis=30, redis_rate=40, mutated=1_000_000)


def arguments():
    parser = argparse.ArgumentParser(prog="tests/operations/run", description=__doc__)
    parser.add_argument("scenario", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO",
                        help=f"out of {', '.join(SCENARIOS)}; all of them if none is named")
    parser.add_argument("--long", action="store_true", help="longer and with more of everything")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="a soak alone; see tests/operations/soak")
    parser.add_argument("--seed", type=int, default=20261125, help="of the mutations")
    return parser.parse_args()


def end(number, _):
    """Exits through `sys.exit`, so that the processes of the scenario are ended."""
    sys.exit(128 + number)


def main():
    given = arguments()
    plan = SimpleNamespace(**vars(LONG if given.long else SHORT), seed=given.seed)
    clean_this_process()
    signal.signal(signal.SIGTERM, end)
    report = Report()
    if given.soak:
        asyncio.run(soak(report, given.soak))
        report.close()
    for name in given.scenario or SCENARIOS:
        began = time.monotonic()
        say(f"--- {name}")
        try:
            asyncio.run(SCENARIOS[name](report, plan))
        except Exception:
            report.result(f"{name} was done to its end", traceback.format_exc().splitlines())
        say(f"--- {name} took {time.monotonic() - began:.0f} s")
    print(f"\n{machine()}\n", flush=True)
    report.print_table()
    report.close()


if __name__ == "__main__":
    main()
