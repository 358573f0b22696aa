"""The measured programs: starting, stopping, and their resource usage from the kernel."""

import contextlib
import http.client
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

import questions

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
START_LIMIT = 60  # seconds; only to fail rather than hang


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def clean_environment(**more):
    """The environment without variables of AWS or sts-verify, and without proxies."""
    rest = {name: value for name, value in os.environ.items() if not (
        name.startswith(("AWS_", "STS_VERIFY_", "PYTHONPATH", "NODE_")) or name.lower().endswith("_proxy"))}
    return rest | {name: str(value) for name, value in more.items()}


class Program:
    """A running program with all its threads and children, in its own session."""

    def __init__(self, command, **settings):
        self.command = [str(word) for word in command]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            self.command, env=clean_environment(**settings), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True)
        self.complaints = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stderr:
            self.complaints = [*self.complaints[-20:], line.decode(errors="replace")]

    def wait_for(self, ready):
        """Waits until this is true, and returns the seconds since its start."""
        while not ready():
            if self.process.poll() is not None or time.perf_counter() - self.started > START_LIMIT:
                sys.exit(f"{self.command[0]} did not start: {''.join(self.complaints)}")
            time.sleep(0.0005)
        return time.perf_counter() - self.started

    def _stats(self):
        """The fields of /proc/PID/stat from the third on, of each process of the session."""
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) == self.process.pid:
                    yield fields

    def cpu_seconds(self):
        """User and system time so far, including ended children."""
        return sum(int(ticks) for fields in self._stats() for ticks in fields[11:15]) / TICKS

    def resident_mib(self):
        return sum(int(fields[21]) for fields in self._stats()) * PAGE / 2**20

    def stop(self):
        """Kills it at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop_by_itself(self):
        """Ends it gracefully, so that it waits for its children."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        self.stop()


class Watch:
    """The peak memory of a program while this is open."""

    def __init__(self, program):
        self.program, self.most = program, 0.0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.over.wait(0.2):
            self.most = max(self.most, self.program.resident_mib())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def answers_well(port):
    """Whether POST /verify returns the caller's identity. Any other answer ends the run."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_LIMIT)
    try:
        body = next(questions.questions(seed=os.getpid() % 10_000))
        connection.request("POST", "/verify", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status != 200 or questions.ARN not in text:
            sys.exit(f"the program on port {port} answered {answer.status}: {text[:500]}")
        return True
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


def raise_file_limit():
    """Raises the limit of open files as far as possible without root. Returns the limit."""
    import resource
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def size_mib(*paths):
    """The size of files and directories, counting each file once."""
    def files(path):
        path = pathlib.Path(path)
        return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return sum(file.stat().st_size for path in paths for file in files(path)) / 2**20


def describe():
    """This machine, in a line."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in cpuinfo.splitlines() if line.startswith("model name")), "?")
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return f"{os.cpu_count()} × {model}, {memory:.0f} GiB, {os.uname().sysname} {os.uname().release}"


median = statistics.median
