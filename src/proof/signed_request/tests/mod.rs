mod forms;
mod refusals;
mod vulnerabilities;

use super::*;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use std::time::UNIX_EPOCH;

pub(super) const AUDIENCE: &str = "verify.example.com";
const DATE: &str = "20270115T080000Z";
/// `DATE`, in seconds since 1970.
const SIGNED_AT: u64 = 1_800_000_000;
const SIGNATURE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The rules of a service that allows two regions of `aws`.
async fn rules() -> SignedRequestRules {
    let hosts = StsHosts::new(["us-east-1", "eu-west-1"].map(str::to_owned)).await;
    let audiences = vec!["other.example.com".to_owned(), AUDIENCE.to_owned()];
    SignedRequestRules { hosts, audiences, max_age: Duration::from_mins(15) }
}

/// One minute after the signing time.
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(SIGNED_AT + 60)
}

/// The parameters of a valid presigned URL, escaped.
fn parameters() -> Vec<(&'static str, String)> {
    [
        ("Action", "GetCallerIdentity"),
        ("Version", "2011-06-15"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE%2F20270115%2Fus-east-1%2Fsts%2Faws4_request"),
        ("X-Amz-Date", DATE),
        ("X-Amz-Expires", "60"),
        ("X-Amz-SignedHeaders", "host%3Bx-k8s-aws-id"),
        ("X-Amz-Signature", SIGNATURE),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

/// A presigned URL, with parameters changed or added.
fn url_with(changes: &[(&'static str, &str)]) -> String {
    let mut parameters = parameters();
    for (name, value) in changes {
        match parameters.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => (*value).clone_into(known),
            None => parameters.push((name, (*value).to_owned())),
        }
    }
    let query: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("https://sts.us-east-1.amazonaws.com/?{}", query.join("&"))
}

/// The headers of a valid login by POST.
fn login_headers() -> Map<String, Value> {
    let names = "content-length;content-type;host;x-amz-date;x-amz-security-token;x-vault-aws-iam-server-id";
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20270115/us-east-1/sts/aws4_request, SignedHeaders={names}, Signature={SIGNATURE}"
    );
    let headers = json!({
        "Authorization": [authorization],
        "Content-Length": ["43"],
        "Content-Type": ["application/x-www-form-urlencoded; charset=utf-8"],
        "User-Agent": ["aws-sdk-go/1.55"],
        "X-Amz-Date": [DATE],
        "X-Amz-Security-Token": ["IQoJb3JpZ2luX2VjEXAMPLE"],
        "X-Vault-Aws-Iam-Server-Id": [AUDIENCE],
    });
    headers.as_object().cloned().unwrap_or_default()
}

/// A login as a client posts it.
struct Login {
    method: String,
    url: String,
    body: String,
    headers: Map<String, Value>,
}

impl Login {
    fn good() -> Self {
        Self {
            method: "POST".to_owned(),
            url: "https://sts.amazonaws.com/".to_owned(),
            body: BODY.to_owned(),
            headers: login_headers(),
        }
    }

    fn read(&self) -> Result<SignedRequest, ValidationError> {
        let (url, body) = (BASE64_STANDARD.encode(&self.url), BASE64_STANDARD.encode(&self.body));
        let headers = BASE64_STANDARD.encode(Value::Object(self.headers.clone()).to_string());
        SignedRequest::from_iam_login(IamLogin {
            method: Some(&self.method),
            url: Some(&url),
            body: Some(&body),
            headers: Some(HeaderMember::Text(&headers)),
        })
    }

    /// Changes headers. Null removes one.
    fn with(mut self, changes: &[(&str, Value)]) -> Self {
        for (name, value) in changes {
            if value.is_null() {
                self.headers.remove(*name);
            } else {
                self.headers.insert((*name).to_owned(), value.clone());
            }
        }
        self
    }
}

/// The error code of the result, or `ok`.
async fn code(request: Result<SignedRequest, ValidationError>) -> &'static str {
    let checked = match request {
        Ok(request) => request.check(&rules().await, now()),
        Err(error) => Err(error.into()),
    };
    match checked {
        Ok(_) => "ok",
        Err(ProofFailure::Invalid(error)) => error.code(),
        Err(ProofFailure::RegionNotAllowed) => "RegionNotAllowed",
        Err(ProofFailure::Malformed(ValidationError::Missing(_))) => "MissingParameter",
        Err(ProofFailure::Malformed(_)) => "InvalidParameter",
        Err(other) => panic!("{other:?}"),
    }
}

async fn code_of_url(url: &str) -> &'static str {
    code(SignedRequest::from_url(url, "presigned_url")).await
}
