"""POST /verify/batch with curl: answers are read while the last line of the upload is still in progress."""

import json
import os
import subprocess
import tempfile

import proofs
from report import equal
from sandbox_table import named
from service import Program, clean_environment


def tests(sandbox, table):
    """Names and functions."""
    yield "curl -N --data-binary @keys.ndjson …/verify/batch", lambda: by_curl(sandbox, table)


def by_curl(sandbox, table):
    scene = proofs.Scene(sandbox.address, table)
    # For AWS's host, which is what a client signs.
    eks = subprocess.run([os.path.join(os.environ["NEWEST_CLIENTS"], "aws"), "eks", "get-token", "--cluster-name", proofs.AUDIENCE],
                         env=clean_environment(**scene.user.environment()), capture_output=True, text=True, check=True)
    lines = [
        named(table, "never an answer").question(),
        scene.user.question(),
        json.loads(eks.stdout),
        {"WebIdentityToken": scene.cli_token(scene.user)},
        named(table, "ExpiredToken").question(),
        {"stsAccessKey": "AKIAIOSFODNN7EXAMPLE"},
    ]
    settings = {"STS_VERIFY_AUDIENCE": proofs.AUDIENCE, "STS_VERIFY_TOKEN_ISSUERS": sandbox.url, "AWS_MAX_ATTEMPTS": "1",
                "AWS_ENDPOINT_URL_STS": sandbox.url, "STS_VERIFY_ATTEMPT_TIMEOUT": "4s", "STS_VERIFY_ALLOWED_REGIONS": "*"}
    with Program("serve", **settings) as service, tempfile.NamedTemporaryFile("w", suffix=".ndjson") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
        file.flush()
        curl = ["curl", "-sSN", "-H", "content-type: application/x-ndjson", "--data-binary", f"@{file.name}",
                f"{service.url}/verify/batch"]
        process = subprocess.Popen(curl, stdout=subprocess.PIPE, text=True, env=clean_environment())
        answers = [json.loads(process.stdout.readline()) for _ in lines[1:]]
        equal(process.poll(), None, "curl has ended before the silent line was answered")
        answers += map(json.loads, process.stdout)
        equal(process.wait(), 0, "curl")
    equal(answers[-1]["line"], 1, "the line that is answered last")
    told = [(one["line"], one["status"], one["verdict"], one["body"].get("error_code")) for one in answers]
    equal(sorted(told), [
        (1, 504, "indeterminate", "ReadTimeoutError"),
        (2, 200, "valid", None),
        (3, 200, "valid", None),
        (4, 200, "valid", None),
        (5, 400, "invalid", "ExpiredToken"),
        (6, 400, None, "MissingParameter"),
    ], "answers")
    line = next(json.loads(line) for line in service.lines if '"/verify/batch"' in line)
    equal([line[name] for name in ("status", "lines", "valid", "invalid", "indeterminate")], [200, 6, 3, 1, 1], "the log")
