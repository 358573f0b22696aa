//! The sandbox, alone and inside the service: it works, and states that nothing is real.

use crate::helpers::{body_of, caller, expected, header, summary};
use crate::program::{Program, Service, address_of, command, run};
use crate::stub::{Stub, http};
use ::http::Request;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::time::SystemTime;
use sts_sandbox::table;

const USER: &str = "AKIASBXUSER00EXAMPLE";

/// Verifies a caller of another partition, whose region only `*` allows.
const CHINA: &str = "AKIASBXCHINA0EXAMPLE";

async fn service_with_sandbox() -> Service {
    Service::with_arguments(&["serve", "--sandbox"], &[]).await
}

#[tokio::test]
async fn a_service_with_a_sandbox_knows_the_table_in_every_region() {
    let service = service_with_sandbox().await;
    for key in [USER, CHINA, "ASIASBXGOVROLEXAMPLE", "AKIASBXEUSC00EXAMPLE"] {
        let answer = summary(service.verify(&body_of(caller(key))).await).await;
        assert_eq!(answer, expected(200, "valid", ""), "{key}");
    }
    let answer = summary(service.verify(&body_of(caller("ASIASBXEXPIREEXAMPLE"))).await).await;
    assert_eq!(answer, expected(400, "invalid", "ExpiredToken"));
}

#[tokio::test]
async fn the_variable_starts_the_sandbox_as_the_flag_does() {
    let service = Service::start(&[("STS_VERIFY_SANDBOX", "true")]).await;
    let answer = service.verify(&body_of(caller(USER))).await;
    assert_eq!(header(&answer, "x-sts-sandbox"), Some("true"));
    assert_eq!(summary(answer).await, expected(200, "valid", ""));
}

#[tokio::test]
async fn a_service_with_a_sandbox_logs_a_warning_and_prints_the_table() {
    let service = service_with_sandbox().await;
    let lines = service.program.written();
    let loud = |line: &&String| line.contains("\"WARN\"") && line.contains("SANDBOX: nothing is real");
    assert_eq!(lines.iter().filter(loud).count(), 1, "{lines:#?}");
    for caller in table() {
        let row =
            |line: &&String| line.contains(&caller.access_key_id) && line.contains(&caller.secret_access_key);
        assert_eq!(lines.iter().filter(row).count(), 1, "{} in {lines:#?}", caller.access_key_id);
    }
}

#[tokio::test]
async fn a_service_with_a_sandbox_logs_its_url_which_is_an_issuer_of_tokens() {
    let service = service_with_sandbox().await;
    let lines = service.program.written();
    let started = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let urls: Vec<_> = started.filter(|line| line["message"] == "sandbox started").collect();
    assert_eq!(urls.len(), 1, "{lines:#?}");
    let url = urls[0]["url"].as_str().unwrap();
    let document =
        service.client.get(format!("{url}/.well-known/openid-configuration")).send().await.unwrap();
    let document: serde_json::Value = document.json().await.unwrap();
    assert_eq!(document["issuer"], url);
}

#[tokio::test]
async fn every_answer_of_a_service_with_a_sandbox_says_that_nothing_is_real() {
    let service = service_with_sandbox().await;
    let client = &service.client;
    let verify = service.url("/verify");
    let requests = [
        service.request(&body_of(caller(USER))),
        service.request(&body_of(caller("AKIASBXHANGUPEXAMPLE"))),
        client.post(&verify).body("{}"),
        client.get(&verify),
        client.request(reqwest::Method::OPTIONS, &verify).header("origin", "https://a.example"),
        client.post(service.url("/2015-03-31/functions/verify/invocations")).body("{}"),
        client.get(service.url("/livez")),
        client.get(service.url("/readyz")),
        client.get(service.url("/openapi.json")),
        client.get(service.url("/docs/")),
        client.get(service.url("/nowhere")),
    ];
    for request in requests {
        let answer = request.send().await.unwrap();
        assert_eq!(header(&answer, "x-sts-sandbox"), Some("true"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_service_without_a_sandbox_never_claims_to_have_one() {
    let stub = Stub::always(http(403, &[("x-sts-sandbox", "true")], "")).await;
    let service = Service::asking(&stub.url, &[]).await;
    for answer in [service.verify_someone().await, service.get("/livez").await, service.get("/nowhere").await]
    {
        assert_eq!(header(&answer, "x-sts-sandbox"), None, "{answer:?}");
    }
    assert!(!service.program.written().iter().any(|line| line.contains("SANDBOX")));
}

#[tokio::test]
async fn a_service_with_a_sandbox_bypasses_any_proxy() {
    let proxy = Stub::always(http(403, &[], "")).await;
    let variables = [("HTTP_PROXY", proxy.url.as_str()), ("ALL_PROXY", proxy.url.as_str())];
    let service = Service::with_arguments(&["serve", "--sandbox"], &variables).await;
    assert_eq!(summary(service.verify(&body_of(caller(USER))).await).await, expected(200, "valid", ""));
    assert_eq!(proxy.count(), 0);
}

#[tokio::test]
async fn the_operator_may_allow_fewer_regions_in_the_sandbox() {
    let variables = [("STS_VERIFY_ALLOWED_REGIONS", "us-east-1")];
    let service = Service::with_arguments(&["serve", "--sandbox"], &variables).await;
    let answer = summary(service.verify(&body_of(caller(CHINA))).await).await;
    assert_eq!(answer, expected(400, "", "RegionNotAllowed"));
}

#[tokio::test]
async fn the_sandbox_alone_answers_what_the_service_signs() {
    for format in ["json", "text"] {
        let variables = [("STS_VERIFY_SANDBOX_LISTEN", "127.0.0.1:0"), ("STS_VERIFY_LOG_FORMAT", format)];
        let sandbox = Program::start(&mut command(&["sandbox"], &variables));
        let line = sandbox.line(|line| address_of(line, "sandbox listening").is_some()).await;
        let address = address_of(&line, "sandbox listening").unwrap();
        assert!(sandbox.written().iter().any(|line| line.contains(USER)), "the table is printed");

        let service = Service::asking(&format!("http://{address}"), &[]).await;
        let mut body = body_of(caller(USER));
        assert_eq!(summary(service.verify(&body).await).await, expected(200, "valid", ""));
        body["stsSecretKey"] = "another".into();
        let answer = summary(service.verify(&body).await).await;
        assert_eq!(answer, expected(400, "invalid", "SignatureDoesNotMatch"));

        sandbox.signal("TERM");
        assert_eq!(sandbox.end().await.code, Some(0));
    }
}

/// GetCallerIdentity, signed by the SDK's signer with a caller's access key id and this secret.
fn signed(address: &str, secret: &str) -> Request<Full<&'static [u8]>> {
    const BODY: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";
    let identity = Credentials::new(USER, secret, None, None, "test").into();
    let settings = SigningSettings::default();
    let params =
        SigningParams::builder().identity(&identity).region("us-east-1").name("sts").settings(settings);
    let params = params.time(SystemTime::now()).build().unwrap().into();
    let mut request = Request::post(format!("http://{address}/")).header("host", address).body(()).unwrap();
    let headers = [("host", address)].into_iter();
    let signable =
        SignableRequest::new("POST", request.uri().to_string(), headers, SignableBody::Bytes(BODY)).unwrap();
    sign(signable, &params).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
    *request.uri_mut() = "/".parse().unwrap();
    request.map(|()| Full::new(BODY))
}

async fn connect(address: &str) -> SendRequest<Full<&'static [u8]>> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn the_sandbox_alone_remembers_a_wrong_secret_on_its_connection() {
    let variables = [("STS_VERIFY_SANDBOX_LISTEN", "127.0.0.1:0")];
    let sandbox = Program::start(&mut command(&["sandbox"], &variables));
    let line = sandbox.line(|line| address_of(line, "sandbox listening").is_some()).await;
    let address = address_of(&line, "sandbox listening").unwrap().to_string();
    let mut connections = [connect(&address).await, connect(&address).await];
    let right = &caller(USER).secret_access_key;
    for (connection, secret, status) in [(0, "another", 403), (0, right.as_str(), 403), (1, right, 200)] {
        let response = connections[connection].send_request(signed(&address, secret)).await.unwrap();
        assert_eq!(response.status(), status, "connection {connection}");
        http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
        connections[connection].ready().await.unwrap();
    }
}

#[tokio::test]
async fn the_sandbox_alone_refuses_a_wrong_setting() {
    let end = run(&["sandbox"], &[("STS_VERIFY_SANDBOX_LISTEN", "localhost")]).await;
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{end:?}");
    assert!(end.stderr[0].contains("STS_VERIFY_SANDBOX_LISTEN"), "{end:?}");
}
