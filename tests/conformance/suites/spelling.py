"""The unchanged output of tools that print credentials, posted to the service: `tool | curl --json @- …/verify`.

The credentials are moto's, which checks them: an answer that names the role shows that every value was read.
"""

import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile

from json_stub import json_stub
from moto_server import Moto
from report import Suite, equal
from service import ROOT, Program, clean_environment, clean_this_process

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
PYTHON = shlex.quote(sys.executable)
# The complete environment as JSON: unrelated variables are ignored.
ENVIRONMENT = f"{PYTHON} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
JAVASCRIPT = f"node {shlex.quote(str(ROOT / 'tests/conformance/suites/javascript_sdk.mjs'))}"


def main():
    clean_this_process(AWS_DEFAULT_REGION="us-east-1")
    suite = Suite("spelling")
    with contextlib.ExitStack() as stack:
        moto = stack.enter_context(Moto())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        user, role = administrator(moto), moto.role("Role")
        session = moto.session(role, "Session")
        moto.check_signatures()
        scene = Scene(moto, user, role, folder, stack.enter_context(portal(session)))
        program = stack.enter_context(Program("serve", AWS_ENDPOINT_URL_STS=moto.url))
        for name, command, environment, kind in scene.commands(session):
            suite.check(name, post, program, command, environment, kind)
    suite.close()


def administrator(moto):
    user = moto.user("Alice")
    policy = {"UserName": "Alice", "PolicyName": "everything", "PolicyDocument": json.dumps(EVERYTHING)}
    moto.client("iam").put_user_policy(**policy)
    return user


class Scene:
    def __init__(self, moto, user, role, folder, portal):
        self.moto, self.role, self.folder, self.portal = moto, role, folder, portal
        self.user = as_environment(user)

    def commands(self, session):
        """Name, shell command, environment, and the expected identity."""
        role, user, session = f"--role-arn {self.role} --role-session-name Session", self.user, as_environment(session)
        one, two = (shlex.quote(os.environ[name]) for name in ("AWS_CLI_1", "AWS_CLI_2"))
        to_moto = f"--endpoint-url {self.moto.url}"
        export = f"{two} configure export-credentials --format"
        for version, aws in ((1, one), (2, two)):
            yield f"aws sts assume-role ({version})", f"{aws} sts assume-role {role} {to_moto}", user, "assumed-role"
        yield "aws configure export-credentials --format process", f"{export} process", session, "assumed-role"
        yield "the same, of a long-term key", f"{export} process", user, "user"
        yield "aws configure export-credentials --format env", f'eval "$({export} env)"; {ENVIRONMENT}', session | {
            "AWS_SHARED_CREDENTIALS_FILE": self.profile(session)}, "assumed-role"
        yield "the environment of a program", ENVIRONMENT, session, "assumed-role"
        yield "the shared credentials file", self.read_profile(session), {}, "assumed-role"
        yield "aws sso get-role-credentials", (
            f"{one} sso get-role-credentials --role-name Role --account-id 123456789012 --access-token any "
            f"--endpoint-url {self.portal}"), {}, "assumed-role"
        yield "aws cognito-identity get-credentials-for-identity", (
            f"{two} cognito-identity get-credentials-for-identity --identity-id us-east-1:0 "
            f"--endpoint-url {self.portal}"), {}, "assumed-role"
        yield "aws iam create-access-key", f"{two} iam create-access-key --user-name Alice {to_moto}", user, "user"
        renamed = {"AWS_SECURITY_TOKEN" if name == "AWS_SESSION_TOKEN" else name: value for name, value in session.items()}
        yield "the environment, AWS_SECURITY_TOKEN in it", ENVIRONMENT, renamed, "assumed-role"
        yield "the environment, secrets of others in it", ENVIRONMENT, session | {
            "TOKEN": "other", "SECRET_KEY": "of another", "AWS_REGION": "auto"}, "assumed-role"
        yield "a file with a byte order mark", f"printf '\\357\\273\\277'; {export} process", session, "assumed-role"
        at_moto = user | {"AWS_ENDPOINT_URL_STS": self.moto.url}
        for form in ("credentials", "client", "output"):
            command = f"{JAVASCRIPT} {form} {self.role}"
            yield f"the JavaScript SDK: {form}", command, at_moto, "assumed-role"

    def profile(self, session):
        """A shared credentials file, written by the CLI itself."""
        path = os.path.join(self.folder, "credentials")
        environment = clean_environment(AWS_SHARED_CREDENTIALS_FILE=path)
        for name, value in session.items():
            subprocess.run([os.environ["AWS_CLI_1"], "configure", "set", name.lower(), value, "--profile", "default"],
                           env=environment, check=True)
        return path

    def read_profile(self, session):
        reader = "import configparser, json, sys; f = configparser.RawConfigParser(); f.read(sys.argv[1]); " \
                 "print(json.dumps(dict(f['default'])))"
        return f"{PYTHON} -c {shlex.quote(reader)} {shlex.quote(self.profile(session))}"


def as_environment(credentials):
    names = {"stsAccessKey": "AWS_ACCESS_KEY_ID", "stsSecretKey": "AWS_SECRET_ACCESS_KEY",
             "stsSessionToken": "AWS_SESSION_TOKEN"}
    return {names[name]: value for name, value in credentials.items()}


def post(program, command, environment, kind):
    pipe = f"({command}) | curl -sS --json @- -w '\\n%{{http_code}}' {program.url}/verify"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", pipe], env=clean_environment(
        AWS_DEFAULT_REGION="us-east-1", **environment), capture_output=True, text=True)
    equal(done.returncode, 0, done.stderr or "exit code")
    body, _, status = done.stdout.rpartition("\n")
    equal(status, "200", body)
    arn = json.loads(body)["aws_res"]["Arn"]
    names = {"assumed-role": ":assumed-role/Role/Session", "user": ":user/Alice"}
    assert names[kind] in arn, arn


@contextlib.contextmanager
def portal(session):
    """IAM Identity Center (GET) and Amazon Cognito (POST), which return this session. moto's return credentials that
    its STS does not know, and only the format of the CLI's output is tested."""
    key, secret, token = (session[name] for name in ("stsAccessKey", "stsSecretKey", "stsSessionToken"))
    identity_center = {"roleCredentials": {
        "accessKeyId": key, "secretAccessKey": secret, "sessionToken": token, "expiration": 1800000000000}}
    cognito = {"IdentityId": "us-east-1:0", "Credentials": {
        "AccessKeyId": key, "SecretKey": secret, "SessionToken": token, "Expiration": 1800000000.0}}
    with json_stub(get=identity_center, post=cognito) as (url, _):
        yield url


if __name__ == "__main__":
    main()
