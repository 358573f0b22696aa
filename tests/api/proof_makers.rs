//! Makes proofs as clients do: requests signed by the SDK's signer, tokens issued by the sandbox, and
//! unsigned tokens.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use sts_sandbox::Caller;

/// The name of the service under test.
pub const AUDIENCE: &str = "verify.example.com";
pub const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const QUERY: &str = BODY;
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// The signer of a request, and what it signs.
#[derive(Clone)]
pub struct Signer {
    pub access_key_id: String,
    pub secret: String,
    pub token: Option<String>,
    pub region: String,
    pub host: String,
    /// Headers that are signed beside `Host`.
    pub headers: Vec<(String, String)>,
    pub time: SystemTime,
    pub expires: Duration,
}

impl Signer {
    /// A caller that signs for [`AUDIENCE`], at its region's host.
    pub fn of(caller: &Caller) -> Self {
        Self {
            access_key_id: caller.access_key_id.clone(),
            secret: caller.secret_access_key.clone(),
            token: caller.session_token.clone(),
            region: caller.region.clone(),
            host: host_of(&caller.region),
            headers: vec![("x-sts-verify-audience".to_owned(), AUDIENCE.to_owned())],
            time: SystemTime::now(),
            expires: Duration::from_mins(1),
        }
    }

    /// The same with these signed headers instead of the binding.
    pub fn with_headers(mut self, headers: &[(&str, &str)]) -> Self {
        self.headers =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self
    }

    /// The same with another audience.
    pub fn bound_to(self, audience: &str) -> Self {
        self.with_headers(&[("x-sts-verify-audience", audience)])
    }

    pub fn at_host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// This many seconds from now, or in the past if negative.
    pub fn signed(mut self, seconds: i64) -> Self {
        let offset = Duration::from_secs(seconds.unsigned_abs());
        let now = SystemTime::now();
        self.time = if seconds < 0 { now - offset } else { now + offset };
        self
    }

    fn sign(&self, method: &str, url: &str, body: &str, location: SignatureLocation) -> SigningInstructions {
        let credentials =
            Credentials::new(&self.access_key_id, &self.secret, self.token.clone(), None, "test");
        let mut settings = SigningSettings::default();
        settings.signature_location = location;
        settings.expires_in = (location == SignatureLocation::QueryParams).then_some(self.expires);
        let identity = credentials.into();
        let params = SigningParams::builder().identity(&identity).region(&self.region).name("sts");
        let params = params.time(self.time).settings(settings).build().unwrap().into();
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let form = (method == "POST").then_some(("content-type", FORM));
        let body = SignableBody::Bytes(body.as_bytes());
        let request = SignableRequest::new(method, url, headers.chain(form), body).unwrap();
        sign(request, &params).unwrap().into_parts().0
    }

    /// A presigned URL.
    pub fn url(&self) -> String {
        self.url_for(QUERY)
    }

    /// A presigned URL with another query.
    pub fn url_for(&self, query: &str) -> String {
        let mut request = http::Request::get(format!("https://{}/?{query}", self.host)).body(()).unwrap();
        let url = request.uri().to_string();
        self.sign("GET", &url, "", SignatureLocation::QueryParams).apply_to_request_http1x(&mut request);
        request.uri().to_string()
    }

    /// A token of EKS.
    pub fn eks_token(&self) -> String {
        eks_token(&self.url())
    }

    /// The headers of a POST with this body, its signature among them.
    pub fn post_headers(&self, url: &str, body: &str) -> Vec<(String, String)> {
        let signed = self.sign("POST", url, body, SignatureLocation::Headers);
        let signed = signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let form = [("content-type".to_owned(), FORM.to_owned())];
        self.headers.iter().cloned().chain(form).chain(signed).collect()
    }

    /// The members of a login by POST.
    pub fn login(&self) -> Value {
        self.login_for(BODY)
    }

    /// The members of a login with another body.
    pub fn login_for(&self, body: &str) -> Value {
        let url = format!("https://{}/", self.host);
        let headers: Map<String, Value> =
            self.post_headers(&url, body).into_iter().map(|(name, value)| (name, json!([value]))).collect();
        json!({
            "iam_http_request_method": "POST",
            "iam_request_url": BASE64_STANDARD.encode(url),
            "iam_request_body": BASE64_STANDARD.encode(body),
            "iam_request_headers": BASE64_STANDARD.encode(Value::Object(headers).to_string()),
        })
    }
}

/// The plain host of a region.
pub fn host_of(region: &str) -> String {
    let domain = match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("sts.{region}.{domain}")
}

pub fn eks_token(url: &str) -> String {
    format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(url))
}

/// A token that the sandbox issues to a caller.
pub async fn web_identity_token(sandbox: &str, caller: &Caller, audiences: &[&str]) -> String {
    let members: Vec<_> =
        audiences.iter().zip(1..).map(|(name, number)| format!("&Audience.member.{number}={name}")).collect();
    let members = members.concat();
    let body = format!("Action=GetWebIdentityToken&Version=2011-06-15&SigningAlgorithm=ES384{members}");
    let url = format!("{sandbox}/");
    let mut request = reqwest::Client::new().post(&url);
    for (name, value) in Signer::of(caller).post_headers(&url, &body) {
        request = request.header(name, value);
    }
    let answer = request.body(body).send().await.unwrap().text().await.unwrap();
    let token = answer.split_once("<WebIdentityToken>").and_then(|(_, rest)| rest.split_once('<'));
    token.unwrap_or_else(|| panic!("{answer}")).0.to_owned()
}

/// Claims as in AWS's tokens, for [`AUDIENCE`].
pub fn claims(issuer: &str) -> Value {
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    json!({
        "iss": issuer, "aud": AUDIENCE, "sub": "arn:aws:iam::123456789012:role/ci", "iat": now - 10, "exp": now + 290,
        "jti": "5e3c1f2a-8f0b-4f6e-9c39-0d8f4f6a1b2c",
        "https://sts.amazonaws.com/": {"aws_account": "123456789012", "principal_id": "arn:aws:iam::123456789012:role/ci"},
    })
}

/// An unsigned token.
pub fn unsigned_token(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(head), part(claims), BASE64_URL_SAFE_NO_PAD.encode([1; 96]))
}

pub fn es384() -> Value {
    json!({"alg": "ES384", "kid": "EC384_0", "typ": "JWT"})
}

/// The objects with changed members; null removes a member. `outer>inner` is a nested member.
pub fn with(mut object: Value, changes: &[(&str, Value)]) -> Value {
    for (name, value) in changes {
        let (target, name) = match name.split_once('>') {
            Some((outer, inner)) => (&mut object[outer], inner),
            None => (&mut object, *name),
        };
        let target = target.as_object_mut().unwrap();
        if value.is_null() {
            target.remove(name);
        } else {
            target.insert(name.to_owned(), value.clone());
        }
    }
    object
}
