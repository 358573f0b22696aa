//! The OpenAPI document: it equals the committed one, is complete, and matches the service.

use crate::helpers::{App, expected, header, summary};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use sts_verify::credentials::{NAMES, Name, Posted};

#[test]
fn the_committed_document_is_the_one_that_the_code_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/openapi.json");
    let made = sts_verify::http::router::document().to_pretty_json().unwrap() + "\n";
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(made == committed, "cargo run -- openapi > {}", path.display());
}

#[tokio::test]
async fn the_service_serves_it_with_docs_or_without() {
    for (docs, status) in [("--docs=true", 200), ("--docs=false", 404)] {
        let app = App::with_sandbox(&[docs]).await;
        let document: Value = app.get("/openapi.json").await.json().await.unwrap();
        let committed = include_str!("../../openapi/openapi.json");
        assert_eq!(document, serde_json::from_str::<Value>(committed).unwrap());
        assert_eq!(app.get("/docs/").await.status(), status);
    }
}

#[tokio::test]
async fn swagger_ui_comes_from_inside_the_program_under_a_strict_policy() {
    let app = App::with_sandbox(&[]).await;
    let page = app.get("/docs/").await;
    let policy = header(&page, "content-security-policy").unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let html = page.text().await.unwrap();
    for file in html.split('"').filter(|part| part.starts_with("./")) {
        let response = app.get(&format!("/docs/{}", &file[2..])).await;
        assert_eq!(response.status(), 200, "{file}");
        assert_eq!(header(&response, "content-security-policy"), Some(policy.as_str()), "{file}");
    }
}

#[tokio::test]
async fn behind_a_prefix_nothing_leads_to_the_paths_of_another_service() {
    let app = App::with_sandbox(&[]).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let redirect = client.get(app.url("/docs")).send().await.unwrap();
    assert_eq!((redirect.status().as_u16(), header(&redirect, "location")), (303, Some("docs/")));
    let setup = app.get("/docs/swagger-initializer.js").await.text().await.unwrap();
    assert!(setup.contains("\"url\": \"../openapi.json\""), "{setup}");
    let document: Value = app.get("/openapi.json").await.json().await.unwrap();
    let servers = document["servers"].as_array().unwrap();
    assert_eq!(servers.iter().map(|server| server["url"].as_str().unwrap()).collect::<Vec<_>>(), ["."]);
}

#[tokio::test]
async fn every_route_that_is_served_is_described() {
    let document: Value = serde_json::from_str(include_str!("../../openapi/openapi.json")).unwrap();
    let app = App::with_sandbox(&[]).await;
    for path in ["/livez", "/readyz", "/healthz", "/health", "/metrics"] {
        let described = &document["paths"][path]["get"]["responses"]["200"]["content"];
        let response = app.get(path).await;
        let media_type = header(&response, "content-type").unwrap().split(';').next().unwrap();
        assert!(described[media_type].is_object(), "{path}: {media_type} in {described}");
    }
}

fn verify_operation() -> Value {
    let document: Value = serde_json::from_str(include_str!("../../openapi/openapi.json")).unwrap();
    document["paths"]["/verify"]["post"].clone()
}

#[test]
fn there_is_an_example_of_each_spelling_and_each_is_read() {
    let operation = verify_operation();
    let examples = operation["requestBody"]["content"]["application/json"]["examples"].as_object().unwrap();
    let mut seen = BTreeSet::new();
    for (name, example) in examples {
        let value = &example["value"];
        assert!(Posted::from_json(value.to_string().as_bytes()).is_ok(), "{name}");
        let members = value.as_object().unwrap();
        let inner = members.values().filter_map(Value::as_object).flatten();
        seen.extend(
            members
                .iter()
                .chain(inner)
                .filter_map(|(name, _)| Some(Name::parse(name.as_bytes())?.spelling())),
        );
    }
    for known in &NAMES {
        assert!(
            known.spellings.iter().any(|spelling| seen.contains(spelling)),
            "no example has {}",
            known.folded
        );
    }
}

#[tokio::test]
async fn the_example_of_each_form_of_a_proof_is_read_as_one_and_is_too_old() {
    let flags = ["--audience=verify.example.com", "--token-issuers=*"];
    let app = App::asking("http://127.0.0.1:1", &flags).await;
    let operation = verify_operation();
    let examples = &operation["requestBody"]["content"]["application/json"]["examples"];
    for name in [
        "eks-get-token",
        "token-review",
        "token",
        "web-identity-token",
        "presigned-url",
        "presigned-url-camel-case",
        "iam-login",
    ] {
        let answer = app.verify(&examples[name]["value"]).await;
        let too_old = expected(400, "indeterminate", "ProofExpired");
        assert_eq!(summary(answer).await, too_old, "{name}");
    }
    let answer = &operation["responses"]["200"]["content"]["application/json"];
    assert!(answer["examples"]["web-identity-token"]["value"]["claims"].is_object(), "{answer}");
    let forms = answer["schema"]["oneOf"].as_array().unwrap();
    let required: Vec<_> = forms.iter().map(|form| form["allOf"][0]["required"].to_string()).collect();
    assert_eq!(required, [r#"["aws_res"]"#, r#"["aws_res","claims"]"#]);
}

#[test]
fn the_body_of_a_login_may_be_absent_null_or_empty() {
    let document = serde_json::to_value(sts_verify::http::router::document()).unwrap();
    let forms = document["components"]["schemas"]["VerifyRequest"]["anyOf"].as_array().unwrap();
    let login = forms.iter().find(|form| form["properties"]["iam_request_body"].is_object()).unwrap();
    let body = &login["properties"]["iam_request_body"];
    assert_eq!((&body["type"], &body["minLength"]), (&json!(["string", "null"]), &json!(null)));
    assert!(!login["required"].as_array().unwrap().contains(&json!("iam_request_body")));
}

/// The documented error codes.
const CODES: [&str; 41] = [
    "InvalidClientTokenId",
    "ExpiredToken",
    "SignatureDoesNotMatch",
    "MissingAuthenticationToken",
    "IncompleteSignature",
    "AccessDenied",
    "RequestExpired",
    "RegionDisabledException",
    "Throttling",
    "InternalFailure",
    "ServiceUnavailable",
    "503",
    "EndpointConnectionError",
    "ConnectionClosedError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ResponseParserError",
    "MalformedJson",
    "MissingParameter",
    "InvalidParameter",
    "DuplicateParameter",
    "RegionNotAllowed",
    "MisdirectedRequest",
    "UnsupportedMediaType",
    "RequestTooLarge",
    "Unauthorized",
    "Overloaded",
    "RateLimited",
    "InternalError",
    "ProofNotAccepted",
    "AudienceMismatch",
    "ProofExpired",
    "ProofNotYetValid",
    "ProofReplayed",
    "EndpointNotAllowed",
    "RegionMismatch",
    "RequestNotAllowed",
    "IssuerNotAllowed",
    "SignatureMismatch",
    "TokenNotAllowed",
    "ReplayStoreUnavailable",
];

#[test]
fn there_is_an_example_of_each_error_code() {
    let operation = verify_operation();
    let mut codes = BTreeSet::new();
    for (status, response) in operation["responses"].as_object().unwrap() {
        let examples = response["content"]["application/json"]["examples"].as_object();
        let examples = examples.unwrap_or_else(|| panic!("{status} has no example"));
        codes.extend(examples.values().filter_map(|example| example["value"]["error_code"].as_str()));
    }
    for code in CODES {
        assert!(codes.contains(code), "no example of {code}");
    }
}

#[tokio::test]
async fn in_the_sandbox_the_examples_are_its_own_callers_and_work() {
    let url = crate::helpers::start_sandbox().await;
    let endpoint = format!("--endpoint-url-sts={url}");
    let app = App::start(&crate::helpers::settings(&[&endpoint, "--allowed-regions=*"]), true).await;
    let document: Value = app.get("/openapi.json").await.json().await.unwrap();
    let body = &document["paths"]["/verify"]["post"]["requestBody"]["content"]["application/json"];
    let examples = body["examples"].as_object().unwrap();
    for caller in sts_sandbox::table() {
        assert!(examples.contains_key(&caller.access_key_id), "{}", caller.access_key_id);
    }
    for (name, example) in examples.iter().filter(|(name, _)| !name.contains("SBX")) {
        assert_eq!(app.verify(&example["value"]).await.status(), 200, "{name}");
    }
}
