"""`sts-verify verify` with the output of real tools: the AWS CLI's outputs, the console's files, the reports of
scanners; and its own output on a terminal and as SARIF, which is validated with the schema of OASIS
(sarif-schema-2.1.0.json, as in the crate serde-sarif).

The credentials are moto's, which checks them. Where a wrong secret has to be invalid, they are the sandbox's, which
answers with STS's errors.
"""

import codecs
import contextlib
import fcntl
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios

import jsonschema

from moto_server import Moto
from report import Suite, equal
from sandbox_table import callers, named
from service import ROOT, Program, clean_environment, clean_this_process
from suites.spelling import EVERYTHING, as_environment

SCHEMA = json.loads((ROOT / "tests/conformance/sarif-schema-2.1.0.json").read_text())
TOOLS = os.path.dirname(sys.executable)
# Users of moto. Most checks use the key of the first.
NAMES = ["Alice", "Bob", "Carol", "Dave", "Erin"]
FORMATS = ["process", "env", "env-no-export", "powershell", "windows-cmd", "fish"]


def main():
    clean_this_process(AWS_DEFAULT_REGION="us-east-1")
    suite = Suite("lists")
    with contextlib.ExitStack() as stack:
        moto = stack.enter_context(Moto())
        users = [moto.user(name) for name in NAMES]
        for name in NAMES:
            policy = {"UserName": name, "PolicyName": "everything", "PolicyDocument": json.dumps(EVERYTHING)}
            moto.client("iam").put_user_policy(**policy)
        role = moto.role("Role")
        session = moto.session(role, "Session")
        moto.check_signatures()
        sandbox = stack.enter_context(Program("sandbox"))
        scene = Scene(moto, sandbox, users, session, stack.enter_context(tempfile.TemporaryDirectory()))
        for name in FORMATS:
            suite.check(f"aws configure export-credentials --format {name}", scene.export, name)
        suite.check("aws sts assume-role", scene.cli, f"sts assume-role --role-arn {role} --role-session-name Session", 1)
        suite.check("aws iam create-access-key", scene.cli, "iam create-access-key --user-name Alice", 1)
        suite.check("files written by aws configure", scene.profiles)
        for name, text in scene.console():
            suite.check(f"the console's file: {name}", scene.file, name, text)
        suite.check("trufflehog", scene.file, "trufflehog.json", scene.trufflehog(), 2)
        for name, command in scene.scanners():
            suite.check(name, scene.scan, name, command)
        suite.check("SARIF", scene.sarif)
        for color in (True, False):
            suite.check(f"a terminal, colours {color}", scene.terminal, color)
    suite.close()


class Run:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def rows(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Scene:
    def __init__(self, moto, sandbox, users, session, folder):
        self.moto, self.sandbox, self.users, self.session, self.folder = moto, sandbox, users, session, folder
        self.user = users[0]

    def verify(self, *arguments, stdin="", **environment):
        return Run(subprocess.run([os.environ["STS_VERIFY_BIN"], "verify", *arguments], input=stdin, text=True,
                                  capture_output=True, env=self.environment(**environment)))

    def environment(self, **more):
        return clean_environment(**{"AWS_ENDPOINT_URL_STS": self.moto.url, "AWS_DEFAULT_REGION": "us-east-1"} | more)

    def good_and_wrong(self, name):
        """A file with a right secret of the sandbox and a wrong one."""
        caller = named(callers(self.sandbox.lines), "an IAM user, with a path")
        key, secret = caller.access_key, caller.secret_key
        return self.path(name, f"Access key ID,Secret access key\n{key},{secret}\n{key},wrong\n")

    def path(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", newline="") as file:
            file.write(text)
        return path

    def check(self, run, count=1):
        equal([row["verdict"] for row in run.rows()], ["valid"] * count, run.err)
        equal(run.code, 0, run.err)
        users = [user["stsSecretKey"] for user in self.users]
        for secret in (*users, self.session["stsSecretKey"], self.session["stsSessionToken"]):
            assert secret not in run.out + run.err

    def export(self, form):
        for credentials in map(as_environment, (self.user, self.session)):
            done = subprocess.run([os.environ["AWS_CLI_2"], "configure", "export-credentials", "--format", form],
                                  capture_output=True, text=True, env=clean_environment(**credentials))
            text = done.stdout
            if form == "fish" and done.returncode:  # Debian's release has no such format yet
                text = "".join(f"set -gx {name} {value}\n" for name, value in credentials.items())
            else:
                equal(done.returncode, 0, done.stderr)
            self.check(self.verify(stdin=text))

    def cli(self, words, count):
        done = subprocess.run([os.environ["AWS_CLI_2"], *shlex.split(words), "--endpoint-url", self.moto.url], text=True,
                              capture_output=True, env=self.environment(**as_environment(self.user)))
        equal(done.returncode, 0, done.stderr)
        self.check(self.verify(stdin=done.stdout), count)

    def profiles(self):
        files = {"AWS_SHARED_CREDENTIALS_FILE": os.path.join(self.folder, "credentials"),
                 "AWS_CONFIG_FILE": os.path.join(self.folder, "config")}
        for profile, credentials in (("default", self.user), ("a session", self.session)):
            values = {name.lower(): value for name, value in as_environment(credentials).items()}
            for name, value in (values | {"region": "us-east-1", "s3.max_concurrent_requests": "20"}).items():
                subprocess.run([os.environ["AWS_CLI_2"], "configure", "set", name, value, "--profile", profile],
                               env=clean_environment(**files), check=True)
        run = self.verify(*files.values())
        self.check(run, 2)
        sources = sorted(row["source"].rpartition(":")[2] for row in run.rows())
        equal(sources, ["a session", "default"], "the names of the profiles")

    def console(self):
        """The files that the console has given over the years."""
        key, secret = self.user["stsAccessKey"], self.user["stsSecretKey"]
        yield "rootkey.csv", f"Access key ID,Secret access key\r\n{key},{secret}\r\n"
        yield "rootkey-with-mark.csv", f"\ufeffAccess key ID,Secret access key\r\n{key},{secret}\r\n"
        yield "rootkey-2013.csv", f"AWSAccessKeyId={key}\r\nAWSSecretKey={secret}\r\n"
        yield "credentials-2017.csv", f'User Name,Access Key Id,Secret Access Key\r\n"Alice",{key},{secret}\r\n'
        yield "Alice_accessKeys.csv", f"Access key ID,Secret access key\n{key},{secret}"
        yield "new_user_credentials.csv", (
            "User name,Password,Access key ID,Secret access key,Console login link\r\n"
            f"Bob,pass,,,https://1.signin.aws.amazon.com/console\r\nAlice,,{key},{secret},https://x\r\n")

    def file(self, name, text, count=1):
        self.check(self.verify(self.path(name, text)), count)
        wide = os.path.join(self.folder, f"wide-{name}")
        with open(wide, "wb") as file:
            file.write(codecs.BOM_UTF16_LE + text.lstrip("\ufeff").encode("utf-16-le"))
        self.check(self.verify(wide), count)

    def trufflehog(self):
        """A report in the format of TruffleHog's pkg/output/json.go, because no package registry has the program."""
        def finding(detector, number, raw, **more):
            where = {"Data": {"Filesystem": {"file": "app.py", "line": 3}}}
            return json.dumps({
                "SourceMetadata": where, "SourceID": 1, "SourceType": 15, "SourceName": "trufflehog - filesystem",
                "DetectorType": number, "DetectorName": detector, "DetectorDescription": "AWS", "DecoderName": "PLAIN",
                "Verified": False, "VerificationFromCache": False, "Raw": raw.split(":")[0], "RawV2": raw,
                "Redacted": raw.split(":")[0], "ExtraData": {"resource_type": "Access key"}, "StructuredData": None} | more) + "\n"
        user = ":".join(self.user.values())
        parts = dict(zip(("access_key_id", "secret_access_key", "session_token"), self.session.values()))
        return finding("AWS", 2, user) + finding("Github", 8, "ghp_x") + finding(
            "AWSSessionKey", 1044, ":".join(self.session.values()), SecretParts=parts)

    def scanners(self):
        source = os.path.join(self.folder, "source")
        for form in ("json", "jsonl"):
            report = os.path.join(self.folder, f"report.{form}")
            yield f"betterleaks, {form}", ([f"{TOOLS}/betterleaks", source, "-s", "--no-color", "-o", report], report)
            yield f"kingfisher, {form}", ([f"{TOOLS}/kingfisher", "scan", source, "--no-validate", "--no-update-check",
                                           "--format", form], None)

    def scan(self, name, scanner):
        """Scanners pass over some random keys, for example those with a word in them. So keys are tried until one is reported."""
        failures = []
        for user in self.users:
            try:
                return self.scan_for(user, name, *scanner)
            except AssertionError as failure:
                failures.append(str(failure))
        raise AssertionError("\n".join(failures))

    def scan_for(self, user, name, command, report):
        os.makedirs(os.path.join(self.folder, "source"), exist_ok=True)
        self.path(os.path.join("source", "app.py"), (
            f'aws_access_key_id = "{user["stsAccessKey"]}"\naws_secret_access_key = "{user["stsSecretKey"]}"\n'
            'GITHUB_TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"\n'))
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(HOME=self.folder))
        text = open(report).read() if report else done.stdout
        assert user["stsSecretKey"] in text, f"it reported nothing: {done.stderr}"
        run = self.verify(stdin=text)
        self.check(run)
        assert "1 findings of other rules" in run.err, run.err
        self.check(self.verify("--format", name.split(",")[0], stdin=text))

    def sarif(self):
        path = self.good_and_wrong("keys of two.csv")
        for arguments, count in (([path], 1), (["-"], 0), (["--offline", path], 0)):
            run = self.verify("--output", "sarif", *arguments, AWS_ENDPOINT_URL_STS=self.sandbox.url)
            sarif = json.loads(run.out)
            jsonschema.Draft7Validator(SCHEMA).validate(sarif)
            equal(len(sarif["runs"][0]["results"]), count, "results")

    def terminal(self, color):
        """Both outputs on a terminal of 80 columns."""
        path = self.good_and_wrong("terminal.csv")
        variables = {"AWS_ENDPOINT_URL_STS": self.sandbox.url} | ({} if color else {"NO_COLOR": "1"})
        # At one request a second the entries are counted, for the total, before the last one is answered.
        command = [os.environ["STS_VERIFY_BIN"], "verify", "--rate", "1/s", path]
        environment = self.environment(TERM="xterm", **variables)
        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment)
        os.close(follower)
        written = b""
        with contextlib.suppress(OSError):  # raised at the end of a terminal
            while piece := os.read(leader, 4096):
                written += piece
        os.close(leader)
        equal(process.wait(), 0, written)
        text = written.decode()
        equal("\x1b[1;31mvalid" in text, color, "colours")
        lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").split("\n")
        assert any(line.startswith("valid         ") for line in lines), text
        assert any(line.startswith("2 read, 2 distinct: 1 valid, 1 invalid") for line in lines), text
        assert all(len(line.rstrip()) <= 80 for line in lines), text
        assert any("2/2" in line and "1 valid, 1 invalid" in line for line in lines), text


if __name__ == "__main__":
    main()
