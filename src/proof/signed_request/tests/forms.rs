//! Valid requests in each form, and the requests that are built from them.

use super::*;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};

async fn check(request: Result<SignedRequest, ValidationError>) -> CheckedRequest {
    let request = request.unwrap_or_else(|error| panic!("{error}"));
    request.check(&rules().await, now()).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn a_presigned_url_is_built_anew_and_the_audience_is_the_service_s() {
    let token = "a/b%2Bc%3D";
    let url = url_with(&[
        ("X-Amz-Security-Token", &token.replace('/', "%2f")),
        ("X-Amz-User-Agent", "aws%20sdk%2F3"),
    ]);
    let checked = check(SignedRequest::from_url(&url, "presigned_url")).await;
    assert_eq!((checked.region(), checked.masked_access_key().as_str()), ("us-east-1", "AKIA…MPLE"));
    assert_eq!(checked.audiences(), ["other.example.com", AUDIENCE]);
    assert_eq!(checked.useful_until(), UNIX_EPOCH + Duration::from_secs(SIGNED_AT + 900));
    assert_eq!(checked.call(AUDIENCE).unwrap().secrets(), [SIGNATURE, "a/b+c="]);
    let request = checked.build(AUDIENCE).unwrap();
    assert_eq!(request.method(), "GET");
    assert_eq!(
        request.uri().to_string(),
        format!(
            "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20270115%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date={DATE}\
             &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Expires=60&X-Amz-User-Agent=aws%20sdk%2F3\
             &X-Amz-Security-Token=a%2Fb%2Bc%3D&X-Amz-Signature={SIGNATURE}"
        )
    );
    assert_eq!(request.headers()["x-k8s-aws-id"], AUDIENCE);
    assert_eq!(request.headers()[HOST], "sts.us-east-1.amazonaws.com");
    assert_eq!(request.headers().len(), 2);
    assert_eq!(*request.body(), "");
}

#[tokio::test]
async fn an_eks_token_is_the_same_url_in_base64() {
    let url = url_with(&[]).replace("com/?", "com?");
    let token = format!("{EKS_TOKEN_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(&url));
    let by_token = check(SignedRequest::from_token(&token, "token")).await;
    let by_url = check(SignedRequest::from_url(&url, "presigned_url")).await;
    assert_eq!(by_token.build(AUDIENCE).unwrap().uri(), by_url.build(AUDIENCE).unwrap().uri());
    assert_eq!(by_token.replay_id(), by_url.replay_id());
}

#[tokio::test]
async fn a_login_is_built_anew_with_only_its_signed_headers() {
    let checked = check(Login::good().read()).await;
    assert_eq!(checked.audiences(), [AUDIENCE]);
    let request = checked.build(AUDIENCE).unwrap();
    assert_eq!(
        (request.method().as_str(), request.uri().to_string()),
        ("POST", "https://sts.amazonaws.com/".to_owned())
    );
    assert_eq!(*request.body(), BODY);
    let headers = request.headers();
    assert_eq!(headers[AUTHORIZATION], login_headers()["Authorization"][0].as_str().unwrap());
    assert_eq!(
        (&headers[CONTENT_LENGTH], &headers["x-amz-date"]),
        (&"43".parse().unwrap(), &DATE.parse().unwrap())
    );
    assert_eq!(headers["x-vault-aws-iam-server-id"], AUDIENCE);
    assert_eq!(headers["x-amz-security-token"], "IQoJb3JpZ2luX2VjEXAMPLE");
    assert!(headers["x-amz-security-token"].is_sensitive() && headers[AUTHORIZATION].is_sensitive());
    assert!(!headers.contains_key(USER_AGENT), "it was not signed");
    assert_eq!(headers[CONTENT_TYPE], "application/x-www-form-urlencoded; charset=utf-8");
}

#[tokio::test]
async fn the_headers_of_a_login_are_base64_a_text_or_an_object_with_values_of_any_kind() {
    let login = Login::good().with(&[
        ("Content-Length", json!(43)),
        ("X-Amz-Date", json!(DATE)),
        ("User-Agent", json!(["x"])),
    ]);
    let (url, body) = (BASE64_STANDARD.encode(&login.url), BASE64_STANDARD.encode(&login.body));
    let json = Value::Object(login.headers.clone()).to_string();
    let encoded = BASE64_STANDARD.encode(&json);
    for headers in [HeaderMember::Text(&encoded), HeaderMember::Text(&json), HeaderMember::Object(&json)] {
        let login =
            IamLogin { method: Some("POST"), url: Some(&url), body: Some(&body), headers: Some(headers) };
        check(SignedRequest::from_iam_login(login)).await;
    }
}

#[tokio::test]
async fn a_login_by_get_may_carry_the_binding() {
    let mut login =
        Login { method: "GET".to_owned(), url: url_with(&[]), body: String::new(), headers: Map::new() };
    let open = check(login.read()).await;
    assert_eq!(open.audiences(), ["other.example.com", AUDIENCE]);
    login.headers.insert("X-K8s-Aws-Id".to_owned(), json!(AUDIENCE));
    let bound = check(login.read()).await;
    assert_eq!(bound.audiences(), [AUDIENCE]);
    assert_eq!(bound.build(AUDIENCE).unwrap().headers()["x-k8s-aws-id"], AUDIENCE);
    login.headers.insert("x-k8s-aws-id".to_owned(), json!(AUDIENCE));
    assert_eq!(code(login.read()).await, "InvalidParameter", "a duplicate header");
    login.headers.remove("x-k8s-aws-id");
    login.headers.insert("X-K8s-Aws-Id".to_owned(), json!("elsewhere.example.com"));
    assert_eq!(code(login.read()).await, "AudienceMismatch");
}

#[tokio::test]
async fn each_binding_is_accepted() {
    for binding in
        ["x-sts-verify-audience", "x-vault-aws-iam-server-id", "x-consul-iam-serverid", "x-k8s-aws-id"]
    {
        let url = url_with(&[("X-Amz-SignedHeaders", &format!("host%3B{binding}"))]);
        let checked = check(SignedRequest::from_url(&url, "presigned_url")).await;
        assert_eq!(checked.build(AUDIENCE).unwrap().headers()[binding], AUDIENCE);
    }
}

#[tokio::test]
async fn hosts_of_every_kind_belong_to_their_region() {
    for host in [
        "sts.us-east-1.amazonaws.com",
        "sts.amazonaws.com",
        "sts-fips.us-east-1.amazonaws.com",
        "sts.us-east-1.api.aws",
    ] {
        let url = url_with(&[]).replace("sts.us-east-1.amazonaws.com", host);
        let checked = check(SignedRequest::from_url(&url, "presigned_url")).await;
        assert_eq!(checked.build(AUDIENCE).unwrap().headers()[HOST], host);
    }
}

#[tokio::test]
async fn another_signature_scope_or_date_is_another_proof() {
    let id = async |changes: &[(&'static str, &str)]| {
        check(SignedRequest::from_url(&url_with(changes), "presigned_url")).await.replay_id()
    };
    let first = id(&[]).await;
    assert_eq!(first, id(&[("X-Amz-Expires", "900")]).await);
    assert_ne!(first, id(&[("X-Amz-Signature", &SIGNATURE.replace('0', "1"))]).await);
    assert_ne!(first, id(&[("X-Amz-Date", "20270115T080001Z")]).await);
    let scope = "AKIAIOSFODNN7EXAMPLF%2F20270115%2Fus-east-1%2Fsts%2Faws4_request";
    assert_ne!(first, id(&[("X-Amz-Credential", scope)]).await);
}
