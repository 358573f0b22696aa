"""A registry of images and charts on loopback: Debian's docker-registry with an empty storage."""

import os
import pathlib
import re
import shutil
import subprocess

CONFIGURATION = """version: 0.1
storage:
  filesystem:
    rootdirectory: {folder}
http:
  addr: 127.0.0.1:0
"""


class Registry:
    """A running registry, which listens at `address`."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "config.yml").write_text(CONFIGURATION.format(folder=folder / "storage"), encoding="utf-8")
        self.process = subprocess.Popen(
            [os.environ["REGISTRY"], "serve", folder / "config.yml"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"OTEL_TRACES_EXPORTER": "none"},
        )
        said = []
        for line in self.process.stdout:
            said.append(line)
            found = re.search(r"listening on (127\.0\.0\.1:\d+)", line)
            if found:
                self.address = found[1]
                return
        raise RuntimeError("the registry did not start: " + "".join(said))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.communicate()
