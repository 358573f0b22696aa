"""Mutated requests and proofs over real sockets: no internal error, no panic, no part of a secret anywhere."""

import asyncio
import collections
import http.server
import json
import multiprocessing
import os
import subprocess
import threading
from concurrent.futures import ProcessPoolExecutor

import pelt
from figures import Figures
from leaks import Watch
from mutations import Mutator
from processes import Service, wait_for
from proofs import AUDIENCE, ProofMutator
from sandbox_table import callers, named
from service import Program, clean_environment, request, verify
from table import memory_words, say

PROCESSES = 2
FRAMED_SHARE = 0.6
# Codes that must occur for mutated proofs.
REACHED = ("InvalidParameter", "AudienceMismatch", "EndpointNotAllowed", "RegionMismatch", "RequestNotAllowed", "IssuerNotAllowed",
           "SignatureMismatch", "TokenNotAllowed", "SignatureDoesNotMatch")


class Collector:
    """Receives OTLP over HTTP and keeps the bytes, so traces can be searched for secrets, too."""

    def __init__(self):
        taken = self.taken = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802, the name is http.server's
                taken.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:%d" % self.server.server_address[1],
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_TRACES_EXPORTER": "otlp"}

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def exports_traces():
    done = subprocess.run([os.environ["STS_VERIFY_BIN"], "--help"], env=clean_environment(), capture_output=True, text=True)
    return "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stdout


def pelted(report, plan):
    traces = exports_traces()
    with Collector() as collector, Program("sandbox") as sandbox:
        settings = {"STS_VERIFY_AUDIENCE": AUDIENCE, "STS_VERIFY_TOKEN_ISSUERS": sandbox.url}
        with Service(sandbox.address, **settings, **(collector.settings if traces else {})) as service:
            table = callers(sandbox.lines)
            mutators = [Mutator(plan.seed + number, table) for number in range(PROCESSES)]
            before = service.memory()
            service.forget_peak()
            found = throw_all(service.address, mutators, plan.mutated)
            # Made now: a proof is good for 15 minutes.
            provers = [ProofMutator(plan.seed + number, table, sandbox.address) for number in range(PROCESSES)]
            for prover in provers:
                prover.learn_names(service.address)
            proofs = throw_all(service.address, provers, plan.mutated, framed_share=1)
            well = verify(service.address, named(table, "an IAM user, with a path").question())
            report.holds("bad input: the process runs, and valid credentials still get `valid`",
                         service.is_running() and well.headers["x-sts-verdict"] == "valid", well.status, well.body)
            wait_for("the service to finish all requests", lambda: nothing_is_open(service))
            metrics = request(service.address, "GET", "/metrics").body
            memory = memory_words(before, service.memory("VmHWM"), service.memory())
        # It has ended: its log and its traces are complete.
        report.holds("bad input: it exits normally", service.process.returncode == 0, service.process.returncode)
        judge(report, plan, found)
        judge_proofs(report, plan, proofs)
        said = {"the log": "".join(service.lines).encode("utf-8", "surrogateescape"), "the metrics": metrics}
        if traces:
            report.holds("bad input: traces were exported", collector.taken)
            said["the traces"] = b"\n".join(collector.taken)
    search(report, [*mutators, *provers], said)
    judge_log(report, service.lines)
    row(report, f"mutated requests, seed {plan.seed}", found, memory)
    row(report, f"mutated proofs, seed {plan.seed}", proofs, memory)


def throw_all(address, mutators, count, framed_share=FRAMED_SHARE):
    """Each process has its own mutator and source address."""
    share = -(-count // PROCESSES)
    framed = round(share * framed_share)
    tasks = [(address, f"127.0.0.{2 + number}", mutator, framed, share - framed) for number, mutator in enumerate(mutators)]
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(pelt.run, *zip(*tasks)))
    sums = {name: sum(result[name] for result in results) for name in ("sent", "odd", "unanswered", "bytes")}
    added = {name: sum((collections.Counter(result[name]) for result in results), collections.Counter())
             for name in ("statuses", "codes")}
    return {**sums, **added, "faults": [fault for result in results for fault in result["faults"]]}


def nothing_is_open(service):
    """Whether the scrape itself is the only active request."""
    return Figures(service).sum("http_server_active_requests") == 1


def judge(report, plan, found):
    leaks = [fault for fault in found["faults"] if fault.startswith("part of a secret")]
    report.holds(f"bad input: {plan.mutated} mutated requests were sent", found["sent"] >= plan.mutated, found["sent"])
    report.holds("bad input: every answer has the documented form, and none is an internal error", not found["faults"], *found["faults"])
    report.holds("bad input: no part of a secret in an answer", not leaks, *leaks)
    report.holds("bad input: some credentials reached STS and got a verdict", found["statuses"][200], found["statuses"])


def judge_proofs(report, plan, found):
    report.holds(f"bad input: {plan.mutated} mutated proofs were sent", found["sent"] >= plan.mutated, found["sent"])
    report.holds("bad input: every answer to a proof has the documented form, no other identity, and no part of a proof",
                 not found["faults"], *found["faults"])
    missing = [code for code in REACHED if not found["codes"][code]]
    report.holds("bad input: mutated proofs reached each check, and some reached STS", not missing, *missing)
    codes = ", ".join(f"{count} × {code}" for code, count in found["codes"].most_common())
    report.note(f"bad input, proofs: {codes}")


def search(report, mutators, said):
    """Searches all output for the secrets of all processes."""
    watch = Watch({secret for mutator in mutators for secret in mutator.secrets})
    for where, data in said.items():
        at = watch.find(data)
        report.holds(f"bad input: no part of a secret in {where}", data and at is None,
                     f"at byte {at} of {len(data)}: {data[max(0, (at or 0) - 300):(at or 0) + 100]!r}")


def judge_log(report, lines):
    panicked = [line for line in lines if "panicked" in line]
    report.holds("bad input: no panic", not panicked, *panicked[:3])
    broken = [line for line in lines if not is_json(line)]
    report.holds("bad input: every line of the log is one JSON object", not broken, *broken[:3])


def is_json(line):
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def row(report, what, found, memory):
    report.rows.append((what, found["sent"], found["statuses"][200],
                        found["statuses"][503], len(found["faults"]), "–", memory))
    statuses = ", ".join(f"{count} × {status}" for status, count in sorted(found["statuses"].items()))
    report.note(f"{what}: {statuses}; {found['unanswered']} without an answer (cut off, or incomplete), "
                f"{found['bytes'] / 1e6:.0f} MB of answers searched for the secrets")


async def mutated_requests(report, plan):
    await asyncio.to_thread(pelted, report, plan)
