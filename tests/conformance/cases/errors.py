"""Answers without an identity: STS's own errors, and answers of other servers in its place."""

from cases import NAMESPACE, TOKEN, Case, Stated, document, error_document, http, identity, refusal

INVALID_TOKEN = "The security token included in the request is invalid"
MISMATCH = ("The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.")

# The errors that were recorded from STS: name, status, code, message, verdict.
TABLE = [
    ("an unknown key", 403, "InvalidClientTokenId", INVALID_TOKEN + ".", "invalid"),
    ("a key unknown in the region", 403, "InvalidClientTokenId", INVALID_TOKEN, "indeterminate"),
    ("an expired session", 403, "ExpiredToken", "The security token included in the request is expired", "invalid"),
    ("a wrong secret", 403, "SignatureDoesNotMatch", MISMATCH, "invalid"),
    ("a slow clock", 403, "SignatureDoesNotMatch", "Signature expired: 20220127T001427Z is now earlier than "
     "20220127T014428Z (20220127T015928Z - 15 min.)", "indeterminate"),
    ("a fast clock", 403, "SignatureDoesNotMatch", "Signature not yet current: 20210112T194419Z is still later than "
     "20210112T072625Z (20210112T071125Z + 15 min.)", "indeterminate"),
    ("signed for another region", 403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region. ",
     "indeterminate"),
    ("no Authorization", 403, "MissingAuthenticationToken", "Request is missing Authentication Token", "indeterminate"),
    ("a malformed Authorization", 400, "IncompleteSignature", "'x' not a valid key=value pair (missing equal-sign) in "
     "Authorization header: 'AWS4-HMAC-SHA256 x'.", "indeterminate"),
    ("denied by a policy", 403, "AccessDenied", "User: arn:aws:iam::123456789012:user/u is not authorized to perform: "
     "sts:GetCallerIdentity because no VPC endpoint policy allows it", "indeterminate"),
    ("an expired request", 400, "RequestExpired", "Request has expired.", "indeterminate"),
    ("STS not active in the region", 403, "RegionDisabledException", "STS is not activated in this region for "
     "account:123456789012. Your account administrator can activate STS in this region using the IAM Console.",
     "indeterminate"),
    ("an unknown code", 403, "SomethingNewException", "Who knows", "indeterminate"),
    ("a validation error", 400, "ValidationError", "1 validation error detected", "indeterminate"),
    ("a message in several lines", 403, "AccessDenied", "\n  one\n  two\n", "indeterminate"),
    ("entities in a message", 403, "AccessDenied", "&lt;a&gt; &amp; &#x1F600; <![CDATA[<b>]]>", "indeterminate"),
    ("an empty message", 403, "AccessDenied", "", "indeterminate"),
    ("a blank message", 403, "AccessDenied", "  ", "indeterminate"),
    ("blanks around a code", 403, " AccessDenied ", "x", "indeterminate"),
]

NAMELESS = Stated("boto3 gives null for the code; an error without a code is not one of STS's")
OBJECT = Stated("boto3 gives an object for the message; an error with such a message is not one of STS's")
CODE, MESSAGE = "<Code>AccessDenied</Code>", "<Message>no</Message>"
ANOTHER = "<Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error>"
NESTED = f"<Response><Errors><Error>{CODE}{MESSAGE}</Error></Errors><RequestID>1</RequestID></Response>"
WHOLE = refusal("AccessDenied", "no")
ERROR = f"<Error>{CODE}{MESSAGE}</Error>"


def response(members, root="ErrorResponse"):
    return f"<{root}>{members}<RequestId>1</RequestId></{root}>"


# Other shapes of an error, each with the status 403: name, body, why it differs.
SHAPES = [
    ("no Code", error_document(MESSAGE), None),
    ("no Message", error_document(CODE), None),
    ("neither Code nor Message", error_document("<Type>Sender</Type>"), None),
    ("an empty Code", error_document("<Code/>" + MESSAGE), NAMELESS),
    ("Message before Code", error_document(MESSAGE + CODE), None),
    ("no Type", error_document(CODE + MESSAGE), None),
    ("Errors around Error", NESTED, None),
    ("Errors around Error and RequestId", NESTED.replace("RequestID", "RequestId"), None),
    ("Error as the root", f"<Error>{CODE}{MESSAGE}</Error>", None),
    ("another root", WHOLE.replace("ErrorResponse", "Response"), None),
    ("no namespace", WHOLE.replace(f' xmlns="{NAMESPACE}"', ""), None),
    ("a prefix of a namespace", WHOLE.replace("xmlns=", "xmlns:e=").replace("<", "<e:").replace("<e:/", "</e:"), None),
    ("an XML declaration", "<?xml version='1.0'?>" + WHOLE, None),
    ("no RequestId", f"<ErrorResponse><Error>{CODE}{MESSAGE}</Error></ErrorResponse>", None),
    ("an empty Error", "<ErrorResponse><Error/></ErrorResponse>", None),
    ("an empty ErrorResponse", "<ErrorResponse/>", None),
    ("JSON", '{"Error": {"Code": "AccessDenied"}}', None),
    ("an empty body", "", None),
    ("a blank body", " \n", None),
    ("a page that is good XML", "<html><body><h1>403 Forbidden</h1></body></html>", None),
    ("a page that is not", "<!DOCTYPE html><html><body><p>Forbidden<br></body></html>", None),
    ("plain text", "Forbidden", None),
    ("cut after Message", WHOLE[:WHOLE.index("</Error>")], None),
    ("cut inside Message", WHOLE[:WHOLE.index("no</Message>") + 1], None),
    ("cut inside the last tag", WHOLE[:WHOLE.rindex("esponse>")], None),
    ("garbage behind", WHOLE + "garbage", None),
    ("invalid UTF-8", WHOLE.encode().replace(b">no<", b">n\xff<"), None),
    ("two Errors", response(ERROR + ANOTHER), None),
    ("two Errors, the first without Code", response(f"<Error>{MESSAGE}</Error>" + ERROR), None),
    ("two Errors, the first empty", response("<Error/>" + ERROR), None),
    ("two Errors with something between", response(f"{ERROR}<More/>{ANOTHER}"), None),
    ("two Errors of two namespaces", response(f'<Error xmlns="urn:x">{CODE}{MESSAGE}</Error>{ANOTHER}'), None),
    ("two Errors in an Errors", response(f"<Errors>{ERROR}{ANOTHER}</Errors>", "Response"), None),
    ("two Errors elements", response(f"<Errors>{ERROR}</Errors><Errors>{ANOTHER}</Errors>", "Response"), None),
    ("Errors behind Error", response(f"{ERROR}<Errors>{ANOTHER}</Errors>"), None),
    ("Errors before Error", response(f"<Errors>{ANOTHER}</Errors>{ERROR}"), None),
    ("Errors without an Error beside Error", response(f"{ERROR}<Errors><More/></Errors>"), None),
    ("an empty Errors beside Error", response(f"{ERROR}<Errors/>"), None),
    ("a text in an Errors beside Error", response(f"{ERROR}<Errors>x</Errors>"), None),
    ("an Error in an Error", response(f"<Error>{ANOTHER}</Error>"), None),
    ("a text in Error", response("<Error>AccessDenied</Error>"), None),
    ("a text around the members", response(f"<Error>x{CODE}y{MESSAGE}z</Error>"), None),
    ("two Codes", error_document(CODE + CODE + MESSAGE), None),
    ("an element in Code", error_document("<Code>AccessDenied<b/></Code>" + MESSAGE), None),
    ("a comment in Code", error_document("<Code>Access<!-- x -->Denied</Code>" + MESSAGE), None),
    ("an instruction in Code", error_document("<Code>Access<?x y?>Denied</Code>" + MESSAGE), None),
    ("CDATA in Code", error_document("<Code><![CDATA[AccessDenied]]></Code>" + MESSAGE), None),
    ("nothing but an empty CDATA in Code", error_document("<Code><![CDATA[]]></Code>" + MESSAGE), NAMELESS),
    ("nothing but a comment in Code", error_document("<Code><!-- x --></Code>" + MESSAGE), NAMELESS),
    ("two Messages", error_document(CODE + MESSAGE + MESSAGE), OBJECT),
    ("an element in Message", error_document(CODE + "<Message>a<b>c</b></Message>"), OBJECT),
    ("a comment in Message", error_document(CODE + "<Message>a<!-- b -->c</Message>"), None),
    ("nothing but a comment in Message", error_document(CODE + "<Message><!-- b --></Message>"), None),
    ("two Types", error_document("<Type>a</Type><Type>b</Type>" + CODE + MESSAGE), None),
    ("two RequestIds", f"<ErrorResponse>{ERROR}<RequestId>1</RequestId><RequestId>2</RequestId></ErrorResponse>", None),
    ("an element in RequestId", f"<ErrorResponse>{ERROR}<RequestId><b/></RequestId></ErrorResponse>", None),
    ("an empty ResponseMetadata", f"<ErrorResponse>{ERROR}<ResponseMetadata/></ErrorResponse>", None),
    ("a text in ResponseMetadata", f"<ErrorResponse>{ERROR}<ResponseMetadata>x</ResponseMetadata></ErrorResponse>", None),
    ("an empty ResponseMetadata and a RequestId", response(ERROR + "<ResponseMetadata/>"), None),
    ("a RequestId in ResponseMetadata",
     f"<ErrorResponse>{ERROR}<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></ErrorResponse>", None),
    ("attributes", WHOLE.replace("<Code>", "<Code a='1' xml:lang=\"en\">"), None),
    ("a namespace with a line break around Error", response(f'<x:Error xmlns:x="a&#10;b">{CODE}{MESSAGE}</x:Error>'), None),
    ("a namespace with a brace", response(f'<Error xmlns:x="a}}b">{CODE}{MESSAGE}</Error>'), None),
    ("a namespace undone", WHOLE.replace("<Error>", '<Error xmlns="">'), None),
    ("an undeclared prefix", response(f"<x:Error>{CODE}{MESSAGE}</x:Error>"), None),
    ("a document type", "<!DOCTYPE ErrorResponse>" + WHOLE, None),
    ("a document type with an entity", '<!DOCTYPE x [<!ENTITY who "Bob">]>' + WHOLE,
     Stated("nothing may be declared: a few entities in each other grow beyond all memory")),
    ("no space between", WHOLE.replace("\n", "").replace("  ", ""), None),
    ("blank lines before", "\n\n" + WHOLE, None),
    ("a comment around", f"<!-- a -->{WHOLE}<!-- b -->", None),
    ("an error of another operation around", response(response(ERROR)), None),
    ("the token in the message", refusal("AccessDenied", f"bad token {TOKEN}"),
     Stated("boto3 repeats the token; no answer of ours ever holds one", 400, "AccessDenied")),
]

# Answers with another status that contain no identity: name, status, body, extra headers.
STATUSES = [
    ("401 with an error of STS", 401, WHOLE, ()),
    ("404 with an error of STS", 404, WHOLE, ()),
    ("413 empty", 413, "", ()),
    ("404 a page", 404, "<html><body>Not Found</body></html>", ()),
    ("407 empty", 407, "", (("Proxy-Authenticate", "Basic"),)),
    ("302 empty, to somewhere else", 302, "", (("Location", "/login"),)),
    ("302 with an error of STS", 302, WHOLE, (("Location", "/login"),)),
    ("301 with a page", 301, "<html><body>Moved</body></html>", (("Location", "/"),)),
    ("307 empty", 307, "", (("Location", "/"),)),
    ("300 with an identity", 300, identity(), ()),
    ("301 with an identity", 301, identity(), ()),
    ("403 with an identity", 403, identity(), ()),
    ("200 with an error of STS", 200, WHOLE, ()),
    ("200 empty", 200, "", ()),
    ("200 blank", 200, "  \n", ()),
    ("200 a page", 200, "<html><body>Sign in</body></html>", ()),
    ("200 a page that is no XML", 200, "<!doctype html><title>Sign in</title><p>Hello", ()),
    ("200 JSON", 200, '{"GetCallerIdentityResponse": {}}', ()),
    ("200 the result as the root", 200, "<GetCallerIdentityResult><Arn>a</Arn></GetCallerIdentityResult>", ()),
    ("200 cut inside Account", 200, identity()[:identity().index("56789012</Account>")], ()),
    ("200 cut after Account", 200, identity()[:identity().index("</GetCallerIdentityResult>")], ()),
    ("200 cut inside the last tag", 200, identity().rstrip()[:-1], ()),
    ("200 with garbage behind", 200, identity() + "garbage", ()),
    ("200 with two documents", 200, identity() * 2, ()),
    ("200 with garbage before", 200, "garbage" + identity(), ()),
    ("200 with blanks before the declaration", 200, '\n<?xml version="1.0"?>' + identity(), ()),
    ("200 tags that cross", 200, document("<Arn><UserId></Arn></UserId>"), ()),
    ("200 an entity that is not declared", 200, identity(arn="arn:&nbsp;"), ()),
    ("200 a bare ampersand", 200, identity(arn="a & b"), ()),
    ("200 a control character", 200, identity(arn="a\x01b"), ()),
    ("200 a reference to a control character", 200, identity(arn="a&#1;b"), ()),
    ("200 invalid UTF-8", 200, identity(arn="Zoë").encode("latin-1"), ()),
    ("200 an undeclared prefix", 200, identity(arn="<x:a/>"), ()),
    ("200 an attribute twice", 200, identity().replace("<Arn>", "<Arn a='1' a='2'>"), ()),
    ("200 said to be gzip, and not", 200, identity(), (("Content-Encoding", "gzip"),)),
]


def cases():
    for name, status, code, message, verdict in TABLE:
        yield Case(name, (http(status, refusal(code, message)),), verdict)
    for name, body, stated in SHAPES:
        yield Case(f"403, {name}", (http(403, body),), stated=stated)
    for name, status, body, extra in STATUSES:
        yield Case(name, (http(status, body, extra=extra),))
    yield Case("204", (http(204, length=False),))
    yield Case("304", (http(304, length=False),))
