"""Valid proofs, signed here with Signature Version 4 as documented by AWS, and their random mutations."""

import base64
import datetime
import hashlib
import hmac
import json
import re
from urllib.parse import quote

from mutations import Mutator, ONE_ANSWER_HEADERS
from sandbox_table import named
from service import request, verify

AUDIENCE = "operations.example.com"
QUESTION = "Action=GetCallerIdentity&Version=2011-06-15"
FORM = "application/x-www-form-urlencoded; charset=utf-8"
ROWS = ("an IAM user, with a path", "an assumed role, its token", "a federated user")
BINDINGS = ("x-sts-verify-audience", "x-vault-aws-iam-server-id", "x-consul-iam-serverid", "x-k8s-aws-id")
HOSTS = ("sts.us-east-1.amazonaws.com", "sts.amazonaws.com", "sts-fips.us-east-1.amazonaws.com", "sts.us-east-1.api.aws")
# Replacements that are chosen so that every check is reached, not only the first.
REPLACED = (
    (b"us-east-1", b"eu-west-1"), (b"sts", b"s3"), (b".amazonaws.com", b".amazonaws.com.evil.example"), (b"https://", b"https://a@"),
    (b"GetCallerIdentity", b"AssumeRole"), (b"x-sts-verify-audience", b"x-k8s-aws-id"), (b"X-Amz-", b"x-amz-"), (b"%2F", b"%2f"),
    (b"aws4_request", b"aws4_reques%74"), (b"X-Amz-Expires=60", b"X-Amz-Expires=900"), (b"host", b"Host"), (b"AKIA", b"ASIA"),
    (b"operations.", b"other."), (b"ES384", b"RS256"), (b"iss", b"ISS"), (b"123456789012", b"210987654321"), (b"role", b"user"),
    (b"http://127", b"https://127"), (b"2011-06-15", b"2011-06-16"), (b"kid", b"jku"), (b"jti", b"jtj"), (b"aud", b"sub"),
)


def sign(caller, method, host, headers, query="", body=""):
    """The signature of a request, and the signed text."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/{caller.region}/sts/aws4_request"
    headers = {"host": host, **headers} | ({"x-amz-date": now} if method == "POST" else {})
    if method == "POST" and caller.session_token:
        headers["x-amz-security-token"] = caller.session_token
    names = ";".join(sorted(headers))
    if method == "GET":
        more = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{caller.access_key}/{scope}", "X-Amz-Date": now,
                "X-Amz-Expires": "60", "X-Amz-SignedHeaders": names}
        if caller.session_token:
            more["X-Amz-Security-Token"] = caller.session_token
        query = "&".join(sorted([*query.split("&"), *(f"{name}={quote(value, safe='-._~')}" for name, value in more.items())]))
    lines = [method, "/", query, *(f"{name}:{headers[name]}" for name in sorted(headers)), "", names,
             hashlib.sha256(body.encode()).hexdigest()]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{caller.secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, "\n".join(["AWS4-HMAC-SHA256", now, scope, digest]).encode(), "sha256").hexdigest()
    if method == "GET":
        return signature, f"https://{host}/?{query}&X-Amz-Signature={signature}"
    authorization = f"AWS4-HMAC-SHA256 Credential={caller.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return signature, headers | {"authorization": authorization}


def token_of(caller, sandbox):
    """The token in the sandbox's answer to GetWebIdentityToken."""
    body = f"Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1={AUDIENCE}&SigningAlgorithm=ES384&DurationSeconds=900"
    _, headers = sign(caller, "POST", sandbox, {"content-type": FORM}, body=body)
    answer = request(sandbox, "POST", "/", body, headers).body.decode()
    return re.search("<WebIdentityToken>(.*)</WebIdentityToken>", answer)[1]


def good_proofs(table, sandbox):
    """Proofs with their kinds, and their secret parts."""
    proofs, secrets = [], set()
    for number, caller in enumerate(named(table, words) for words in ROWS):
        for binding, host in zip(BINDINGS, HOSTS[number:] + HOSTS[:number]):
            bound = {binding: AUDIENCE}
            signature, url = sign(caller, "GET", host, bound, QUESTION)
            other, headers = sign(caller, "POST", host, {"content-type": FORM} | bound, body=QUESTION)
            proofs += [("url", url), ("eks", url), ("login", (f"https://{host}/", json.dumps(headers)))]
            secrets |= {signature, other}
        token = token_of(caller, sandbox)
        proofs.append(("jwt", token))
        secrets |= {token.split(".")[2], *filter(None, [caller.session_token])}
    return proofs, sorted(secrets)


def encode(data, url=False):
    encoded = base64.urlsafe_b64encode(data).rstrip(b"=") if url else base64.b64encode(data)
    return encoded.decode()


class ProofMutator(Mutator):
    """Mutated proofs, of which each has exactly one answer."""

    def __init__(self, seed, table, sandbox):
        super().__init__(seed, table)
        self.proofs, self.secrets = good_proofs(table, sandbox)
        self.names = set()

    def learn_names(self, address):
        """Verifies the original proofs, and stores their identities: a mutated proof must not yield any other."""
        for proof in self.proofs:
            answer = verify(address, self.body(proof, lambda data: data))
            assert answer.status == 200, (proof[0], answer.body)
            self.names.add(json.loads(answer.body)["aws_res"]["Arn"].encode())

    def change(self, data):
        """Some changes to the text of a proof; none now and then."""
        for _ in range(self.random.choice((0, 1, 1, 1, 1, 1, 1, 2, 2, 3))):
            if self.random.random() < 0.5:
                old, new = self.random.choice(REPLACED)
                data = data.replace(old, new, 1)
            else:
                data = self.mutate(data)
        return data

    def body(self, proof, change):
        kind, text = proof
        if kind == "url":
            return {"presigned_url": change(text.encode()).decode("latin-1")}
        if kind == "eks":
            return {"kind": "ExecCredential", "status": {"token": "k8s-aws-v1." + encode(change(text.encode()), url=True)}}
        if kind == "login":
            url, headers = text
            parts = {"iam_request_url": url, "iam_request_body": QUESTION, "iam_request_headers": headers}
            changed = self.random.choice((*parts, "iam_request_headers"))
            return {"iam_http_request_method": "POST"} | {
                name: encode(change(part.encode()) if name == changed else part.encode()) for name, part in parts.items()}
        parts = text.split(".")
        at = self.random.randrange(4)
        if at == 3:
            return {"token": change(text.encode()).decode("latin-1")}
        parts[at] = encode(change(base64.urlsafe_b64decode(parts[at] + "==")), url=True)
        return {"WebIdentityToken": ".".join(parts)}

    def framed(self):
        body = json.dumps(self.body(self.random.choice(self.proofs), self.change))
        start = b"POST /verify HTTP/1.1"
        if self.random.random() < 0.3:
            start = b"POST /2015-03-31/functions/verify/invocations HTTP/1.1"
            body = json.dumps({"requestContext": {}, "body": body}) if self.random.random() < 0.5 else body
        body = body.encode()
        if self.random.random() < 0.1:
            body = self.mutate(body)
        headers = [b"Host: operations.test", b"Content-Type: application/json", b"X-Request-Id: operations"]
        if self.random.random() < 0.1:
            headers.append(self.random.choice(ONE_ANSWER_HEADERS))
        return self.message(start, headers, body)
