//! Proofs with POST /verify and the Lambda interface: acceptance, refusals, calls to STS, coalescing, single
//! use and answers.

mod any_value;
mod asking;
mod forms;
mod malformed;
mod mutations;
mod properties;
mod refusals;
mod settings;
mod single_use;
mod tokens;

use crate::helpers::{App, header, start_sandbox};
use crate::proof_makers::{AUDIENCE, Signer};
use serde_json::{Value, json};

/// A user and a role session of the sandbox.
const USER: &str = "AKIASBXUSER00EXAMPLE";
const ROLE: &str = "ASIASBXROLE00EXAMPLE";

const INVOKE: &str = "/2015-03-31/functions/verify/invocations";

/// The status, exception, code and verdict of an answer.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Said(u64, String, String, Option<String>);

/// The expected answer. The verdict `-` means none.
fn said(status: u64, exception: &str, code: &str, verdict: &str) -> Said {
    let verdict = (verdict != "-").then(|| verdict.to_owned());
    Said(status, exception.to_owned(), code.to_owned(), verdict)
}

fn valid() -> Said {
    said(200, "", "", "valid")
}

fn signer(access_key_id: &str) -> Signer {
    Signer::of(crate::helpers::caller(access_key_id))
}

/// A presigned URL as it is posted.
fn posted(url: &str) -> Value {
    json!({"presigned_url": url})
}

/// A service for [`AUDIENCE`] that uses this STS, which is also the only issuer of tokens.
async fn app_asking(sts: &str, flags: &[&str]) -> App {
    let (audience, issuers) = (format!("--audience={AUDIENCE}"), format!("--token-issuers={sts}"));
    let own = [audience.as_str(), &issuers, "--allowed-regions=*"];
    let name = |flag: &str| flag.split('=').next().unwrap_or_default().to_owned();
    let own = own.into_iter().filter(|flag| !flags.iter().any(|given| name(given) == name(flag)));
    App::asking(sts, &own.chain(flags.iter().copied()).collect::<Vec<_>>()).await
}

/// The same with its own sandbox; also returns the sandbox's URL.
async fn app_with_sandbox(flags: &[&str]) -> (App, String) {
    let sandbox = start_sandbox().await;
    (app_asking(&sandbox, flags).await, sandbox)
}

async fn post(app: &App, body: &Value) -> (Said, Value) {
    let answer = app.verify(body).await;
    let verdict = header(&answer, "x-sts-verdict").map(str::to_owned);
    let status = answer.status().as_u16().into();
    let body: Value = answer.json().await.unwrap();
    (said_in(status, &body, verdict), body)
}

async fn invoke(app: &App, event: &Value) -> (Said, Value) {
    let answer = app.client.post(app.url(INVOKE)).json(event).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let verdict = header(&answer, "x-sts-verdict").map(str::to_owned);
    let envelope: Value = answer.json().await.unwrap();
    let body: Value = serde_json::from_str(envelope["body"].as_str().unwrap()).unwrap();
    (said_in(envelope["statusCode"].as_u64().unwrap(), &body, verdict), body)
}

fn said_in(status: u64, body: &Value, verdict: Option<String>) -> Said {
    if status != 200 {
        let names: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["exception", "error_code", "error_message"], "{body}");
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    Said(status, text("exception"), text("error_code"), verdict)
}

/// Posts a body, invokes the function with it, and invokes it with the body in an event. All three answers
/// have to be the same.
async fn say(app: &App, body: &Value) -> Said {
    let (first, answer) = post(app, body).await;
    let event = json!({"requestContext": {}, "body": body.to_string()});
    for event in [body, &event] {
        let (again, function) = invoke(app, event).await;
        assert_eq!(again, first, "{body}");
        if first.0 != 200 {
            assert_eq!(function, answer, "{body}");
        }
    }
    first
}
