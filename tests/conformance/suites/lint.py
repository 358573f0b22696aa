"""spectral or redocly over the OpenAPI document: as committed, as the program prints it, and as the sandbox serves
it."""

import json
import os
import pathlib
import subprocess
import sys

from report import Suite
from service import ROOT, WORK, Program, clean_environment, clean_this_process, request

HERE = ROOT / "tests" / "conformance"


def main():
    clean_this_process()
    linter = sys.argv[1]
    suite, warnings = Suite(linter, "documents"), 0
    for name, path in documents():
        problems, warned = {"spectral": spectral, "redocly": redocly}[linter](path)
        suite.result(name, problems)
        warnings += warned
    suite.close(f"no error, {warnings} warnings")


def documents():
    yield "openapi/openapi.json", ROOT / "openapi" / "openapi.json"
    folder = WORK / "openapi"
    folder.mkdir(parents=True, exist_ok=True)
    printed = subprocess.run([os.environ["STS_VERIFY_BIN"], "openapi"], check=True, capture_output=True).stdout
    yield "sts-verify openapi", write(folder / "printed.json", printed)
    with Program("serve", "--sandbox") as program:
        yield "/openapi.json of the sandbox", write(
            folder / "sandbox.json", request(program.address, "GET", "/openapi.json").body)


def write(path, content):
    path.write_bytes(content)
    return path


def run(tool, *arguments):
    executable = pathlib.Path(os.environ["NODE_MODULES"]) / ".bin" / tool
    # Switches off redocly's search for updates, and the usage reports of both.
    quiet = clean_environment(REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true", NO_COLOR="1")
    return subprocess.run([executable, *arguments], env=quiet, capture_output=True, text=True, cwd=HERE)


def spectral(path):
    done = run("spectral", "lint", "--quiet", "--format", "json", "--ruleset", HERE / "spectral.yaml", path)
    return split(done, lambda found: [
        # It skips an unknown document with a warning, without checking any rule.
        (one["severity"] == 0 or one["code"] == "unrecognized-format",
         f"{one['code']} at {'.'.join(map(str, one['path']))}: {one['message']}") for one in found])


def redocly(path):
    done = run("redocly", "lint", "--format", "json", "--config", HERE / "redocly.yaml", path)
    return split(done, lambda found: [
        (one["severity"] == "error", f"{one['ruleId']} at {one['location'][0].get('pointer')}: {one['message']}")
        for one in found["problems"]])


def split(done, read):
    """The errors, and the number of warnings, which are printed too."""
    try:
        found = read(json.loads(done.stdout))
    except ValueError:
        return [f"exit code {done.returncode}, no report", *done.stderr.splitlines()[-5:]], 0
    errors = [line for is_error, line in found if is_error]
    warnings = [line for is_error, line in found if not is_error]
    for line in warnings:
        print(f"warning: {line}")
    if done.returncode and not errors:
        errors = [f"exit code {done.returncode}", *done.stderr.splitlines()[-5:]]
    return errors, len(warnings)


if __name__ == "__main__":
    main()
