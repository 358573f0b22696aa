//! Examples of requests and of every response. The responses are made by the code that makes the real ones.

use super::error_examples::errors;
use crate::credentials::ValidationError;
use crate::http::error::ApiError;
use crate::http::proof_forms::{proof_forms, token_identity};
use crate::http::spellings::SPELLINGS;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use sts_sandbox::Caller;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, RefOr, Response};

/// Access key ID, secret access key and session token.
type Values = (&'static str, &'static str, Option<&'static str>);

/// The credentials in the AWS documentation, which belong to nobody, with an invented token.
const SESSION: Values = (
    "ASIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    Some("IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUC"),
);

/// A long-term key.
const LONG_TERM: Values = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);

/// One example: its key, a summary, and the JSON.
type Example = (String, String, Value);

/// A request for each spelling and each form of a proof. In the sandbox there is one for each of its callers
/// instead of the proofs: the sandbox examples can be tried out, and a fixed proof would have expired.
pub(super) fn requests(sandbox: bool) -> Vec<Example> {
    let callers = sts_sandbox::table();
    // The first callers of the table have valid credentials.
    let good = |with_token: bool| {
        let caller = callers.iter().filter(|_| sandbox).find(|one| one.session_token.is_some() == with_token);
        let documented = if with_token { SESSION } else { LONG_TERM };
        caller.map_or(documented, credentials)
    };
    let spelled = SPELLINGS.iter().map(|spelling| {
        let (access_key, secret_key, token) = good(spelling.has_token());
        (spelling.name.to_owned(), spelling.who.to_owned(), spelling.example(access_key, secret_key, token))
    });
    let tried = callers.iter().filter(|_| sandbox).map(request_of);
    let proofs = proof_forms().into_iter().filter(|_| !sandbox);
    let proofs = proofs.map(|form| (form.name.to_owned(), form.who.to_owned(), form.example));
    tried.chain(spelled).chain(proofs).collect()
}

fn request_of(caller: &Caller) -> Example {
    let (access_key, secret_key, token) = credentials(caller);
    let mut body = SPELLINGS[0].example(access_key, secret_key, token);
    body["region"] = json!(caller.region);
    (access_key.to_owned(), format!("Sandbox: {}", caller.description), body)
}

fn credentials(caller: &Caller) -> (&str, &str, Option<&str>) {
    (&caller.access_key_id, &caller.secret_access_key, caller.session_token.as_deref())
}

/// An invocation's event in each form.
pub(super) fn events(sandbox: bool) -> Vec<Example> {
    let Some((_, _, body)) = requests(sandbox).into_iter().next() else { return Vec::new() };
    let text = body.to_string();
    vec![
        ("direct".to_owned(), "The credentials themselves".to_owned(), body),
        (
            "rest-api".to_owned(),
            "A proxy event of an API Gateway REST API".to_owned(),
            json!({"resource": "/verify", "httpMethod": "POST", "requestContext": {}, "body": text, "isBase64Encoded": false}),
        ),
        (
            "http-api".to_owned(),
            "A proxy event of an API Gateway HTTP API".to_owned(),
            json!({"version": "2.0", "routeKey": "POST /verify", "requestContext": {}, "body": text, "isBase64Encoded": false}),
        ),
    ]
}

pub(super) fn add_requests(operation: &mut Operation, examples: &[Example]) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    for content in body.content.values_mut() {
        add(content, examples.to_vec());
    }
}

/// Adds an example of each response to the operation for /verify.
pub(super) fn add_responses(operation: &mut Operation) {
    let mut by_status: BTreeMap<String, Vec<Example>> = BTreeMap::new();
    by_status.insert(
        "200".to_owned(),
        vec![
            ("user".to_owned(), "An IAM user, by credentials or a signed request".to_owned(), identity()),
            (
                "web-identity-token".to_owned(),
                "A role, by a web identity token: STS was not called".to_owned(),
                token_identity(),
            ),
        ],
    );
    for (key, error) in errors() {
        let answer = error.answer();
        let summary = answer.body.error_message.as_deref().unwrap_or_default().trim_end().to_owned();
        let examples = by_status.entry(answer.status.as_u16().to_string()).or_default();
        examples.push((key.to_owned(), summary, json!(answer.body)));
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(Response { content, .. }) = response else { continue };
        for content in content.values_mut() {
            add(content, by_status.remove(status).unwrap_or_default());
        }
    }
}

/// Adds a batch of two lines, and its answers in another order.
pub(super) fn add_batch(operation: &mut Operation, requests: &[Example]) {
    let lines = requests.iter().take(2).map(|(_, _, body)| format!("{body}\n"));
    let error = ApiError::Invalid(ValidationError::Missing("stsSecretKey")).answer();
    let answers = [
        json!({"line": 2, "status": error.status.as_u16(), "verdict": null, "retry_after": null, "body": error.body}),
        json!({"line": 1, "status": 200, "verdict": "valid", "retry_after": null, "body": identity()}),
    ];
    let answers = answers.map(|answer| format!("{answer}\n")).concat();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for content in body.content.values_mut() {
            add(
                content,
                vec![("two".to_owned(), "Two lines".to_owned(), json!(lines.clone().collect::<String>()))],
            );
        }
    }
    if let Some(RefOr::T(Response { content, .. })) = operation.responses.responses.get_mut("200") {
        for content in content.values_mut() {
            add(content, vec![("two".to_owned(), "Their answers".to_owned(), json!(answers))]);
        }
    }
}

fn add(content: &mut RefOr<Content>, examples: Vec<Example>) {
    let RefOr::T(content) = content else { return };
    for (key, summary, value) in examples {
        let example = ExampleBuilder::new().summary(summary).value(Some(value)).build();
        content.examples.insert(key, RefOr::T(example));
    }
}

fn identity() -> Value {
    json!({"aws_res": {
        "UserId": "AIDACKCEVSQ6C2EXAMPLE",
        "Account": "123456789012",
        "Arn": "arn:aws:iam::123456789012:user/example-user",
        "ResponseMetadata": {
            "RequestId": "1020a616-1656-464c-9563-6690998cea47",
            "HTTPStatusCode": 200,
            "HTTPHeaders": {
                "x-amzn-requestid": "1020a616-1656-464c-9563-6690998cea47",
                "content-type": "text/xml",
                "content-length": "401",
                "date": "Tue, 13 Jan 2026 00:03:48 GMT"
            },
            "RetryAttempts": 0
        }
    }})
}
