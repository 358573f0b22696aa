//! The Lambda's own interface, as its clients send it.

use crate::helpers::{App, body_of, caller, header};
use base64::Engine as _;
use reqwest::Response;
use serde_json::{Value, json};

const PATH: &str = "/2015-03-31/functions/verify/invocations";

async fn invoke(app: &App, payload: impl Into<reqwest::Body>) -> Response {
    app.client.post(app.url(PATH)).body(payload).send().await.unwrap()
}

/// The envelope's status and the JSON in its body.
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
    for payload in [
        event.clone(),
        json!({"resource": "/verify", "httpMethod": "POST", "requestContext": {"stage": "v1"}, "body": text}),
        json!({"version": "2.0", "rawPath": "/verify", "requestContext": {}, "body": text, "isBase64Encoded": false}),
        json!({"version": "2.0", "requestContext": {}, "body": encoded, "isBase64Encoded": true}),
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
async fn what_verify_would_have_answered_is_in_the_envelope() {
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
        ("{\"requestContext\":{},\"body\":\"%%%\",\"isBase64Encoded\":true}", "MalformedJson"),
        ("{\"stsAccessKey\":1}", "InvalidParameter"),
    ] {
        let (status, body) = unwrap(invoke(&app, payload).await).await;
        assert_eq!((status, &body["error_code"]), (400, &json!(code)), "{payload}");
        assert_eq!(body["exception"], "ParamValidationError", "{payload}");
    }
}

#[tokio::test]
async fn what_lambda_itself_refuses_is_refused_in_lambdas_way() {
    let app = App::with_sandbox(&[]).await;
    let response = invoke(&app, "{not json").await;
    assert_eq!(response.status(), 400);
    assert_eq!(header(&response, "x-amzn-errortype"), Some("InvalidRequestContentException"));
    let body: Value = response.json().await.unwrap();
    let names: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["exception", "error_code", "error_message"]);
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
        assert_eq!(response.status(), status, "{kind}");
        assert_eq!(header(&response, "x-amzn-errortype"), error, "{kind}");
    }
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let app = App::with_sandbox(&["--lambda=false"]).await;
    assert_eq!(invoke(&app, "{}").await.status(), 404);
    let document: Value = app.get("/openapi.json").await.json().await.unwrap();
    assert!(document["paths"].as_object().unwrap().keys().all(|path| !path.contains("functions")));
}
