"""The expected answer for a caller of the sandbox, derived from its description in the table.

STS's recorded messages are repeated here. The credentials are read from the table that the program prints.
"""

import re

CODES = {
    "MissingAuthenticationToken": (403, "Request is missing Authentication Token"),
    "IncompleteSignature": (400, r"'.+' not a valid key=value pair \(missing equal-sign\) in Authorization header: '.+'\."),
    "InvalidClientTokenId": (403, r"The security token included in the request is invalid\.?"),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "AccessDenied": (403, "User: arn:.+ is not authorized to perform: .+"),
    "RequestExpired": (400, r"Request has expired\."),
    "RegionDisabledException": (403, r"STS is not activated in this region for account:\d{12}\. .+"),
    "Throttling": (400, "Rate exceeded"),
    "InternalFailure": (500, ".+"),
    "ServiceUnavailable": (503, ".+"),
}
TIME = r"\d{8}T\d{6}Z"
MISMATCHES = {
    "the client's clock an hour slow": rf"Signature expired: {TIME} is now earlier than {TIME} \({TIME} - 15 min\.\)",
    "the client's clock an hour fast":
        rf"Signature not yet current: {TIME} is still later than {TIME} \({TIME} \+ 15 min\.\)",
    "signed for no valid region": r"Credential should be scoped to a valid region\. ",
}
WRONG_SECRET = re.escape(
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details.")
DOTTED, UNDOTTED = (rf"The security token included in the request is invalid{dot}" for dot in (r"\.", ""))
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}
KINDS = {
    "an IAM user": (r"iam::{account}:user/\S+", r"AIDA\w+"),
    "an assumed role": (r"sts::{account}:assumed-role/\w+/(?P<session>[\w-]+)", r"AROA\w+:[\w-]+"),
    "a federated user": (r"sts::{account}:federated-user/(?P<name>\w+)", r"{account}:\w+"),
    "the root user": (r"iam::{account}:root", r"{account}"),
}
# Rows whose answer does not come from STS, with boto3's interpretation.
FAILURES = {
    "never an answer": "ReadTimeoutError",
    "the connection closed without an answer": "ConnectionClosedError",
    "200 with HTML": "KeyError",  # the page is good XML, and boto3 looks for the result in it
    "200 whose XML stops in the middle": "ResponseParserError",
}


def refusal_of(what):
    """Status, code and a pattern of the message for a row that is rejected; otherwise None."""
    word = re.match(r"\w+", what)[0]
    if what.startswith("503 with an empty body"):
        return 503, "503", "Service Unavailable"
    if word == "SignatureDoesNotMatch":
        return 403, word, MISMATCHES[what.split(": ", 1)[1]]
    if word not in CODES:
        return None
    status, message = CODES[word]
    if word == "InvalidClientTokenId":
        message = UNDOTTED if "without a dot" in what else DOTTED
    return status, word, message


def failure_of(what):
    return next((name for words, name in FAILURES.items() if what.startswith(words)), None)


def check_identity(caller, identity):
    """An identity has the form of its kind, and belongs to the caller's partition."""
    partition = next((name for start, name in PARTITIONS.items() if caller.region.startswith(start)), "aws")
    kind = next((forms for words, forms in KINDS.items() if caller.what.startswith(words)), KINDS["an IAM user"])
    assert re.fullmatch(r"\d{12}", identity["Account"]), identity
    arn, user_id = (form.format(account=identity["Account"]) for form in kind)
    assert re.fullmatch(f"arn:{partition}:{arn}", identity["Arn"]), identity
    assert re.fullmatch(user_id, identity["UserId"]), identity
    if kind is KINDS["an assumed role"]:
        assert identity["Arn"].split("/")[-1] == identity["UserId"].split(":")[-1], identity
