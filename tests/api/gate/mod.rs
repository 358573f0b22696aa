//! Gates: the real router at /auth/{policy}, with proofs that are signed as clients sign them. STS is the
//! sandbox or a stub.

mod advisories;
mod cache;
mod callers;
mod policies;
mod presented;
mod statuses;
mod told;

use crate::helpers::{App, caller, start_sandbox};
use crate::proof_makers::{AUDIENCE, Signer};
use reqwest::{Method, RequestBuilder, Response};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Callers of the sandbox.
const USER: &str = "AKIASBXUSER00EXAMPLE";
const ROLE: &str = "ASIASBXROLE00EXAMPLE";
const ROOT: &str = "AKIASBXROOT00EXAMPLE";

/// A policy that lets all callers of the sandbox's main account pass.
pub const ALL: &str = "[policy.p]\naccounts = [\"123456789012\"]\n";

const PROOF: &str = "x-sts-verify-proof";

/// The headers of every answer.
pub const HEADERS: [&str; 9] = [
    "x-sts-account",
    "x-sts-principal",
    "x-sts-arn",
    "x-sts-user-id",
    "x-sts-session-name",
    "x-sts-principal-type",
    "x-sts-partition",
    "x-sts-org-id",
    "x-sts-org-path",
];

/// A policies file that is removed on drop.
pub struct Policies(PathBuf);

impl Policies {
    pub fn new(text: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("gate-{}-{}.toml", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    pub fn flag(&self) -> String {
        format!("--policies-file={}", self.0.display())
    }
}

impl Drop for Policies {
    fn drop(&mut self) {
        // A file that is left over does no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A service with gates that uses this STS, which is also the only issuer of tokens.
async fn gates_asking(sts: &str, policies: &str, flags: &[&str]) -> App {
    let policies = Policies::new(policies);
    let own = [policies.flag(), format!("--audience={AUDIENCE}"), format!("--token-issuers={sts}")];
    let own = own.iter().map(String::as_str).chain(["--allowed-regions=*"]);
    App::asking(sts, &own.chain(flags.iter().copied()).collect::<Vec<_>>()).await
}

/// The same with its own sandbox; also returns the sandbox's URL.
async fn gates_with_sandbox(policies: &str, flags: &[&str]) -> (App, String) {
    let sandbox = start_sandbox().await;
    (gates_asking(&sandbox, policies, flags).await, sandbox)
}

fn signer(access_key_id: &str) -> Signer {
    Signer::of(caller(access_key_id))
}

/// An EKS token of a valid caller.
fn eks(access_key_id: &str) -> String {
    signer(access_key_id).eks_token()
}

fn request(app: &App, method: Method, path: &str) -> RequestBuilder {
    app.client.request(method, app.url(path))
}

/// Calls a gate with a proof.
async fn ask(app: &App, path: &str, proof: &str) -> Response {
    request(app, Method::GET, path).header(PROOF, proof).send().await.unwrap()
}

/// The status and code of an answer. Checks that it has each header once, and no CORS headers.
async fn said(response: Response) -> (u16, String) {
    assert_all_headers(&response);
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    if body.is_empty() {
        return (status, String::new());
    }
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let names: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["exception", "error_code", "error_message"], "{body}");
    (status, body["error_code"].as_str().unwrap().to_owned())
}

fn wanted(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Every answer has all headers; they are empty if the client may not pass. No page may read any answer.
fn assert_all_headers(response: &Response) {
    let status = response.status();
    for name in HEADERS {
        let values: Vec<_> = response.headers().get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "{status}: {name}: {values:?}");
        assert!(status == 200 || values[0].is_empty(), "{status}: {name}: {values:?}");
    }
    let cors = response.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(cors, None, "{status}");
}

/// The values of the headers, in order.
fn values(response: &Response) -> [&str; 9] {
    HEADERS.map(|name| response.headers()[name].to_str().unwrap())
}
