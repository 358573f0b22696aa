"""Answers that name the caller, and how they may be written."""

from cases import GOOD, REQUEST_ID, Case, Stated, document, http, identity

ACCOUNT = "<Account>123456789012</Account>"
ARN = "<Arn>arn:aws:iam::123456789012:user/example-user</Arn>"
USER_ID = "<UserId>AIDAXXXXXXXXXXXXXXXXX</UserId>"
NOBODY = Stated("boto3 leaves the key out, or empty; we say that STS did not name the caller")
BLANKS = Stated("boto3 keeps blanks behind a value, which by HTTP's rules are not part of it", 200, None)
LATIN1 = Stated("the SDK drops a header that is not UTF-8 before anybody sees it; STS sends none", 200, None)
UTF16 = Stated("Python's XML parser goes by the byte order mark; STS writes UTF-8 and nothing else is taken for its own")
BOUND = Stated("the contract's bound; boto3 has none")

CALLERS = [
    ("a user", "arn:aws:iam::123456789012:user/2k@twok.com-CLI", "AIDAXXXXXXXXXXXXXXXXX"),
    ("a user with a path", "arn:aws:iam::123456789012:user/division_abc/sub=x,y.z/Zhang", "AIDAXXXXXXXXXXXXXXXXX"),
    ("an assumed role", "arn:aws:sts::123456789012:assumed-role/Role/Session", "AROAXXXXXXXXXXXXXXXXX:Session"),
    ("a federated user", "arn:aws:sts::123456789012:federated-user/Bob", "123456789012:Bob"),
    ("root", "arn:aws:iam::123456789012:root", "123456789012"),
    ("a user in China", "arn:aws-cn:iam::123456789012:user/Li", "AIDAXXXXXXXXXXXXXXXXX"),
    ("a role in GovCloud", "arn:aws-us-gov:sts::123456789012:assumed-role/R/s", "AROAXXXXXXXXXXXXXXXXX:s"),
    ("a user in ISO", "arn:aws-iso:iam::123456789012:user/u", "AIDAXXXXXXXXXXXXXXXXX"),
    ("a user in ISOB", "arn:aws-iso-b:iam::123456789012:user/u", "AIDAXXXXXXXXXXXXXXXXX"),
    ("a user in the Sovereign Cloud", "arn:aws-eusc:iam::123456789012:user/Anna", "AIDAXXXXXXXXXXXXXXXXX"),
]

LENGTH = ("Content-Length", len(identity()))

# Header lists, each over the same good document.
HEADERS = [
    ("a header twice", [("X-Dup", "a"), ("X-Dup", "b"), LENGTH], None),
    ("a header three times among others", [("X-Dup", "a"), ("Date", "now"), ("x-dup", "b"), LENGTH, ("X-DUP", "c")], None),
    ("headers in another order", [LENGTH, ("Date", "now"), ("Content-Type", "text/xml"), ("x-amzn-RequestId", "1")], None),
    ("names in odd cases", [("CONTENT-TYPE", "text/xml"), ("x-AmZn-rEqUeStId", "1"), LENGTH], None),
    ("a header with no value", [("X-Empty", ""), LENGTH], None),
    ("the same header empty, then not", [("X-Dup", ""), ("X-Dup", "b"), LENGTH], None),
    ("a value with commas, quotes and blanks", [("X-List", 'a, "b  c",, d'), LENGTH], None),
    ("two Set-Cookie", [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2"), LENGTH], None),
    ("a Server header and no Date", [("Server", "envoy"), LENGTH, ("Via", "1.1 proxy")], None),
    ("Connection: close", [("Connection", "close"), LENGTH], None),
    ("Connection: keep-alive", [("Connection", "keep-alive"), ("Keep-Alive", "timeout=5"), LENGTH], None),
    ("a value in Latin-1", [("X-Name", "Zoë"), LENGTH], LATIN1),
    ("blanks after a value", [("X-Blanks", "a \t "), LENGTH], BLANKS),
    ("a tab inside a value", [("X-Tab", "a\tb"), LENGTH], None),
    ("99 headers", [(f"X-{n}", n) for n in range(98)] + [LENGTH], None),
    ("a long header", [("X-Long", "v" * 8000), LENGTH], None),
    ("Content-Type of a page", [("Content-Type", "text/html; charset=utf-8"), LENGTH], None),
    ("Content-Type with a charset", [("Content-Type", "text/xml;charset=iso-8859-1"), LENGTH], None),
    ("Content-Type of JSON", [("Content-Type", "application/json"), LENGTH], None),
    ("no Content-Type", [LENGTH], None),
    ("a strange Content-Type", [("Content-Type", ";;=/"), LENGTH], None),
]

# Documents, each with the status 200 and STS's headers.
DOCUMENTS = [
    ("no RequestId", document(ARN + USER_ID + ACCOUNT, ""), None),
    ("an empty RequestId", document(ARN + USER_ID + ACCOUNT, "<RequestId/>"), None),
    ("a RequestId with blanks around", document(ARN + USER_ID + ACCOUNT, "<RequestId> 1 </RequestId>"), None),
    ("no ResponseMetadata", f"<r><GetCallerIdentityResult>{ARN}{USER_ID}{ACCOUNT}</GetCallerIdentityResult></r>", None),
    ("members in another order", document(ACCOUNT + ARN + USER_ID), None),
    ("more members", document(f"<New>1</New>{ARN}<New2><Arn>no</Arn></New2>{USER_ID}{ACCOUNT}"), None),
    ("blanks around values", identity(arn="\n  arn:aws:iam::1:root\t ", account=" 123456789012 "), None),
    ("CRLF in a value", identity(arn="a\r\nb\rc"), None),
    ("entities", identity(arn="arn:aws:iam::123456789012:user/&lt;A&amp;B&gt;&quot;&apos;"), None),
    ("character references", identity(arn="arn:&#65;&#x42;&#233;&#128512;"), None),
    ("CDATA", identity(arn="<![CDATA[arn:<&>]]>"), None),
    ("CDATA between text", identity(arn="arn:<![CDATA[<&>]]>:x<![CDATA[]]>y"), None),
    ("umlauts and other scripts", identity(arn="arn:aws:iam::1:user/Zoë-李-Анна"), None),
    ("beyond the basic plane", identity(arn="arn:aws:iam::1:user/😀"), None),
    ("a comment inside a value", identity(arn="arn:<!-- who? -->aws"), None),
    ("a processing instruction inside a value", identity(arn="arn:<?pi x?>aws"), None),
    ("an element inside a value", identity(arn="arn:<b>aws</b>:iam"), None),
    ("comments around the document", f"<!-- a -->\n{identity()}<!-- b -->\n", None),
    ("an XML declaration", f'<?xml version="1.0" encoding="UTF-8"?>\n{identity()}', None),
    ("a declaration of another encoding", f'<?xml version="1.0" encoding="iso-8859-1"?>{identity(arn="Zoë")}', None),
    ("a declaration in single quotes", f"<?xml version='1.0' standalone='yes' ?>{identity()}", None),
    ("a byte order mark", "\ufeff" + identity(), None),
    ("blank lines before the document", "\n \r\n\t" + identity(), None),
    ("blank lines after the document", identity() + "\n\n  \r\n", None),
    ("a document in one line", identity().replace("\n", "").replace("  ", ""), None),
    ("another namespace", identity().replace("https://sts.amazonaws.com/doc/2011-06-15/", "urn:x"), None),
    ("no namespace", identity().replace(' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"', ""), None),
    ("a prefix of a namespace",
     identity().replace("xmlns=", "xmlns:s=").replace("<", "<s:").replace("<s:/", "</s:"), None),
    ("attributes", identity().replace("<Arn>", "<Arn a='1' xml:lang=\"en\">"), None),
    ("another root", identity().replace("GetCallerIdentityResponse", "Anything"), None),
    ("a doctype with an entity", f'<!DOCTYPE x [<!ENTITY who "Bob">]>{identity(arn="arn:&who;")}', None),
    ("no Arn", document(USER_ID + ACCOUNT), NOBODY),
    ("no UserId", document(ARN + ACCOUNT), NOBODY),
    ("no Account", document(ARN + USER_ID), NOBODY),
    ("an empty result", document(""), NOBODY),
    ("an empty Arn", document(f"<Arn/>{USER_ID}{ACCOUNT}"), NOBODY),
    ("two Arns", document(ARN + ARN + USER_ID + ACCOUNT), None),
    ("UTF-16", identity().encode("utf-16"), UTF16),
    ("more than 64 KiB", identity() + " " * 70_000, BOUND),
]


def cases():
    yield from (Case(name, (http(200, identity(arn, user_id)),)) for name, arn, user_id in CALLERS)
    yield from (Case(name, (http(200, identity(), headers),), stated=stated) for name, headers, stated in HEADERS)
    yield from (Case(name, (http(200, body),), stated=stated) for name, body, stated in DOCUMENTS)
    yield Case("a long-term key, no token", (GOOD,), token=None)
    yield Case("a long-term key, an empty token", (GOOD,), token="")
    yield Case("a token of 1,500 characters", (GOOD,), token="IQoJb3JpZ2luX2VjEXAMPLE" + "/+a0" * 370 + "==")
    yield Case("status 201", (http(201, identity()),))
    yield Case("status 206", (http(206, identity()),))
    yield Case("an answer with no reason phrase", (http(200, identity(), reason=""),))
    yield Case("an answer with a long reason phrase", (http(200, identity(), reason="Quite all right, thank you"),))
    yield Case("the header's RequestId is another's", (
        http(200, identity(), [("x-amzn-RequestId", REQUEST_ID[::-1]), LENGTH]),))
