//! Every recorded answer of STS, given by the sandbox to a request that the real SDK signed.

use crate::helpers::{App, body_of, caller, expected, header, summary};
use crate::stub::{Stub, http};
use serde_json::{Value, json};

#[tokio::test]
async fn a_user_gets_the_functions_body_with_its_members_in_boto3s_order() {
    let app = App::with_sandbox(&[]).await;
    let response = app.verify(&body_of(caller("AKIASBXUSER00EXAMPLE"))).await;
    assert_eq!(response.status(), 200);
    assert_eq!(header(&response, "content-type"), Some("application/json"));
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(&response, "x-sts-verdict"), Some("valid"));
    assert_eq!(header(&response, "cache-control"), Some("no-store"));
    assert_eq!(header(&response, "retry-after"), None);

    let body: Value = response.json().await.unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&body), ["aws_res"]);
    let result = &body["aws_res"];
    assert_eq!(names(result), ["UserId", "Account", "Arn", "ResponseMetadata"]);
    assert_eq!(
        result["Arn"],
        "arn:aws:iam::123456789012:user/division_abc/subdivision_xyz/Zhang@example.com-CLI"
    );
    assert_eq!(result["Account"], "123456789012");
    let metadata = &result["ResponseMetadata"];
    assert_eq!(names(metadata), ["RequestId", "HTTPStatusCode", "HTTPHeaders", "RetryAttempts"]);
    assert_eq!(metadata["HTTPStatusCode"], 200);
    assert_eq!(metadata["RetryAttempts"], 0);
    assert_eq!(metadata["RequestId"], metadata["HTTPHeaders"]["x-amzn-requestid"]);
    assert_eq!(
        names(&metadata["HTTPHeaders"]),
        ["x-amzn-requestid", "x-amz-sts-extended-request-id", "content-type", "content-length", "date"]
    );
}

#[tokio::test]
async fn each_kind_of_caller_is_named_in_its_partition() {
    let app = App::with_sandbox(&[]).await;
    for (access_key, start) in [
        ("ASIASBXROLE00EXAMPLE", "arn:aws:sts::123456789012:assumed-role/"),
        ("ASIASBXFEDERAEXAMPLE", "arn:aws:sts::123456789012:federated-user/"),
        ("AKIASBXROOT00EXAMPLE", "arn:aws:iam::123456789012:root"),
        ("AKIASBXCHINA0EXAMPLE", "arn:aws-cn:iam::"),
        ("ASIASBXGOVROLEXAMPLE", "arn:aws-us-gov:sts::"),
    ] {
        let response = app.verify(&body_of(caller(access_key))).await;
        assert_eq!(header(&response, "x-sts-verdict"), Some("valid"), "{access_key}");
        let body: Value = response.json().await.unwrap();
        assert!(body["aws_res"]["Arn"].as_str().unwrap().starts_with(start), "{access_key}: {body}");
    }
}

#[tokio::test]
async fn each_error_of_sts_is_passed_on_with_its_verdict() {
    let app = App::with_sandbox(&["--max-attempts=2"]).await;
    for (access_key, verdict, code) in [
        ("AKIASBXDELETEEXAMPLE", "invalid", "InvalidClientTokenId"),
        ("ASIASBXEXPIREEXAMPLE", "invalid", "ExpiredToken"),
        ("AKIASBXBEHINDEXAMPLE", "indeterminate", "SignatureDoesNotMatch"),
        ("AKIASBXAHEAD0EXAMPLE", "indeterminate", "SignatureDoesNotMatch"),
        ("AKIASBXREGIONEXAMPLE", "indeterminate", "SignatureDoesNotMatch"),
        ("AKIASBXNOAUTHEXAMPLE", "indeterminate", "MissingAuthenticationToken"),
        ("AKIASBXMANGLEEXAMPLE", "indeterminate", "IncompleteSignature"),
        ("AKIASBXDENIEDEXAMPLE", "indeterminate", "AccessDenied"),
        ("AKIASBXREQOLDEXAMPLE", "indeterminate", "RequestExpired"),
        ("AKIASBXOPTOUTEXAMPLE", "indeterminate", "RegionDisabledException"),
        ("AKIASBXTHROTLEXAMPLE", "indeterminate", "Throttling"),
        ("AKIASBXERR500EXAMPLE", "indeterminate", "InternalFailure"),
        ("AKIASBXERR503EXAMPLE", "indeterminate", "ServiceUnavailable"),
        ("AKIASBXEMPTY0EXAMPLE", "indeterminate", "503"),
    ] {
        let response = app.verify(&body_of(caller(access_key))).await;
        assert_eq!(summary(response).await, expected(400, verdict, code), "{access_key}");
    }
}

#[tokio::test]
async fn a_wrong_secret_is_invalid_and_the_message_is_stss_own() {
    let app = App::with_sandbox(&[]).await;
    let mut body = body_of(caller("AKIASBXUSER00EXAMPLE"));
    body["stsSecretKey"] = json!("another/Secret+Key/of/the/same/form/00000");
    let response = app.verify(&body).await;
    assert_eq!(header(&response, "x-sts-verdict"), Some("invalid"));
    assert_eq!(
        response.text().await.unwrap(),
        "{\"exception\":\"ClientError\",\"error_code\":\"SignatureDoesNotMatch\",\"error_message\":\"The request \
         signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and \
         signing method. Consult the service documentation for details.\"}"
    );
}

#[tokio::test]
async fn a_session_key_needs_its_own_token() {
    let app = App::with_sandbox(&[]).await;
    let role = caller("ASIASBXROLE00EXAMPLE");
    let other = caller("ASIASBXFEDERAEXAMPLE");
    for token in [None, Some(""), other.session_token.as_deref()] {
        let mut body = body_of(role);
        body["stsSessionToken"] = json!(token);
        let response = app.verify(&body).await;
        assert_eq!(summary(response).await, expected(400, "invalid", "InvalidClientTokenId"), "{token:?}");
    }
}

#[tokio::test]
async fn a_message_keeps_its_spaces() {
    let app = App::with_sandbox(&[]).await;
    let response = app.verify(&body_of(caller("AKIASBXREGIONEXAMPLE"))).await;
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error_message"], "Credential should be scoped to a valid region. ");
}

#[tokio::test]
async fn transient_errors_have_retry_after_and_permanent_ones_do_not() {
    let app = App::with_sandbox(&["--max-attempts=1"]).await;
    for (access_key, helps) in [
        ("AKIASBXTHROTLEXAMPLE", true),
        ("AKIASBXERR500EXAMPLE", true),
        ("AKIASBXEMPTY0EXAMPLE", true),
        ("AKIASBXHANGUPEXAMPLE", true),
        ("AKIASBXBEHINDEXAMPLE", false),
        ("AKIASBXDENIEDEXAMPLE", false),
        ("ASIASBXEXPIREEXAMPLE", false),
    ] {
        let response = app.verify(&body_of(caller(access_key))).await;
        assert_eq!(header(&response, "retry-after").is_some(), helps, "{access_key}");
    }
}

#[tokio::test]
async fn headers_of_sts_come_in_their_order_and_doubled_ones_are_joined() {
    let stub = Stub::always(http(
        200,
        &[("X-B", "1"), ("x-a", "2"), ("X-b", "3"), ("Content-Type", "text/xml")],
        crate::stub::IDENTITY,
    ))
    .await;
    let app = App::asking(&stub.url, &[]).await;
    let body: Value = app.verify_someone().await.json().await.unwrap();
    let headers = &body["aws_res"]["ResponseMetadata"]["HTTPHeaders"];
    let names: Vec<_> = headers.as_object().unwrap().keys().collect();
    assert_eq!(names, ["x-b", "x-a", "content-type", "content-length"]);
    assert_eq!(headers["x-b"], "1, 3");
}

#[tokio::test]
async fn an_answer_without_a_request_id_is_boto3s_answer_without_one() {
    let stub = Stub::always(http(
        200,
        &[],
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:root</Arn><UserId>1</UserId>\
         <Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
    ))
    .await;
    let app = App::asking(&stub.url, &[]).await;
    let body: Value = app.verify_someone().await.json().await.unwrap();
    let names: Vec<_> = body["aws_res"]["ResponseMetadata"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["HTTPStatusCode", "HTTPHeaders", "RetryAttempts"]);
}
