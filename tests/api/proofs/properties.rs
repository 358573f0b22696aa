//! Properties for arbitrary bytes: a proof is refused or rebuilt; a rebuilt request verifies with an
//! independent SigV4 (the sandbox's) and contains only what a GetCallerIdentity request may contain.

use super::mutations::{changes, mutate};
use super::{ROLE, USER, signer};
use crate::helpers::caller;
use crate::proof_makers::{AUDIENCE, Signer, host_of};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, Method, Request};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};
use sts_sandbox::{Caller, verify_signature};
use sts_verify::proof::ProofFailure;
use sts_verify::proof::signed_request::{
    CheckedRequest, HeaderMember, IamLogin, SignedRequest, SignedRequestRules,
};
use sts_verify::sts::StsHosts;

static RULES: LazyLock<SignedRequestRules> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let regions = ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"].map(str::to_owned);
    let hosts = std::thread::spawn(move || runtime.block_on(StsHosts::new(regions))).join().unwrap();
    SignedRequestRules { hosts, audiences: vec![AUDIENCE.to_owned()], max_age: Duration::from_mins(15) }
});

fn callers() -> impl Strategy<Value = &'static Caller> {
    prop::sample::select(vec![USER, ROLE, "AKIASBXCHINA0EXAMPLE", "ASIASBXGOVROLEXAMPLE"]).prop_map(caller)
}

fn read_login(login: &Value) -> Option<SignedRequest> {
    let text = |name: &str| login[name].as_str();
    let object = login["iam_request_headers"].is_object().then(|| login["iam_request_headers"].to_string());
    let headers = match &object {
        Some(object) => Some(HeaderMember::Object(object)),
        None => text("iam_request_headers").map(HeaderMember::Text),
    };
    let (method, url) = (text("iam_http_request_method"), text("iam_request_url"));
    SignedRequest::from_iam_login(IamLogin { method, url, body: text("iam_request_body"), headers }).ok()
}

/// The request that would be sent, if it is not refused.
fn rebuilt(request: Option<SignedRequest>) -> Option<(CheckedRequest, Request<&'static str>)> {
    match request?.check(&RULES, SystemTime::now()) {
        Ok(checked) => {
            let built = checked.build(AUDIENCE).expect("what was checked can be built");
            Some((checked, built))
        }
        Err(ProofFailure::Invalid(_) | ProofFailure::RegionNotAllowed | ProofFailure::Malformed(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

/// Whether a request contains only bytes that a GetCallerIdentity request for this service may contain.
fn assert_allowed(request: &Request<&'static str>) -> Result<(), TestCaseError> {
    let uri = request.uri().to_string();
    let (start, query) = uri.split_once("/?").unwrap_or((uri.trim_end_matches('/'), ""));
    let host = start.strip_prefix("https://").unwrap();
    let known = ["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"];
    prop_assert!(
        host == "sts.amazonaws.com" || known.iter().any(|region| host.contains(&format!(".{region}."))),
        "{uri}"
    );
    prop_assert!(
        host.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
    );
    prop_assert!(
        query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%=&".contains(&byte)),
        "{uri}"
    );
    let fixed = query.is_empty() || query.starts_with("Action=GetCallerIdentity&Version=2011-06-15&");
    prop_assert!(fixed && query.matches("Action=").count() <= 1, "{uri}");
    let allowed = [
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-user-agent",
        "x-consul-iam-serverid",
        "x-k8s-aws-id",
        "x-sts-verify-audience",
        "x-vault-aws-iam-server-id",
    ];
    for (name, value) in request.headers() {
        prop_assert!(allowed.contains(&name.as_str()), "{name}");
        prop_assert!(value.as_bytes().iter().all(|byte| byte.is_ascii_graphic() || *byte == b' '), "{name}");
    }
    let binding = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    let bound: Vec<_> = allowed[11..].iter().filter_map(|name| binding(name)).collect();
    prop_assert_eq!(bound, [AUDIENCE.as_bytes()]);
    let post = request.method() == Method::POST;
    prop_assert_eq!(*request.body(), if post { crate::proof_makers::BODY } else { "" });
    Ok(())
}

/// A valid request is rebuilt into one that the sandbox's SigV4 verifies, whatever was signed and however it
/// was written.
#[test]
fn what_is_rebuilt_verifies_with_an_independent_implementation() {
    let bindings = prop::sample::select(vec![
        "x-consul-iam-serverid",
        "x-k8s-aws-id",
        "x-sts-verify-audience",
        "x-vault-aws-iam-server-id",
    ]);
    let more = prop::collection::btree_map(
        prop::sample::select(vec!["amz-sdk-invocation-id", "amz-sdk-request", "x-amz-user-agent"]),
        "[!-~]{1,20}( [!-~]{1,10})?",
        0..3,
    );
    let tokens = prop::option::of("[!-~]{1,300}");
    let strategy = (callers(), bindings, more, tokens, 1_u64..=900, any::<bool>(), any::<bool>());
    let mut runner = TestRunner::new(Config::with_cases(400));
    runner
        .run(&strategy, |(caller, binding, more, token, expires, by_post, rewritten)| {
            let mut signer = Signer { token, expires: Duration::from_secs(expires), ..Signer::of(caller) };
            signer.host = host_of(&caller.region);
            signer.headers = vec![(binding.to_owned(), AUDIENCE.to_owned())];
            let request = if by_post {
                signer.headers.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
                read_login(&signer.login())
            } else {
                let url = signer.url();
                // An equivalent URL: escapes in lower case, the parameters in another order, no slash.
                let (start, query) = url.split_once("/?").unwrap();
                let mut pairs: Vec<_> = query.split('&').map(|pair| pair.replace("%2F", "%2f")).collect();
                pairs.reverse();
                let other = format!("{start}?{}", pairs.join("&"));
                SignedRequest::from_url(if rewritten { &other } else { &url }, "presigned_url").ok()
            };
            let (checked, built) = rebuilt(request).ok_or(TestCaseError::fail("it is good"))?;
            prop_assert_eq!(checked.host(), signer.host.as_str());
            assert_allowed(&built)?;
            prop_assert!(verify_signature(&built, &signer.secret).is_ok(), "{:?}", built.uri());
            prop_assert!(verify_signature(&built, "another secret").is_err());
            Ok(())
        })
        .unwrap();
}

#[test]
fn whatever_becomes_of_a_url_it_is_refused_or_rebuilt_of_allowed_bytes() {
    let url = signer(ROLE).url();
    TestRunner::new(Config::with_cases(4_000))
        .run(&changes(), |changes| {
            let url = mutate(&url, &changes);
            let token = crate::proof_makers::eks_token(&url);
            let by_token = rebuilt(SignedRequest::from_token(&token, "token").ok());
            let by_url = rebuilt(SignedRequest::from_url(&url, "presigned_url").ok());
            let sent =
                |built: &Option<(_, Request<&str>)>| built.as_ref().map(|(_, built)| built.uri().to_string());
            prop_assert_eq!(sent(&by_token), sent(&by_url));
            by_url.map_or(Ok(()), |(_, built)| assert_allowed(&built))
        })
        .unwrap();
}

#[test]
fn whatever_becomes_of_a_login_it_is_refused_or_rebuilt_of_allowed_bytes() {
    let good = signer(ROLE).login();
    let decode = |name: &str| {
        String::from_utf8(BASE64_STANDARD.decode(good[name].as_str().unwrap()).unwrap()).unwrap()
    };
    let members = ["iam_request_url", "iam_request_body", "iam_request_headers"];
    let strategy = (prop::sample::select(vec![0_usize, 1, 2, 2, 2]), changes());
    TestRunner::new(Config::with_cases(4_000))
        .run(&strategy, |(member, changes)| {
            let member = members[member];
            let mut login = good.clone();
            login[member] = json!(BASE64_STANDARD.encode(mutate(&decode(member), &changes)));
            rebuilt(read_login(&login)).map_or(Ok(()), |(_, built)| assert_allowed(&built))
        })
        .unwrap();
}
