"""Connections that end early, answers that are not HTTP, and missing answers."""

from canned import Answer
from cases import EXPIRED, EXTENDED_ID, GOOD, Case, Stated, http, identity, refusal

BODY = identity().encode()
CUT = http(200, BODY, [("Content-Length", len(BODY) + 50)], then="close")
CHUNKED = [("Content-Type", "text/xml"), ("Transfer-Encoding", "chunked")]
CLOSE, RESET = Answer(then="close"), Answer(then="reset")
MANY = [(f"X-{n}", n) for n in range(100)] + [("Content-Length", len(BODY))]


def chunks(body, size=100):
    pieces = [body[start:start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def cases():
    """These are about the connection, and are retried alike in every mode."""
    yield from good_in_other_frames()
    once = {
        "closed without an answer": CLOSE,
        "reset without an answer": RESET,
        "closed inside the body": CUT,
        "reset inside the body": Answer(CUT.data[:-300], "reset"),
        "closed inside a chunk": http(200, chunks(BODY)[:150], CHUNKED, then="close"),
        "closed before the last chunk": http(200, chunks(BODY)[:-5], CHUNKED, then="close"),
        "an error closed inside the body": http(
            403, EXPIRED, [("Content-Length", 5000)], then="close"),
        "101 headers": http(200, BODY, MANY, then="close"),
        "not HTTP at all": Answer(b"220 mail.example ESMTP\r\n", "close"),
        "a status that is no number": Answer(b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n", "close"),
        "a chunk whose length is no number": http(200, b"zz\r\nabc\r\n0\r\n\r\n", CHUNKED, then="close"),
    }
    why = "since 1.44 boto3 takes a body that is shorter than its Content-Length for a whole one; we know better"
    for name, answer in once.items():
        short = "inside the body" in name and answer.then == "close"
        stated = Stated(why, 502, "ConnectionClosedError") if short else None
        yield Case(name, (answer,), every_mode=True, since_1_44=stated)
        stated = Stated(why, 200, None) if short else None
        yield Case(f"{name}, then good", (answer, GOOD), every_mode=True, since_1_44=stated)
    half_heads = {
        "closed inside the headers": Answer(b"HTTP/1.1 200 OK\r\nContent-Ty", "close"),
        "closed after the status line": Answer(b"HTTP/1.1 200 OK\r\n", "close"),
    }
    why = "Python takes half a head for a whole one and boto3 then crashes on the empty body; we know better"
    for name, answer in half_heads.items():
        yield Case(name, (answer,), every_mode=True, stated=Stated(why, 502, "ConnectionClosedError"))
        yield Case(f"{name}, then good", (answer, GOOD), every_mode=True, stated=Stated(why, 200, None))
    yield Case("closed twice, then expired", (CLOSE, CLOSE, http(403, EXPIRED)), "invalid",
               every_mode=True)
    yield Case("a 500, then closed for good", (http(500, refusal("InternalFailure", "x")), CLOSE), every_mode=True)
    yield from silent()


def good_in_other_frames():
    yield Case("chunked", (http(200, chunks(BODY), CHUNKED),))
    yield Case("chunked, a byte at a time", (http(200, chunks(BODY, 1), CHUNKED),))
    yield Case("chunked with an extension and a trailer", (http(
        200, b"%x;a=b\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(BODY), BODY), CHUNKED),))
    yield Case("ended by closing", (http(200, BODY, length=False, then="close"),))
    yield Case("ended by closing, cut", (http(200, BODY[:200], length=False, then="close"),))
    yield Case("HTTP/1.0", (http(200, BODY, version="1.0", then="close"),))
    yield Case("HTTP/1.0 without a length", (http(200, BODY, length=False, version="1.0", then="close"),))
    yield Case("100 Continue before", (Answer(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD.data),))
    yield Case("a length that is too short", (http(200, BODY, [("Content-Length", 200)], then="close"),))
    yield Case("an error, chunked", (http(403, chunks(EXPIRED.encode()), CHUNKED),), "invalid")
    yield Case("an error, ended by closing",
               (http(403, EXPIRED, length=False, then="close"),), "invalid")
    yield Case("headers and no more than the id", (http(
        200, BODY, [("x-amz-sts-extended-request-id", EXTENDED_ID)], then="close"),))


def silent():
    half = Answer(CUT.data[:-300], "stall")
    silences = {
        "no answer": Answer(then="stall"),
        "half the headers, then silence": Answer(b"HTTP/1.1 200 OK\r\nContent-", "stall"),
        "the headers, then silence": Answer(CUT.data[:CUT.data.index(BODY)], "stall"),
        "half the body, then silence": half,
        "a chunk, then silence": http(200, chunks(BODY)[:150], CHUNKED, then="stall"),
    }
    for name, answer in silences.items():
        yield Case(name, (answer,), every_mode=True, stalls=True)
    yield Case("no answer, then good", (Answer(then="stall"), GOOD), every_mode=True, stalls=True)
    yield Case("half the body, then good", (half, GOOD), every_mode=True, stalls=True)
