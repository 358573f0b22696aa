//! Access control with API keys.

use crate::helpers::{App, expected, header, metric, someone, summary};
use crate::stub::{Stub, identity};
use reqwest::{RequestBuilder, Response};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use std::path::PathBuf;
use sts_verify::callers::api_keys::NewKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A service with two API keys, the first of which has a name, and the STS behind it.
struct Guarded {
    app: App,
    stub: Stub,
    keys: [String; 2],
    file: PathBuf,
}

impl Guarded {
    /// `name` must be unique among the tests.
    async fn new(name: &str) -> Self {
        Self::with_flags(name, &[]).await
    }

    async fn with_flags(name: &str, flags: &[&str]) -> Self {
        let keys = [NewKey::generate(Some("team-a")).unwrap(), NewKey::generate(None).unwrap()];
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-api-keys.txt"));
        std::fs::write(&file, format!("# two\n\n{}\n{}\n", keys[0].line, keys[1].line)).unwrap();
        let stub = Stub::always(identity()).await;
        let keys_file = format!("--api-keys-file={}", file.display());
        let app = App::asking(&stub.url, &[flags, &[&keys_file]].concat()).await;
        Self { app, stub, keys: keys.map(|new| new.key.expose_secret().to_owned()), file }
    }

    fn request(&self) -> RequestBuilder {
        self.app.client.post(self.app.url("/verify")).json(&someone())
    }

    async fn with(&self, headers: &[(&str, &str)]) -> Response {
        let request =
            headers.iter().fold(self.request(), |request, (name, value)| request.header(*name, *value));
        request.send().await.unwrap()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

/// The answer that RFC 6750 (section 3) requires, in the common error format.
async fn assert_refused(response: Response, has_key: bool) {
    let challenge = header(&response, "www-authenticate").unwrap().to_owned();
    assert!(challenge.starts_with("Bearer realm=\"sts-verify\""), "{challenge}");
    assert_eq!(challenge.contains("error=\"invalid_token\""), has_key, "{challenge}");
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"));
    assert_eq!(response.status(), 401);
    let body: Value = response.json().await.unwrap();
    let names: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["exception", "error_code", "error_message"]);
    assert_eq!((&body["exception"], &body["error_code"]), (&"ServiceError".into(), &"Unauthorized".into()));
}

#[tokio::test]
async fn each_key_is_good_in_either_header() {
    let guarded = Guarded::new("either").await;
    for key in &guarded.keys {
        for (name, value) in [
            ("authorization", format!("Bearer {key}")),
            ("authorization", format!("bearer   {key}")),
            ("authorization", format!("BEARER {key}")),
            ("x-api-key", key.clone()),
            ("X-API-Key", key.clone()),
        ] {
            let answer = summary(guarded.with(&[(name, &value)]).await).await;
            assert_eq!(answer, expected(200, "valid", ""), "{name}");
        }
    }
}

#[tokio::test]
async fn without_a_valid_key_no_request_is_verified() {
    let guarded = Guarded::new("refused").await;
    let good = &guarded.keys[0];
    let digest = std::fs::read_to_string(&guarded.file).unwrap();
    let digest = digest.lines().nth(2).unwrap().split(' ').next().unwrap();
    assert_refused(guarded.with(&[]).await, false).await;
    for other_scheme in
        ["AWS4-HMAC-SHA256 Credential=x", "Basic dTpw", "Bearer", "Bearer ", good, "Bearer\u{a0}x"]
    {
        assert_refused(guarded.with(&[("authorization", other_scheme)]).await, false).await;
    }
    assert_refused(guarded.with(&[("x-api-key", "")]).await, false).await;
    for wrong in
        [&good[1..], &good[..good.len() - 1], &format!("{good}0"), &good.to_uppercase(), digest, &digest[7..]]
    {
        assert_refused(guarded.with(&[("x-api-key", wrong)]).await, true).await;
        assert_refused(guarded.with(&[("authorization", &format!("Bearer {wrong}"))]).await, true).await;
    }
    assert_eq!(guarded.stub.count(), 0);
    let figures = guarded.app.get("/metrics").await.text().await.unwrap();
    for line in ["sts_verify_unauthenticated_total 20", "sts_verify_errors_total{code=\"Unauthorized\"} 20"] {
        assert!(figures.contains(&format!("\n{line}\n")), "{figures}");
    }
}

#[tokio::test]
async fn one_good_key_is_enough_whatever_else_is_in_the_other_header() {
    let guarded = Guarded::new("both").await;
    let [key, other] = guarded.keys.each_ref().map(String::as_str);
    let bearer = format!("Bearer {key}");
    for headers in [
        [("authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/x"), ("x-api-key", key)],
        [("authorization", "Bearer a-gateway-s-own"), ("x-api-key", key)],
        [("authorization", &bearer), ("x-api-key", "a-gateway-s-own")],
        [("authorization", &bearer), ("x-api-key", other)],
        [("x-api-key", "a-gateway-s-own"), ("x-api-key", key)],
    ] {
        assert_eq!(guarded.with(&headers).await.status(), 200);
    }
    let wrong = [("authorization", "Bearer wrong"), ("x-api-key", "wrong")];
    assert_refused(guarded.with(&wrong).await, true).await;
}

#[tokio::test]
async fn at_most_four_keys_of_a_request_are_checked() {
    let guarded = Guarded::new("many").await;
    let key = guarded.keys[0].as_str();
    let bearer = format!("Bearer {key}");
    let wrong = ("x-api-key", "a-gateway-s-own");
    for others in 0..8 {
        for good in [("authorization", bearer.as_str()), ("x-api-key", key)] {
            let mut headers = vec![wrong; others];
            headers.push(good);
            let response = guarded.with(&headers).await;
            if others < 4 {
                assert_eq!(response.status(), 200, "{others}");
            } else {
                assert_refused(response, true).await;
            }
        }
    }
}

/// Sends `count` requests without a valid key from an address, and counts the answers by status.
async fn failures(guarded: &Guarded, address: &str, count: usize) -> [usize; 2] {
    let mut answered = [0; 2];
    for n in 0..count {
        let key = if n % 2 == 0 { "wrong" } else { "" };
        let response = guarded.with(&[("x-forwarded-for", address), ("x-api-key", key)]).await;
        match response.status().as_u16() {
            401 => answered[0] += 1,
            429 => {
                answered[1] += 1;
                let seconds: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
                assert!((1..=2).contains(&seconds), "{seconds}");
                assert_eq!(summary(response).await, expected(429, "", "RateLimited"));
            }
            status => panic!("{status}"),
        }
    }
    answered
}

#[tokio::test]
async fn an_address_that_fails_repeatedly_gets_429() {
    let guarded = Guarded::with_flags("failures", &["--trusted-proxies=1"]).await;
    let [refused, limited] = failures(&guarded, "198.51.100.7", 90).await;
    // One more is let through each second.
    assert!(refused >= 60 && limited > 0, "{refused} and {limited}");
    let figure = async |series: &str| metric(&guarded.app, series).await.unwrap();
    assert!((figure("sts_verify_unauthenticated_total").await - 90.0).abs() < 0.5);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let limited = limited as f64;
    assert!((figure("sts_verify_authentication_limited_total").await - limited).abs() < 0.5);
    // This affects neither another address nor a valid key from the same address.
    assert_eq!(failures(&guarded, "198.51.100.8", 10).await, [10, 0]);
    let headers = [("x-forwarded-for", "198.51.100.7"), ("x-api-key", guarded.keys[0].as_str())];
    for _ in 0..70 {
        assert_eq!(guarded.with(&headers).await.status(), 200);
    }
    let url = guarded.app.url("/2015-03-31/functions/verify/invocations");
    let invoke = || guarded.app.client.post(&url).header("x-forwarded-for", "198.51.100.7").send();
    let mut invoked = invoke().await.unwrap();
    while invoked.status() == 401 {
        invoked = invoke().await.unwrap();
    }
    assert_eq!(invoked.status(), 429);
    assert_eq!(header(&invoked, "x-amzn-errortype"), Some("TooManyRequestsException"));
}

#[tokio::test]
async fn a_caller_is_refused_without_waiting_for_its_body() {
    let guarded = Guarded::new("body").await;
    let mut stream = TcpStream::connect(guarded.app.address).await.unwrap();
    let head = "POST /verify HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n\
                Content-Length: 60000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // No 100 Continue: a client that waits for it never sends the credentials.
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn lambda_clients_get_lambdas_own_errors() {
    let guarded = Guarded::new("lambda").await;
    let url = guarded.app.url("/2015-03-31/functions/verify/invocations");
    let invoke =
        || guarded.app.client.post(&url).header("authorization", "AWS4-HMAC-SHA256 x").json(&someone());
    let refused = invoke().send().await.unwrap();
    assert_eq!(header(&refused, "x-amzn-errortype"), Some("UnrecognizedClientException"));
    assert_eq!(header(&refused, "www-authenticate"), Some("Bearer realm=\"sts-verify\""));
    assert_eq!(refused.status(), 401);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["Type"], "User", "{body}");
    assert_eq!(guarded.stub.count(), 0);
    let answer = invoke().header("x-api-key", &guarded.keys[1]).send().await.unwrap();
    assert_eq!(header(&answer, "x-sts-verdict"), Some("valid"));
}

#[tokio::test]
async fn requests_without_a_call_to_sts_need_no_key() {
    let guarded = Guarded::new("open").await;
    for path in ["/livez", "/readyz", "/healthz", "/health", "/metrics", "/openapi.json", "/docs/"] {
        assert_eq!(guarded.app.get(path).await.status(), 200, "{path}");
    }
    assert_eq!(guarded.app.get("/nothing").await.status(), 404);
    assert_eq!(guarded.app.get("/verify").await.status(), 405);
    let preflight = guarded.app.client.request(reqwest::Method::OPTIONS, guarded.app.url("/verify"));
    let preflight = preflight
        .header("origin", "https://a.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let preflight = preflight.send().await.unwrap();
    assert_eq!(preflight.status(), 200);
    let allowed = header(&preflight, "access-control-allow-headers").unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("x-api-key"), "{allowed}");
}

#[tokio::test]
async fn without_api_keys_every_caller_is_accepted() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    for headers in [&[] as &[(&str, &str)], &[("authorization", "Bearer x")], &[("x-api-key", "x")]] {
        let request = app.client.post(app.url("/verify")).json(&someone());
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
}
