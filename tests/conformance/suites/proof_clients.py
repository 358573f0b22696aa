"""Proofs as real clients make them, posted unchanged to `sts-verify serve --sandbox`, in four partitions, with and
without a session token, for each of STS's hosts; and every command of docs/proofs.md."""

import collections
import contextlib
import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import boto3
import hvac
from botocore.config import Config
from botocore.exceptions import EndpointProviderError, EndpointVariantError

from expectations import check_identity
from json_stub import json_stub
from report import Suite, equal
from sandbox_table import callers, named
from service import ROOT, Program, clean_environment, clean_this_process, request

AUDIENCE = "verify.example.com"
OTHER = "other.example.com"
BINDINGS = ("x-sts-verify-audience", "x-vault-aws-iam-server-id", "x-consul-iam-serverid", "x-k8s-aws-id")
# Every partition has a user and a role's session among the sandbox's callers.
GOOD = re.compile(r"(an IAM user|an assumed role)( in .+|, (with a path|its token.*))")
VARIANTS = {"plain": {}, "FIPS": {"use_fips_endpoint": True}, "dual stack": {"use_dualstack_endpoint": True},
            "FIPS and dual stack": {"use_fips_endpoint": True, "use_dualstack_endpoint": True}}
PRESIGNERS = ROOT / "tests" / "conformance" / "suites" / "presigners.mjs"
TOKENS_BY_BOTO3 = """
import boto3, json, sys
client = boto3.client("sts")
for algorithm in ("ES384", "RS256"):
    token = client.get_web_identity_token(Audience=[sys.argv[1]], SigningAlgorithm=algorithm, DurationSeconds=600)
    print(json.dumps({"WebIdentityToken": token["WebIdentityToken"]}))
"""


def main():
    clean_this_process()
    suite = Suite("proofs")
    settings = {"STS_VERIFY_AUDIENCE": f"{OTHER},{AUDIENCE}"}
    with Program("serve", "--sandbox", **settings) as program:
        scene = Scene(suite, program)
        scene.by_boto3()
        scene.by_aws_cli()
        scene.by_javascript()
        scene.by_hvac()
        scene.tokens()
        scene.the_documents_commands()
    suite.check("no part of a proof in the log", scene.assert_nothing_of_a_proof)
    counts = ", ".join(f"{client} {count}" for client, count in scene.counts.items())
    suite.close(f"all good: {len(scene.partitions)} partitions, {len(scene.hosts)} hosts; {counts}")


class Scene:
    def __init__(self, suite, program):
        self.suite, self.program = suite, program
        self.table = callers(program.lines)
        self.good = [caller for caller in self.table if GOOD.fullmatch(caller.what)]
        self.user, self.role = named(self.table, "an IAM user, with a path"), named(self.table, "an assumed role, its token")
        events = (json.loads(line) for line in program.lines if line.startswith("{"))
        self.sandbox = next(event["url"] for event in events if event["message"] == "sandbox started")
        self.counts, self.hosts, self.partitions = collections.Counter(), set(), set()
        self.seen = set()

    def accepted(self, client, caller, body):
        """Posts the unchanged output of a client, and checks the returned identity."""
        answer = request(self.program.address, "POST", "/verify", body, {"Content-Type": "application/json"})
        equal((answer.status, answer.headers["x-sts-verdict"]), (200, "valid"), answer.body)
        identity = json.loads(answer.body)["aws_res"]
        check_identity(caller, {name: identity[name] for name in ("UserId", "Account", "Arn")})
        self.count(client, identity, body)

    def count(self, client, identity, body):
        self.counts[client] += 1
        self.partitions.add(identity["Arn"].split(":")[1])
        self.seen |= set(re.findall(r"[0-9a-f]{64}", body if isinstance(body, str) else body.decode()))

    def refused(self, body, code):
        answer = request(self.program.address, "POST", "/verify", body, {"Content-Type": "application/json"})
        equal((answer.status, json.loads(answer.body)["error_code"]), (400, code), answer.body)

    def by_boto3(self):
        for caller in self.good:
            for variant, settings in VARIANTS.items():
                client = boto3.client("sts", config=Config(**settings), **caller.boto3())
                with contextlib.suppress(EndpointProviderError, EndpointVariantError):  # no such host in this partition
                    for binding in BINDINGS:
                        url = presigned(client, binding, AUDIENCE)
                        self.hosts.add(urlsplit(url).netloc)
                        name = f"boto3: {variant}, {binding}: {caller.what}"
                        self.suite.check(name, self.accepted, "boto3", caller, json.dumps({"presigned_url": url}))
        # Of the hosts that SDKs know in four regions: without the European Sovereign Cloud's FIPS.
        self.suite.check("hosts of each kind", lambda: equal(len(self.hosts) >= 12, True, sorted(self.hosts)))
        client = boto3.client("sts", **self.role.boto3())
        elsewhere = json.dumps({"presigned_url": presigned(client, BINDINGS[0], "elsewhere.example.com")})
        unbound = json.dumps({"presigned_url": client.generate_presigned_url("get_caller_identity", ExpiresIn=900)})
        self.suite.check("boto3: for another service", self.refused, elsewhere, "SignatureDoesNotMatch")
        self.suite.check("boto3: for nobody", self.refused, unbound, "AudienceMismatch")

    def by_aws_cli(self):
        cases = [(caller, {}) for caller in self.good]
        for setting in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"):
            cases.append((self.role, {setting: "true"}))
        with ThreadPoolExecutor(4) as pool:  # each call starts a Python of its own
            made = [(caller, more, pool.submit(newest, caller, ["aws", "eks", "get-token", "--cluster-name", AUDIENCE], **more))
                    for caller, more in cases]
        for caller, more, call in made:
            name = f"aws eks get-token{''.join(' ' + setting for setting in more)}: {caller.what}"
            self.suite.check(name, self.accepted, "aws eks get-token", caller, call.result())

    def by_javascript(self):
        for caller in self.good:
            printed = javascript(caller, AUDIENCE)
            equal(len(printed), 6, "forms")
            for line in printed:
                made = json.loads(line)
                client = f"{made.pop('client')} (npm)"
                name = f"{client}, {next(iter(made))}: {caller.what}"
                self.suite.check(name, self.accepted, client, caller, json.dumps(made))

    def by_hvac(self):
        with json_stub(post={"auth": {"client_token": "made-up"}}) as (url, taken):
            for caller in (self.user, self.role):
                login = hvac.Client(url=url).auth.aws.iam_login
                login(caller.access_key, caller.secret_key, caller.session_token, header_value=AUDIENCE, role="dev")
                self.suite.check(f"hvac: {caller.what}", self.accepted, "hvac", caller, taken[-1])
                login(caller.access_key, caller.secret_key, caller.session_token, header_value="elsewhere.example.com")
                self.suite.check("hvac: for another service", self.refused, taken[-1], "AudienceMismatch")
                login(caller.access_key, caller.secret_key, caller.session_token)
                self.suite.check("hvac: for nobody", self.refused, taken[-1], "AudienceMismatch")

    def tokens(self):
        at_sandbox = {"AWS_ENDPOINT_URL_STS": self.sandbox}
        command = ["aws", "sts", "get-web-identity-token", "--audience", AUDIENCE, "--signing-algorithm"]
        # The sandbox is the issuer of all: it is of the default region's partition.
        holders = [self.user, self.role]
        with ThreadPoolExecutor(4) as pool:
            made = [(f"aws sts get-web-identity-token {algorithm}", caller, pool.submit(newest, caller, [*command, algorithm], **at_sandbox))
                    for caller in holders for algorithm in ("ES384", "RS256")]
            made += [("boto3's get_web_identity_token", caller, pool.submit(
                newest, caller, ["python", "-c", TOKENS_BY_BOTO3, AUDIENCE], **at_sandbox)) for caller in holders]
        for client, caller, call in made:
            documents = [call.result()] if client.startswith("aws") else call.result().splitlines()
            for document in documents:
                self.suite.check(f"{client}: {caller.what}", self.accepted_token, client.rsplit(" ", 1)[0], caller, document)
        for words, code in (("good, but the web identity tokens it gets have expired", "ProofExpired"),):
            printed = newest(named(self.table, words), [*command, "ES384"], **at_sandbox)
            self.suite.check(words, self.refused, printed, code)
        elsewhere = [*command[:4], "elsewhere.example.com", *command[5:], "ES384"]
        self.suite.check("a token for another service", self.refused, newest(self.role, elsewhere, **at_sandbox), "AudienceMismatch")

    def accepted_token(self, client, caller, document):
        answer = request(self.program.address, "POST", "/verify", document, {"Content-Type": "application/json"})
        equal((answer.status, answer.headers["x-sts-verdict"]), (200, "valid"), answer.body)
        body = json.loads(answer.body)
        equal(list(body), ["aws_res", "claims"], "members")
        equal(sorted(body["aws_res"]), ["Account", "Arn"], "STS was not asked")
        equal(body["aws_res"]["Arn"], body["claims"]["sub"], "principal")
        equal(body["claims"]["https://sts.amazonaws.com/"]["aws_account"], body["aws_res"]["Account"], "account")
        self.count(client, body["aws_res"], document)

    def the_documents_commands(self):
        """Runs the commands of README and docs/proofs.md; only the service's address is changed."""
        for document, least in (("README.md", 2), ("docs/proofs.md", 6)):
            blocks = re.findall(r"^```(sh|python|js)\n(.*?)^```$", (ROOT / document).read_text(), re.S | re.M)
            blocks = [(language, block) for language, block in blocks if AUDIENCE in block]
            self.suite.check(f"{document} has its commands", lambda: equal(len(blocks) >= least, True, len(blocks)))
            for language, block in blocks:
                self.suite.check(f"{document}: {block.strip().splitlines()[0][:60]}", self.run_block, language, block)

    def run_block(self, language, block):
        assert "localhost:8080" in block, "it posts to the service"
        block = block.replace("localhost:8080", self.program.address)
        program = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": ["python", "-c"], "js": ["node", "--input-type=module", "-e"]}
        by_sandbox = {"AWS_ENDPOINT_URL_STS": self.sandbox} if re.search("get.web.identity.token", block) else {}
        environment = clean_environment(**by_sandbox, **self.role.environment())
        environment["PATH"] = os.environ["NEWEST_CLIENTS"] + os.pathsep + os.environ["PATH"]
        # The folder of the packages: modules for a program on the command line are searched from here.
        done = subprocess.run([*program[language], block], env=environment, capture_output=True, text=True,
                              cwd=os.path.dirname(os.environ["NODE_MODULES"]))
        equal(done.returncode, 0, done.stderr or "exit code")
        identity = json.loads(done.stdout).get("aws_res")
        assert identity, done.stdout
        assert re.search(r":(assumed-role|role)/", identity["Arn"]), identity
        self.counts["commands of README and docs"] += 1

    def assert_nothing_of_a_proof(self):
        log = "".join(self.program.lines)
        requests = [json.loads(line) for line in self.program.lines if '"message":"request"' in line]
        kinds = collections.Counter(line.get("proof") for line in requests)
        assert kinds["signed_request"] >= 100 and kinds["web_identity_token"] >= 8, kinds
        assert self.seen and not any(signature in log for signature in self.seen), "a signature"
        assert self.role.session_token not in "".join(line for line in self.program.lines if line.startswith("{")), "a token"


def newest(caller, command, **more):
    program, *arguments = command
    done = subprocess.run([os.path.join(os.environ["NEWEST_CLIENTS"], program), *arguments],
                          env=clean_environment(**more, **caller.environment()), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def presigned(client, binding, audience):
    """As in docs/proofs.md."""
    bind = lambda request, **_: request.headers.add_header(binding, audience)
    client.meta.events.register("before-sign.sts.GetCallerIdentity", bind, unique_id="binding")
    try:
        return client.generate_presigned_url("get_caller_identity", ExpiresIn=900, HttpMethod="GET")
    finally:
        client.meta.events.unregister("before-sign.sts.GetCallerIdentity", unique_id="binding")


def javascript(caller, audience):
    environment = clean_environment(**caller.environment())
    done = subprocess.run(["node", PRESIGNERS, audience], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


if __name__ == "__main__":
    main()
