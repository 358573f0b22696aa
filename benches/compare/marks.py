"""The performance targets: each prints one line with the measured value, and whether the target is met."""

import os
import pathlib
import subprocess
import sys
import threading
import time

from contenders import floor, ours
from load import measure, open_loop, wrk
from machine import median

START = pathlib.Path(__file__).parents[1] / "start"
FEW, MANY = 64, 4000
RATE = 200
EVEN_RATE = 2000
LONG = 600  # seconds


def mark(good, text):
    return f"- {'met' if good else '**not met**'}: {text}"


def of_the_table(cpu):
    """The targets of the comparison, from the CPU time per answer of each contender."""
    service, floor = cpu["**sts-verify**"], cpu["floor"]
    of = lambda start: next(figure for name, figure in cpu.items() if name.startswith(start))
    node, boto3 = of("Node"), of("boto3")
    yield mark(service <= 2 * floor, f"CPU per answer {service / floor:.2f} times the floor's (at most 2.0)")
    if any(name.startswith("Go") for name in cpu):
        yield mark(service <= 0.33 * of("Go"), f"{service / of('Go'):.2f} times Go's (at most 0.33)")
    else:
        yield "- not measured: Go, which is not installed"
    yield mark(service * 20 <= node, f"{node / service:.0f} times less than Node (at least 20)")
    yield mark(service * 500 <= boto3, f"{boto3 / service:,.0f} times less than boto3's handler (at least 500)")
    for answer, most in (("a web identity token, RS256", 0.75), ("a gate's, cached", 0.5)):
        yield mark(of(answer) <= most * service, (
            f"{answer}: {of(answer) / service:.2f} times an answer to credentials (at most {most})"))


def of_the_service(cleanup, sts, files):
    yield from start_and_idle()
    yield from at_one_rate(cleanup, sts)
    yield from connections(cleanup, sts, files)
    yield from added_latency(cleanup, sts)


def start_and_idle():
    """benches/start, whose lines read "GET /livez, ready for AWS: first answer after 9.1 ms, 9.9 MiB resident"."""
    print("measuring the start", file=sys.stderr)
    done = subprocess.run([sys.executable, START, os.environ["STS_VERIFY_BIN"]], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"benches/start failed: {done.stderr}")
    for line in done.stdout.splitlines():
        words = line.split()
        figure = lambda unit: float(words[next(place for place, word in enumerate(words) if word.startswith(unit)) - 1])
        good = figure("ms") < 20 and ("ready for AWS" not in line or figure("MiB") < 12)
        yield mark(good, f"{line}; below 20 ms, and ready for AWS below 12 MiB")


def at_one_rate(cleanup, sts):
    """The service and the floor at the same rate: in the table, a faster contender gets more requests, and the
    processor, the load generator and STS are less often asleep."""
    both = ours("steady", sts.url), floor("floor", sts.url)
    for contender in both:
        cleanup.callback(contender.stop)
        contender.start()
    for number in range(3):
        print(f"{EVEN_RATE} requests a second, {number + 1} of 3", file=sys.stderr)
        for contender in both:
            before = contender.program.cpu_seconds()
            result = open_loop("service", f"http://127.0.0.1:{contender.port}/verify", EVEN_RATE, 6)
            spent = contender.program.cpu_seconds() - before
            contender.results.append({"cpu": spent / result["sent"] * 1e6})
    for contender in both:
        contender.stop()
    service, least = (median(result["cpu"] for result in contender.results) for contender in both)
    yield mark(service <= 1.5 * least, (
        f"at {EVEN_RATE:,} requests a second each: {service:.0f} µs of CPU per answer, {least:.0f} the floor's, "
        f"{service / least:.2f} times as much (at most 1.5)"))


def connections(cleanup, sts, files):
    """The same load over few and many connections, in turn; for many, with higher limits of requests in flight and of
    connections per address. The same for the floor."""
    if files < 3 * MANY:
        yield f"- not measured: {MANY} connections need {3 * MANY} open files, {files} are allowed (ulimit -n)"
        return
    few = ours("few", sts.url, FEW)
    many = ours("many", sts.url, MANY, STS_VERIFY_MAX_IN_FLIGHT=2 * MANY,
                STS_VERIFY_MAX_CONNECTIONS_PER_ADDRESS=2 * MANY)
    least = floor("floor", sts.url)
    for contender in (few, many, least):
        cleanup.callback(contender.stop)
        contender.start()
    for number in range(3):
        print(f"{FEW} and {MANY} connections, {number + 1} of 3", file=sys.stderr)
        for contender in (few, many):
            contender.results.append(measure(contender, 8))
        least.results.append((measure(least, 8, FEW), measure(least, 8, MANY)))
    least.stop()
    for contender, limit in ((few, 40), (many, 160)):
        contender.stop()
        memory = max(result["memory"] for result in contender.results)
        failed = sum(result["failed"] for result in contender.results)
        yield mark(memory < limit and not failed, (
            f"{contender.connections:,} connections: {memory:.1f} MiB (below {limit}), {failed} errors (0), "
            f"{median(result['cpu'] for result in contender.results):.0f} µs of CPU per answer"))
    one, other = (median(result["cpu"] for result in contender.results) for contender in (few, many))
    floor_one, floor_other = (median(result["cpu"] for result in results) for results in zip(*least.results))
    memory = max(result["memory"] for _, result in least.results)
    yield mark(other / one <= floor_other / floor_one, (
        f"with {MANY:,} connections an answer costs {other / one - 1:+.0%} of that with {FEW} (at most the floor's "
        f"{floor_other / floor_one - 1:+.0%}, which takes {memory:.1f} MiB)"))


def added_latency(cleanup, sts):
    """A steady rate against STS itself and through the service, in turn."""
    service = ours("steady", sts.url)
    cleanup.callback(service.stop)
    service.start()
    direct, through = [], []
    for number in range(4):
        print(f"{RATE} requests a second, {number + 1} of 4", file=sys.stderr)
        direct.append(open_loop("sts", f"{sts.url}/", RATE, 8))
        through.append(open_loop("service", f"http://127.0.0.1:{service.port}/verify", RATE, 8))
    service.stop()
    milliseconds = lambda results, figure: median(result[figure] for result in results) / 1e3
    added = {figure: milliseconds(through, figure) - milliseconds(direct, figure) for figure in ("p50", "p99")}
    failed = sum(result["failed"] for result in direct + through)
    yield mark(added["p99"] < 0.6 and not failed, (
        f"latency added at {RATE} requests a second: {added['p99']:.2f} ms at p99 (below 0.6), {added['p50']:.2f} ms at p50; "
        f"STS alone {milliseconds(direct, 'p50'):.2f} and {milliseconds(direct, 'p99'):.2f} ms, through the service "
        f"{milliseconds(through, 'p50'):.2f} and {milliseconds(through, 'p99'):.2f} ms at p50 and p99; {failed} errors"))


def long(cleanup, sts, say):
    """Ten minutes of distinct credentials, at the maximum rate."""
    service = ours("long", sts.url)
    cleanup.callback(service.stop)
    service.start()
    result = {}
    load = threading.Thread(target=lambda: result.update(wrk(service.port, FEW, LONG)), daemon=True)
    load.start()
    say("| minute | resident, MiB | connections to STS open | opened in all |\n|---:|---:|---:|---:|")
    memory, started = [], time.monotonic()
    while load.is_alive():
        load.join(timeout=30)
        if load.is_alive():
            memory.append(service.program.resident_mib())
            open_now, opened = sts.connections()
            say(f"| {(time.monotonic() - started) / 60:.1f} | {memory[-1]:.1f} | {open_now} | {opened} |")
    if not result:
        sys.exit("wrk was interrupted")
    _, opened = sts.connections()
    early, late = max(memory[:4]), max(memory[-4:])
    failed = result["refused"] + result["broken"] + result["late"]
    say()
    say(mark(not failed, f"{result['answers']:,} distinct credentials in {LONG // 60} minutes, {failed} errors"))
    say(mark(late <= early * 1.1, f"memory is constant: {early:.1f} MiB in the first two minutes, {late:.1f} in the last two"))
    say(mark(opened <= 4 * FEW, f"{opened} connections to STS in total, for {FEW} simultaneous callers"))
