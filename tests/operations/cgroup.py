"""A control group with a memory limit, for the process of a scenario, if one can be created."""

import contextlib
import os
import pathlib
import stat
import tempfile

ROOT = pathlib.Path("/sys/fs/cgroup")


class Group:
    """Version 1 counts TCP buffers separately, version 2 with the other memory."""

    def __init__(self, name, mebibytes):
        self.limit, self.path = mebibytes, None
        self.is_v2 = (ROOT / "cgroup.controllers").exists()
        path = ROOT / name if self.is_v2 else ROOT / "memory" / name
        limits = ("memory.max",) if self.is_v2 else ("memory.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes")
        try:
            if self.is_v2:
                (ROOT / "cgroup.subtree_control").write_text("+memory")
            path.mkdir(exist_ok=True)
            for file in limits:
                (path / file).write_text(str(mebibytes << 20))
            self.path = path
        except OSError as error:
            self.why = f"no control group can be made here: {error}"

    def most(self):
        """The peak memory in MiB: in total, and the part for TCP if known."""
        if self.is_v2:
            return self.read("memory.peak"), None
        tcp = self.read("memory.kmem.tcp.max_usage_in_bytes")
        return self.read("memory.max_usage_in_bytes") + tcp, tcp

    def killed(self):
        """How many processes in it the kernel has killed for memory."""
        file = self.path / ("memory.events" if self.is_v2 else "memory.oom_control")
        return int(dict(line.split() for line in file.read_text().splitlines())["oom_kill"])

    def read(self, file):
        return int((self.path / file).read_text()) / 2**20

    @contextlib.contextmanager
    def program(self):
        """Meanwhile STS_VERIFY_BIN names a wrapper that joins the group and then executes the program."""
        binary = os.environ["STS_VERIFY_BIN"]
        with tempfile.TemporaryDirectory(prefix="operations") as directory:
            wrapper = pathlib.Path(directory, pathlib.Path(binary).name)
            wrapper.write_text(f'#!/bin/sh\necho $$ >{self.path}/cgroup.procs && exec {binary} "$@"\n')
            wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
            os.environ["STS_VERIFY_BIN"] = str(wrapper)
            try:
                yield
            finally:
                os.environ["STS_VERIFY_BIN"] = binary

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.path:
            self.path.rmdir()
