"""Verifies a list with the program and with boto3, and prints the results as Markdown. Started by `run`."""

import collections
import contextlib
import json
import os
import pathlib
import random
import subprocess
import sys
import time

WORK = pathlib.Path(os.environ["BENCH_WORK"])
POOL = pathlib.Path(__file__).with_name("boto3_pool.py")
KEYS, THROTTLE = 10_000, 500
DISTINCT, LINES = 100_000, 1_000_000


def main():
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(f"{KEYS:,} distinct keys, all valid; STS takes {THROTTLE} a second; ideal {KEYS / THROTTLE:.0f} s\n")
    print("| | seconds | × ideal | valid | other verdicts | lost | CPU per key, µs | peak memory, MiB |")
    print("|---|---:|---:|---:|---|---:|---:|---:|")
    with crowd(KEYS, THROTTLE) as (url, callers):
        path = WORK / "keys.ndjson"
        path.write_text("".join(callers))
        row("sts-verify verify", program(path, url), KEYS)
        # boto3 needs a client for each key; creating it takes most of the CPU.
        row("boto3, 32 threads, a client for each key (most of its CPU)", measured([sys.executable, POOL, path], url), KEYS)
    print(f"\n{LINES:,} lines, {DISTINCT:,} distinct; STS does not throttle\n")
    with crowd(DISTINCT) as (url, callers):
        path = WORK / "million.ndjson"
        chance = random.Random(0)
        with path.open("w") as file:
            file.writelines(callers)
            file.writelines(chance.choices(callers, k=LINES - DISTINCT))
        many = program(path, url)
        path.write_text("".join(callers[:1] * LINES))
        one = program(path, url)
    path.unlink()
    for name, run, distinct in (("all of them", many, DISTINCT), ("one key alone", one, 1)):
        print(f"- {name}: {run.verdicts['valid']:,} rows valid, {run.seconds:.1f} s, CPU {run.cpu / LINES * 1e6:.1f} µs a line, "
              f"{run.memory:.1f} MiB at most")
    print(f"- memory for a distinct key: {(many.memory - one.memory) * 2**20 / DISTINCT:.0f} bytes")


Result = collections.namedtuple("Result", "seconds cpu memory verdicts")


@contextlib.contextmanager
def crowd(count, *throttle):
    process = subprocess.Popen([os.environ["CROWD_BIN"], *map(str, [count, *throttle])], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    # It keeps its output open, so the end of the output cannot be waited for.
    url, *callers = (process.stdout.readline() for _ in range(1 + count))
    yield url.strip(), callers
    process.stdin.close()
    process.wait()


def program(path, url):
    return measured([os.environ["STS_VERIFY_BIN"], "verify", path], url)


def measured(command, url):
    """Runs a command that prints rows, and reads its resource usage from the kernel."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STS_VERIFY_"))}
    verdicts = collections.Counter()
    began = time.perf_counter()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               env=clean | {"AWS_ENDPOINT_URL_STS": url, "AWS_EC2_METADATA_DISABLED": "true"})
    memory = 0
    for number, line in enumerate(process.stdout):
        if number % 1000 == 0:
            memory = max(memory, peak_memory(process.pid))
        row = json.loads(line)
        verdicts[row["verdict"] if row["verdict"] == "valid" else f"{row['verdict']} {row['error_code']}"] += 1
    _, _, usage = os.wait4(process.pid, 0)
    return Result(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, memory, verdicts)


def peak_memory(pid):
    """In MiB. Not `ru_maxrss`: a process inherits that of this one."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0


def row(name, run, count):
    others = ", ".join(f"{number} {verdict}" for verdict, number in run.verdicts.items() if verdict != "valid") or "none"
    print(f"| {name} | {run.seconds:.1f} | {run.seconds / (count / THROTTLE):.2f} | {run.verdicts['valid']:,} | {others} | "
          f"{count - sum(run.verdicts.values())} | {run.cpu / count * 1e6:,.0f} | {run.memory:.1f} |", flush=True)


main()
