//! Each row of the table of refused proofs, with POST /verify and the Lambda interface. STS is never called.

use super::{ROLE, Said, USER, app_asking, app_with_sandbox, post, posted, said, say, signer, valid};
use crate::helpers::caller;
use crate::proof_makers::{AUDIENCE, BODY, Signer, claims, es384, unsigned_token, web_identity_token, with};
use crate::stub::{Stub, identity};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// An issuer host with AWS's form.
const AWS_ISSUER: &str = "https://0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0.tokens.sts.global.api.aws";

fn refused(code: &str, verdict: &str) -> Said {
    said(400, "ProofError", code, verdict)
}

/// A service with a stub as STS, which must not be called.
async fn assert_refused(flags: &[&str], code: &str, verdict: &str, bodies: Vec<Value>) {
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, flags).await;
    for body in bodies {
        assert_eq!(say(&app, &body).await, refused(code, verdict), "{body}");
    }
    assert_eq!(stub.count(), 0, "{code}");
}

/// A login with a changed header; null removes it.
fn login_with(signer: &Signer, header: &str, value: Value) -> Value {
    let mut login = signer.login();
    let headers = BASE64_STANDARD.decode(login["iam_request_headers"].as_str().unwrap()).unwrap();
    let headers: Value = serde_json::from_slice(&headers).unwrap();
    login["iam_request_headers"] = with(headers, &[(header, value)]);
    login
}

fn token(changes: &[(&str, Value)]) -> Value {
    json!({"WebIdentityToken": unsigned_token(&es384(), &with(claims(AWS_ISSUER), changes))})
}

fn seconds_from_now(seconds: i64) -> Value {
    let now = i64::try_from(UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
    json!(now + seconds)
}

#[tokio::test]
async fn audience_mismatch() {
    let none = signer(ROLE).with_headers(&[]);
    let two = signer(ROLE).with_headers(&[("x-k8s-aws-id", AUDIENCE), ("x-sts-verify-audience", AUDIENCE)]);
    let other = signer(ROLE).bound_to("other.example.com");
    let binding = "x-sts-verify-audience";
    let bodies = vec![
        posted(&none.url()),
        posted(&two.url()),
        json!({"token": none.eks_token()}),
        none.login(),
        two.login(),
        other.login(),
        login_with(&none, binding, json!(AUDIENCE)),
        login_with(&signer(ROLE), binding, json!(null)),
        login_with(&signer(ROLE), binding, json!(AUDIENCE.to_uppercase())),
        login_with(&signer(ROLE), binding, json!("")),
        token(&[("aud", json!("other.example.com"))]),
        token(&[("aud", json!([AUDIENCE, "other.example.com"]))]),
        token(&[("aud", json!([]))]),
        token(&[("aud", json!(null))]),
        token(&[("aud", json!(AUDIENCE.to_uppercase()))]),
    ];
    assert_refused(&["--token-issuers=*"], "AudienceMismatch", "invalid", bodies).await;
}

#[tokio::test]
async fn a_url_for_another_audience_is_rejected_by_sts() {
    let (app, _) = app_with_sandbox(&[]).await;
    let body = posted(&signer(ROLE).bound_to("other.example.com").url());
    assert_eq!(say(&app, &body).await, said(400, "ClientError", "SignatureDoesNotMatch", "invalid"));
}

#[tokio::test]
async fn proof_expired() {
    let old = signer(ROLE).signed(-901);
    let mut bodies = vec![posted(&old.url()), json!({"token": old.eks_token()}), old.login()];
    bodies.push(token(&[("exp", seconds_from_now(-1))]));
    bodies.push(token(&[("iat", seconds_from_now(-901))]));
    assert_refused(&["--token-issuers=*"], "ProofExpired", "indeterminate", bodies).await;
    let bodies = vec![posted(&signer(ROLE).signed(-61).url()), token(&[("iat", seconds_from_now(-61))])];
    let shorter = ["--token-issuers=*", "--max-proof-age=60s"];
    assert_refused(&shorter, "ProofExpired", "indeterminate", bodies).await;
}

#[tokio::test]
async fn a_token_that_the_sandbox_lets_expire_and_one_that_it_refuses() {
    let (app, sandbox) = app_with_sandbox(&[]).await;
    let token = web_identity_token(&sandbox, caller("AKIASBXOLDJWTEXAMPLE"), &[AUDIENCE]).await;
    assert_eq!(say(&app, &json!({"token": token})).await, refused("ProofExpired", "indeterminate"));
}

#[tokio::test]
async fn proof_not_yet_valid() {
    let early = signer(ROLE).signed(330);
    let bodies = vec![
        posted(&early.url()),
        early.login(),
        token(&[("iat", seconds_from_now(90)), ("exp", seconds_from_now(300))]),
    ];
    assert_refused(&["--token-issuers=*"], "ProofNotYetValid", "indeterminate", bodies).await;
}

#[tokio::test]
async fn proof_replayed() {
    let (app, sandbox) = app_with_sandbox(&["--single-use=true"]).await;
    let jwt = web_identity_token(&sandbox, caller(ROLE), &[AUDIENCE]).await;
    for body in [posted(&signer(ROLE).url()), signer(USER).login(), json!({"token": jwt})] {
        assert_eq!(post(&app, &body).await.0, valid());
        assert_eq!(say(&app, &body).await, refused("ProofReplayed", "indeterminate"));
    }
}

#[tokio::test]
async fn endpoint_not_allowed() {
    let hosts = [
        "evil.example",
        "sts.us-east-1.amazonaws.com.evil.example",
        "evil-sts.us-east-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com:443",
        "sts.us-east-1.amazonaws.com.",
        "user@sts.us-east-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com@evil.example",
        "STS.us-east-1.amazonaws.com",
        "sts%2Eus-east-1.amazonaws.com",
        "sts.cn-north-1.amazonaws.com.cn",
        "sts.us-gov-west-1.amazonaws.com",
        "sts.eusc-de-east-1.amazonaws.eu",
        "iam.amazonaws.com",
        "127.0.0.1",
        "[::1]",
        "169.254.169.254",
    ];
    let good = signer(ROLE);
    let mut bodies = Vec::new();
    for host in hosts {
        bodies.push(posted(&good.url().replace(&good.host, host)));
        let mut login = good.login();
        login["iam_request_url"] = json!(BASE64_STANDARD.encode(format!("https://{host}/")));
        bodies.push(login);
    }
    let flags = ["--allowed-regions=us-east-1,eu-west-1"];
    assert_refused(&flags, "EndpointNotAllowed", "invalid", bodies).await;
}

#[tokio::test]
async fn region_mismatch_and_region_not_allowed() {
    let signer = signer(ROLE);
    let bodies = vec![
        posted(&signer.clone().at_host("sts.eu-west-1.amazonaws.com").url()),
        signer.clone().at_host("sts.eu-west-1.api.aws").login(),
        posted(
            &Signer { region: "eu-west-1".to_owned(), ..signer.clone() }.at_host("sts.amazonaws.com").url(),
        ),
    ];
    let flags = ["--allowed-regions=us-east-1,eu-west-1"];
    assert_refused(&flags, "RegionMismatch", "invalid", bodies).await;
    let stub = Stub::always(identity()).await;
    let app = app_asking(&stub.url, &flags).await;
    let elsewhere = Signer { region: "eu-central-1".to_owned(), ..signer };
    let body = posted(&elsewhere.at_host("sts.eu-central-1.amazonaws.com").url());
    assert_eq!(say(&app, &body).await, said(400, "ParamValidationError", "RegionNotAllowed", "-"));
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn request_not_allowed() {
    let good = signer(ROLE);
    let url = good.url();
    let query = |query: &str| posted(&good.url_for(query));
    let header = |name: &str, value: &str| {
        good.clone().with_headers(&[("x-sts-verify-audience", AUDIENCE), (name, value)])
    };
    let changed = |member: &str, value: &str| {
        let mut login = good.login();
        login[member] = json!(value);
        login
    };
    let expires = |seconds: u64| Signer { expires: Duration::from_secs(seconds), ..good.clone() };
    let mut bodies = vec![
        query("Action=AssumeRole&Version=2011-06-15"),
        query("Action=GetCallerIdentity&Version=2012-06-15"),
        query("Action=GetCallerIdentity&Version=2011-06-15&RoleArn=a"),
        query("Version=2011-06-15"),
        posted(&url.replace("https:", "http:")),
        posted(&url.replace("com/?", "com/path?")),
        posted(&url.replace("com/?", "com//?")),
        posted(&format!("{url}#")),
        posted(&format!("{url}&a=b+c")),
        posted(&url.replace("X-Amz-Date", "X-Amz%2DDate")),
        posted(&url.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")),
        posted(&url.replace("%2Fsts%2F", "%2Fs3%2F")),
        posted(&url.replace("X-Amz-Expires=60", "X-Amz-Expires=060x")),
        posted(&expires(901).url()),
        posted(&header("x-forwarded-for", "a").url()),
        posted(&header("accept", "application/json").url()),
        header("accept", "application/json").login(),
        header("x-consul-iam-getentity-url", "https://iam.amazonaws.com").login(),
        good.login_for("Action=AssumeRole&Version=2011-06-15"),
        good.login_for("Action=GetCallerIdentity&Version=2011-06-15&"),
        good.login_for("Version=2011-06-15&Action=GetCallerIdentity"),
        changed("iam_http_request_method", "PUT"),
        changed("iam_http_request_method", "post"),
        changed("iam_request_url", &BASE64_STANDARD.encode(format!("https://{}/?{BODY}", good.host))),
        login_with(&good, "host", json!("evil.example")),
        login_with(&good, "content-type", json!("application/json")),
        login_with(&good, "x-amz-date", json!(null)),
        login_with(&good, "authorization", json!(null)),
        login_with(&good, "authorization", json!("Bearer a")),
    ];
    // A token that is not covered by the signature.
    bodies.push(login_with(&signer(USER), "x-amz-security-token", json!("a")));
    assert_refused(&[], "RequestNotAllowed", "invalid", bodies).await;
}

#[tokio::test]
async fn issuer_not_allowed() {
    let bodies = |issuers: &[&str]| -> Vec<Value> {
        issuers.iter().map(|issuer| token(&[("iss", json!(issuer))])).collect()
    };
    let lookalikes = [
        "https://issuer.example",
        "https://attacker.tokens.sts.global.api.aws",
        &format!("{AWS_ISSUER}/"),
        &format!("{AWS_ISSUER}.evil.example"),
        &format!("{AWS_ISSUER}@evil.example"),
        &AWS_ISSUER.to_uppercase(),
        &AWS_ISSUER.replace("https", "http"),
        "",
    ];
    assert_refused(&["--token-issuers=*"], "IssuerNotAllowed", "invalid", bodies(&lookalikes)).await;
    // An issuer of AWS, but of another account.
    let own = format!("--token-issuers={}", AWS_ISSUER.replace("0f1e2d3c", "1f1e2d3c"));
    assert_refused(&[&own], "IssuerNotAllowed", "invalid", bodies(&[AWS_ISSUER])).await;
}

#[tokio::test]
async fn token_not_allowed() {
    let mut bodies: Vec<Value> = [
        ("jti", json!(null)),
        ("jti", json!(7)),
        ("jti", json!("")),
        ("exp", json!(null)),
        ("exp", json!("2026")),
        ("exp", json!(1.5)),
        ("iat", json!(null)),
        ("iat", json!("now")),
        ("https://sts.amazonaws.com/", json!(null)),
        ("https://sts.amazonaws.com/", json!("a")),
        ("https://sts.amazonaws.com/>aws_account", json!(null)),
        ("https://sts.amazonaws.com/>aws_account", json!("12345678901")),
        ("https://sts.amazonaws.com/>aws_account", json!("210987654321")),
        ("https://sts.amazonaws.com/>principal_id", json!("arn:aws:iam::210987654321:role/ci")),
        ("https://sts.amazonaws.com/>principal_id", json!("arn:aws-cn:iam::123456789012:role/ci")),
        ("https://sts.amazonaws.com/>principal_id", json!("ci")),
        ("https://sts.amazonaws.com/>principal_id", json!(7)),
    ]
    .map(|change| token(&[change]))
    .into();
    let other_subject = [
        ("https://sts.amazonaws.com/>principal_id", json!(null)),
        ("https://sts.amazonaws.com/>subject_mode", json!("OriginIdentity")),
    ];
    bodies.push(token(&other_subject));
    for change in [
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("alg", json!(null)),
        ("kid", json!(null)),
        ("kid", json!(7)),
        ("crit", json!(["exp"])),
        ("jku", json!("https://evil.example")),
        ("jwk", json!({})),
        ("x5u", json!("https://evil.example")),
        ("x5c", json!([])),
    ] {
        let head = with(es384(), &[change]);
        bodies.push(json!({"token": unsigned_token(&head, &claims(AWS_ISSUER))}));
    }
    assert_refused(&["--token-issuers=*"], "TokenNotAllowed", "invalid", bodies).await;
}
