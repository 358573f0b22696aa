//! The verdict *invalid* comes from an allow-list of status, document, code and message. Nothing else gets
//! this verdict.

use crate::helpers::{App, expected, summary};
use crate::stub::{EXPIRED, Reply, Stub, UNKNOWN_KEY, WRONG_SECRET, http, sts_error};

/// STS's answers for invalid credentials.
const INVALID: [(&str, &str); 3] = [
    ("InvalidClientTokenId", UNKNOWN_KEY),
    ("ExpiredToken", EXPIRED),
    ("SignatureDoesNotMatch", WRONG_SECRET),
];

/// The status, verdict and code that a service returns for this reply after one attempt.
async fn told(reply: Reply) -> (u16, Option<String>, Option<String>) {
    let stub = Stub::always(reply).await;
    summary(App::asking(&stub.url, &["--max-attempts=1"]).await.verify_someone().await).await
}

#[tokio::test]
async fn the_three_refusals_are_invalid_with_either_status() {
    for (code, message) in INVALID {
        for status in [400, 403] {
            assert_eq!(
                told(sts_error(status, code, message)).await,
                expected(400, "invalid", code),
                "{status}"
            );
        }
    }
}

#[tokio::test]
async fn the_codes_are_indeterminate_with_any_other_status() {
    for (code, message) in INVALID {
        for status in
            [301, 302, 307, 308, 401, 402, 404, 407, 408, 409, 421, 429, 451, 500, 501, 502, 503, 504, 599]
        {
            let told = told(sts_error(status, code, message)).await;
            assert_eq!(told, expected(400, "indeterminate", code), "{status}");
        }
        for status in [200, 206, 300] {
            let told = told(sts_error(status, code, message)).await;
            assert_eq!(told, expected(502, "indeterminate", "ResponseParserError"), "{status}");
        }
    }
}

#[tokio::test]
async fn the_codes_are_indeterminate_in_any_other_document() {
    for (code, message) in INVALID {
        let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        for document in [
            format!("<html>{error}</html>"),
            format!("<Response>{error}</Response>"),
            format!("<errorresponse>{error}</errorresponse>"),
            format!("<GetCallerIdentityResponse>{error}</GetCallerIdentityResponse>"),
            format!("<ErrorResponse><Errors>{error}</Errors></ErrorResponse>"),
            format!("<Response><Errors>{error}</Errors></Response>"),
        ] {
            let told = told(http(403, &[], &document)).await;
            assert_eq!(told, expected(400, "indeterminate", code), "{document}");
        }
        let told = told(http(403, &[], &format!("<ErrorResponse>{error}</ErrorResponse>"))).await;
        assert_eq!(told, expected(400, "invalid", code));
    }
}

#[tokio::test]
async fn the_codes_are_indeterminate_with_any_other_message() {
    for (code, message) in INVALID {
        let dotted = format!("{message}.");
        for other in [
            "",
            " ",
            message.strip_suffix('.').unwrap_or(&dotted),
            &format!(" {message}"),
            &format!("{message} "),
            &format!("{message}\n"),
            &message.to_lowercase(),
            &message[..message.len() / 2],
        ] {
            let told = told(sts_error(403, code, other)).await;
            assert_eq!(told, expected(400, "indeterminate", code), "{other:?}");
        }
        for other in
            [code.to_lowercase(), format!(" {code}"), format!("{code}Exception"), format!("AWS.{code}")]
        {
            let told = told(sts_error(403, &other, message)).await;
            assert_eq!(told, expected(400, "indeterminate", &other));
        }
    }
    for ((code, _), (_, message)) in INVALID.into_iter().zip(INVALID.into_iter().cycle().skip(1)) {
        assert_eq!(
            told(sts_error(403, code, message)).await,
            expected(400, "indeterminate", code),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_secret_that_is_a_word_in_sts_s_answer_does_not_change_the_verdict() {
    let stub = Stub::always(sts_error(403, "SignatureDoesNotMatch", WRONG_SECRET)).await;
    let app = App::asking(&stub.url, &[]).await;
    for secret in ["signature", "Secret", "provided.", "documentation"] {
        let body = serde_json::json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": secret});
        let answer = app.verify(&body).await;
        assert_eq!(summary(answer).await, expected(400, "invalid", "SignatureDoesNotMatch"), "{secret}");
    }
}
