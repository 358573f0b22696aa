//! The Lambda interface, as its clients use it.

use crate::helpers::{App, body_of, caller, header};
use base64::Engine as _;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATH: &str = "/2015-03-31/functions/verify/invocations";

async fn invoke(app: &App, payload: impl Into<reqwest::Body>) -> Response {
    app.client.post(app.url(PATH)).body(payload).send().await.unwrap()
}

/// The status of the envelope and the JSON in its body.
async fn unwrap(response: Response) -> (u64, Value) {
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    let envelope: Value = serde_json::from_str(&text).unwrap();
    let names: Vec<_> = envelope.as_object().unwrap().keys().collect();
    assert_eq!(names, ["statusCode", "headers", "body"]);
    assert_eq!(
        envelope["headers"],
        json!({"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"})
    );
    let body = serde_json::from_str(envelope["body"].as_str().unwrap()).unwrap();
    (envelope["statusCode"].as_u64().unwrap(), body)
}

#[tokio::test]
async fn an_event_in_each_form_is_answered_in_the_functions_envelope() {
    let app = App::with_sandbox(&[]).await;
    let event = body_of(caller("ASIASBXROLE00EXAMPLE"));
    let text = event.to_string();
    let encoded = base64::prelude::BASE64_STANDARD.encode(&text);
    // In the format of the command `base64` and of MIME.
    let in_lines = encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap());
    let in_lines = in_lines.collect::<Vec<_>>().join("\r\n") + "\r\n";
    for payload in [
        event.clone(),
        json!({"resource": "/verify", "httpMethod": "POST", "requestContext": {"stage": "v1"}, "body": text}),
        json!({"version": "2.0", "rawPath": "/verify", "requestContext": {}, "body": text, "isBase64Encoded": false}),
        json!({"version": "2.0", "requestContext": {}, "body": encoded, "isBase64Encoded": true}),
        // Python accepts it, too.
        json!({"body": event}),
        json!({"body": event, "isBase64Encoded": true}),
        json!({"body": text, "isBase64Encoded": null}),
        json!({"body": text, "isBase64Encoded": 0}),
        json!({"body": text, "isBase64Encoded": -0.0}),
        json!({"body": text, "isBase64Encoded": ""}),
        json!({"body": text, "isBase64Encoded": []}),
        json!({"body": text, "isBase64Encoded": {}}),
        json!({"body": encoded, "isBase64Encoded": "true"}),
        json!({"body": encoded, "isBase64Encoded": "false"}),
        json!({"body": encoded, "isBase64Encoded": 1}),
        json!({"body": encoded, "isBase64Encoded": 0.5}),
        json!({"body": encoded, "isBase64Encoded": [0]}),
        json!({"body": encoded, "isBase64Encoded": {"a": 0}}),
        json!({"body": in_lines, "isBase64Encoded": true}),
    ] {
        let response = invoke(&app, payload.to_string()).await;
        assert_eq!(header(&response, "x-sts-verdict"), Some("valid"));
        assert_eq!(header(&response, "x-amz-executed-version"), Some("$LATEST"));
        let (status, body) = unwrap(response).await;
        assert_eq!(status, 200);
        assert_eq!(body["aws_res"]["Account"], "123456789012");
    }
}

#[tokio::test]
async fn the_envelope_contains_the_answer_of_verify() {
    let app = App::with_sandbox(&[]).await;
    let expired = body_of(caller("ASIASBXEXPIREEXAMPLE"));
    let (status, body) = unwrap(invoke(&app, expired.to_string()).await).await;
    assert_eq!((status, &body["error_code"]), (400, &json!("ExpiredToken")));
    assert_eq!(body, app.verify(&expired).await.json::<Value>().await.unwrap());
}

#[tokio::test]
async fn a_malformed_event_is_an_envelope_too() {
    let app = App::with_sandbox(&[]).await;
    for (payload, code) in [
        ("", "MissingParameter"),
        ("{}", "MissingParameter"),
        ("[]", "MalformedJson"),
        ("null", "MalformedJson"),
        ("{\"body\":\"no json\"}", "MalformedJson"),
        ("{\"requestContext\":{},\"body\":null}", "MalformedJson"),
        ("{\"requestContext\":{}}", "MalformedJson"),
        ("{\"body\":\"\",\"isBase64Encoded\":true}", "MalformedJson"),
        ("{\"body\":7}", "MalformedJson"),
        ("{\"body\":true}", "MalformedJson"),
        ("{\"body\":[]}", "MalformedJson"),
        ("{\"body\":{}}", "MissingParameter"),
        ("{\"body\":null}", "MissingParameter"),
        ("{\"body\":{},\"body\":\"[]\"}", "MalformedJson"),
        ("{\"body\":\"{}\",\"isBase64Encoded\":\"false\"}", "MalformedJson"),
        ("{\"body\":\"e30\",\"isBase64Encoded\":true}", "MalformedJson"),
        ("{\"body\":\"e3 0=\\n\",\"isBase64Encoded\":true}", "MissingParameter"),
        ("{\"requestContext\":{},\"body\":\"%%%\",\"isBase64Encoded\":true}", "MalformedJson"),
        ("{\"stsAccessKey\":1}", "InvalidParameter"),
    ] {
        let (status, body) = unwrap(invoke(&app, payload).await).await;
        assert_eq!((status, &body["error_code"]), (400, &json!(code)), "{payload}");
        assert_eq!(body["exception"], "ParamValidationError", "{payload}");
    }
}

/// The parts from which Lambda's clients create an exception: its name, its message and the request ID.
async fn assert_refused(response: Response, status: u16, name: &str) {
    assert_eq!(header(&response, "x-amzn-errortype"), Some(name));
    assert!(header(&response, "x-amzn-requestid").is_some(), "{name}");
    assert_eq!(header(&response, "x-amzn-requestid"), header(&response, "x-request-id"), "{name}");
    assert_eq!(header(&response, "access-control-allow-origin"), Some("*"), "{name}");
    assert_eq!(header(&response, "content-type"), Some("application/json"), "{name}");
    assert_eq!(response.status(), status, "{name}");
    let body: Value = response.json().await.unwrap();
    let names: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["Type", "Message"], "{name}");
    assert_eq!(body["Type"], if status < 500 { "User" } else { "Service" }, "{name}");
    assert!(body["Message"].as_str().unwrap().len() > 10, "{name}: {body}");
}

#[tokio::test]
async fn requests_that_lambda_refuses_get_lambdas_error() {
    let app = App::with_sandbox(&["--max-body-bytes=1000"]).await;
    for payload in ["{not json", "{\"a\":1} x", "\u{feff}{"] {
        assert_refused(invoke(&app, payload).await, 400, "InvalidRequestContentException").await;
    }
    let no_text = invoke(&app, b"{\"a\":\"\xff\"}".to_vec()).await;
    assert_refused(no_text, 400, "InvalidRequestContentException").await;
    assert_refused(invoke(&app, " ".repeat(1001)).await, 413, "RequestTooLargeException").await;
    for method in ["GET", "PUT", "DELETE", "BREW"] {
        let response = app.client.request(method.parse().unwrap(), app.url(PATH)).send().await.unwrap();
        assert_eq!(header(&response, "allow"), Some("POST"));
        assert_refused(response, 405, "MethodNotAllowed").await;
    }
    let head = app.client.head(app.url(PATH)).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "x-amzn-errortype")), (405, Some("MethodNotAllowed")));
}

#[tokio::test]
async fn a_payload_that_does_not_arrive_gets_lambdas_error() {
    let app = App::with_sandbox(&["--read-timeout=300ms"]).await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\r\nx-amzn-errortype: RequestTimeoutException\r\n"), "{answer}");
    assert!(answer.contains("\r\nx-amzn-requestid: "), "{answer}");
    assert!(answer.contains("\r\n\r\n{\"Type\":\"User\",\"Message\":\""), "{answer}");
}

#[tokio::test]
async fn every_answer_has_the_requests_id_under_amazons_name() {
    let app = App::with_sandbox(&[]).await;
    let event = body_of(caller("AKIASBXUSER00EXAMPLE")).to_string();
    for (method, kind, body, status) in [
        ("POST", "RequestResponse", event.as_str(), 200),
        ("POST", "RequestResponse", "[]", 200),
        ("POST", "DryRun", "", 204),
        ("OPTIONS", "RequestResponse", "", 200),
    ] {
        let request = app.client.request(method.parse().unwrap(), app.url(PATH)).body(body.to_owned());
        let request = request.header("x-request-id", "mine").header("x-amz-invocation-type", kind);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(header(&response, "x-amzn-requestid"), Some("mine"), "{method} {kind}");
    }
    let elsewhere = app.verify(&body_of(caller("AKIASBXUSER00EXAMPLE"))).await;
    assert_eq!(header(&elsewhere, "x-amzn-requestid"), None);
}

#[tokio::test]
async fn only_invocations_that_are_answered_are_taken() {
    let app = App::with_sandbox(&[]).await;
    let event = body_of(caller("AKIASBXUSER00EXAMPLE")).to_string();
    for (kind, status, error) in [
        ("RequestResponse", 200, None),
        ("DryRun", 204, None),
        ("Event", 400, Some("InvalidParameterValueException")),
        ("Nonsense", 400, Some("InvalidParameterValueException")),
    ] {
        let request =
            app.client.post(app.url(PATH)).header("x-amz-invocation-type", kind).body(event.clone());
        let response = request.send().await.unwrap();
        match error {
            Some(error) => assert_refused(response, status, error).await,
            None => assert_eq!(
                (response.status().as_u16(), header(&response, "x-amzn-errortype")),
                (status, None)
            ),
        }
    }
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let app = App::with_sandbox(&["--lambda=false"]).await;
    assert_eq!(invoke(&app, "{}").await.status(), 404);
    let document: Value = app.get("/openapi.json").await.json().await.unwrap();
    assert!(document["paths"].as_object().unwrap().keys().all(|path| !path.contains("functions")));
}

#[tokio::test]
async fn the_envelope_follows_the_setting_of_cors() {
    let app = App::with_sandbox(&["--cors-origins=https://a.example,https://b.example"]).await;
    let json = "application/json";
    let (none, b) = (
        json!({"Content-Type": json, "Vary": "Origin"}),
        json!({"Content-Type": json, "Access-Control-Allow-Origin": "https://b.example", "Vary": "Origin"}),
    );
    for (event, own, expected) in [
        (json!({}), None, &none),
        (json!({"body": "{}"}), None, &none),
        (json!({"body": "{}", "headers": {"origin": "https://b.example"}}), None, &b),
        (json!({"body": "{}", "headers": {"Origin": "https://b.example"}}), Some("https://a.example"), &b),
        (json!({"body": "{}", "headers": {"origin": "https://evil.example"}}), None, &none),
        (json!({"body": "{}", "headers": {"origin": "*"}}), None, &none),
        (json!({"body": "{}", "headers": {"origin": null}}), None, &none),
        (json!({"body": "{}", "headers": null}), None, &none),
        (json!({"body": "{}", "multiValueHeaders": {"ORIGIN": ["https://b.example"]}}), None, &b),
        (json!({}), Some("https://b.example"), &b),
        (json!({}), Some("https://evil.example"), &none),
    ] {
        let request = app.client.post(app.url(PATH)).body(event.to_string());
        let request = own.map_or(request.try_clone().unwrap(), |own| request.header("origin", own));
        let envelope: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(&envelope["headers"], expected, "{event} {own:?}");
    }
}
