"""The load generators: wrk sends the next request after each answer, and open-loop sends at a steady rate."""

import json
import os
import pathlib
import subprocess
import sys

from machine import Watch

SCRIPT = pathlib.Path(__file__).parent / "requests.lua"


def wrk(port, connections, seconds, asks=("credentials",)):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout=30s", "-s", SCRIPT, f"http://127.0.0.1:{port}"]
    return last_line_of([*command, "--", *asks])


def open_loop(target, url, rate, seconds):
    return last_line_of([os.environ["OPEN_LOOP_BIN"], target, url, str(rate), str(seconds)])


def last_line_of(command):
    # Where run has unpacked a library for wrk, if it had to.
    libraries = {"LD_LIBRARY_PATH": os.environ["BENCH_LIBRARIES"]} if os.environ.get("BENCH_LIBRARIES") else {}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | libraries)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stdout}{done.stderr}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(contender, seconds, connections=None):
    """One round of one contender: a second of warm-up, then the cost of a period of load."""
    connections = connections or contender.connections
    wrk(contender.port, connections, 1, contender.asks)
    with Watch(contender.program) as memory:
        before = contender.program.cpu_seconds()
        result = wrk(contender.port, connections, seconds, contender.asks)
        spent = contender.program.cpu_seconds() - before
    if not result["answers"]:
        sys.exit(f"{contender.name} gave no answer in {seconds} s: {result}")
    failed = result["refused"] + result["broken"] + result["late"]
    return result | {"cpu": spent / result["answers"] * 1e6, "rate": result["answers"] / result["seconds"],
                     "memory": memory.most, "failed": failed}
