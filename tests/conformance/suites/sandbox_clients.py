"""The AWS CLI and boto3 against `sts-verify sandbox`, pointed at it by AWS_ENDPOINT_URL_STS as any program would be."""

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import boto3
import botocore.exceptions
from botocore.config import Config

import batch
import proofs
import signed_requests
from expectations import check_identity, failure_of, refusal_of
from report import Suite, equal
from sandbox_table import callers, named
from service import Program, clean_environment, clean_this_process

# The read timeout in seconds for the silent row. The other rows, also the slow one, have boto3's own.
READ_TIMEOUT = {"never an answer": 1}


def main():
    clean_this_process()
    suite = Suite("sandbox")
    with Program("sandbox") as sandbox:
        os.environ["AWS_ENDPOINT_URL_STS"] = sandbox.url
        table = callers(sandbox.lines)
        for caller in table:
            suite.check(f"boto3: {caller.what}", by_boto3, caller)
        with ThreadPoolExecutor(4) as pool:  # each call starts a Python of its own
            calls = [(caller, pool.submit(cli, os.environ["AWS_CLI_1"], caller)) for caller in table]
        for caller, call in calls:
            suite.check(f"AWS CLI 1: {caller.what}", check_cli, caller, call.result())
        second = lambda words: cli(os.environ["AWS_CLI_2"], named(table, words), "--endpoint-url", sandbox.url)
        for words in ("an IAM user, with a path", "an assumed role, its token", "ExpiredToken"):
            suite.check(f"AWS CLI 2: {words}", check_cli, named(table, words), second(words))
        for name, test in signed_requests.tests(sandbox.address, table):
            suite.check(name, test)
        for name, test in proofs.tests(sandbox.address, table):
            suite.check(name, test)
        for name, test in batch.tests(sandbox, table):
            suite.check(name, test)
    suite.check("no secret in the log", assert_no_secret, sandbox.lines, table)
    suite.close()


def by_boto3(caller):
    limit = next((seconds for words, seconds in READ_TIMEOUT.items() if caller.what.startswith(words)), 60)
    flaky = caller.what.startswith("two InternalFailures")
    config = Config(read_timeout=limit, retries={"total_max_attempts": 3 if flaky else 1})
    client = boto3.client("sts", config=config, **caller.boto3())
    refusal, failure = refusal_of(caller.what), failure_of(caller.what)
    try:
        identity = client.get_caller_identity()
    except botocore.exceptions.ClientError as error:
        assert refusal, f"{error}: the row describes no rejection"
        status, code, message = refusal
        equal(error.response["ResponseMetadata"]["HTTPStatusCode"], status, "status")
        equal(error.response["Error"]["Code"], code, "code")
        assert re.fullmatch(message, error.response["Error"]["Message"]), error.response["Error"]["Message"]
        return
    except Exception as error:
        equal(type(error).__name__, failure, "exception")
        return
    assert not refusal and not failure, f"{identity}: the row describes another identity"
    check_identity(caller, identity)
    metadata = identity["ResponseMetadata"]
    equal(metadata["RetryAttempts"], 2 if flaky else 0, "RetryAttempts")
    names = ["x-amzn-requestid", "x-amz-sts-extended-request-id", "content-type", "content-length", "date"]
    equal(list(metadata["HTTPHeaders"]), names, "headers")
    equal(metadata["HTTPHeaders"]["content-type"], "text/xml", "content-type")
    equal(metadata["HTTPHeaders"]["x-amzn-requestid"], metadata["RequestId"], "request id")


def cli(executable, caller, *options):
    attempts = "3" if caller.what.startswith("two InternalFailures") else "1"
    environment = clean_environment(AWS_ENDPOINT_URL_STS=os.environ["AWS_ENDPOINT_URL_STS"],
                                    AWS_MAX_ATTEMPTS=attempts, **caller.environment())
    return subprocess.run([executable, *options, "--cli-read-timeout", "4", "sts", "get-caller-identity"],
                          env=environment, capture_output=True, text=True)


def check_cli(caller, done):
    refusal, failure = refusal_of(caller.what), failure_of(caller.what)
    if not refusal and not failure:
        equal(done.returncode, 0, done.stderr or "exit code")
        identity = json.loads(done.stdout)
        equal(sorted(identity), ["Account", "Arn", "UserId"], "members")
        check_identity(caller, identity)
        return
    assert done.returncode, f"it succeeded: {done.stdout}"
    if refusal:
        # Blanks at the end of its output do not matter.
        _, code, message = refusal
        pattern = rf"An error occurred \({re.escape(code)}\) when calling the GetCallerIdentity operation.*: {message.rstrip()}"
        assert re.search(pattern, done.stderr), done.stderr
    else:
        words = {"ReadTimeoutError": "Read timeout on endpoint URL", "ConnectionClosedError": "Connection was closed before",
                 "ResponseParserError": "Unable to parse response", "KeyError": "'GetCallerIdentityResult'"}[failure]
        assert words in done.stderr, done.stderr


def assert_no_secret(lines, table):
    log = "".join(line for line in lines if line.startswith("{"))
    assert log.count("sandbox answered") > len(table), "there is no line for a request"
    for caller in table:
        assert caller.secret_key not in log, f"the secret of: {caller.what}"
        assert not caller.session_token or caller.session_token not in log, f"the token of: {caller.what}"


if __name__ == "__main__":
    main()
