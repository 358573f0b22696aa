"""Measures in rounds, and prints Markdown. Started by `run`, which prepares what it needs."""

import argparse
import contextlib
import datetime
import os
import pathlib
import signal
import sys

import contenders
import growth
import marks
from load import measure
from machine import describe, median, raise_file_limit
from stand_in import StandIn

HEAD = """\
| | CPU per answer, µs | × floor | answers/s | p50, ms | p99, ms | idle, MiB | loaded, MiB | first answer, ms | size, MiB |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"""
HEAD_OF_OTHERS = """\
| answer to | CPU, µs | × credentials | answers/s |
|---|---:|---:|---:|"""


def arguments():
    parser = argparse.ArgumentParser(prog="benches/compare/run", description=(
        "Measures the service beside what people would run instead of it. The tables go to stdout and into target/bench."))
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds of the comparison (5)")
    parser.add_argument("--seconds", type=int, default=4, metavar="S", help="seconds per contender and round (4)")
    parser.add_argument("--table", action="store_true", help="only the table, without the targets")
    parser.add_argument("--marks", action="store_true", help="only the targets that need no comparison")
    parser.add_argument("--long", action="store_true", help="only distinct credentials for ten minutes")
    parser.add_argument("--growth", action="store_true", help=(
        "only the figures of docs/performance (over connections, the latency of STS, and the length of the session token); some ten "
        "minutes with --rounds 3 --seconds 3"))
    parser.add_argument("--draw", action="store_true", help="only draw these figures again, from the data of the last --growth")
    return parser.parse_args()


class Report:
    """Writes everything to both stdout and a file."""

    def __init__(self, name):
        self.path = pathlib.Path(os.environ["BENCH_WORK"]) / name
        self.path.write_text("")

    def say(self, text=""):
        print(text, flush=True)
        with self.path.open("a") as file:
            file.write(text + "\n")


def compare(cleanup, sts, chosen):
    """Starts all contenders, then loads each in turn, so that other load on the machine affects all equally. Returns
    the contenders, and the service with its other answers."""
    list_of, others = contenders.all_of_them(sts), contenders.other_answers(sts)
    for contender in list_of + others:
        cleanup.callback(contender.stop)
        print(f"starting {contender.name}", file=sys.stderr)
        contender.start_often()
    for number in range(chosen.rounds):
        print(f"round {number + 1} of {chosen.rounds}", file=sys.stderr)
        # They would expire during a run.
        sts.issuer.write_tokens()
        for contender in list_of + others:
            contender.results.append(measure(contender, chosen.seconds))
    for contender in list_of + others:
        contender.stop()
    return list_of, others


def table(list_of):
    """One line per contender. The floor of a line is the one with the same STS, with or without TLS."""
    lines = [HEAD]
    for contender in list_of:
        middle = lambda figure: median(result[figure] for result in contender.results)
        floor = cpu_of(list_of, "floor, TLS to STS" if "TLS" in contender.name else "floor")
        lines.append(
            f"| {contender.name} | {middle('cpu'):,.0f} | {middle('cpu') / floor:,.2f} | {middle('rate'):,.0f} | "
            f"{middle('p50') / 1e3:,.1f} | {middle('p99') / 1e3:,.1f} | {contender.idle:.1f} | "
            f"{max(result['memory'] for result in contender.results):.1f} | {contender.first_answer * 1e3:,.0f} | "
            f"{contender.size:,.1f} |")
    return "\n".join(lines)


def table_of_others(service, others):
    """The service's other answers, one line each."""
    middle = lambda contender, figure: median(result[figure] for result in contender.results)
    least = middle(service, "cpu")
    lines = [f"| {name} | {middle(one, 'cpu'):,.0f} | {middle(one, 'cpu') / least:.2f} | {middle(one, 'rate'):,.0f} |"
             for name, one in [("credentials", service), *((one.name, one) for one in others)]]
    return "\n".join([HEAD_OF_OTHERS, *lines])


def failures(list_of):
    failed = [f"{one.name}: {sum(result['failed'] for result in one.results)}" for one in list_of
              if any(result["failed"] for result in one.results)]
    return "Requests that failed: " + ("; ".join(failed) or "none") + "."


def cpu_of(list_of, name):
    return next(median(result["cpu"] for result in one.results) for one in list_of if one.name == name)


def main():
    chosen = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    if chosen.draw:
        growth.draw()
        return
    if chosen.growth:
        with contextlib.ExitStack() as cleanup:
            growth.run(cleanup, chosen.rounds, chosen.seconds)
        return
    files = raise_file_limit()
    report = Report("long.md" if chosen.long else "compare.md")
    report.say(f"{datetime.datetime.now():%Y-%m-%d %H:%M}, {describe()}, `{os.path.relpath(os.environ['STS_VERIFY_BIN'])}`\n")
    with contextlib.ExitStack() as cleanup:
        sts = StandIn(files)
        cleanup.callback(sts.stop)
        if chosen.long:
            marks.long(cleanup, sts, report.say)
            return
        if not chosen.marks:
            list_of, others = compare(cleanup, sts, chosen)
            every = list_of + others
            for part in (table(list_of), table_of_others(list_of[0], others), failures(every)):
                report.say(f"{part}\n")
            for line in marks.of_the_table({one.name: cpu_of(every, one.name) for one in every}):
                report.say(line)
        if not chosen.table:
            for line in marks.of_the_service(cleanup, sts, files):
                report.say(line)
    print(f"also in {os.path.relpath(report.path)}", file=sys.stderr)


main()
