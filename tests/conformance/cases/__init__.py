"""The cases of the comparison with boto3: the answers of STS, or of a server in its place."""

from dataclasses import dataclass

from canned import Answer

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
REQUEST_ID = "1020a616-1656-464c-9563-6690998cea47"
EXTENDED_ID = "MTp1cy1lYXN0LTE6UzoxNzY4MjYyNjI4MDAwOlI6YWJjZGVmZ2g="
TOKEN = "SandboxSession/CANNED+NotARealToken/EXAMPLETOKEN=="


@dataclass(frozen=True)
class Stated:
    """An intended difference: the reason, and the service's answer. It is listed and not counted."""

    reason: str
    status: int = 502
    code: str | None = "ResponseParserError"


@dataclass(frozen=True)
class Case:
    """One request and its answers."""

    name: str
    answers: tuple
    verdict: str = "indeterminate"  # for a ClientError; the other verdicts follow from the status
    every_mode: bool = False  # asked in each retry mode
    stalls: bool = False  # asked with short time limits, in the batch of such cases
    token: str | None = TOKEN
    stated: Stated | None = None
    since_1_44: Stated | None = None  # the same, of botocore 1.44 alone


def http(status, body=b"", headers=None, *, extra=(), length=True, version="1.1", reason="Reason", then="keep"):
    """An HTTP answer. Without `headers` it has those of STS, in STS's order, and `extra` behind them."""
    body = body.encode() if isinstance(body, str) else body
    if headers is None:
        headers = [("x-amzn-RequestId", REQUEST_ID), ("x-amz-sts-extended-request-id", EXTENDED_ID),
                   ("Content-Type", "text/xml")]
        headers += [("Content-Length", len(body))] if length else []
        headers += [("Date", "Tue, 13 Jan 2026 00:03:48 GMT")]
    lines = [f"HTTP/{version} {status} {reason}".rstrip()]
    lines += [f"{name}: {value}" for name, value in [*headers, *extra]]
    return Answer("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body, then)


def identity(arn="arn:aws:iam::123456789012:user/example-user", user_id="AIDAXXXXXXXXXXXXXXXXX",
             account="123456789012"):
    """The recorded document of a success."""
    return document(f"<Arn>{arn}</Arn>\n    <UserId>{user_id}</UserId>\n    <Account>{account}</Account>")


def document(members, metadata=f"<RequestId>{REQUEST_ID}</RequestId>"):
    return (
        f'<GetCallerIdentityResponse xmlns="{NAMESPACE}">\n'
        f"  <GetCallerIdentityResult>\n    {members}\n  </GetCallerIdentityResult>\n"
        f"  <ResponseMetadata>\n    {metadata}\n  </ResponseMetadata>\n"
        "</GetCallerIdentityResponse>\n"
    )


def refusal(code, message, kind="Sender"):
    """The recorded document of an error."""
    return error_document(f"<Type>{kind}</Type>\n    <Code>{code}</Code>\n    <Message>{message}</Message>")


def error_document(members):
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}">\n'
        f"  <Error>\n    {members}\n  </Error>\n"
        f"  <RequestId>{REQUEST_ID}</RequestId>\n"
        "</ErrorResponse>\n"
    )


GOOD = http(200, identity())
EXPIRED = refusal("ExpiredToken", "The security token included in the request is expired")
