"""schemathesis with the service's own OpenAPI document: the service has to do what the document says."""

import json
import os
import subprocess
import sys

from report import Suite, equal
from service import ROOT, WORK, Program, clean_environment, clean_this_process, request

HOOKS = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(ROOT / "tests" / "conformance")}
CONFIG = ROOT / "tests" / "conformance" / "schemathesis.toml"


def main():
    clean_this_process()
    suite = Suite("schemathesis")
    out = WORK / "schemathesis.json"
    out.unlink(missing_ok=True)
    # The sandbox's slow and silent callers are among the examples; waiting for them is not useful.
    with Program("serve", "--sandbox", AWS_MAX_ATTEMPTS="1", STS_VERIFY_ATTEMPT_TIMEOUT="1s",
                 STS_VERIFY_CONNECT_TIMEOUT="1s") as program:
        done = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "--config-file", CONFIG, "run", "--no-color",
             "--checks", "all", "--phases", "examples,coverage,fuzzing", "--report", "json", "--report-json-path", out,
             f"{program.url}/openapi.json"], env=clean_environment(**HOOKS), cwd=WORK, capture_output=True, text=True)
        suite.check("the service still works", lambda: equal(
            request(program.address, "GET", "/livez").status, 200, "status"))
    suite.check("no error in the log", assert_no_error, program.lines)
    if not out.exists():
        suite.result("a report", [done.stdout[-2000:], done.stderr[-2000:]])
        suite.close()
    report = json.loads(out.read_text())
    cases = report["test_cases"]
    for number in range(cases["generated"] - cases["with_failures"] - cases["errored"]):
        suite.result(f"case {number}", [])
    if report["exit_code"] or not report["complete"]:
        print(done.stdout[done.stdout.find("= FAILURES ="):])
    for failure in [*report["failures"], *report["errors"]]:
        suite.result(failure.get("title", "error"), [f"{name}: {value}" for name, value in failure.items()])
    suite.check("every operation was tried", lambda: equal(
        report["operations"]["tested"], report["operations"]["total"], "operations"))
    suite.check("exit code", lambda: equal((report["exit_code"], done.returncode), (0, 0)))
    suite.close()


def assert_no_error(lines):
    errors = [line for line in lines if '"level":"ERROR"' in line or "panicked" in line]
    assert not errors, errors[:3]


if __name__ == "__main__":
    main()
