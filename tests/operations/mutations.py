"""Valid requests and their random mutations.

There are two kinds of mutations. With the first kind the framing stays correct, and every request has exactly one
answer. The second kind changes any byte, and the number of requests is unknown then. All mutations follow from a seed.
"""

import base64
import json
import random
import string

from sandbox_table import named

# Callers of the sandbox that are answered at once, by the descriptions of their rows.
ROWS = ("an IAM user, with a path", "an assumed role, its token", "a federated user", "IncompleteSignature", "AccessDenied",
        "InvalidClientTokenId: a deleted key", "ExpiredToken")
SPELLINGS = (
    ("stsAccessKey", "stsSecretKey", "stsSessionToken"), ("AccessKeyId", "SecretAccessKey", "SessionToken"),
    ("AccessKeyId", "SecretAccessKey", "Token"), ("accessKeyId", "secretAccessKey", "sessionToken"),
    ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    ("AWSAccessKey", "AWSSecretKey", "AWS-Security-Token"), ("access_key", "secret_key", "security_token"),
)
NASTY = (
    b"\0", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\x7f", b"\x80", b"\xff\xfe", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"%00", b"%",
    b"\\", b"\"", b"\\u0000", b"\\ud800", b"{", b"}", b"[" * 300, b"{\"a\":" * 200, b",", b":", b"null", b"true", b"1e999",
    b"-0", b"9" * 400, b"A" * 9000, b" ", b"\t", b";", b"//", b"/../", b"?", b"#", b"\x1b[31m", b"${jndi:ldap://x}", b"{}", b" " * 70000,
)
HEADERS = (
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: xchunked",
    b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 18446744073709551616",
    b"Content-Length: 1, 1", b"Expect: 100-continue", b"Upgrade: h2c\r\nConnection: upgrade", b"Host: a\r\nHost: b", b": x",
    b"Content-Encoding: gzip", b"Content-Type: text/plain", b"X: " + b"a" * 70000, b" folded: x", b"A: b\x00c",
    b"Origin: null", b"Authorization: AWS4-HMAC-SHA256 Credential=x", b"traceparent: 00-0-0-00",
    b"X-Amzn-Trace-Id: Root=1;Self=2", b"X-Forwarded-For: ,,1.2.3.4, ::1", b"X-Amz-Invocation-Type: Event",
)
# Headers that change neither the framing nor the connection, so that exactly one answer must follow.
ONE_ANSWER_HEADERS = (
    b"Content-Type: text/plain", b"Content-Type: application/vnd.x+json; charset=\"\"", b"Content-Type: \xff",
    b"Origin: null", b"Accept: */*", b"X-Amz-Invocation-Type: DryRun", b"X-Amz-Invocation-Type: x", b"X: \xff\xfe",
    b"Content-Encoding: gzip", b"X-Request-Id: a b", b"X-Request-Id: \x80", b"traceparent: 00-0-0-00",
    b"X-Amzn-Trace-Id: Root=1-x;Self=;Lineage", b"X-Forwarded-For: ,,1.2.3.4, ::1",
)


class Mutator:
    # The identities that an answer may name, if they are known.
    names = None

    def __init__(self, seed, table):
        self.random = random.Random(seed)
        letters = string.ascii_letters + string.digits
        token = "".join(self.random.choices(letters + "+/", k=400))
        unknown = ("AKIAUNKNOWN0EXAMPLE", "".join(self.random.choices(letters + "+/", k=40)))
        known = [(row.access_key, row.secret_key, row.session_token) for row in (named(table, words) for words in ROWS)]
        self.callers = (*known, (*unknown, None), ("ASIAUNKNOWN0EXAMPLE", unknown[1], token))
        self.secrets = sorted({text for _, *pair in self.callers for text in pair if text})

    def question(self):
        """Good JSON with credentials in it, under one of the spellings."""
        names = self.random.choice(SPELLINGS)
        caller = self.random.choice(self.callers)
        value = {name: text for name, text in zip(names, caller) if text}
        if self.random.random() < 0.2:
            value["region"] = "us-east-1"
        if self.random.random() < 0.2:
            value = {"Credentials": value}
        if self.random.random() < 0.1:
            value = {"data": value, "AccessKey": {"token": "x", "AWS_REGION": "us-east-1"}}
        return value

    def event(self):
        """An API Gateway event, REST or HTTP API, its body in base64 or not."""
        body = json.dumps(self.question())
        coded = self.random.random() < 0.5
        return {"version": "2.0", "requestContext": {"http": {"method": "POST"}}, "isBase64Encoded": coded,
                "headers": {"content-type": "application/json"},
                "body": base64.b64encode(body.encode()).decode() if coded else body}

    def parts(self):
        """Start line, header lines and body of a valid request, without the framing."""
        lambdas = b"POST /2015-03-31/functions/verify/invocations HTTP/1.1"
        start, value = self.random.choice((
            (b"POST /verify HTTP/1.1", self.question()), (b"POST /verify HTTP/1.1", self.question()),
            (lambdas, self.question()), (lambdas, self.event()), (b"GET /readyz HTTP/1.1", None),
            (b"OPTIONS /verify HTTP/1.1", None)))
        body = b"" if value is None else json.dumps(value).encode()
        return start, [b"Host: operations.test", b"Content-Type: application/json", b"X-Request-Id: operations"], body

    def framed(self):
        """One request that has exactly one answer, whatever its values are."""
        start, headers, body = self.parts()
        for _ in range(self.random.randint(1, 4)):
            if body and self.random.random() < 0.8:
                body = self.mutate(body)
            else:
                headers = [*headers, self.random.choice(ONE_ANSWER_HEADERS)]
                headers = headers if self.random.random() < 0.7 else headers[1:2] + headers[:1] + headers[2:]
        return self.message(start, headers, body)

    def raw(self):
        """The bytes of a mutated request. It has `Connection: close`, so it is the last on its connection if it is
        valid."""
        start, headers, body = self.parts()
        data = self.message(start, [*headers, b"Connection: close"], body)
        if self.random.random() < 0.3:
            head, _, rest = data.partition(b"\r\n")
            data = head + b"\r\n" + self.random.choice(HEADERS) + b"\r\n" + rest
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 8))):
            # Mostly in the head: a server parses more of the head than of the body.
            limit = len(data) if self.random.random() < 0.4 else data.find(b"\r\n\r\n") + 4
            data = self.mutate(data[:limit]) + data[limit:]
        return data

    def message(self, start, headers, body):
        if body and self.random.random() < 0.3:
            at = self.random.randrange(len(body))
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:at], body[at:]) if part)
            return b"\r\n".join([start, *headers, b"Transfer-Encoding: chunked", b"", chunks + b"0\r\n\r\n"])
        length = [b"Content-Length: %d" % len(body)] if body else []
        return b"\r\n".join([start, *headers, *length, b"", body])

    def mutate(self, data):
        """One change at a random position."""
        at = self.random.randint(0, len(data))
        to = min(len(data), at + self.random.choice((1, 1, 2, 4, 16, 64)))
        change = self.random.randrange(8)
        if change == 0 and at < len(data):
            return data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1:]
        if change == 1:
            return data[:at] + data[to:]
        if change == 2:
            return data[:to] + data[at:to] + data[to:]
        if change == 3:
            return data[:at] + self.random.randbytes(self.random.choice((1, 2, 8))) + data[to:]
        if change == 4:
            return data[:at]
        if change == 5:
            other = self.random.randint(0, len(data))
            return data[:at] + data[other:other + 40] + data[at:]
        return data[:at] + self.random.choice(NASTY) + data[at if change == 6 else to:]
