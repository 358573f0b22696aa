"""Real proxies in front of a real upstream, with the files of deploy/gates and proofs from real clients: which
requests pass, and what the upstream receives. STS is `sts-verify sandbox`, until it is stopped."""

import base64
import json
import os
import re
import subprocess
from functools import partial

import boto3
import yaml

import gate_proxies
from gate_upstream import Upstream, send
from report import Suite, equal
from sandbox_table import callers, named
from service import Program, clean_environment, clean_this_process

AUDIENCE = "gates.example.com"
PROOF = "X-Sts-Verify-Proof"
NAMES = ("account", "principal", "arn", "user-id", "session-name", "principal-type", "partition", "org-id", "org-path")
HEADERS = tuple(f"x-sts-{name}" for name in NAMES)
# Names that some upstreams read as x-sts-account and similar headers.
LOOK_ALIKES = ("x-sts-{}", "X-STS-{}", "X-Sts_{}", "x_sts-{}", *(f"X{other}sts{other}{{}}" for other in "!#$%&'*+.^_`|~"))
BODY = bytes(range(256)) * 400


class Proofs:
    """Proofs that clients make, each a new one."""

    def __init__(self, table, sandbox_url):
        self.sandbox_url = sandbox_url
        self.user = named(table, "an IAM user, with a path")
        self.role = named(table, "an assumed role, its token")
        self.root = named(table, "the root user")
        self.hangup = named(table, "the connection closed")
        self.deleted = named(table, "InvalidClientTokenId: a deleted key")

    def url(self, caller, audience=AUDIENCE, **more):
        """By boto3, as the documentation says."""
        client = boto3.client("sts", **caller.boto3() | more)
        client.meta.events.register("before-sign.sts.GetCallerIdentity", lambda request, **_: request.headers.add_header(
            "x-sts-verify-audience", audience))
        return client.generate_presigned_url("get_caller_identity", ExpiresIn=900, HttpMethod="GET")

    def eks(self, caller, **more):
        text = base64.urlsafe_b64encode(self.url(caller, **more).encode()).decode()
        return "k8s-aws-v1." + text.rstrip("=")

    def command(self, caller, *arguments, **more):
        environment = clean_environment(**caller.environment(), **more)
        program = os.path.join(os.environ["NEWEST_CLIENTS"], "aws")
        done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def eks_by_cli(self, caller):
        return self.command(caller, "eks", "get-token", "--cluster-name", AUDIENCE)["status"]["token"]

    def token(self, caller):
        arguments = ("sts", "get-web-identity-token", "--audience", AUDIENCE, "--signing-algorithm", "ES384")
        return self.command(caller, *arguments, AWS_ENDPOINT_URL_STS=self.sandbox_url)["WebIdentityToken"]


class Scene:
    """The cases for one proxy."""

    def __init__(self, proxy, upstream, proofs, made):
        self.proxy, self.proofs, self.made = proxy, proofs, made
        self.send = partial(send, upstream, proxy.address)

    def passes(self, answer, **expected):
        """The request reached the upstream with only these identity headers and without the proof."""
        equal(answer.status, 200, f"status; {answer.body[:300]}")
        assert answer.seen, "the upstream was not reached"
        for header, name in zip(HEADERS, NAMES):
            wanted = expected.get(name.replace("-", "_"), "")
            given = answer.sent(header)
            assert given == [wanted] or (not wanted and not given), f"{header}: {given!r}, wanted {wanted!r}"
        equal(answer.sent("x-sts-verify-proof"), [], "the proof")
        assert not any("k8s-aws-v1" in value or "X-Amz-Signature" in value for _, value in answer.seen["headers"])
        return answer

    def user_passes(self, answer):
        arn = "arn:aws:iam::123456789012:user/division_abc/subdivision_xyz/Zhang@example.com-CLI"
        return self.passes(answer, account="123456789012", principal=arn, arn=arn, user_id="AIDASBXUSER000EXAMPLE",
                           principal_type="user", partition="aws")

    def role_passes(self, answer):
        return self.passes(answer, account="123456789012", principal="arn:aws:iam::123456789012:role/SandboxRole",
                           arn="arn:aws:sts::123456789012:assumed-role/SandboxRole/session-1", principal_type="role",
                           user_id="AROASBXROLE000EXAMPLE:session-1", session_name="session-1", partition="aws")

    def refused(self, answer, *statuses):
        assert answer.seen is None, f"it reached the upstream: {answer.seen}"
        assert answer.status in statuses, f"status: {answer.status}, wanted {statuses}"
        return answer

    def test_a_proof_in_its_own_header_passes_and_authorization_is_left_to_the_upstream(self):
        mine = ("Authorization", "Bearer the-upstream-s-own")
        answer = self.user_passes(self.send(headers=[(PROOF, self.proofs.eks(self.proofs.user)), mine]))
        equal(answer.sent("authorization"), [mine[1]], "Authorization")

    def test_a_proof_in_authorization_passes_and_does_not_reach_the_upstream(self):
        for proof in (self.proofs.url(self.proofs.role), self.made["eks"]):
            for own in ([], [(PROOF, "")], [(PROOF, "   ")]):
                answer = self.role_passes(self.send(headers=[("Authorization", f"Bearer {proof}"), *own]))
                equal(answer.sent("authorization"), [], "Authorization")

    def test_the_output_of_the_aws_cli_passes(self):
        self.role_passes(self.send(headers=[(PROOF, self.made["eks"])]))

    def test_a_web_identity_token_passes_and_tells_the_organisation(self):
        arn = "arn:aws:iam::123456789012:role/service-role/SandboxRole"
        for headers in ([(PROOF, self.made["token"])], [("Authorization", f"Bearer {self.made['token']}")]):
            answer = self.passes(
                self.send(headers=headers), account="123456789012", principal=arn, arn=arn, principal_type="role",
                partition="aws", org_id="o-abc1234567", org_path="o-abc1234567/r-ab12/ou-ab12-22222222/")
            equal(answer.sent("authorization"), [], "Authorization")

    def test_without_a_proof_it_is_401_with_a_challenge(self):
        for headers in ([], [(PROOF, "")], [("Authorization", "Basic dTpw")], [("Cookie", "a=b")]):
            answer = self.refused(self.send(headers=headers), 401)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer "), answer.headers

    def test_a_proof_that_is_not_good_is_401(self):
        user = self.proofs.user
        for proof in ("garbage", self.proofs.eks(user, audience="other.example.com"), self.proofs.eks(self.proofs.deleted),
                      self.proofs.eks(user, aws_secret_access_key="x" * 40), self.made["other token"]):
            for headers in ([(PROOF, proof)], [("Authorization", f"Bearer {proof}")]):
                answer = self.refused(self.send(headers=headers), 401)
                assert "invalid_token" in answer.headers["WWW-Authenticate"], answer.headers

    def test_credentials_are_no_proof(self):
        user = self.proofs.user
        pair = base64.b64encode(f"{user.access_key}:{user.secret_key}".encode()).decode()
        self.refused(self.send(headers=[("Authorization", f"Basic {pair}")]), 401)
        self.refused(self.send("POST", body=json.dumps(user.question()).encode()), 401)

    def test_a_good_proof_of_somebody_else_is_403(self):
        self.refused(self.send(headers=[(PROOF, self.proofs.eks(self.proofs.root))]), 403)

    def test_a_proof_that_is_there_twice_is_401(self):
        one, other = (self.proofs.eks(self.proofs.user) for _ in range(2))
        # nginx passes on both headers, so it does not matter which of them `map` sees.
        self.refused(self.send(headers=[(PROOF, one), (PROOF, other)]), 401)
        bearers = [("Authorization", f"Bearer {proof}") for proof in (one, other)]
        self.refused(self.send(headers=bearers), 400, 401)

    def test_forged_headers_and_their_look_alikes_do_not_reach_the_upstream(self):
        """Caddy's GHSA-7r4p-vjf4-gxv4, and Traefik's CVE-2026-39858 for look-alikes. A user has no session or
        organisation: these are empty."""
        proof = self.proofs.eks(self.proofs.user)
        for pattern in LOOK_ALIKES:
            # The other hyphens of the name unchanged, and replaced by the character after `x`.
            for hyphen in {"-", pattern[1]}:
                forged = [(pattern.format(name.replace("-", hyphen)), "forged") for name in NAMES]
                for headers in ([*forged, (PROOF, proof)], [(PROOF, proof), *forged, *forged]):
                    self.user_passes(self.send(headers=headers))
            self.refused(self.send(headers=forged), 401)

    def test_no_look_alike_of_the_proof_is_one(self):
        for name in ("x_sts_verify_proof", "X-Sts-Verify_Proof", "x.sts.verify.proof"):
            self.refused(self.send(headers=[(name, self.proofs.eks(self.proofs.user))]), 401)

    def test_a_client_cannot_have_headers_taken_away_as_those_of_its_connection(self):
        """RFC 9110, section 7.6.1: a proxy drops the headers that Connection names, but not those that it sets
        itself."""
        proof = (PROOF, self.proofs.eks(self.proofs.user))
        for named in (*HEADERS, "upgrade, x-sts-account", "x-sts-account, upgrade"):
            headers = [("Connection", f"close, {named}"), proof, ("X-Sts-Account", "forged")]
            self.user_passes(self.send(headers=headers))
        answer = self.send(headers=[("Connection", ", ".join(("close", *HEADERS))), proof])
        # Envoy treats this many as an attack.
        self.user_passes(answer) if answer.status == 200 else self.refused(answer, 400)

    def test_headers_that_are_none_are_not_read_as_others(self):
        proof = (PROOF, self.proofs.eks(self.proofs.user))
        for name in ("X-Sts-Account ", "X-Sts-Account\t", " X-Sts-Account", "X-Sts-Account\x00", "X-Sts-Account\xa0", "X Sts Account"):
            answer = self.send(headers=[proof, ("X-Other", "other"), (name, "forged")])
            self.user_passes(answer) if answer.status == 200 else self.refused(answer, 400)

    def test_forwarded_headers_of_a_client_decide_nothing(self):
        """Traefik's CVE-2026-35051 and CVE-2026-39858."""
        for name in ("X-Forwarded-Prefix", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Original-URL", "X_Forwarded_Proto"):
            self.refused(self.send(headers=[(name, "/auth/open")]), 401)
            somebody = [(name, "/auth/open"), (PROOF, self.proofs.eks(self.proofs.root))]
            self.refused(self.send(headers=somebody), 403)

    def test_head(self):
        answer = self.user_passes(self.send("HEAD", headers=[(PROOF, self.proofs.eks(self.proofs.user))]))
        equal((answer.seen["method"], answer.body), ("HEAD", b""))
        equal(self.refused(self.send("HEAD"), 401).body, b"")

    def test_a_body_reaches_the_upstream_whole_and_not_without_a_proof(self):
        proof = (PROOF, self.proofs.eks(self.proofs.user))
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:70000], BODY[70000:])) + b"0\r\n\r\n"
        for method in ("POST", "PUT", "PATCH"):
            for headers, body in (([], BODY), ([("Transfer-Encoding", "chunked")], chunked)):
                seen = self.user_passes(self.send(method, "/up/load", [*headers, proof], body)).seen
                equal((seen["method"], seen["path"], seen["length"]), (method, "/up/load", len(BODY)))
                self.refused(self.send(method, "/up/load", headers, body), 401)

    def test_a_trailer_is_no_header(self):
        body = b"4\r\nbody\r\n0\r\nX-Sts-Account: forged\r\n\r\n"
        headers = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Sts-Account"), (PROOF, self.proofs.eks(self.proofs.user))]
        equal(self.user_passes(self.send("POST", headers=headers, body=body)).seen["length"], 4)

    def test_other_methods(self):
        for method in ("DELETE", "OPTIONS"):
            answer = self.user_passes(self.send(method, headers=[(PROOF, self.proofs.eks(self.proofs.user))]))
            equal(answer.seen["method"], method)
            self.refused(self.send(method), 401)

    def test_a_preflight_is_no_way_in(self):
        headers = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST"),
                   ("Access-Control-Request-Headers", "x-sts-account")]
        answer = self.refused(self.send("OPTIONS", "/", headers), 401)
        assert not any(name.lower().startswith("access-control-") for name in answer.headers), answer.headers

    def test_paths_are_the_upstream_s(self):
        proof = self.proofs.eks(self.proofs.user)
        for path in ("/a/b?x=y&z=/auth/open", "/auth/open", "/%C3%A4", "/p/", "/a;b=c", "/verify"):
            equal(self.user_passes(self.send(path=path, headers=[(PROOF, proof)])).seen["path"], path)

    def test_no_path_is_a_way_round_the_gate(self):
        """The policy `open` would let root pass."""
        root = [(PROOF, self.proofs.eks(self.proofs.root))]
        for path in ("/", "//", "//x", "/a//b", "/../open", "/..%2fopen", "/%2e%2e/open", "/%ff", "/a/../../open", "/auth/open",
                     "/_gate", "/.well-known/x", "/a%00b", "/;/../open", "-open", "*", "http://reports.example/../open"):
            self.refused(self.send(path=path, headers=root), 400, 403, 404)
            self.refused(self.send(path=path), 400, 401, 403, 404)

    def test_a_failure_of_sts_keeps_it_shut(self):
        self.refused(self.send(headers=[(PROOF, self.proofs.eks(self.proofs.hangup))]), self.proxy.unknown)

    def tests(self):
        return [(name.removeprefix("test_").replace("_", " "), getattr(self, name))
                for name in dir(self) if name.startswith("test_")]

    def asks_too_often(self):
        """The one request per hour was accepted, whatever address a client claims."""
        proof = (PROOF, self.proofs.eks(self.proofs.user))
        self.user_passes(self.send(headers=[proof]))
        for number in range(3):
            forged = ("X-Forwarded-For", f"198.51.100.{number}")
            answer = self.refused(self.send(headers=[proof, forged]), 429 if self.proxy.unknown == 503 else self.proxy.unknown)
            assert answer.status != 429 or answer.headers["Retry-After"], answer.headers

    def sts_is_down(self, kept):
        """Cached identities still pass; no new ones do."""
        self.user_passes(self.send(headers=[(PROOF, kept)]))
        for method, headers in (("GET", [(PROOF, self.made["fresh"])]), ("POST", [("Authorization", f"Bearer {self.made['fresh']}")])):
            self.refused(self.send(method, headers=headers, body=BODY if method == "POST" else b""), self.proxy.unknown)
        self.refused(self.send(), 401)

    def gate_is_down(self, kept):
        for headers in ([(PROOF, kept)], [], [(PROOF, kept), ("X-Sts-Account", "forged")]):
            self.refused(self.send(headers=headers), self.proxy.gone)


def shown_as_they_are():
    """docs/gates.md contains each file unchanged."""
    page = (gate_proxies.ROOT / "docs/gates.md").read_text()
    blocks = re.findall(r"^```\w+\n(.*?)^```$", page, re.M | re.S)
    for file in sorted(gate_proxies.FILES.iterdir()):
        assert file.name == "policies.toml" or file.read_text() in blocks, f"{file.name} is not in docs/gates.md unchanged"


def complete():
    """Each file names all headers, and those of the proof."""
    for name in ("nginx.conf", "Caddyfile", "envoy.yaml", "haproxy.cfg", "haproxy.lua", "traefik-gates.yaml", "gateway-api.yaml"):
        text = (gate_proxies.FILES / name).read_text().lower()
        for header in (*HEADERS, "x-sts-verify-proof", "authorization"):
            assert re.search(rf"{header}(?![\w-])", text), f"{name}: no {header}"


def traefik():
    """The form of Traefik's file provider, as its documentation has it."""
    static, given = (yaml.safe_load((gate_proxies.FILES / name).read_text()) for name in ("traefik.yaml", "traefik-gates.yaml"))
    equal(static["entryPoints"]["web"]["http"], {"aliasHeadersStrategy": "delete"})
    routers, middlewares = given["http"]["routers"], given["http"]["middlewares"]
    gate = middlewares["gate"]["forwardAuth"]
    equal(sorted(gate), ["address", "authRequestHeaders", "authResponseHeaders", "trustForwardHeader"])
    equal(tuple(name.lower() for name in gate["authResponseHeaders"]), HEADERS)
    taken = {name: middlewares[name]["headers"]["customRequestHeaders"] for name in middlewares if name != "gate"}
    equal(taken, {"without-proof": {PROOF: ""}, "without-authorization": {"Authorization": ""}})
    for router in routers.values():
        equal((router["middlewares"][:2], router["service"]), (["gate", "without-proof"], "upstream"))
    assert "without-authorization" in min(routers.values(), key=lambda router: router["priority"])["middlewares"]


def gateway():
    """The form of HTTPRoute's filter, as the types of the Gateway API's experimental channel have it."""
    route, grant = yaml.safe_load_all((gate_proxies.FILES / "gateway-api.yaml").read_text())
    assert len(route["spec"]["rules"]) == 2 and route["kind"] == "HTTPRoute"
    for rule in route["spec"]["rules"]:
        gate, taken = rule["filters"]
        equal((sorted(gate), gate["type"]), (["externalAuth", "type"], "ExternalAuth"))
        auth = gate["externalAuth"]
        equal((sorted(auth), auth["protocol"]), (["backendRef", "http", "protocol"], "HTTP"))
        equal(sorted(auth["http"]), ["allowedHeaders", "allowedResponseHeaders", "path"])
        equal(tuple(auth["http"]["allowedResponseHeaders"]), HEADERS)
        wanted = ["x-sts-verify-proof"] if "matches" in rule else ["x-sts-verify-proof", "authorization"]
        equal(taken["requestHeaderModifier"]["remove"], wanted)
    equal(grant["spec"]["from"][0]["namespace"], route["metadata"]["namespace"])
    equal(grant["metadata"]["namespace"], auth["backendRef"]["namespace"])


def main():
    clean_this_process(**{name: os.environ[name] for name in ("NGINX", "CADDY", "ENVOY", "HAPROXY", "NEWEST_CLIENTS")})
    suite, upstream = Suite("gates"), Upstream()
    for test in (shown_as_they_are, complete, traefik, gateway):
        suite.check(f"the files: {test.__name__.replace('_', ' ')}", test)
    folder = gate_proxies.folder()
    folder.mkdir(parents=True, exist_ok=True)
    policies = folder / "policies.toml"
    shipped = (gate_proxies.FILES / "policies.toml").read_text()
    policies.write_text(f'{shipped}\n[policy.open]\naccounts = ["123456789012"]\nallow_root = true\n')
    sandbox = Program("sandbox")
    settings = {"AWS_ENDPOINT_URL_STS": sandbox.url, "AWS_REGION": "us-east-1", "STS_VERIFY_AUDIENCE": AUDIENCE,
                "STS_VERIFY_TOKEN_ISSUERS": sandbox.url, "STS_VERIFY_POLICIES_FILE": policies, "STS_VERIFY_GATE_CACHE": "5m",
                "STS_VERIFY_TRUSTED_PROXIES": 1, "STS_VERIFY_ACCEPT": "signed-requests,web-identity-tokens",
                "STS_VERIFY_RETRY_BACKOFF": "1ms"}
    gate = Program("serve", **settings)
    proofs = Proofs(callers(sandbox.lines), sandbox.url)
    fresh = proofs.eks(proofs.user)
    proxies = [proxy(folder, gate.address, upstream.address) for proxy in gate_proxies.ALL]
    try:
        made = {"eks": proofs.eks_by_cli(proofs.role), "token": proofs.token(proofs.role), "fresh": fresh}
        made["other token"] = made["token"][:-8] + "AAAAAAAA"
        scenes = [Scene(proxy, upstream, proofs, made) for proxy in proxies]
        counts = {scene.proxy.name: 0 for scene in scenes}

        def check(scene, name, function, *arguments):
            before = suite.passed
            suite.check(f"{scene.proxy.name}: {name}", function, *arguments)
            counts[scene.proxy.name] += suite.passed - before

        for scene in scenes:
            for name, test in scene.tests():
                check(scene, name, test)
        for scene in scenes:
            with Program("serve", **settings, STS_VERIFY_RATE_LIMIT="1/h") as limited, type(scene.proxy)(
                    folder / "limited", limited.address, upstream.address) as proxy:
                check(scene, "an address exceeds its rate limit", Scene(proxy, upstream, proofs, made).asks_too_often)
        kept = proofs.url(proofs.user)
        send(upstream, proxies[0].address, headers=[(PROOF, kept)])
        sandbox.stop()
        for scene in scenes:
            check(scene, "STS is down", scene.sts_is_down, kept)
        gate.stop()
        for scene in scenes:
            check(scene, "the gate is down", scene.gate_is_down, kept)
    finally:
        for process in (*proxies, sandbox, gate):
            process.stop()
        upstream.stop()
    for name, passed in counts.items():
        print(f"{name} {gate_proxies.version(name)}: {passed} of {len(scenes[0].tests()) + 3} cases")
    suite.close("all good; " + ", ".join(f"{name} {passed}" for name, passed in counts.items()))


if __name__ == "__main__":
    main()
