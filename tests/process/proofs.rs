//! Proofs with the built program: settings that prevent the start, what it logs about a proof, and what it
//! never logs.

use crate::collector::Collector;
use crate::helpers::{caller, start_sandbox};
use crate::program::{Service, json, run};
use crate::proof_makers::{AUDIENCE, Signer, claims, es384, unsigned_token, web_identity_token};
use crate::stub::{IDENTITY, Reply, Stub, http, identity, sts_error};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::HashSet;

/// The part of a URL's query that is the signature.
fn signature_in(url: &str) -> String {
    let (_, rest) = url.split_once("X-Amz-Signature=").expect("it is signed");
    rest.split('&').next().unwrap_or_default().to_owned()
}

const ROLE: &str = "ASIASBXROLE00EXAMPLE";

/// A match of this length cannot be a coincidence.
const PART: usize = 12;

#[tokio::test]
async fn settings_that_would_take_a_proof_for_anybody_are_refused_in_one_line_that_names_the_variable() {
    let (accept, audience, issuers) =
        ("STS_VERIFY_ACCEPT", "STS_VERIFY_AUDIENCE", "STS_VERIFY_TOKEN_ISSUERS");
    for (variables, named) in [
        (&[(accept, "signed-requests")][..], audience),
        (&[(accept, "credentials,signed-requests")], audience),
        (&[(accept, "web-identity-tokens"), (issuers, "*")], audience),
        (&[(issuers, "*")], audience),
        (&[(issuers, "https://issuer.example")], audience),
        (&[(accept, "web-identity-tokens"), (audience, AUDIENCE)], issuers),
        (&[(audience, AUDIENCE), ("STS_VERIFY_MAX_PROOF_AGE", "16m")], "STS_VERIFY_MAX_PROOF_AGE"),
        (&[(audience, AUDIENCE), ("STS_VERIFY_MAX_PROOF_AGE", "901s")], "STS_VERIFY_MAX_PROOF_AGE"),
        (&[(audience, AUDIENCE), ("STS_VERIFY_MAX_PROOF_AGE", "0s")], "STS_VERIFY_MAX_PROOF_AGE"),
        (&[(audience, AUDIENCE), (issuers, "http://issuer.example")], issuers),
        (&[(audience, AUDIENCE), (issuers, "https://issuer.example,*")], issuers),
        (&[(accept, "everything")], accept),
        (&[(audience, AUDIENCE), (issuers, "issuer.example")], issuers),
        (&[(audience, AUDIENCE), (issuers, "https://user@issuer.example")], issuers),
        (&[(audience, AUDIENCE), (issuers, "https://issuer.example?a=b")], issuers),
        (&[(audience, AUDIENCE), (issuers, "https://*.tokens.sts.global.api.aws")], issuers),
        (&[(audience, "two words")], audience),
        (&[(audience, "one,,two")], audience),
        (&[(audience, AUDIENCE), (accept, "signed-requests,")], accept),
        (&[(audience, AUDIENCE), ("STS_VERIFY_MAX_PROOF_AGE", "soon")], "STS_VERIFY_MAX_PROOF_AGE"),
        (&[(audience, AUDIENCE), ("STS_VERIFY_SINGLE_USE", "once")], "STS_VERIFY_SINGLE_USE"),
        (&[(audience, AUDIENCE), ("STS_VERIFY_GATE_CACHE", "6m")], "STS_VERIFY_GATE_CACHE"),
        (&[(audience, AUDIENCE), ("STS_VERIFY_REDIS_URL", "http://redis.example")], "STS_VERIFY_REDIS_URL"),
        (
            &[(audience, AUDIENCE), (accept, "credentials"), ("STS_VERIFY_SINGLE_USE", "true")],
            "STS_VERIFY_SINGLE_USE",
        ),
        (
            &[
                (audience, AUDIENCE),
                (accept, "credentials"),
                ("STS_VERIFY_POLICIES_FILE", "/nowhere/policies.toml"),
            ],
            "STS_VERIFY_POLICIES_FILE: means nothing",
        ),
        (&[("STS_VERIFY_SINGLE_USE", "true")], "STS_VERIFY_SINGLE_USE"),
        (&[("STS_VERIFY_POLICIES_FILE", "/nowhere/policies.toml")], "STS_VERIFY_POLICIES_FILE"),
    ] {
        let listen = [("STS_VERIFY_LISTEN", "127.0.0.1:0")];
        let end = run(&[], &[&listen[..], variables].concat()).await;
        assert_eq!(
            (end.code, end.stdout.len(), end.stderr.len()),
            (Some(64), 0, 1),
            "{variables:?}: {end:?}"
        );
        assert!(end.stderr[0].contains(named), "{variables:?}: {end:?}");
    }
}

/// The line of the request that was answered last.
async fn line_of(service: &Service, body: &Value, count: usize) -> Value {
    service.verify(body).await;
    let is_request = |line: &str| json(line)["message"] == "request";
    json(service.program.lines(count, is_request).await.last().unwrap())
}

#[tokio::test]
async fn the_log_line_has_the_kind_of_a_proof_and_the_id_of_a_token() {
    let sandbox = start_sandbox().await;
    let settings = [("STS_VERIFY_AUDIENCE", AUDIENCE), ("STS_VERIFY_TOKEN_ISSUERS", &sandbox)];
    let service = Service::asking(&sandbox, &settings).await;
    let url = Signer::of(caller(ROLE)).url();
    let line = line_of(&service, &json!({"presigned_url": url}), 1).await;
    let expected = json!({"proof": "signed_request", "access_key": "ASIA…MPLE", "region": "us-east-1",
        "account": "123456789012", "verdict": "valid", "retries": 0});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&line[name], value, "{line}");
    }
    assert!(line["web_identity_token_id"].is_null() && line["sts_request_id"].is_string(), "{line}");

    let token = web_identity_token(&sandbox, caller(ROLE), &[AUDIENCE]).await;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims_of_it: Value = serde_json::from_slice(&payload).unwrap();
    let line = line_of(&service, &json!({"token": token}), 2).await;
    assert_eq!(line["proof"], "web_identity_token", "{line}");
    assert_eq!(line["web_identity_token_id"], claims_of_it["jti"], "{line}");
    assert_eq!((&line["account"], &line["verdict"]), (&json!("123456789012"), &json!("valid")), "{line}");
    assert!(line["sts_request_id"].is_null() && line["access_key"].is_null(), "{line}");

    let old = Signer::of(caller(ROLE)).signed(-1_000).url();
    let line = line_of(&service, &json!({"presigned_url": old}), 3).await;
    assert_eq!((&line["proof"], &line["code"]), (&json!("signed_request"), &json!("ProofExpired")), "{line}");
    let forged = unsigned_token(&es384(), &claims(&sandbox));
    let line = line_of(&service, &json!({"token": forged}), 4).await;
    assert_eq!(line["code"], "SignatureMismatch", "{line}");
    assert!(line["web_identity_token_id"].is_null(), "nobody vouches for it: {line}");
}

/// An STS that repeats everything it received, in a different way each time.
async fn echoing_sts() -> Stub {
    Stub::start(|number, request| {
        let head = request.split("\r\n\r\n").next().unwrap().replace("\r\n", " ").replace(['<', '&'], " ");
        let refusal =
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
        match number % 8 {
            0 => sts_error(400, "IncompleteSignature", &head),
            1 => sts_error(400, &head, "The code repeats it"),
            2 => http(403, &[("x-amzn-RequestId", &head)], refusal),
            3 => http(200, &[("x-echo", &head), ("x-amzn-RequestId", &head)], IDENTITY),
            4 => http(200, &[], &IDENTITY.replace("AIDAXXXXXXXXXXXXXXXXX", &head)),
            5 => http(302, &[("Location", &head.replace(' ', "%20"))], &head),
            6 => Reply::Last(format!("{head}\r\n\r\n").into_bytes()),
            _ => identity(),
        }
    })
    .await
}

/// The confidential parts of these proofs: signatures and session tokens, also in other encodings.
struct Secrets(HashSet<Vec<u8>>);

impl Secrets {
    fn of(texts: &[String]) -> Self {
        let encoded = |text: &String| [text.clone(), BASE64_STANDARD.encode(text)];
        let texts = texts.iter().flat_map(encoded);
        Self(
            texts
                .flat_map(|text| text.into_bytes().windows(PART).map(<[u8]>::to_vec).collect::<Vec<_>>())
                .collect(),
        )
    }

    fn assert_not_in(&self, what: &str, bytes: &[u8]) {
        let found = bytes.windows(PART).find(|window| self.0.contains(*window));
        let text = String::from_utf8_lossy(bytes);
        assert!(found.is_none(), "{what}: {:?} in {text}", found.map(String::from_utf8_lossy));
    }
}

/// Bodies with proofs: valid ones, and ones with a mistake in each place, and their confidential parts.
fn bodies(token: &str) -> (Vec<Value>, Secrets) {
    // The sandbox's session tokens begin like its callers' names.
    let session = "FwoGZXIvYXdzEPz//wEaDK7w2RtVnBx5yJ8hUiKqAcM3fLs9eDg6Tz1XoPmNbQvWrCjYlHkSa4GpZ0uFiEtOdLx8Rw7J5nVhK2yM==";
    let signer =
        |seconds| Signer { token: Some(session.to_owned()), ..Signer::of(caller(ROLE)).signed(seconds) };
    let url = signer(0).url();
    let old = signer(-2_000).url();
    let login = signer(0).login();
    let eks = signer(0).eks_token();
    let headers = BASE64_STANDARD.decode(login["iam_request_headers"].as_str().unwrap()).unwrap();
    let authorization = String::from_utf8(headers).unwrap();
    let of_login = authorization.split_once("Signature=").unwrap().1[..64].to_owned();
    let mut secrets = vec![session.to_owned(), signature_in(&url), signature_in(&old), of_login];
    secrets.extend(token.split('.').skip(1).map(str::to_owned));
    let posted = |url: String| json!({"presigned_url": url});
    let jwt = |token: String| json!({"token": token});
    let mut bodies = Vec::new();
    for _ in 0..8 {
        bodies.extend([posted(url.clone()), login.clone()]);
    }
    bodies.extend([
        posted(old),
        posted(url.replace("sts.us-east-1", "sts.evil")),
        posted(url.replace("Action", "Reaction")),
        posted(format!("{url}%")),
        posted(format!("{url}&X-Amz-Signature={}", signature_in(&url))),
        json!({"token": eks}),
        json!({"token": format!("{eks}!")}),
        json!({"presigned_url": url, "token": eks}),
        jwt(token.to_owned()),
        jwt(format!("{token}.")),
        jwt(format!("{token}A")),
        jwt(token.replacen('.', ".A", 1)),
        jwt(token.rsplit_once('.').unwrap().0.to_owned()),
        json!({"iam_http_request_method": token, "iam_request_url": session, "iam_request_body": session, "iam_request_headers": session}),
        json!({"iam_http_request_method": "POST", "iam_request_url": login["iam_request_url"],
            "iam_request_body": login["iam_request_body"], "iam_request_headers": {"authorization": session, session: "a"}}),
        json!({url: token}),
    ]);
    (bodies, Secrets::of(&secrets))
}

#[tokio::test]
async fn nothing_of_a_proof_is_in_an_answer_a_log_line_a_metric_or_a_trace() {
    let (sts, issuer, collector) = (echoing_sts().await, start_sandbox().await, Collector::start().await);
    let token = web_identity_token(&issuer, caller(ROLE), &[AUDIENCE]).await;
    let (bodies, secrets) = bodies(&token);
    for format in ["json", "text"] {
        let variables = [
            ("STS_VERIFY_AUDIENCE", AUDIENCE),
            ("STS_VERIFY_TOKEN_ISSUERS", issuer.as_str()),
            ("STS_VERIFY_LOG_FORMAT", format),
            ("STS_VERIFY_LOG", "trace"),
            ("RUST_LOG", "trace"),
            ("AWS_MAX_ATTEMPTS", "1"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.as_str()),
        ];
        let service = Service::asking(&sts.url, &variables).await;
        for body in &bodies {
            for path in ["/verify", "/2015-03-31/functions/verify/invocations"] {
                let request = service.client.post(service.url(path)).header("x-amz-log-type", "Tail");
                let answer = request.json(body).send().await.unwrap();
                assert_ne!(answer.status(), 500, "{body}");
                let mut headers = answer.headers().clone();
                let tail =
                    headers.remove("x-amz-log-result").map(|tail| BASE64_STANDARD.decode(tail).unwrap());
                let text = format!("{headers:?} {}", answer.text().await.unwrap());
                secrets.assert_not_in("an answer", text.as_bytes());
                secrets.assert_not_in("the end of the log", &tail.unwrap_or_default());
            }
        }
        secrets.assert_not_in("the metrics", service.get("/metrics").await.text().await.unwrap().as_bytes());
        let end = service.stop().await;
        assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{:#?}", end.stderr);
        assert!(end.stdout.len() > 2 * bodies.len());
        for line in end.stdout {
            secrets.assert_not_in("the log", line.as_bytes());
        }
    }
    assert!(collector.spans().len() > 4 * bodies.len(), "everything was traced");
    for post in collector.posts() {
        secrets.assert_not_in("a trace", &post.body);
    }
}
