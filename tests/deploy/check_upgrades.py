"""Runs the upgrade steps of docs/deploying.md, once with each tool, and reports lost requests.

check_upgrades.py FOLDER      the files of the run stay there
"""

import pathlib
import re
import sys
import time

import kubernetes_promises as promises
import walkthrough
from caller import Caller, ask, verify
from claims import Claims
from pods import Pod
from walk import Walk

# Which objects each step changes. All others stay as they are.
CHANGED = {
    "Rotate an API key": "Secret/sts-verify-api-keys",
    "Renew a certificate": "Secret/sts-verify-tls",
    "Change a policy": "ConfigMap/sts-verify-policies",
    "Roll out a new version": "Deployment/sts-verify",
    "Roll back": "Deployment/sts-verify",
}
REFUSED = (401, None)
PATIENCE = 60  # seconds; only to fail rather than hang


def until(condition):
    """Polls until the condition is true. The pods notice a change within three seconds."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
    return False


class Upgrades:
    """The steps, with one serving pod and a caller."""

    def __init__(self, walk):
        self.walk, self.claims = walk, walk.claims
        self.old_certificate = walk.issue()
        walk.allow("123456789012")
        for commands in walk.blocks("Begin"):
            walk.run("Begin", commands)
        self.pods = 0
        self.pod = self.new_pod()
        self.caller = Caller([self.pod.address], walk.keys[0])
        self.caller.more()

    def new_pod(self):
        self.pods += 1
        return Pod(self.walk.objects(), self.walk.folder / f"mounts-{self.pods}")

    def change(self, step, commands):
        """Runs a block, and lets the kubelet update the changed files."""
        before = promises.pod_of(self.walk.objects())
        changed = self.walk.run(step, commands)
        name = self.walk.name(step)
        self.claims.equal(f"{name}: it changes one object", changed, {CHANGED[step]})
        same = promises.pod_of(self.walk.objects()) == before
        rolls = CHANGED[step].startswith("Deployment/")
        self.claims.equal(f"{name}: pods are {'replaced' if rolls else 'not restarted'}", same, not rolls)
        self.pod.sync(self.walk.objects())

    def rotate(self, step):
        add, remove = self.walk.blocks(step)
        self.change(step, add)
        old, new = self.walk.keys
        name, address = self.walk.name(step), self.pod.address
        taken = until(lambda: verify(address, new) == (200, "valid"))
        self.claims.true(f"{name}: the new key is accepted without a restart", taken)
        self.claims.equal(f"{name}: the old key is still accepted meanwhile", verify(address, old), (200, "valid"))
        self.caller.more()
        self.caller.key = new
        self.caller.more()
        self.change(step, remove)
        gone = until(lambda: verify(address, old) == REFUSED)
        self.claims.true(f"{name}: the old key is finally refused", gone)

    def renew(self, step):
        certificate = self.walk.issue()
        (commands,) = self.walk.blocks(step)
        self.change(step, commands)
        name = self.walk.name(step)
        self.claims.true(f"{name}: the new certificate differs from the old one", certificate != self.old_certificate)
        taken = until(lambda: self.pod.certificate() == certificate)
        self.claims.true(f"{name}: the new certificate is served without a restart", taken)

    def policy(self, step):
        text = self.walk.allow("210987654321")
        (commands,) = self.walk.blocks(step)
        self.change(step, commands)
        path = promises.environment(self.walk.objects())["STS_VERIFY_POLICIES_FILE"]
        mounted = (self.pod.volumes.folder / path.removeprefix("/etc/sts-verify/")).read_text(encoding="utf-8")
        self.claims.equal(f"{self.walk.name(step)}: the pod has the new file", mounted, text)

    def roll(self, step):
        """One pod of a rollout: a new one is there before the old one is told to stop."""
        before = promises.container_of(self.walk.objects())["image"]
        for commands in self.walk.blocks(step):
            self.change(step, commands)
        after, name = promises.container_of(self.walk.objects())["image"], self.walk.name(step)
        self.claims.true(f"{name}: the image differs from the previous one", before != after)
        old, self.pod = self.pod, self.new_pod()
        self.caller.addresses = [old.address, self.pod.address]
        self.caller.more()
        old.tell()
        unready = until(lambda: ask(old.address, "GET", "/readyz")[0] == 503)
        self.claims.true(f"{name}: the old pod is not ready but still serves", unready)
        self.caller.addresses = [self.pod.address]
        self.claims.equal(f"{name}: the old pod finishes its requests and exits with 0", old.code(), 0)

    def back(self, step):
        before = self.walk.state()
        self.roll(step)
        after = self.walk.state()
        kept = {key for key in after if not key.startswith("Deployment/")}
        same = {key: before[key] for key in kept} == {key: after[key] for key in kept}
        self.claims.true(f"{self.walk.name(step)}: keys, certificate and policies stay as they are", same)

    def lost(self, step):
        """After a step: checks the text of the page."""
        asked, lost = self.caller.good, self.caller.lost
        self.caller.more()
        name = self.walk.name(step)
        self.claims.true(f"{name}: the caller got answers meanwhile", self.caller.good > asked)
        self.claims.none(f"{name}: of its {self.caller.good} requests, none was lost", [str(one) for one in lost])
        _, text = walkthrough.steps()[step]
        self.claims.true(f"{name}: the page says that nothing is lost", re.search(r"^Lost: nothing\.", text, re.MULTILINE))

    def all(self):
        templates = [promises.pod_of(self.walk.objects())]
        steps = (self.rotate, self.renew, self.policy, self.roll, self.back)
        for step, part in zip(CHANGED, steps, strict=True):
            part(step)
            self.lost(step)
        templates.append(promises.pod_of(self.walk.objects()))
        self.claims.true(f"{self.walk.tool}: at the end, pods equal those of the beginning", templates[0] == templates[1])
        self.caller.stop()
        self.pod.stop()


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    claims = Claims("upgrades")
    claims.equal("the page has these steps", list(walkthrough.steps()), ["Begin", *CHANGED])
    for tool in walkthrough.TOOLS:
        upgrades = Upgrades(Walk(claims, tool, folder / tool.lower()))
        promises.check(claims, tool, upgrades.walk.objects(), promises.check_production)
        upgrades.all()
    return claims.close()


if __name__ == "__main__":
    sys.exit(main())
