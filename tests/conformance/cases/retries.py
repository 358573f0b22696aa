"""Retries: which answers are retried, and how often. Each case runs in every retry mode."""

from cases import EXPIRED, GOOD, Case, error_document, http, refusal

FAILURE = refusal("InternalFailure", "An error occurred", "Receiver")
UNAVAILABLE = refusal("ServiceUnavailable", "Try again", "Receiver")
UNKNOWN = refusal("Whatever", "x", "Receiver")
ONE = "<Error><Code>Unavailable</Code><Message>x</Message></Error>"
PAGE = "<html><body><b>Http/1.1 Service Unavailable</b></body></html>"

# Codes that some mode treats as throttling or as transient, and one that no mode does.
CODES = [
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException", "RequestThrottled",
    "TooManyRequestsException", "ProvisionedThroughputExceededException", "TransactionInProgressException",
    "RequestLimitExceeded", "BandwidthLimitExceeded", "LimitExceededException", "SlowDown",
    "PriorRequestNotComplete", "EC2ThrottledException", "RequestTimeout", "RequestTimeoutException",
    "IDPCommunicationError", "InternalFailure",
]

# Status, body: always answered so.
ALWAYS = [
    ("500 five times", 500, FAILURE),
    ("503 five times", 503, UNAVAILABLE),
    ("503 empty", 503, ""),
    ("503 blank", 503, " \r\n\t"),
    ("503 a page", 503, PAGE),
    ("503 a page behind blanks", 503, "\n  " + PAGE),
    ("503 a page in capitals", 503, "<HTML><BODY>Unavailable</BODY></HTML>"),
    ("503 a page with a doctype", 503, "<!DOCTYPE html><html><body>Unavailable</body></html>"),
    ("503 a page with attributes", 503, '<html lang="en"><body>Unavailable</body></html>'),
    ("503 a page that is no XML", 503, "<!DOCTYPE html><html><body><p>Unavailable<br></body>"),
    ("500 JSON", 500, '{"message": "Internal Server Error"}'),
    ("500 plain text", 500, "oops"),
    ("500 empty", 500, ""),
    ("501 empty", 501, ""),
    ("501 with an error of STS", 501, UNKNOWN),
    ("502 a page of a proxy", 502, "<html>\r\n<head><title>502 Bad Gateway</title></head><p>"),
    ("504 empty", 504, ""),
    ("505 empty", 505, ""),
    ("509 empty", 509, ""),
    ("599 empty", 599, ""),
    ("429 empty", 429, ""),
    ("429 a page", 429, "<html><body>Too many</body></html>"),
    ("429 with an unknown code", 429, UNKNOWN),
    ("509 with an unknown code", 509, UNKNOWN),
    ("500 cut", 500, FAILURE[:-20]),
    ("500 without Code", 500, error_document("<Message>x</Message>")),
    ("Throttling without Message", 400, error_document("<Code>Throttling</Code>")),
    ("503 without Message", 503, error_document("<Code>ServiceUnavailable</Code>")),
    ("503 with two Errors", 503, f"<ErrorResponse>{ONE}{ONE}</ErrorResponse>"),
    ("503 with two Codes", 503, error_document("<Code>a</Code><Code>b</Code><Message>x</Message>")),
    ("503 with a text in Error", 503, "<ErrorResponse><Error>x</Error></ErrorResponse>"),
    ("503 with an empty Errors", 503, f"<ErrorResponse>{ONE}<Errors/></ErrorResponse>"),
    ("503 with an empty ResponseMetadata", 503, f"<ErrorResponse>{ONE}<ResponseMetadata/></ErrorResponse>"),
    ("503 cut by a vertical tab", 503, "\x0b"),
    ("408 with an unknown code", 408, UNKNOWN),
    ("Throttling with 403", 403, refusal("Throttling", "Rate exceeded")),
    ("Throttling with 503", 503, refusal("Throttling", "Rate exceeded")),
    ("IDPCommunicationError with 403", 403, refusal("IDPCommunicationError", "x")),
    ("RequestTimeout with 408", 408, refusal("RequestTimeout", "x")),
    ("BadRequest with 400", 400, UNKNOWN),
]


def cases():
    throttled = http(400, refusal("Throttling", "Rate exceeded"))
    fault = http(500, FAILURE)
    for code in CODES:
        yield Case(f"{code} always", (http(400, refusal(code, "Slow down")),), every_mode=True)
    for name, status, body in ALWAYS:
        yield Case(name, (http(status, body),), every_mode=True)
    for wait in ("0", "1", "3600000", "-1", "soon", "1.5", " 7 ", ""):
        yield Case(f"503 with x-amz-retry-after: {wait!r}, then good", (
            http(503, extra=[("x-amz-retry-after", wait)]), GOOD), every_mode=True)
    for status in (429, 500, 502, 503, 504, 509):
        yield Case(f"{status}, then good", (http(status, UNKNOWN), GOOD), every_mode=True)
    yield Case("Throttling, then good", (throttled, GOOD), every_mode=True)
    yield Case("Throttling twice, then good", (throttled, throttled, GOOD), every_mode=True)
    yield Case("503 empty, then good", (http(503), GOOD), every_mode=True)
    yield Case("four 500s, then good", (fault,) * 4 + (GOOD,), every_mode=True)
    yield Case("a 500, a 503, a throttling, then good", (fault, http(503), throttled, GOOD), every_mode=True)
    yield Case("a 500, then expired", (
        fault, http(403, EXPIRED)),
        "invalid", every_mode=True)
    yield Case("a 500, then a page", (fault, http(200, PAGE)), every_mode=True)
    yield Case("a 500, then JSON with 500", (fault, http(500, "{}"), GOOD), every_mode=True)
    yield Case("a 500 that closes, then good", (
        http(500, FAILURE, extra=[("Connection", "close")], then="close"), GOOD), every_mode=True)
