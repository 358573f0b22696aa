//! The parsing of XML answers: the same as botocore's for documents that STS might send, and within limits
//! for documents that only an attacker would send. tests/conformance compares more documents with botocore
//! itself.

use crate::helpers::{App, expected, summary};
use crate::stub::{EXPIRED, IDENTITY, Reply, Stub, http};
use std::fmt::Write as _;

/// The status, verdict and code that a service returns for a document with this status.
async fn told(status: u16, document: &str) -> (u16, Option<String>, Option<String>) {
    reply(http(status, &[], document)).await
}

async fn reply(reply: Reply) -> (u16, Option<String>, Option<String>) {
    let stub = Stub::always(reply).await;
    summary(App::asking(&stub.url, &["--max-attempts=1"]).await.verify_someone().await).await
}

fn error(code: &str, message: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>")
}

#[tokio::test]
async fn of_two_errors_the_first_is_reported() {
    let (first, second) = (error("ExpiredToken", EXPIRED), error("Throttling", "Rate exceeded"));
    for (document, verdict, code) in [
        (format!("<ErrorResponse>{first}{second}</ErrorResponse>"), "invalid", "ExpiredToken"),
        (format!("<ErrorResponse>{second}{first}</ErrorResponse>"), "indeterminate", "Throttling"),
        (format!("<ErrorResponse>{first}<More/>{first}{second}</ErrorResponse>"), "invalid", "ExpiredToken"),
        (format!("<Response><Errors>{second}{first}</Errors></Response>"), "indeterminate", "Throttling"),
        (
            format!("<Response><Errors>{second}</Errors><Errors>{first}</Errors></Response>"),
            "indeterminate",
            "Throttling",
        ),
        // The content of Errors overrides the elements beside it.
        (
            format!("<ErrorResponse>{first}<Errors>{second}</Errors></ErrorResponse>"),
            "indeterminate",
            "Throttling",
        ),
        (
            format!("<ErrorResponse>{first}<Errors><Other/></Errors></ErrorResponse>"),
            "invalid",
            "ExpiredToken",
        ),
    ] {
        assert_eq!(told(403, &document).await, expected(400, verdict, code), "{document}");
    }
}

#[tokio::test]
async fn an_error_on_which_botocore_fails_is_a_parser_error() {
    let not_sts = expected(502, "indeterminate", "ResponseParserError");
    let error = |members: &str| format!("<ErrorResponse><Error>{members}</Error></ErrorResponse>");
    let message = format!("<Message>{EXPIRED}</Message>");
    for document in [
        error(&format!("<Code>ExpiredToken</Code><Code>ExpiredToken</Code>{message}")),
        error(&format!("<Code>ExpiredToken<b/></Code>{message}")),
        error(&format!("<Code/>{message}")),
        error(&format!("<Code>ExpiredToken</Code>{message}{message}")),
        error("<Code>ExpiredToken</Code><Message>The <b>security</b> token</Message>"),
        error("ExpiredToken"),
        format!(
            "<ErrorResponse>{}<Errors/></ErrorResponse>",
            crate::documents::error("ExpiredToken", EXPIRED)
        ),
        format!(
            "<ErrorResponse>{}<ResponseMetadata/></ErrorResponse>",
            crate::documents::error("ExpiredToken", EXPIRED)
        ),
    ] {
        assert_eq!(told(403, &document).await, not_sts, "{document}");
    }
}

#[tokio::test]
async fn of_two_results_the_first_names_the_caller_and_of_two_arns_neither() {
    let result = "  <GetCallerIdentityResult>\n";
    let another =
        "  <GetCallerIdentityResult><Arn>another</Arn></GetCallerIdentityResult>\n  <ResponseMetadata>";
    let twice = IDENTITY.replacen("  <ResponseMetadata>", another, 1);
    assert_eq!(told(200, &twice).await, expected(200, "valid", ""));
    let not_sts = expected(502, "indeterminate", "ResponseParserError");
    let before = IDENTITY.replacen(result, &format!("<GetCallerIdentityResult/>\n{result}"), 1);
    assert_eq!(told(200, &before).await, not_sts);
    for element in ["<Arn>arn</Arn>", "<UserId>id</UserId>", "<Account>1</Account>"] {
        let doubled = IDENTITY.replacen(result, &format!("{result}{element}"), 1);
        assert_eq!(told(200, &doubled).await, not_sts, "{element}");
    }
    let ids = IDENTITY.replacen("    <RequestId>", "    <RequestId>1</RequestId><RequestId>", 1);
    assert_eq!(told(200, &ids).await, not_sts);
}

#[tokio::test]
async fn a_document_type_may_be_named_and_may_declare_nothing() {
    let not_sts = expected(502, "indeterminate", "ResponseParserError");
    for doctype in ["<!DOCTYPE x>", "<!DOCTYPE x SYSTEM \"x.dtd\">", "<!DOCTYPE x PUBLIC '-//X' 'x.dtd'>"] {
        assert_eq!(told(200, &format!("{doctype}{IDENTITY}")).await, expected(200, "valid", ""), "{doctype}");
    }
    for declaration in [
        "<!ENTITY who 'Bob'>",
        "<!ENTITY who SYSTEM 'file:///etc/passwd'>",
        "<!ENTITY % who 'Bob'>",
        "<!ELEMENT x ANY><!ENTITY who ''>",
        "<!ELEMENT x ANY>",
        "",
    ] {
        for document in [IDENTITY.to_owned(), IDENTITY.replace("example-user", "&who;")] {
            let document = format!("<!DOCTYPE x [{declaration}]>{document}");
            assert_eq!(told(200, &document).await, not_sts, "{document}");
        }
    }
}

/// This many entities, each consisting of ten of the previous one, and a text with ten of the last.
fn bomb(depth: usize) -> String {
    let mut declarations = "<!ENTITY e0 'lolololololololololololol'>".to_owned();
    for n in 1..=depth {
        let inner = format!("&e{};", n - 1).repeat(10);
        write!(declarations, "<!ENTITY e{n} '{inner}'>").unwrap();
    }
    let inner = format!("&e{depth};").repeat(10);
    format!("<!DOCTYPE x [{declarations}]>{}", IDENTITY.replace("example-user", &inner))
}

/// Each of these is a valid answer with an addition that would take seconds or gigabytes to parse.
#[tokio::test]
async fn an_answer_that_would_exhaust_time_or_memory_is_a_parser_error() {
    const SPACE: usize = 60_000;
    let with =
        |inside: &str| IDENTITY.replacen("  <ResponseMetadata>", &format!("{inside}  <ResponseMetadata>"), 1);
    let repeated = |piece: &str| with(&piece.repeat(SPACE / piece.len()));
    let attributes = (0..SPACE / 10).fold(String::new(), |all, n| all + &format!(" a{n}=''"));
    let namespaces = (0..SPACE / 17).fold(String::new(), |all, n| all + &format!(" xmlns:a{n}='u'"));
    let nested = with(&("<a>".repeat(SPACE / 7) + &"</a>".repeat(SPACE / 7)));
    let answers = [
        bomb(2),
        bomb(9),
        with(&format!("<x{attributes}/>")),
        with(&format!("<x{namespaces}/>")),
        nested,
        repeated("<a/>"),
        repeated("<a b=''/>"),
        repeated("<!---->"),
        repeated("<?a?>"),
        repeated("<![CDATA[]]>"),
    ];
    for answer in answers {
        assert!(answer.len() < 64 * 1024);
        let told = told(200, &answer).await;
        assert_eq!(told, expected(502, "indeterminate", "ResponseParserError"), "{}", &answer[..80]);
    }
    // Long texts are accepted.
    assert_eq!(told(200, &repeated("&lt;")).await, expected(200, "valid", ""));
}

#[tokio::test]
async fn headers_count_into_the_longest_answer() {
    let too_long = expected(502, "indeterminate", "ResponseParserError");
    let long = "v".repeat(33_000);
    let (half, whole) = (long.as_str(), long.repeat(2));
    let many: Vec<(String, String)> = (0..90).map(|n| (format!("x-{n}"), long[..1_000].to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(reply(http(200, &[("x-half", half)], IDENTITY)).await, expected(200, "valid", ""));
    for reply in [
        http(200, &[("x-whole", &whole)], IDENTITY),
        http(200, &[("x-half", half), ("x-other-half", half)], IDENTITY),
        http(200, &many, IDENTITY),
        http(200, &[("x-half", half)], &format!("{IDENTITY}{}", " ".repeat(33_000))),
        http(503, &[("x-whole", &whole)], ""),
        Reply::Stall(format!("HTTP/1.1 200 OK\r\nx-whole: {}", long.repeat(12)).into_bytes()),
        Reply::Stall("HTTP/1.1 100 Continue\r\n\r\n".repeat(3_000).into_bytes()),
        Reply::Stall(
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", "1;e\r\n \r\n".repeat(9_000))
                .into_bytes(),
        ),
    ] {
        assert_eq!(self::reply(reply).await, too_long);
    }
}
