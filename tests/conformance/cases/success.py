"""Answers with an identity, in different forms."""

from cases import GOOD, REQUEST_ID, Case, Stated, document, http, identity

ACCOUNT = "<Account>123456789012</Account>"
ARN = "<Arn>arn:aws:iam::123456789012:user/example-user</Arn>"
USER_ID = "<UserId>AIDAXXXXXXXXXXXXXXXXX</UserId>"
NOBODY = Stated("boto3 leaves the key out, or empty; we say that STS did not name the caller")
BLANKS = Stated("boto3 keeps blanks behind a value, which by HTTP's rules are not part of it", 200, None)
UTF16 = Stated("Python's XML parser goes by the byte order mark; STS writes UTF-8 and nothing else is taken for its own")
BOUND = Stated("the documented limit of 64 KiB; boto3 has none")
DECLARATIONS = Stated("nothing may be declared: a few entities in each other grow beyond all memory")
METADATA = Stated("boto3 takes over whatever is in ResponseMetadata; STS has nothing but RequestId there", 200, None)

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
RESULT = f"<GetCallerIdentityResult>{ARN}<UserId>another</UserId>{ACCOUNT}</GetCallerIdentityResult>"
METADATA_OF_ANOTHER = "<ResponseMetadata><RequestId>another</RequestId></ResponseMetadata>"

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
    ("a value in Latin-1", [("X-Name", "Zoë"), LENGTH], None),
    ("a value in UTF-8", [("X-Name", "Zo\xc3\xab \xe6\x9d\x8e"), LENGTH], None),
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
    ("a doctype with an entity", f'<!DOCTYPE x [<!ENTITY who "Bob">]>{identity(arn="arn:&who;")}', DECLARATIONS),
    ("no Arn", document(USER_ID + ACCOUNT), NOBODY),
    ("no UserId", document(ARN + ACCOUNT), NOBODY),
    ("no Account", document(ARN + USER_ID), NOBODY),
    ("an empty result", document(""), NOBODY),
    ("an empty Arn", document(f"<Arn/>{USER_ID}{ACCOUNT}"), NOBODY),
    ("two Arns", document(ARN + ARN + USER_ID + ACCOUNT), None),
    ("two UserIds", document(ARN + USER_ID + USER_ID + ACCOUNT), None),
    ("two Accounts", document(ARN + USER_ID + ACCOUNT + ACCOUNT), None),
    ("two results", identity().replace("  <ResponseMetadata>", f"  {RESULT}\n  <ResponseMetadata>"), None),
    ("two results, the first of them empty", identity().replace("  <Get", "<GetCallerIdentityResult/>  <Get", 1), NOBODY),
    ("two results, the second of them empty",
     identity().replace("  <ResponseMetadata>", "  <GetCallerIdentityResult/><ResponseMetadata>"), None),
    ("two ResponseMetadata", identity().replace("  <Get", f"  {METADATA_OF_ANOTHER}<Get", 1), None),
    ("two RequestIds", document(ARN + USER_ID + ACCOUNT, "<RequestId>1</RequestId><RequestId>2</RequestId>"), None),
    ("more in ResponseMetadata", document(ARN + USER_ID + ACCOUNT, "<RequestId>1</RequestId><More>2</More>"), METADATA),
    ("the same twice in ResponseMetadata", document(ARN + USER_ID + ACCOUNT, "<More>1</More><More>2</More>"), None),
    ("a RequestId with an element inside", document(ARN + USER_ID + ACCOUNT, "<RequestId>1<b/>2</RequestId>"), None),
    ("text between the members", document(f"x{ARN}y{USER_ID}<!-- z -->{ACCOUNT}"), None),
    ("members of other namespaces",
     document(f'<Arn xmlns="urn:x">a</Arn>{USER_ID}<x:Account xmlns:x="u">1</x:Account>'), None),
    ("two Arns of two namespaces", document(f'{ARN}<Arn xmlns="urn:x">a</Arn>{USER_ID}{ACCOUNT}'), None),
    ("a namespace with a line break", document(f'<Arn xmlns="a&#10;b">a</Arn>{USER_ID}{ACCOUNT}'), NOBODY),
    ("a namespace with a brace", document(f'<Arn xmlns:q="a}}b">a</Arn>{USER_ID}{ACCOUNT}'), None),
    ("a namespace undone", document(f'<Arn xmlns="">a</Arn>{USER_ID}{ACCOUNT}'), None),
    ("a prefix undone", document(f'<Arn xmlns:q="">a</Arn>{USER_ID}{ACCOUNT}'), None),
    ("a document type", f"<!DOCTYPE x>{identity()}", None),
    ("a document type of the system", f'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">{identity()}', None),
    ("a document type with declarations", f'<!DOCTYPE x [<!ELEMENT x ANY><!ATTLIST x a CDATA "b">]>{identity()}', DECLARATIONS),
    ("a doctype with an entity that is not used", f'<!DOCTYPE x [<!ENTITY who "Bob">]>{identity()}', DECLARATIONS),
    ("an entity of a system document type", f'<!DOCTYPE x SYSTEM "x">{identity(arn="arn:&who;")}', None),
    ("an XML declaration without a version", "<?xml?>" + identity(), None),
    ("an XML declaration in capitals", "<?XML version='1.0'?>" + identity(), None),
    ("an instruction whose name is none", identity().replace("<Arn>", "<?a]b c?><Arn>"), None),
    ("an instruction whose name is a number", identity().replace("<Arn>", "<?1 c?><Arn>"), None),
    ("an instruction whose name has a colon", identity().replace("<Arn>", "<?a:b c?><Arn>"), None),
    ("an instruction called xml", identity().replace("<Arn>", "<?xml x?><Arn>"), None),
    ("500 members more", document("<New>1</New>" * 400 + ARN + USER_ID + ACCOUNT), None),
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
