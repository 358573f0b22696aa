//! What may be posted: each spelling, and every refusal without a call to STS.

use crate::helpers::{
    ACCESS_KEY, App, SECRET_KEY, TOKEN, body_of, caller, expected, header, someone, summary,
};
use crate::stub::{Stub, identity};
use serde_json::{Value, json};

#[tokio::test]
async fn each_spelling_reaches_sts_with_the_same_three_values() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    for body in [
        json!({"stsAccessKey": ACCESS_KEY, "stsSecretKey": SECRET_KEY, "stsSessionToken": TOKEN}),
        json!({"Credentials": {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "SessionToken": TOKEN,
            "Expiration": "2026-01-01T00:00:00Z"}, "AssumedRoleUser": {"Arn": "arn", "AssumedRoleId": "id"}}),
        json!({"Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "SessionToken": TOKEN}),
        json!({"Code": "Success", "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": TOKEN}),
        json!({"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY, "sessionToken": TOKEN}),
        json!({"credentials": {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY, "sessionToken": TOKEN}}),
        json!({"Credentials": {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY, "sessionToken": TOKEN}}),
        json!({"roleCredentials": {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY, "sessionToken": TOKEN,
            "expiration": 1_700_000_000_000_u64}}),
        json!({"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "aws_session_token": TOKEN}),
        json!({"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_SESSION_TOKEN": TOKEN}),
        json!({"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_SECURITY_TOKEN": TOKEN,
            "AWS_DEFAULT_REGION": "us-east-1", "TOKEN": "other", "SECRET_KEY": "other"}),
        json!({"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "aws_security_token": TOKEN}),
        json!({"AWSAccessKey": ACCESS_KEY, "AWSSecretKey": SECRET_KEY, "AWSSessionToken": TOKEN}),
        json!({"AccessKey": ACCESS_KEY, "SecretKey": SECRET_KEY, "Token": TOKEN}),
        json!({"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "token": TOKEN}),
        json!({"IdentityId": "id", "Credentials": {"AccessKeyId": ACCESS_KEY, "SecretKey": SECRET_KEY, "SessionToken": TOKEN}}),
        json!({"lease_id": "id", "data": {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "security_token": TOKEN,
            "session_token": TOKEN}}),
        json!({"accessToken": {"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY, "sessionToken": TOKEN},
            "tokenType": "aws_sigv4", "refreshToken": "other", "idToken": "other"}),
        json!({"UploadCredentials": {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "SessionToken": TOKEN}}),
    ] {
        assert_eq!(app.verify(&body).await.status(), 200, "{body}");
        let request = stub.requests().pop().unwrap();
        assert!(request.contains(&format!("Credential={ACCESS_KEY}/")), "{body}");
        assert!(request.contains(&format!("x-amz-security-token: {TOKEN}\r\n")), "{body}");
    }
}

#[tokio::test]
async fn a_token_may_be_absent_null_or_empty() {
    let app = App::with_sandbox(&[]).await;
    let user = caller("AKIASBXUSER00EXAMPLE");
    let mut body = body_of(user);
    for token in [Some(json!(null)), Some(json!("")), None] {
        body.as_object_mut().unwrap().remove("stsSessionToken");
        if let Some(token) = token {
            body["stsSessionToken"] = token;
        }
        assert_eq!(app.verify(&body).await.status(), 200, "{body}");
    }
}

#[tokio::test]
async fn a_malformed_request_is_refused_without_a_call_to_sts() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    let with = |name: &str, value: Value| {
        let mut body = someone();
        body[name] = value;
        body
    };
    for (body, code) in [
        (json!({}), "MissingParameter"),
        (json!({"stsAccessKey": ACCESS_KEY}), "MissingParameter"),
        (json!({"stsSecretKey": SECRET_KEY, "stsSessionToken": TOKEN}), "MissingParameter"),
        (with("stsAccessKey", json!("")), "MissingParameter"),
        (with("stsSecretKey", json!(null)), "MissingParameter"),
        (with("stsAccessKey", json!(12)), "InvalidParameter"),
        (with("stsSecretKey", json!([SECRET_KEY])), "InvalidParameter"),
        (with("stsSessionToken", json!([TOKEN])), "InvalidParameter"),
        (with("stsSessionToken", json!(false)), "InvalidParameter"),
        (with("stsAccessKey", json!("AKIA\nIOSFODNN7EXAMPLE")), "InvalidParameter"),
        (with("stsAccessKey", json!("AKIASHORT")), "InvalidParameter"),
        (with("stsAccessKey", json!("A".repeat(129))), "InvalidParameter"),
        (with("stsSecretKey", json!("has a space")), "InvalidParameter"),
        (with("stsSecretKey", json!("x".repeat(129))), "InvalidParameter"),
        (with("stsSessionToken", json!("caf\u{e9}")), "InvalidParameter"),
        (with("stsSessionToken", json!("x".repeat(16385))), "InvalidParameter"),
        (with("AWS_ACCESS_KEY_ID", json!(ACCESS_KEY.to_lowercase())), "DuplicateParameter"),
        (with("Credentials", json!({"SecretAccessKey": TOKEN})), "DuplicateParameter"),
        (with("aws_security_token", json!(SECRET_KEY)), "DuplicateParameter"),
        (with("region", json!("")), "InvalidParameter"),
        (with("region", json!(1)), "InvalidParameter"),
        (with("region", json!("evil.example")), "InvalidParameter"),
        (with("region", json!("us-east-1/")), "InvalidParameter"),
        (with("region", json!("-us-east-1")), "InvalidParameter"),
        (with("region", json!("eu-west-1")), "RegionNotAllowed"),
        (with("region", json!("nowhere")), "RegionNotAllowed"),
    ] {
        let response = app.verify(&body).await;
        assert_eq!(header(&response, "cache-control"), Some("no-store"));
        assert_eq!(summary(response).await, expected(400, "", code), "{body}");
    }
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_malformed() {
    let app = App::with_sandbox(&[]).await;
    let doubled = format!("{{\"stsAccessKey\":\"{ACCESS_KEY}\",\"stsAccessKey\":\"{TOKEN}\"}}");
    let deep = format!("{{\"a\":{}", "[".repeat(10_000));
    for (body, code) in [
        ("", "MalformedJson"),
        ("null", "MalformedJson"),
        ("[]", "MalformedJson"),
        ("\"text\"", "MalformedJson"),
        ("{\"stsAccessKey\":", "MalformedJson"),
        ("{} {}", "MalformedJson"),
        ("{\"a\":\u{1}}", "MalformedJson"),
        (deep.as_str(), "MalformedJson"),
        (doubled.as_str(), "DuplicateParameter"),
    ] {
        let response = app.verify_text(body.to_owned()).await;
        assert_eq!(summary(response).await, expected(400, "", code), "{body:.40}");
    }
    let response = app.verify_text(&b"{\"stsAccessKey\":\"\xff\"}"[..]).await;
    assert_eq!(summary(response).await, expected(400, "", "MalformedJson"));
}

#[tokio::test]
async fn an_error_names_the_field_and_repeats_no_value() {
    let app = App::with_sandbox(&[]).await;
    let secret = "a secret with spaces";
    let body = json!({"Credentials": {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": secret}});
    let text = app.verify(&body).await.text().await.unwrap();
    assert_eq!(
        text,
        "{\"exception\":\"ParamValidationError\",\"error_code\":\"InvalidParameter\",\"error_message\":\
         \"SecretAccessKey must be at most 128 printable ASCII characters without spaces.\"}"
    );
}

#[tokio::test]
async fn only_regions_in_the_operators_list_are_used() {
    let stub = Stub::always(identity()).await;
    let app =
        App::asking(&stub.url, &["--region=eu-central-1", "--allowed-regions=eu-west-1,cn-north-1"]).await;
    for (region, signed) in
        [(None, "eu-central-1"), (Some("eu-west-1"), "eu-west-1"), (Some("cn-north-1"), "cn-north-1")]
    {
        let mut body = someone();
        body["region"] = json!(region);
        assert_eq!(app.verify(&body).await.status(), 200);
        assert!(stub.requests().pop().unwrap().contains(&format!("/{signed}/sts/aws4_request")), "{signed}");
    }
    let mut body = someone();
    body["region"] = json!("us-east-1");
    assert_eq!(summary(app.verify(&body).await).await, expected(400, "", "RegionNotAllowed"));
}

#[tokio::test]
async fn the_content_type_must_be_jsons() {
    let app = App::with_sandbox(&[]).await;
    let user = body_of(caller("AKIASBXUSER00EXAMPLE")).to_string();
    let post = |content_type: Option<&str>| {
        let request = app.client.post(app.url("/verify")).body(user.clone());
        let request =
            content_type.map_or(request.try_clone().unwrap(), |text| request.header("content-type", text));
        async move { request.send().await.unwrap() }
    };
    for good in [
        "application/json",
        "application/json; charset=utf-8",
        "application/json ; charset=\"UTF-8\"",
        "application/json;charset",
        "Application/JSON;",
        "application/vnd.x+json",
        "application/vnd.x+json;odata=verbose",
    ] {
        assert_eq!(post(Some(good)).await.status(), 200, "{good}");
    }
    for bad in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("json"), Some("text/json")]
    {
        let answer = post(bad).await;
        assert_eq!(header(&answer, "accept"), Some("application/json"));
        let outcome = summary(answer).await;
        assert_eq!(outcome, expected(415, "", "UnsupportedMediaType"), "{bad:?}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let app = App::with_sandbox(&["--max-body-bytes=1000"]).await;
    let response = app.verify_text(" ".repeat(1001)).await;
    assert_eq!(summary(response).await, expected(413, "", "RequestTooLarge"));
    let response = app.verify_text(format!("{{}}{}", " ".repeat(998))).await;
    assert_eq!(summary(response).await, expected(400, "", "MissingParameter"));
}
