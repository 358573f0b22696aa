//! STS is unreachable, does not answer, is cut off, or is another server: the verdict is never *invalid* or
//! *valid*.

use crate::helpers::{App, SECRET_KEY, TOKEN, body_of, caller, expected, header, summary};
use crate::stub::{IDENTITY, Reply, Stub, http, http_bytes, sts_error};
use serde_json::Value;

/// The outcome of a single attempt with this reply of a stub.
async fn outcome_of(reply: Reply) -> (u16, Option<String>, Option<String>) {
    let stub = Stub::always(reply).await;
    let app =
        App::asking(&stub.url, &["--max-attempts=1", "--attempt-timeout=300ms", "--connect-timeout=300ms"])
            .await;
    summary(app.verify_someone().await).await
}

#[tokio::test]
async fn an_answer_that_is_not_one_of_stss_is_a_parser_error() {
    let not_sts = expected(502, "indeterminate", "ResponseParserError");
    let cut = &IDENTITY[..150];
    let without_account = IDENTITY.replace("<Account>123456789012</Account>", "");
    let empty_arn = IDENTITY.replace("arn:aws:iam::123456789012:user/example-user", "");
    let trailing = format!("{IDENTITY}<more/>");
    let page = "<html><body>Please log in</body></html>";
    for (what, reply) in [
        ("a proxy's page", http(200, &[("Content-Type", "text/html")], page)),
        ("a proxy's 403", http(403, &[("Content-Type", "text/html")], page)),
        ("a redirect", http(302, &[("Location", "https://elsewhere.example/")], "")),
        ("an empty 200", http(200, &[], "")),
        ("no content", Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())),
        ("a cut 200", http(200, &[], cut)),
        ("a 200 without an account", http(200, &[], &without_account)),
        ("a 200 with an empty ARN", http(200, &[], &empty_arn)),
        ("something behind the document", http(200, &[], &trailing)),
        ("another document", http(200, &[], "<AssumeRoleResponse/>")),
        ("JSON", http(403, &[], "{\"Error\":{\"Code\":\"ExpiredToken\"}}")),
        (
            "an error without a code",
            http(403, &[], "<ErrorResponse><Error><Message>m</Message></Error></ErrorResponse>"),
        ),
        (
            "an error at the root",
            http(403, &[], "<Error><Code>ExpiredToken</Code><Message>m</Message></Error>"),
        ),
        (
            "a cut error",
            http(403, &[], "<ErrorResponse><Error><Code>ExpiredToken</Code><Message>m</Message>"),
        ),
        (
            "bytes that are not UTF-8",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe".to_vec()),
        ),
        ("more than 64 KiB", http(200, &[], &format!("{IDENTITY}{}", " ".repeat(70_000)))),
    ] {
        assert_eq!(outcome_of(reply).await, not_sts, "{what}");
    }
}

#[tokio::test]
async fn a_5xx_without_a_document_is_an_error_named_after_its_status() {
    for (status, body) in [(503, ""), (500, " \n"), (502, "<html><body>bad</body></html>")] {
        let outcome = outcome_of(http(status, &[], body)).await;
        assert_eq!(outcome, expected(400, "indeterminate", &status.to_string()));
    }
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_differs_from_a_failed_connection() {
    let closed = expected(502, "indeterminate", "ConnectionClosedError");
    assert_eq!(outcome_of(Reply::Close).await, closed);
    assert_eq!(
        outcome_of(Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n<Get".to_vec())).await,
        closed
    );
    assert_eq!(outcome_of(Reply::Last(b"what?\r\n\r\n".to_vec())).await, closed);

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let app = App::asking(&url, &["--max-attempts=2"]).await;
    let response = app.verify_someone().await;
    assert!(header(&response, "retry-after").is_some());
    assert_eq!(summary(response).await, expected(502, "indeterminate", "EndpointConnectionError"));
}

#[tokio::test]
async fn a_silent_sts_is_a_read_timeout() {
    let timeout = expected(504, "indeterminate", "ReadTimeoutError");
    assert_eq!(outcome_of(Reply::Silence).await, timeout);
    let half = http_bytes(200, &[], IDENTITY);
    assert_eq!(outcome_of(Reply::Stall(half[..half.len() - 100].to_vec())).await, timeout);
    assert_eq!(outcome_of(Reply::Stall(half[..20].to_vec())).await, timeout);
}

#[tokio::test]
async fn a_host_that_does_not_take_a_connection_is_a_connect_timeout() {
    // A listener whose queue is full drops further handshakes, as a firewall does.
    let full = tokio::net::TcpSocket::new_v4().unwrap();
    full.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = full.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    for _ in 0..4 {
        let connect = tokio::net::TcpStream::connect(address);
        queue.push(tokio::time::timeout(std::time::Duration::from_millis(200), connect).await);
    }
    assert!(queue.iter().any(Result::is_err), "the queue is full");
    let app =
        App::asking(&format!("http://{address}"), &["--max-attempts=1", "--connect-timeout=200ms"]).await;
    let response = app.verify_someone().await;
    assert_eq!(summary(response).await, expected(504, "indeterminate", "ConnectTimeoutError"));
}

#[tokio::test]
async fn the_sandboxs_failures_look_like_those_of_the_network() {
    let app =
        App::with_sandbox(&["--max-attempts=1", "--attempt-timeout=500ms", "--connect-timeout=500ms"]).await;
    for (access_key, status, code) in [
        ("AKIASBXHANGUPEXAMPLE", 502, "ConnectionClosedError"),
        ("AKIASBXSILENTEXAMPLE", 504, "ReadTimeoutError"),
        ("AKIASBXPROXY0EXAMPLE", 502, "ResponseParserError"),
        ("AKIASBXCUT200EXAMPLE", 502, "ResponseParserError"),
    ] {
        let response = app.verify(&body_of(caller(access_key))).await;
        assert_eq!(summary(response).await, expected(status, "indeterminate", code), "{access_key}");
    }
}

#[tokio::test]
async fn a_message_that_repeats_the_request_loses_the_secrets() {
    let message =
        format!("'{TOKEN}' and &lt;{SECRET_KEY}&gt; are no key=value pair, nor is '{}'", &TOKEN[5..40]);
    let stub = Stub::always(sts_error(400, "IncompleteSignature", &message)).await;
    let app = App::asking(&stub.url, &[]).await;
    let body: Value = app.verify_someone().await.json().await.unwrap();
    assert_eq!(
        body["error_message"],
        "'[redacted]' and <[redacted]> are no key=value pair, nor is '[redacted]'"
    );
}

#[tokio::test]
async fn a_header_that_repeats_the_request_loses_the_secrets() {
    let stub = Stub::always(http(200, &[("x-echo", TOKEN), ("x-part", &SECRET_KEY[3..20])], IDENTITY)).await;
    let app = App::asking(&stub.url, &[]).await;
    let body: Value = app.verify_someone().await.json().await.unwrap();
    let headers = &body["aws_res"]["ResponseMetadata"]["HTTPHeaders"];
    assert_eq!(headers["x-echo"], "[redacted]");
    assert_eq!(headers["x-part"], "[redacted]");
}

#[tokio::test]
async fn a_code_that_is_not_known_is_indeterminate() {
    for (code, message) in [
        ("SomethingNew", "The security token included in the request is invalid."),
        ("SignatureDoesNotMatch", "A message that STS never gave"),
        ("SignatureDoesNotMatch", ""),
        ("ExpiredTokenException", "The security token included in the request is expired"),
    ] {
        let outcome = outcome_of(sts_error(403, code, message)).await;
        assert_eq!(outcome, expected(400, "indeterminate", code), "{code}: {message}");
    }
}

#[tokio::test]
async fn an_empty_message_is_null_as_in_boto3() {
    let stub = Stub::always(sts_error(403, "ExpiredToken", "")).await;
    let app = App::asking(&stub.url, &[]).await;
    let text = app.verify_someone().await.text().await.unwrap();
    assert_eq!(
        text,
        "{\"exception\":\"ClientError\",\"error_code\":\"ExpiredToken\",\"error_message\":null}"
    );
}
