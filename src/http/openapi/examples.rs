//! Examples of requests and of every response. The responses are made by the code that makes the real ones.

use crate::credentials::ValidationError;
use crate::http::error::ApiError;
use crate::http::proof_forms::{proof_forms, token_identity};
use crate::http::spellings::SPELLINGS;
use crate::proof::ProofError;
use crate::sts::{ConnectFailure, Endpoint, Rejection, StsFailure, Verdict};
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

/// One of every error, under its code, with a suffix where a code has several meanings.
fn errors() -> Vec<(&'static str, ApiError)> {
    let endpoint = || Endpoint::new("https://sts.us-east-1.amazonaws.com");
    let mut errors = vec![
        ("MalformedJson", ApiError::Invalid(ValidationError::MalformedJson)),
        ("MalformedJson-encoding", ApiError::Invalid(ValidationError::NotUtf8)),
        ("MissingParameter", ApiError::Invalid(ValidationError::Missing("stsSecretKey"))),
        ("InvalidParameter", ApiError::Invalid(ValidationError::Invalid("stsAccessKey", "must be a string"))),
        (
            "DuplicateParameter",
            ApiError::Invalid(ValidationError::Duplicate("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")),
        ),
        ("RegionNotAllowed", ApiError::RegionNotAllowed),
        ("IncompleteBody", ApiError::BodyCutOff),
        ("RequestTimeout", ApiError::BodyTimeout),
        ("RequestTooLarge", ApiError::TooLarge),
        ("UnsupportedMediaType", ApiError::UnsupportedMediaType("application/json")),
        ("UnsupportedMediaType-coding", ApiError::UnsupportedContentCoding("gzip")),
        ("MisdirectedRequest", ApiError::MisdirectedRequest),
        ("InternalError", ApiError::Internal),
        (
            "EndpointConnectionError",
            ApiError::Sts(StsFailure::Unreachable(endpoint(), ConnectFailure::Route)),
        ),
        ("ConnectionClosedError", ApiError::Sts(StsFailure::Closed(endpoint()))),
        (
            "ResponseParserError",
            ApiError::Sts(StsFailure::NotSts {
                endpoint: endpoint(),
                status: 200,
                well_formed: false,
                code: None,
            }),
        ),
        ("Unauthorized", ApiError::Unauthorized { has_key: false }),
        ("Unauthorized-wrong", ApiError::Unauthorized { has_key: true }),
        ("RateLimited", ApiError::RateLimited { retry_after: 12 }),
        ("Overloaded", ApiError::Overloaded),
        ("ConnectTimeoutError", ApiError::Sts(StsFailure::ConnectTimeout(endpoint()))),
        ("ReadTimeoutError", ApiError::Sts(StsFailure::ReadTimeout(endpoint()))),
    ];
    errors.extend(proof_errors());
    errors.extend(rejections());
    errors
}

fn rejections() -> impl Iterator<Item = (&'static str, ApiError)> {
    REJECTIONS.into_iter().map(|(key, code, message, status)| {
        let rejection = Rejection {
            code: code.to_owned(),
            message: Some(message.to_owned()),
            status,
            request_id: None,
            verdict: Verdict::Indeterminate,
        };
        (key, ApiError::Rejected(rejection))
    })
}

/// The errors that only proofs have.
fn proof_errors() -> impl Iterator<Item = (&'static str, ApiError)> {
    let proof_errors = ProofError::EXAMPLES.into_iter().map(|error| (error.code(), ApiError::Proof(error)));
    proof_errors.chain([
        ("ProofNotAccepted", ApiError::ProofNotAccepted),
        ("ReplayStoreUnavailable", ApiError::ReplayStoreUnavailable),
    ])
}

/// Recorded errors of STS: a name for the case, code, message, HTTP status.
const REJECTIONS: [(&str, &str, &str, u16); 15] = [
    (
        "InvalidClientTokenId",
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        403,
    ),
    ("ExpiredToken", "ExpiredToken", "The security token included in the request is expired", 403),
    (
        "SignatureDoesNotMatch",
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.",
        403,
    ),
    (
        "SignatureDoesNotMatch-clock",
        "SignatureDoesNotMatch",
        "Signature expired: 20220127T001427Z is now earlier than 20220127T014428Z (20220127T015928Z - 15 min.)",
        403,
    ),
    (
        "SignatureDoesNotMatch-region",
        "SignatureDoesNotMatch",
        "Credential should be scoped to a valid region. ",
        403,
    ),
    (
        "MissingAuthenticationToken",
        "MissingAuthenticationToken",
        "Request is missing Authentication Token",
        403,
    ),
    (
        "IncompleteSignature",
        "IncompleteSignature",
        "Authorization header requires 'Signature' parameter.",
        400,
    ),
    (
        "AccessDenied",
        "AccessDenied",
        "User: arn:aws:iam::123456789012:user/example-user is not authorized to perform: sts:GetCallerIdentity",
        403,
    ),
    ("RequestExpired", "RequestExpired", "Request has expired.", 400),
    (
        "RegionDisabledException",
        "RegionDisabledException",
        "STS is not activated in this region for account:123456789012.",
        403,
    ),
    ("Throttling", "Throttling", "Rate exceeded", 400),
    (
        "InternalFailure",
        "InternalFailure",
        "The request processing has failed because of an unknown error.",
        500,
    ),
    (
        "ServiceUnavailable",
        "ServiceUnavailable",
        "The request has failed due to a temporary failure of the server.",
        503,
    ),
    ("502", "502", "Bad Gateway", 502),
    ("503", "503", "Service Unavailable", 503),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observability::metrics::known_code;

    #[test]
    fn every_error_has_a_series_of_its_own_in_the_metrics() {
        let of_lambda = [ApiError::InvalidRequestContent, ApiError::UnsupportedInvocationType];
        let of_http = [ApiError::NotFound, ApiError::MethodNotAllowed];
        let errors = errors().into_iter().map(|(_, error)| error).chain(of_lambda).chain(of_http);
        for code in errors.map(|error| error.code()) {
            assert_eq!(known_code(&code), code);
        }
    }
}
