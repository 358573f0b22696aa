"""Requests to the sandbox, signed here with botocore's signers, that its clients would never send."""

import datetime
import http.client
import json
import re
from unittest import mock
from urllib.parse import urlsplit

import boto3
import botocore.exceptions
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

import cases
from expectations import DOTTED, MISMATCHES, UNDOTTED, WRONG_SECRET, check_identity
from report import equal
from sandbox_table import named
from service import request

BODY = "Action=GetCallerIdentity&Version=2011-06-15"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def tests(address, table):
    """Names and functions."""
    scene = Scene(address, table)
    for name in (name for name in dir(scene) if name.startswith("test_")):
        yield name.removeprefix("test_").replace("_", " "), getattr(scene, name)


class Scene:
    def __init__(self, address, table):
        self.address, self.table = address, table
        self.user = named(table, "an IAM user, with a path")
        self.role = named(table, "an assumed role, its token")
        self.federated = named(table, "a federated user")
        self.china = named(table, "an IAM user in China")
        self.expired = named(table, "ExpiredToken")
        self.denied = named(table, "AccessDenied")

    def send(self, caller, **given):
        """The answer to a signed POST, over a new connection."""
        return request(self.address, "POST", "/", *self.signed(caller, **given))

    def signed(self, caller, *, secret=None, token=False, key=None, region=None, service="sts", body=BODY, headers=None,
               late=0, change=None, sent_body=None):
        """The body and the headers of a POST of `caller`'s, with what is given in the place of its own."""
        token = caller.session_token if token is False else token
        credentials = Credentials(key or caller.access_key, secret or caller.secret_key, token)
        signed = AWSRequest("POST", f"http://{self.address}/", data=body, headers=FORM | (headers or {}))
        with clock(late):
            SigV4Auth(credentials, service, region or caller.region).add_auth(signed)
        sent = dict(signed.headers.items())
        if change:
            change(sent)
        sent.pop("Content-Length", None)
        return sent_body or body, sent

    def refused(self, answer, status, code, message):
        given = re.fullmatch(r"<ErrorResponse .*<Code>(.*)</Code>\s*<Message>(.*)</Message>.*</ErrorResponse>\n",
                             answer.body.decode(), re.S)
        assert given, answer.body
        equal((answer.status, given[1]), (status, code))
        assert re.fullmatch(message, given[2]), given[2]

    def test_a_success_byte_for_byte(self):
        answer = self.send(self.user)
        given = dict(re.findall(r"<(Arn|UserId|Account)>(.*)</", answer.body.decode()))
        wanted = cases.identity(given["Arn"], given["UserId"], given["Account"])
        equal(with_id(answer), wanted, "body")
        check_identity(self.user, given)
        assert re.fullmatch(r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}", answer.headers["x-amzn-RequestId"])

    def test_an_error_byte_for_byte(self):
        wanted = cases.refusal("ExpiredToken", "The security token included in the request is expired")
        equal(with_id(self.send(self.expired)), wanted, "body")

    def test_a_wrong_secret(self):
        for caller in (self.user, self.role, self.china, self.denied):
            self.refused(self.send(caller, secret="x" * 40), 403, "SignatureDoesNotMatch", WRONG_SECRET)

    def test_a_wrong_secret_is_remembered_on_its_connection(self):
        """Real STS was reported to do so; the service has to cope with it."""
        connections = [http.client.HTTPConnection(self.address, timeout=60) for _ in range(2)]
        try:
            for connection, secret, status in ((0, "x" * 40, 403), (0, None, 403), (1, None, 200)):
                body, headers = self.signed(self.user, secret=secret)
                connections[connection].request("POST", "/", body, headers)
                answer = connections[connection].getresponse()
                equal(answer.status, status, f"status over connection {connection}: {answer.read()}")
        finally:
            for connection in connections:
                connection.close()

    def test_another_caller_s_secret(self):
        answer = self.send(self.user, secret=self.role.secret_key)
        self.refused(answer, 403, "SignatureDoesNotMatch", WRONG_SECRET)

    def test_a_request_changed_on_the_way(self):
        """The signature is checked against what was received."""
        mine = {"X-Mine": "a", "User-Agent": "a"}
        for change, status in (({"X-Mine": "b"}, 403), ({"Content-Type": "text/plain"}, 403), ({"User-Agent": "b"}, 200)):
            answer = self.send(self.user, headers=mine, change=lambda headers: headers.update(change))
            equal(answer.status, status, str(change))
        answer = self.send(self.user, sent_body=BODY + "&Extra=1")
        self.refused(answer, 403, "SignatureDoesNotMatch", WRONG_SECRET)

    def test_a_session_without_its_token(self):
        self.refused(self.send(self.role, token=None), 403, "InvalidClientTokenId", DOTTED)

    def test_a_session_with_another_s_token(self):
        answer = self.send(self.role, token=self.federated.session_token)
        self.refused(answer, 403, "InvalidClientTokenId", DOTTED)

    def test_a_long_term_key_with_a_token(self):
        answer = self.send(self.user, token=self.role.session_token)
        self.refused(answer, 403, "InvalidClientTokenId", DOTTED)

    def test_an_unknown_key(self):
        self.refused(self.send(self.user, key="AKIAUNKNOWN00EXAMPLE"), 403, "InvalidClientTokenId", DOTTED)

    def test_another_partition(self):
        for caller, region in ((self.user, "cn-north-1"), (self.china, "us-east-1"), (self.role, "us-gov-west-1")):
            self.refused(self.send(caller, region=region), 403, "InvalidClientTokenId", UNDOTTED)

    def test_another_region_of_the_partition(self):
        for caller, region in ((self.user, "eu-west-1"), (self.china, "cn-northwest-1")):
            equal(self.send(caller, region=region).status, 200, region)

    def test_no_region_of_aws(self):
        self.refused(self.send(self.user, region="nowhere-1"), 403, "SignatureDoesNotMatch",
                     MISMATCHES["signed for no valid region"])

    def test_a_clock_twenty_minutes_off(self):
        for minutes, words in ((-20, "slow"), (20, "fast")):
            answer = self.send(self.user, late=minutes)
            self.refused(answer, 403, "SignatureDoesNotMatch", MISMATCHES[f"the client's clock an hour {words}"])

    def test_a_clock_ten_minutes_off(self):
        for minutes in (-10, 10):
            equal(self.send(self.user, late=minutes).status, 200, f"{minutes} minutes")

    def test_the_order_of_the_checks(self):
        """Form, clock, scope, key and token, expiry, signature: of two mistakes, the first in this order is
        reported."""
        mismatch = "SignatureDoesNotMatch"
        slow, region = MISMATCHES["the client's clock an hour slow"], MISMATCHES["signed for no valid region"]
        for answer, code, message in (
            (self.send(self.user, late=-20, region="nowhere-1", secret="x"), mismatch, slow),
            (self.send(self.user, region="nowhere-1", key="AKIAUNKNOWN00EXAMPLE"), mismatch, region),
            (self.send(self.user, key="AKIAUNKNOWN00EXAMPLE", secret="x"), "InvalidClientTokenId", DOTTED),
            (self.send(self.expired, token=None), "InvalidClientTokenId", DOTTED),
            (self.send(self.expired, secret="x"), "ExpiredToken", ".+ is expired"),
        ):
            self.refused(answer, 403, code, message)

    def test_no_authorization(self):
        answer = request(self.address, "POST", "/", BODY, FORM)
        self.refused(answer, 403, "MissingAuthenticationToken", "Request is missing Authentication Token")

    def test_a_malformed_authorization(self):
        answer = self.send(self.user, change=lambda headers: headers.update(Authorization="AWS4-HMAC-SHA256 Credential"))
        self.refused(answer, 400, "IncompleteSignature", r"'Credential' not a valid key=value pair \(missing equal-sign\) "
                     r"in Authorization header: 'AWS4-HMAC-SHA256 Credential'\.")

    def test_json(self):
        answer = self.send(self.role, headers={"Accept": "application/json"})
        equal((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        body = json.loads(answer.body)["GetCallerIdentityResponse"]
        check_identity(self.role, body["GetCallerIdentityResult"])
        equal(body["ResponseMetadata"], {"RequestId": answer.headers["x-amzn-RequestId"]}, "metadata")

    def test_an_error_in_json(self):
        answer = self.send(self.expired, headers={"Accept": "application/json"})
        equal((answer.status, answer.headers["Content-Type"]), (403, "application/json"))
        body = json.loads(answer.body)
        equal((body["Error"]["Code"], body["Error"]["Type"]), ("ExpiredToken", "Sender"))
        equal(body["RequestId"], answer.headers["x-amzn-RequestId"], "request id")

    def presigned(self, caller, late=0, **more):
        client = boto3.client("sts", **caller.boto3() | more)
        with clock(late):
            url = urlsplit(client.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET"))
        return f"{url.path}?{url.query}"

    def test_a_presigned_url(self):
        for caller in (self.user, self.role, self.china):
            answer = request(self.address, "GET", self.presigned(caller))
            equal(answer.status, 200, answer.body)
            check_identity(caller, dict(re.findall(r"<(Arn|UserId|Account)>(.*)</", answer.body.decode())))

    def test_a_presigned_url_in_json(self):
        answer = request(self.address, "GET", self.presigned(self.role), headers={"Accept": "application/json"})
        check_identity(self.role, json.loads(answer.body)["GetCallerIdentityResponse"]["GetCallerIdentityResult"])

    def test_a_presigned_url_that_is_wrong(self):
        get = lambda path: request(self.address, "GET", path)
        good = self.presigned(self.user)
        wrong = self.presigned(self.user, aws_secret_access_key="x" * 40)
        self.refused(get(wrong), 403, "SignatureDoesNotMatch", WRONG_SECRET)
        self.refused(get(good + "0"), 403, "SignatureDoesNotMatch", WRONG_SECRET)
        self.refused(get(self.presigned(self.expired)), 403, "ExpiredToken", ".+ is expired")
        slow = MISMATCHES["the client's clock an hour slow"]
        self.refused(get(self.presigned(self.user, late=-20)), 403, "SignatureDoesNotMatch", slow)
        equal(get(good.replace("X-Amz-Signature", "X-Amz-Other")).status, 400, "no signature")

    def test_another_operation(self):
        client = boto3.client("sts", config=Config(retries={"total_max_attempts": 1}), **self.user.boto3())
        try:
            client.get_session_token()
        except botocore.exceptions.ClientError as error:
            equal(error.response["Error"]["Code"], "InvalidAction", "code")
        else:
            raise AssertionError("it was not refused")


def with_id(answer):
    """The body with its request id, which must be that of the header, replaced by the recorded one."""
    return answer.body.decode().replace(answer.headers["x-amzn-RequestId"], cases.REQUEST_ID)


def clock(late):
    """botocore's signers on a clock that is `late` minutes away from the true one."""
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=late)
    return mock.patch("botocore.auth.get_current_datetime", lambda *_: now)
