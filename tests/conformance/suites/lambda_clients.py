"""The Lambda interface with the clients that programs use: boto3's Lambda client, the one of the AWS SDK for
JavaScript, and `aws lambda invoke`.

The service has to return what the function returns for the same event with the same sandbox.
"""

import base64
import json
import os
import pathlib
import subprocess
import tempfile
import time

import boto3
import botocore
from botocore.config import Config
from botocore.exceptions import ClientError

import function
from lambda_calls import INVOKER, by_javascript, http_event, rest_event, told_as_lambda_tells, without_chance
from report import Suite, equal
from sandbox_table import callers, named
from service import Program, clean_this_process, request


def main():
    clean_this_process(AWS_DEFAULT_REGION="us-east-1")
    suite = Suite("lambda")
    with Program("sandbox") as sandbox, Program("serve", AWS_ENDPOINT_URL_STS=sandbox.url) as program:
        os.environ["AWS_ENDPOINT_URL_STS"] = sandbox.url
        tests = Tests(program, callers(sandbox.lines))
        for name in (name for name in dir(tests) if name.startswith("test_")):
            suite.check(name.removeprefix("test_").replace("_", " "), getattr(tests, name))
    suite.close("all agree")


class Tests:
    def __init__(self, program, table):
        self.program = program
        self.url = program.url
        self.client = boto3.client("lambda", endpoint_url=self.url, config=Config(retries={"max_attempts": 1}), **INVOKER)
        question = lambda words: {k: v for k, v in named(table, words).question().items() if k != "region"}
        self.user, self.role = question("an IAM user, with a path"), question("an assumed role, its token")
        self.expired, self.deleted = question("ExpiredToken"), question("InvalidClientTokenId: a deleted key")

    def invoke(self, event, **more):
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        return self.client.invoke(**{"FunctionName": "verify", "Payload": payload} | more)

    def envelope(self, event, **more):
        """The function's return value, after a check of Lambda's headers."""
        answer = self.invoke(event, **more)
        equal(answer["StatusCode"], 200, "StatusCode")
        equal(answer["ExecutedVersion"], "$LATEST", "ExecutedVersion")
        equal("FunctionError" in answer, False, "FunctionError")
        return json.loads(answer["Payload"].read())

    def as_the_function(self, event, status, **more):
        self.equal_envelopes(self.envelope(event, **more), function.lambda_handler(event, None))
        equal(self.envelope(event, **more)["statusCode"], status, "statusCode")

    def equal_envelopes(self, ours, wanted):
        equal(list(ours), list(wanted), "members")
        for member in ("statusCode", "headers"):
            equal(ours[member], wanted[member], member)
        given, expected = (without_chance(envelope["body"]) for envelope in (ours, wanted))
        equal(given, expected, "body")

    def refused(self, event, status, code, said="ParamValidationError"):
        """A malformed event: an envelope too."""
        envelope = self.envelope(event)
        body = json.loads(envelope["body"])
        equal((envelope["statusCode"], body["exception"], body["error_code"]), (status, said, code))
        equal(list(body), ["exception", "error_code", "error_message"], "members")
        equal(envelope["headers"], function.HEADERS, "headers")

    def fails(self, code, status, **arguments):
        """A request that Lambda itself refuses: an error in the client."""
        try:
            self.invoke(**arguments)
        except ClientError as error:
            told_as_lambda_tells(error, code, status)
            return error
        raise AssertionError("it was not refused")

    def javascript(self, url=None, **arguments):
        """The same by the AWS SDK for JavaScript."""
        return by_javascript(url or self.url, arguments)

    def javascript_fails(self, name, status, **arguments):
        error = self.javascript(**arguments)
        equal((error["name"], error["status"]), (name, status))
        equal(error.get("Type") or "User", "User" if status < 500 else "Service", "Type")
        assert len(error["message"]) > 10 and error["message"] != "UnknownError", error
        assert len(error["requestId"]) == 36, error

    def line_of(self, request_id):
        """The line of a request in the log: it is there before the answer, but is read by another thread."""
        while not (lines := [line for line in self.program.lines if request_id in line]):
            time.sleep(0.01)
        return lines[-1]

    def test_a_direct_event(self):
        self.as_the_function(self.user, 200)

    def test_a_direct_event_with_a_token(self):
        self.as_the_function(self.role, 200)

    def test_a_direct_event_that_sts_rejects(self):
        self.as_the_function(self.expired, 400)
        self.as_the_function(self.deleted, 400)

    def test_a_rest_api_event(self):
        self.as_the_function(rest_event(json.dumps(self.role)), 200)

    def test_a_rest_api_event_that_sts_rejects(self):
        self.as_the_function(rest_event(json.dumps(self.expired)), 400)

    def test_an_http_api_event(self):
        self.as_the_function(http_event(json.dumps(self.user)), 200)

    def test_a_base64_body(self):
        body = base64.b64encode(json.dumps(self.role).encode()).decode()
        for event in (rest_event, http_event):
            self.as_the_function(event(body, isBase64Encoded=True), 200)

    def test_the_least_event_with_a_body(self):
        self.as_the_function({"body": json.dumps(self.user)}, 200)

    def test_any_name_of_the_function(self):
        arn = "arn:aws:lambda:us-east-1:123456789012:function:verify"
        for name in ("my-function", arn, f"{arn}:prod", "123456789012:function:verify", "verify:1"):
            self.as_the_function(self.user, 200, FunctionName=name)

    def test_a_qualifier(self):
        self.as_the_function(self.user, 200, Qualifier="prod")

    def test_a_client_context(self):
        context = base64.b64encode(b'{"client": {}}').decode()
        self.as_the_function(self.user, 200, ClientContext=context)

    def test_a_log_tail(self):
        self.as_the_function(self.user, 200, LogType="Tail")
        answer = self.invoke(self.user, LogType="Tail")
        line = base64.b64decode(answer["LogResult"]).decode()
        equal(line, self.line_of(answer["ResponseMetadata"]["RequestId"]), "LogResult")
        equal(json.loads(line)["verdict"], "valid", "verdict")
        equal("LogResult" in self.invoke(self.user), False, "LogResult when nobody asked for it")

    def test_the_request_id(self):
        answer = self.invoke(self.user)["ResponseMetadata"]
        equal(answer["RequestId"], answer["HTTPHeaders"]["x-request-id"], "RequestId")

    def test_base64_as_python_reads_it(self):
        text = json.dumps(self.role)
        good = base64.b64encode(text.encode()).decode()
        mime = base64.encodebytes(text.encode()).decode()
        for body in (mime, mime.replace("\n", "\r\n"), " " + good + " ", "-_".join(good), "=" + good, good + "AAAA" * good.endswith("=")):
            self.as_the_function(rest_event(body, isBase64Encoded=True), 200)

    def test_what_python_takes_for_true_and_for_false(self):
        text = json.dumps(self.user)
        for flag in ("true", "false", "0", 1, -1, 0.1, [0], {"a": None}):
            self.as_the_function(rest_event(base64.b64encode(text.encode()).decode(), isBase64Encoded=flag), 200)
        for flag in (None, 0, 0.0, "", [], {}):
            self.as_the_function(rest_event(text, isBase64Encoded=flag), 200)

    def test_a_body_that_is_an_object(self):
        """The function failed with such a body, but programs that invoke it for tests send it."""
        for event in (rest_event(self.user), http_event(self.role), {"body": self.user}):
            equal(self.envelope(event)["statusCode"], 200, "statusCode")

    def test_javascript_invokes(self):
        answer = self.javascript(payload=json.dumps(self.user), LogType="Tail")
        equal((answer["StatusCode"], answer["ExecutedVersion"], answer["status"]), (200, "$LATEST", 200))
        self.equal_envelopes(json.loads(answer["payload"]), function.lambda_handler(self.user, None))
        equal(answer["log"], self.line_of(answer["requestId"]), "LogResult")

    def test_javascript_is_told_why_it_is_refused(self):
        self.javascript_fails("InvalidRequestContentException", 400, payload="{")
        self.javascript_fails("InvalidParameterValueException", 400, payload="{}", InvocationType="Event")
        self.javascript_fails("RequestTooLargeException", 413, payload=" " * 100_000)
        no_key = {"STS_VERIFY_API_KEYS": "0" * 64, "STS_VERIFY_ALLOWED_HOSTS": "127.0.0.1"}
        with Program("serve", "--sandbox", **no_key) as program:
            self.javascript_fails("UnrecognizedClientException", 401, url=program.url, payload="{}")
            elsewhere = program.url.replace("127.0.0.1", "localhost")
            self.javascript_fails("MisdirectedRequest", 421, url=elsewhere, payload="{}")
        with Program("serve", "--sandbox", STS_VERIFY_RATE_LIMIT="1/h") as program:
            self.javascript(url=program.url, payload="{}")
            self.javascript_fails("TooManyRequestsException", 429, url=program.url, payload="{}")

    def test_the_invocation_type_named(self):
        self.as_the_function(self.user, 200, InvocationType="RequestResponse")

    def test_no_credentials_for_the_invocation(self):
        unsigned = boto3.client("lambda", endpoint_url=self.url, config=Config(signature_version=botocore.UNSIGNED))
        answer = unsigned.invoke(FunctionName="verify", Payload=json.dumps(self.user))
        equal(json.loads(answer["Payload"].read())["statusCode"], 200, "statusCode")

    def test_a_missing_value(self):
        self.refused({name: value for name, value in self.user.items() if name != "stsSecretKey"}, 400, "MissingParameter")

    def test_no_payload_at_all(self):
        answer = self.client.invoke(FunctionName="verify")
        envelope = json.loads(answer["Payload"].read())
        equal(json.loads(envelope["body"])["error_code"], "MissingParameter")

    def test_a_value_that_is_no_string(self):
        self.refused(self.user | {"stsSecretKey": 1}, 400, "InvalidParameter")

    def test_events_that_are_no_object(self):
        for event in ([self.user], "text", 7, None, True):
            self.refused(event, 400, "MalformedJson")

    def test_bodies_that_are_no_json(self):
        for event in (rest_event, http_event):
            for body in ("not json", "", None, "[]"):
                self.refused(event(body), 400, "MalformedJson")

    def test_a_body_that_is_no_base64(self):
        self.refused(rest_event("%%%", isBase64Encoded=True), 400, "MalformedJson")

    def test_an_unparsable_payload(self):
        for payload in (b"{", b"not json", b'{"a": 1} x', b"\xff"):
            error = self.fails("InvalidRequestContentException", 400, event=payload)
            equal(type(error), self.client.exceptions.InvalidRequestContentException, "class")

    def test_a_dry_run(self):
        answer = self.invoke(self.user, InvocationType="DryRun")
        equal((answer["StatusCode"], answer["Payload"].read()), (204, b""))

    def test_an_event_invocation(self):
        error = self.fails("InvalidParameterValueException", 400, event=self.user, InvocationType="Event")
        equal(type(error), self.client.exceptions.InvalidParameterValueException, "class")

    def test_a_payload_that_is_too_large(self):
        code = "RequestTooLargeException"
        error = self.fails(code, 413, event=self.user | {"padding": "x" * 100_000})
        equal(type(error), self.client.exceptions.RequestTooLargeException, "class")

    def test_an_api_key_beside_the_signature(self):
        """As documented: boto3 signs in Authorization, so the API key has its own header."""
        made = subprocess.run(
            [os.environ["STS_VERIFY_BIN"], "api-key"], check=True, capture_output=True, text=True).stdout
        key, digest = (line for line in made.splitlines() if not line.startswith("#"))
        with tempfile.NamedTemporaryFile("w") as keys:
            keys.write(digest + "\n")
            keys.flush()
            with Program("serve", "--sandbox", STS_VERIFY_API_KEYS_FILE=keys.name) as program:
                client = boto3.client("lambda", endpoint_url=program.url, **INVOKER)
                try:
                    client.invoke(FunctionName="verify", Payload=json.dumps(self.user))
                    raise AssertionError("it was let in without a key")
                except ClientError as error:
                    told_as_lambda_tells(error, "UnrecognizedClientException", 401)
                client.meta.events.register(
                    "before-sign.lambda.Invoke", lambda request, **_: request.headers.add_header("x-api-key", key))
                answer = client.invoke(FunctionName="verify", Payload=json.dumps(self.user))
                equal(json.loads(answer["Payload"].read())["statusCode"], 200, "statusCode")

    def test_a_caller_that_invokes_too_often(self):
        """boto3 treats it as Lambda's own throttling: it retries, and then raises the exception class that programs
        catch."""
        with Program("serve", "--sandbox", STS_VERIFY_RATE_LIMIT="1/h") as program:
            limited = boto3.client("lambda", endpoint_url=program.url, config=Config(retries={"max_attempts": 1}), **INVOKER)
            invoke = lambda: limited.invoke(FunctionName="verify", Payload=json.dumps(self.user))
            equal(invoke()["StatusCode"], 200, "StatusCode")
            try:
                invoke()
            except limited.exceptions.TooManyRequestsException as error:
                told_as_lambda_tells(error, "TooManyRequestsException", 429)
                equal(error.response["ResponseMetadata"]["RetryAttempts"], 1, "RetryAttempts")
                equal(1 <= int(error.response["retryAfterSeconds"]) <= 3600, True, "retryAfterSeconds")
                return
            raise AssertionError("it was not refused")

    def test_the_interface_switched_off(self):
        with Program("serve", "--sandbox", STS_VERIFY_LAMBDA="false") as program:
            path = "/2015-03-31/functions/verify/invocations"
            equal(request(program.address, "POST", path, json.dumps(self.user)).status, 404, "status")

    def cli(self, executable, event, *options):
        """Runs `aws lambda invoke` as in docs/lambda.md. Returns its output, and the file that it wrote."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "credentials.json").write_text(event if isinstance(event, str) else json.dumps(event))
            done = subprocess.run(
                [executable, "lambda", "invoke", "--endpoint-url", self.url, "--function-name", "verify", *options,
                 "--payload", "file://credentials.json", "out.json"], cwd=folder, capture_output=True, text=True,
                env=os.environ | {name.upper(): value for name, value in INVOKER.items()} | {"AWS_MAX_ATTEMPTS": "1"})
            out = folder / "out.json"
            return done, out.read_text() if out.exists() else None

    def by_cli(self, executable, *options):
        for event, status in ((self.user, 200), (rest_event(json.dumps(self.role)), 200), (self.expired, 400)):
            done, out = self.cli(executable, event, *options)
            equal(done.returncode, 0, done.stderr or "exit code")
            equal(json.loads(done.stdout), {"StatusCode": 200, "ExecutedVersion": "$LATEST"}, "printed")
            self.equal_envelopes(json.loads(out), function.lambda_handler(event, None))
            equal(json.loads(out)["statusCode"], status, "statusCode")
        done, _ = self.cli(executable, "not json", *options)
        assert done.returncode and "InvalidRequestContentException" in done.stderr, done
        done, _ = self.cli(executable, self.user, *options, "--invocation-type", "DryRun")
        equal(json.loads(done.stdout), {"StatusCode": 204}, "dry run")

    def test_the_aws_cli_of_version_1(self):
        self.by_cli(os.environ["AWS_CLI_1"])

    def test_the_aws_cli_of_version_2(self):
        self.by_cli(os.environ["AWS_CLI_2"], "--cli-binary-format", "raw-in-base64-out")


if __name__ == "__main__":
    main()
