//! Proofs in a list: signed requests by the SDK's signer, and web identity tokens of the sandbox.

use crate::verify_program::{ACCOUNT, Run, sandbox, verify};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use sts_sandbox::{Caller, Sandbox};

const AUDIENCE: &str = "verify.example.com";
const HOST: &str = "sts.us-east-1.amazonaws.com";
/// A key of an account that is known to hold decoys (canarytokens.org).
const DECOY: &str = "AKIASP2TPHJSQH3FJRUX";

/// Signs a request to STS as a caller does.
fn sign_as(caller: &Caller, request: &mut http::Request<&str>, settings: SigningSettings, at: SystemTime) {
    let token = caller.session_token.clone();
    let identity =
        Credentials::new(&*caller.access_key_id, &*caller.secret_access_key, token, None, "test").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("sts")
        .time(at)
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let uri = request.uri().to_string();
    let body = SignableBody::Bytes(request.body().as_bytes());
    let signable = SignableRequest::new(request.method().as_str(), &*uri, headers, body).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    instructions.apply_to_request_http1x(request);
}

/// A presigned URL with these headers beside the host.
fn presigned(caller: &Caller, binding: &[(&str, &str)], at: SystemTime) -> String {
    let mut request =
        http::Request::get(format!("https://{HOST}/?Action=GetCallerIdentity&Version=2011-06-15"))
            .header("host", HOST);
    for (name, value) in binding {
        request = request.header(*name, *value);
    }
    let mut request = request.body("").unwrap();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_mins(1));
    sign_as(caller, &mut request, settings, at);
    request.uri().to_string()
}

fn for_audience(caller: &Caller, audience: &str) -> String {
    presigned(caller, &[("x-k8s-aws-id", audience)], SystemTime::now())
}

fn url_line(url: &str) -> String {
    format!("{}\n", json!({ "presigned_url": url }))
}

/// A token that the sandbox issues to a caller.
async fn token(sandbox: &Sandbox, caller: &Caller) -> String {
    let host = sandbox.url().trim_start_matches("http://");
    let body = format!(
        "Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1={AUDIENCE}&SigningAlgorithm=ES384"
    );
    let mut request = http::Request::post(format!("{}/", sandbox.url()))
        .header("host", host)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(&*body)
        .unwrap();
    sign_as(caller, &mut request, SigningSettings::default(), SystemTime::now());
    let (head, body) = request.into_parts();
    let client = reqwest::Client::new().post(format!("{}/", sandbox.url())).headers(head.headers);
    let text = client.body(body.to_owned()).send().await.unwrap().text().await.unwrap();
    let (_, rest) = text.split_once("<WebIdentityToken>").unwrap_or_else(|| panic!("no token: {text}"));
    rest.split_once("</").unwrap().0.to_owned()
}

/// The row of a line of standard input.
fn row(run: &Run, line: u32) -> Value {
    let source = format!("-:{line}");
    run.rows().into_iter().find(|row| row["source"] == *source).unwrap_or_else(|| panic!("{line}: {run:?}"))
}

fn told(row: &Value) -> (&str, Option<&str>, Option<&str>, u64) {
    (
        row["verdict"].as_str().unwrap(),
        row["error_code"].as_str(),
        row["access_key"].as_str(),
        row["attempts"].as_u64().unwrap(),
    )
}

#[tokio::test]
async fn signed_requests_are_tried_with_each_audience_and_refused_without_one() {
    let ann = Caller::user(ACCOUNT, "ops/ann");
    let sandbox = sandbox([ann.clone()]).await;
    let old = SystemTime::now() - Duration::from_mins(20);
    let good = for_audience(&ann, AUDIENCE);
    let input = [
        url_line(&good),
        url_line(&for_audience(&ann, "other.example.com")),
        url_line(&for_audience(&ann, "somebody.else")),
        url_line(&presigned(&ann, &[], SystemTime::now())),
        url_line(&presigned(&ann, &[("x-k8s-aws-id", AUDIENCE)], old)),
        url_line(&good.replace(HOST, "sts.example.com")),
        url_line("https://[not a url"),
        url_line(&good),
    ]
    .concat();
    let run =
        verify(&["--audience", "verify.example.com,other.example.com"], sandbox.url(), input.as_bytes())
            .await;
    let masked = format!("{}…MPLE", &ann.access_key_id[..4]);
    let key = Some(&*masked);
    assert_eq!(told(&row(&run, 1)), ("valid", None, key, 1), "{run:?}");
    assert_eq!(row(&run, 1)["principal"]["name"], "ann");
    assert_eq!(told(&row(&run, 2)), ("valid", None, key, 2));
    assert_eq!(told(&row(&run, 3)), ("invalid", Some("SignatureDoesNotMatch"), key, 2));
    assert_eq!(told(&row(&run, 4)), ("invalid", Some("AudienceMismatch"), key, 0));
    assert_eq!(told(&row(&run, 5)), ("indeterminate", Some("ProofExpired"), key, 0));
    assert_eq!(told(&row(&run, 6)), ("invalid", Some("EndpointNotAllowed"), key, 0));
    assert_eq!(told(&row(&run, 8)), ("valid", None, key, 1));
    assert_eq!(run.refusals(), ["sts-verify: -:7: presigned_url must hold a URL."]);
    assert_eq!((run.code, sandbox.requests().len()), (Some(65), 5), "the same proof is asked about once");
    for secret in ["Signature=", &ann.secret_access_key, &ann.access_key_id] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{secret}: {run:?}");
    }
}

#[tokio::test]
async fn web_identity_tokens_are_verified_with_the_keys_of_their_issuer() {
    let ann = Caller::user(ACCOUNT, "ops/ann");
    let sandbox = sandbox([ann.clone()]).await;
    let token = token(&sandbox, &ann).await;
    let forged = format!("{}AAAA", &token[..token.len() - 4]);
    let line = |token: &str| format!("{}\n", json!({ "WebIdentityToken": token }));
    let input = [line(&token), line(&forged), line("eyJ.e.s"), line(&token)].concat();
    let ours = ["--audience", AUDIENCE, "--token-issuers", sandbox.url()];
    let calls = sandbox.requests().len();
    let run = verify(&ours, sandbox.url(), input.as_bytes()).await;
    assert_eq!(told(&row(&run, 1)), ("valid", None, None, 0), "{run:?}");
    assert_eq!(row(&run, 1)["arn"], format!("arn:aws:iam::{ACCOUNT}:user/ops/ann"));
    assert_eq!(row(&run, 1)["account"], ACCOUNT);
    assert_eq!(told(&row(&run, 2)), ("invalid", Some("SignatureMismatch"), None, 0));
    assert_eq!(told(&row(&run, 4)), ("valid", None, None, 0));
    assert_eq!((run.code, run.refusals().len()), (Some(65), 1), "{run:?}");
    assert!(run.stderr.contains("3 read, 2 distinct:"), "what is refused was not read: {run:?}");
    assert!(sandbox.requests()[calls..].iter().all(|request| request.method() == "GET"), "STS is not asked");
    assert!(!run.stdout.contains(&token) && !run.stderr.contains(&token));
    // By default, issuers with AWS's form are accepted.
    let run = verify(&["--audience", AUDIENCE], sandbox.url(), line(&token).as_bytes()).await;
    assert_eq!(told(&row(&run, 1)), ("invalid", Some("IssuerNotAllowed"), None, 0));
}

#[tokio::test]
async fn proofs_of_decoys_and_offline_proofs_cause_no_call() {
    let mut decoy = Caller::user(ACCOUNT, "decoy");
    decoy.access_key_id = DECOY.to_owned();
    let ann = Caller::user(ACCOUNT, "ann");
    let sandbox = sandbox([ann.clone(), decoy.clone()]).await;
    let token = token(&sandbox, &ann).await;
    let calls = sandbox.requests().len();
    let input = [
        url_line(&for_audience(&decoy, AUDIENCE)),
        url_line(&for_audience(&ann, AUDIENCE)),
        format!("{}\n", json!({ "token": token })),
    ]
    .concat();
    let arguments = ["--offline", "--audience", AUDIENCE, "--token-issuers", sandbox.url()];
    let run = verify(&arguments, sandbox.url(), input.as_bytes()).await;
    let codes = |run: &Run| [1, 2, 3].map(|line| row(run, line)["error_code"].as_str().map(str::to_owned));
    let code = |code: &str| Some(code.to_owned());
    assert_eq!(codes(&run), [code("CanaryAccount"), code("Offline"), code("Offline")], "{run:?}");
    assert_eq!((run.code, sandbox.requests().len()), (Some(0), calls));
    let run = verify(&arguments[1..], sandbox.url(), input.as_bytes()).await;
    assert_eq!(codes(&run), [code("CanaryAccount"), None, None], "{run:?}");
    let asked = sandbox.requests()[calls..].iter().any(|request| request.uri().to_string().contains(DECOY));
    assert!(!asked);
    let run = verify(&[&["--ask-canaries"], &arguments[1..]].concat(), sandbox.url(), input.as_bytes()).await;
    assert_eq!(codes(&run), [None, None, None], "{run:?}");
}
