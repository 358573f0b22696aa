"""Compares the function's answer with the service's."""

import json

import function

# The documented answers for botocore exceptions other than ClientError. Any other exception was a crash of the
# function on an answer that it could not parse.
CRASHES = {
    "EndpointConnectionError": (502, "EndpointConnectionError"),
    "SSLError": (502, "EndpointConnectionError"),
    "ProxyConnectionError": (502, "EndpointConnectionError"),
    "ConnectionClosedError": (502, "ConnectionClosedError"),
    "ConnectTimeoutError": (504, "ConnectTimeoutError"),
    "ReadTimeoutError": (504, "ReadTimeoutError"),
}
UNREADABLE = (502, "ResponseParserError")


def ask_function(question):
    """The function's envelope, or the exception that ended it."""
    try:
        return function.lambda_handler(question, None)
    except Exception as error:
        return error


def differences_of(expected, ours, verdict="indeterminate", chance=()):
    """How the service's answer differs from the function's envelope or crash. The members named in `chance` have a new
    value in each answer, so only their presence and their position are compared."""
    if isinstance(expected, Exception):
        wanted = wanted_for_crash(expected)
    else:
        verdict = "valid" if expected["statusCode"] == 200 else verdict
        wanted = {"status": expected["statusCode"], "verdict": verdict} | dict(expected["headers"])
        wanted["body"] = json.loads(expected["body"], object_pairs_hook=list)
    given = {"status": ours.status, "verdict": ours.headers["x-sts-verdict"], "body": ours.json()}
    given |= {name: ours.headers[name] for name in function.HEADERS}
    if isinstance(expected, Exception) and CRASHES.get(type(expected).__name__, ("",))[-1] != type(expected).__name__:
        # Another class of error, or a parser error: its text is not compared.
        wanted["body"][2:] = given["body"][2:3]
    wanted["body"], given["body"] = (without(chance, body["body"]) for body in (wanted, given))
    found = (difference(name, wanted[name], given[name]) for name in wanted)
    return [line for line in found if line]


def without(names, value):
    if not isinstance(value, list):
        return value
    return [(name, "*" if name in names else without(names, inner)) for name, inner in value]


def difference(place, wanted, given):
    """The first place where two values differ, with both values."""
    if wanted == given:
        return None
    if isinstance(wanted, list) and isinstance(given, list):
        for number, (one, other) in enumerate(zip(wanted, given)):
            if one[0] != other[0]:
                return f"{place}, member {number}: boto3 {one!r}, ours {other!r}"
            if one[1] != other[1]:
                return difference(f"{place}.{one[0]}", one[1], other[1])
        return f"{place}: boto3 has {len(wanted)} members, ours {len(given)}"
    return f"{place}: boto3 {wanted!r}, ours {given!r}"


def wanted_for_crash(error):
    """The documented answer where the function crashed with this exception."""
    status, name = CRASHES.get(type(error).__name__, UNREADABLE)
    body = [("exception", name), ("error_code", name), ("error_message", str(error))]
    return {"status": status, "verdict": "indeterminate", "body": body} | function.HEADERS
