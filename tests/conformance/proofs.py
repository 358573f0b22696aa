"""Proofs of identity that real clients make with the sandbox's callers: web identity tokens, verified by joserfc with
the keys that the sandbox serves, and signed requests that are bound to their receiver, sent on as the receiver
would."""

import base64
import json
import os
import re
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import boto3
from joserfc import jwt
from joserfc.errors import ExpiredTokenError
from joserfc.jwk import KeySet

from expectations import check_identity
from report import equal
from sandbox_table import named
from service import clean_environment, request

AUDIENCE = "verify.example.com"
# boto3's newest release, in a process of its own: this one has another.
BY_BOTO3 = """
import boto3, json, sys
try:
    token = boto3.client("sts").get_web_identity_token(**json.loads(sys.argv[1]))
    print(json.dumps({"WebIdentityToken": token["WebIdentityToken"], "Expiration": token["Expiration"].isoformat()}))
except boto3.client("sts").exceptions.ClientError as error:
    print(json.dumps(error.response["Error"]))
"""


def tests(address, table):
    """Names and functions."""
    scene = Scene(address, table)
    good = [caller for caller in table if re.match("an? |the root", caller.what)]
    with ThreadPoolExecutor(4) as pool:  # each call starts a Python of its own
        calls = [(caller, algorithm, pool.submit(scene.cli_token, caller, algorithm))
                 for caller in good for algorithm in (("ES384", "RS256") if caller is good[0] else ("ES384",))]
    for caller, algorithm, call in calls:
        yield f"AWS CLI: {algorithm} token: {caller.what}", lambda call=call, caller=caller: scene.check(caller, call.result())
    for name in (name for name in dir(scene) if name.startswith("test_")):
        yield name.removeprefix("test_").replace("_", " "), getattr(scene, name)


class Scene:
    def __init__(self, address, table):
        self.address, self.url = address, f"http://{address}"
        self.user = named(table, "an IAM user, with a path")
        self.role = named(table, "an assumed role, its token")
        self.expired = named(table, "good, but the web identity tokens it gets have expired")
        self.disabled = named(table, "good, but its account has web identity tokens switched off")

    def newest(self, program, caller, *arguments):
        environment = clean_environment(AWS_ENDPOINT_URL_STS=self.url, **caller.environment())
        return subprocess.run([os.path.join(os.environ["NEWEST_CLIENTS"], program), *arguments], env=environment,
                              capture_output=True, text=True)

    def cli_token(self, caller, algorithm="ES384"):
        done = self.newest("aws", caller, "sts", "get-web-identity-token", "--audience", AUDIENCE, "--signing-algorithm",
                           algorithm)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["WebIdentityToken"]

    def boto3_token(self, caller, **parameters):
        parameters = {"Audience": [AUDIENCE], "SigningAlgorithm": "RS256"} | parameters
        done = self.newest("python", caller, "-c", BY_BOTO3, json.dumps(parameters))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def check(self, caller, token):
        """Verifies a token as its receiver does, from its issuer on, and returns its claims."""
        read = lambda url: json.load(urllib.request.urlopen(url))
        discovery = read(f"{self.url}/.well-known/openid-configuration")
        equal(discovery["issuer"], self.url, "issuer")
        assert "authorization_endpoint" not in discovery, discovery
        keys = read(discovery["jwks_uri"])
        rsa = next(key for key in keys["keys"] if key["kty"] == "RSA")
        assert "alg" not in rsa, rsa
        verified = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256", "ES384"])
        claims = verified.claims
        registry = jwt.JWTClaimsRegistry(iss={"essential": True, "value": self.url},
                                         aud={"essential": True, "value": AUDIENCE}, exp={"essential": True})
        registry.validate(claims)
        aws = claims["https://sts.amazonaws.com/"]
        equal(aws["source_region"], caller.region, "source_region")
        equal(aws["principal_id"], claims["sub"], "principal_id")
        assert f"::{aws['aws_account']}:" in claims["sub"], claims
        assert re.fullmatch(r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}", claims["jti"]), claims
        equal("original_session_exp" in aws, bool(caller.session_token), "a session's end")
        return claims

    def test_boto3_s_tags_and_duration_are_in_the_token(self):
        token = self.boto3_token(self.role, DurationSeconds=900, Tags=[{"Key": "job", "Value": "1 of 2"}])
        claims = self.check(self.role, token["WebIdentityToken"])
        equal(claims["exp"] - claims["iat"], 900, "lifetime")
        equal(claims["https://sts.amazonaws.com/"]["request_tags"], {"job": "1 of 2"}, "tags")
        assert claims["sub"].startswith("arn:aws:iam::123456789012:role/service-role/"), claims
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}(\.\d+)?\+00:00", token["Expiration"]), token

    def test_boto3_names_the_errors(self):
        for caller, parameters, code in (
            (self.disabled, {}, "OutboundWebIdentityFederationDisabledException"),
            (self.role, {"DurationSeconds": 3600}, "SessionDurationEscalationException"),
            (self.user, {"SigningAlgorithm": "PS256"}, "ValidationError"),
        ):
            equal(self.boto3_token(caller, **parameters)["Code"], code, "code")

    def test_a_token_that_has_expired(self):
        try:
            self.check(self.expired, self.cli_token(self.expired))
        except ExpiredTokenError:
            return
        raise AssertionError("it has not")

    def send_on(self, url, binding):
        """Asks STS with a presigned URL, as a receiver of this name does."""
        url = urlsplit(url)
        equal(url.netloc, self.address, "host")
        return request(self.address, "GET", f"{url.path}?{url.query}", headers=binding)

    def bound(self, url, name):
        """A URL is accepted with the value that it was bound to, and with nothing else."""
        answer = self.send_on(url, {name: AUDIENCE})
        equal(answer.status, 200, answer.body)
        check_identity(self.role, dict(re.findall(r"<(Arn|UserId|Account)>(.*)</", answer.body.decode())))
        for other in ({name: "other.example.com"}, {}):
            assert b"<Code>SignatureDoesNotMatch</Code>" in self.send_on(url, other).body, other

    def test_aws_eks_get_token(self):
        done = self.newest("aws", self.role, "eks", "get-token", "--cluster-name", AUDIENCE)
        assert done.returncode == 0, done.stderr
        token = json.loads(done.stdout)["status"]["token"].removeprefix("k8s-aws-v1.")
        url = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        self.bound(url, "x-k8s-aws-id")

    def test_boto3_s_presigned_url_with_a_binding(self):
        name = "x-sts-verify-audience"
        client = boto3.client("sts", **self.role.boto3())
        client.meta.events.register("before-sign.sts.GetCallerIdentity",
                                    lambda request, **_: request.headers.add_header(name, AUDIENCE))
        url = client.generate_presigned_url("get_caller_identity", ExpiresIn=900, HttpMethod="GET")
        self.bound(url, name)
