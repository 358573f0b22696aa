"""Reaches every limit of the deployment at once, with clients that use as much of the service's memory as possible."""

import asyncio
import contextlib
import re
import socket

from cgroup import Group
from load import SteadyLoad, Tally, new_credentials
from processes import LIMIT, Service, StandIn, wait_for
from program import ROOT, mebibytes, memory_needed
from service import request
from table import memory_words

# Source addresses: one address may have half of all connections.
SOURCES = [f"127.0.0.{number}" for number in range(2, 8)]
# Connections that are left for normal requests.
SPARE = 40
PATIENCE = "600s"
# The announced length of each body, whose last byte is never sent.
LARGEST_BODY = 65536
HEAD = b"POST /verify HTTP/1.1\r\nHost: operations\r\nContent-Type: application/json\r\n"


def deployment():
    """The settings and the limit of deploy/kubernetes."""
    base = ROOT / "deploy/kubernetes/base"
    settings = dict(re.findall(r"- (STS_VERIFY_\w+)=(\S+)", (base / "kustomization.yaml").read_text()))
    limit = re.search(r"limits:.*?memory: (\S+)", (base / "deployment.yaml").read_text(), re.DOTALL)[1]
    return settings, mebibytes(limit)


def in_flight():
    body = new_credentials().encode()
    return HEAD + b"X: %b\r\nContent-Length: %d\r\n\r\n%b" % (b"x" * 20000, len(body), body)


def large_body():
    return HEAD + b"X: %b\r\nContent-Length: %d\r\n\r\n%b" % (b"x" * 20000, LARGEST_BODY, b" " * (LARGEST_BODY - 1))


def half_a_head():
    return HEAD + b"X: " + b"x" * 31000


def unread():
    return b"GET /openapi.json HTTP/1.1\r\nHost: operations\r\n\r\n" * 20


def unread_after_a_large_head():
    return b"GET /openapi.json HTTP/1.1\r\nHost: operations\r\nX: " + b"x" * 31000 + b"\r\n\r\n" + unread()


class Holders:
    """Clients that send something, then as many further bytes as are accepted, and read nothing."""

    def __init__(self, address):
        host, port = address.split(":")
        self.address, self.sockets = (host, int(port)), []

    def come(self, count, kind, flood):
        for _ in range(count):
            client = socket.socket()
            client.bind((SOURCES[len(self.sockets) % len(SOURCES)], 0))
            client.settimeout(LIMIT)
            client.connect(self.address)
            self.sockets.append(client)
            with contextlib.suppress(OSError):
                client.sendall(kind())
                client.settimeout(0.001 if flood else LIMIT)
                while flood:
                    client.sendall(b"x" * 65536)

    def leave(self):
        for client in self.sockets:
            client.close()


async def memory(report, plan):
    settings, limit = deployment()
    needed = memory_needed(settings)
    report.holds(f"memory: the formula for the deployment is within its {limit} MiB", needed <= limit, needed)
    patient = {f"STS_VERIFY_{name}": PATIENCE for name in (
        "READ_TIMEOUT", "WRITE_TIMEOUT", "DEADLINE", "ATTEMPT_TIMEOUT", "KEEP_ALIVE")}
    with Group("sts-verify-operations", limit) as group, contextlib.ExitStack() as stack:
        if group.path:
            stack.enter_context(group.program())
        sts = stack.enter_context(StandIn())
        service = stack.enter_context(Service(sts.address, **settings, **patient))
        before = service.memory()
        await asyncio.to_thread(sts.be, "silent")
        connections = int(settings["STS_VERIFY_MAX_CONNECTIONS"]) - SPARE
        await asyncio.to_thread(attack, report, service, sts, connections)
        most, holds = service.memory("VmHWM"), service.is_running()
        report.holds("memory: the process runs and answers", holds and request(service.address, "GET", "/livez").status == 200)
        tcp = tell_group(report, group, limit)
        if tcp is None:
            report.holds("memory: resident memory stays within the formula's part for the process",
                         most <= needed - connections * 128 / 1024, f"{most:.0f} of {needed:.0f} MiB")
        await asyncio.to_thread(sts.be, "well")
        wait_for("the connections to be closed", lambda: service.descriptors() < 100)
        async with SteadyLoad(service.url, plan.rate) as load:
            await load.until(lambda load: len(load.answers) >= plan.rate)
        tally = Tally(load.answers)
        report.holds("memory: all requests succeed after the clients have left", len(tally.good) == load.sent, tally.words())
        report.row(f"{connections} clients that use as much memory as possible, at the deployment's connection limit", tally,
                   memory_words(before, most, service.memory()))


def attack(report, service, sts, connections):
    """All kinds at once, enough to reach every limit."""
    holders = Holders(service.address)
    part = connections // 8
    try:
        holders.come(512, in_flight, flood=True)
        wait_for("as many calls as there are places", lambda: sts.counts()["at_once"] >= 500)
        for count, kind, flood in ((3 * part, large_body, False), (part, half_a_head, False), (part, unread, True),
                                   (connections - 512 - 5 * part, unread_after_a_large_head, True)):
            holders.come(count, kind, flood)
        wait_for("what was sent to be read", Settled(service.memory))
        figures = request(service.address, "GET", "/metrics").body.decode()
        shed = re.search(r"^http_server_shed_bodies_total (\d+)", figures, re.MULTILINE)[1]
        open_now = re.search(r"^http_server_active_connections (\d+)", figures, re.MULTILINE)[1]
        report.holds("memory: there were more bodies than the limit allows", int(shed) > 0, shed)
        report.note(f"memory: {open_now} connections at once, {shed} bodies shed")
    finally:
        holders.leave()


class Settled:
    """Whether a figure has not changed since the last call."""

    def __init__(self, figure):
        self.figure, self.last = figure, None

    def __call__(self):
        last, self.last = self.last, self.figure()
        return last is not None and abs(self.last - last) < 0.1


def tell_group(report, group, limit):
    """Compares the kernel's figures with the limit, if available."""
    if not group.path:
        report.note(f"memory: {group.why}; only resident memory was checked")
        return None
    most, tcp = group.most()
    report.holds(f"memory: the peak is within the {limit} MiB of the control group", most <= limit, f"{most:.0f} MiB")
    report.holds("memory: no process was killed", group.killed() == 0)
    part = f", {tcp:.0f} of it for TCP" if tcp is not None else ""
    report.note(f"memory: peak in a control group of {limit} MiB: {most:.0f} MiB{part}")
    return tcp or 0
