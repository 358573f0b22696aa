"""The Postman collection of examples/, run by newman against the sandbox."""

import json
import os
import pathlib
import subprocess

from report import Suite
from sandbox_table import callers
from service import ROOT, WORK, Program, clean_environment, clean_this_process

COLLECTION = ROOT / "examples" / "sts-verify.postman_collection.json"
SECRETS = ("secretKey", "sessionToken", "SecretKey", "SessionToken")


def main():
    clean_this_process()
    suite = Suite("newman", "assertions")
    with Program("serve", "--sandbox") as program:
        suite.check("the collection's callers are the sandbox's", check_variables, callers(program.lines))
        report = newman(program.url)
    run = report["run"]
    failures = [(one["source"].get("name"), one["error"]) for one in run["failures"]]
    for number in range(run["stats"]["assertions"]["total"] - len(failures)):
        suite.result(f"assertion {number}", [])
    for name, error in failures:
        suite.result(f"{name}: {error.get('test')}", [error["message"]])
    suite.close(f"all passed in {run['stats']['requests']['total']} requests")


def check_variables(table):
    variables = {one["key"]: one for one in json.loads(COLLECTION.read_text())["variable"]}
    for name, variable in variables.items():
        assert (variable["type"] == "secret") == name.endswith(SECRETS), f"the type of {name}"
    values = {value for caller in table for value in (caller.access_key, caller.secret_key, caller.session_token)}
    unknown = [name for name, variable in variables.items() if name != "baseUrl" and variable["value"] not in values]
    assert not unknown, f"not the sandbox's: {unknown}"


def newman(url):
    out = WORK / "newman.json"
    out.unlink(missing_ok=True)
    executable = pathlib.Path(os.environ["NODE_MODULES"]) / ".bin" / "newman"
    done = subprocess.run(
        [executable, "run", COLLECTION, "--env-var", f"baseUrl={url}", "--reporters", "json", "--reporter-json-export",
         out, "--timeout-request", "60000", "--ignore-redirects"],
        env=clean_environment(), capture_output=True, text=True)
    assert out.exists(), done.stdout + done.stderr
    return json.loads(out.read_text())


if __name__ == "__main__":
    main()
