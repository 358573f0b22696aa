"""The requests of the Lambda function's callers, and its clients' interpretation of the answers."""

import json
import os
import subprocess

from report import equal
from service import ROOT

CHANCE = ("RequestId", "date", "x-amzn-requestid", "x-amz-sts-extended-request-id")
# The credentials of the invoking program. The service needs none and ignores them.
INVOKER = {"aws_access_key_id": "AKIAINVOKER00EXAMPLE", "aws_secret_access_key": "invoker/NotARealSecret/EXAMPLEKEY"}


def rest_event(body, **more):
    """The proxy event of an API Gateway REST API: the members that matter, and some that do not."""
    return {"resource": "/verify", "path": "/verify", "httpMethod": "POST", "multiValueHeaders": {},
            "headers": {"Content-Type": "application/json"}, "queryStringParameters": None,
            "requestContext": {"stage": "prod", "identity": {"accessKey": None}}, "body": body,
            "isBase64Encoded": False} | more


def http_event(body, **more):
    """The event of an HTTP API, payload version 2.0."""
    return {"version": "2.0", "routeKey": "POST /verify", "rawPath": "/verify", "rawQueryString": "",
            "headers": {"content-type": "application/json"},
            "requestContext": {"http": {"method": "POST", "path": "/verify"}}, "body": body,
            "isBase64Encoded": False} | more


def by_javascript(url, arguments):
    """The result for a program that invokes the function with the AWS SDK for JavaScript."""
    client = ROOT / "tests/conformance/suites/lambda_client.mjs"
    done = subprocess.run(["node", client, url, json.dumps(arguments)], capture_output=True, text=True,
                          env=os.environ | {name.upper(): value for name, value in INVOKER.items()})
    equal(done.returncode, 0, done.stderr)
    return json.loads(done.stdout)


def told_as_lambda_tells(error, code, status):
    """Code, message, whose fault, and the request's id, as boto3 has them."""
    told, around = error.response["Error"], error.response["ResponseMetadata"]
    equal((told["Code"], around["HTTPStatusCode"]), (code, status))
    assert len(told["Message"]) > 10 and told["Message"] in str(error), error.response
    equal(error.response.get("Type", "User"), "User" if status < 500 else "Service", "Type")
    equal(around["RequestId"], around["HTTPHeaders"]["x-request-id"], "RequestId")


def without_chance(text):
    """A body as pairs, in order, without the values that are new in each answer."""
    def mask(pairs):
        return [(name, "*" if name in CHANCE else value) for name, value in pairs]
    return json.loads(text, object_pairs_hook=mask)
