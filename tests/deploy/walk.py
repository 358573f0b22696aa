"""One run of the upgrade steps: a folder with the commands' files, a cluster, and the commands' output."""

import json
import os
import re
import shutil
import subprocess
import sys

import program
import walkthrough

HERE = program.ROOT / "tests/deploy"
ISSUE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj /CN=sts-verify"
    " -addext subjectAltName=IP:127.0.0.1 -keyout tls.key -out tls.crt"
)


class Walk:
    """A run with one tool. `keys` are the printed API keys, in order."""

    def __init__(self, claims, tool, folder):
        self.claims, self.tool, self.folder = claims, tool, folder
        self.keys = []
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(program.ROOT / "deploy", folder / "deploy")
        tools = folder / "bin"
        tools.mkdir()
        for name in ("kubectl", "helm"):
            (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "cluster.py"}" {name} "$@"\n')
            (tools / name).chmod(0o755)
        (tools / "sts-verify").symlink_to(os.environ["STS_VERIFY_BIN"])
        self.environment = os.environ | {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "CLUSTER": str(folder / "cluster.json"),
            "KUBECTL": shutil.which("kubectl"),
        }

    def state(self):
        """The cluster's objects by kind and name."""
        path = self.folder / "cluster.json"
        return json.loads(path.read_text(encoding="utf-8"))["objects"] if path.exists() else {}

    def objects(self):
        return list(self.state().values())

    def blocks(self, step):
        """The commands of a step, as far as they are for this tool."""
        found, _ = walkthrough.steps()[step]
        return [text for tool, text in found if tool in (None, self.tool)]

    def run(self, step, commands):
        """Runs one block; returns the objects that it changed."""
        before = self.state()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.folder,
            env=self.environment,
            text=True,
            capture_output=True,
            check=False,
        )
        said = re.sub(r"stsv_\w+", "stsv_…", done.stdout + done.stderr)
        self.claims.none(
            f"{self.name(step)}: its commands can be run", f"{commands}{said}" if done.returncode else None
        )
        self.keys += re.findall(r"^stsv_[0-9a-f]{64}$", done.stderr, re.MULTILINE)
        after = self.state()
        return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}

    def name(self, step):
        return f"{self.tool}: {step}"

    def issue(self):
        """Creates a new tls.crt and tls.key, as an issuer would. Returns the certificate."""
        subprocess.run(ISSUE.split(), cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "tls.crt").read_text(encoding="utf-8")

    def allow(self, account):
        """policies.toml after an edit."""
        text = f'[policy.reports]\naccounts = ["{account}"]\n'
        (self.folder / "policies.toml").write_text(text, encoding="utf-8")
        return text
