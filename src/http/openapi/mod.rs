//! The OpenAPI document, generated from the handlers, and Swagger UI at /docs.
//!
//! The document's paths and schemas come from the annotations on the handlers. This module adds what
//! annotations cannot express: the many spellings of a request, the response headers, and an example for each
//! spelling and each error code. `openapi/openapi.json` is a committed copy; a test checks that the two are
//! equal.

mod error_examples;
mod examples;

use crate::http::error::ApiError;
use crate::http::gate::HEADERS;
use crate::http::middleware::authentication::API_KEY_HEADER;
use crate::http::routes::{batch, gate, lambda};
use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use std::sync::Arc;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContactBuilder, Header, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder,
    PathsBuilder, RefOr, SecurityRequirement, ServerBuilder,
};
use utoipa_swagger_ui::{Config, SwaggerFile};

/// The path of the document.
const DOCUMENT_PATH: &str = "/openapi.json";

/// The path of the document as seen from a page below /docs/. Behind a proxy that adds a prefix to the
/// service's paths, an absolute path would lead to another service.
const DOCUMENT_FROM_DOCS: &str = "../openapi.json";

/// Allows what Swagger UI needs and nothing else. The hash is that of the one inline style sheet of Swagger UI
/// 5.32.6; the conformance suite runs a real browser and fails on any violation.
const DOCS_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; \
     style-src 'self' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const DESCRIPTION: &str = "\
Are these AWS credentials valid, and whose are they? The service asks AWS STS (GetCallerIdentity) with exactly the \
credentials posted to /verify and answers who they belong to, or the error that STS returned.

Mind that Swagger UI shows the curl command of a request with the secrets in it, and browsers keep what is typed: use \
it with credentials that are about to expire, or with the sandbox's.";

const SHARED: &str = "Only if STS was not called for this answer (RFC 9211): `sts-verify; hit; ttl=N` for a cached \
                      answer, `sts-verify; fwd=miss; collapsed` for the answer of a call that was already in progress";

/// The parts of the document that do not come from handlers.
pub(crate) fn base() -> OpenApi {
    let tag = |name: &str, text: &str| TagBuilder::new().name(name).description(Some(text)).build();
    let info = InfoBuilder::new()
        .title("sts-verify")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .contact(Some(ContactBuilder::new().name(Some("The sts-verify authors")).build()))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key. Required if the operator has configured API keys"));
    let own = ApiKeyValue::with_description(API_KEY_HEADER.as_str(), "The same key in a header of its own");
    let proof = ApiKeyValue::with_description(
        "x-sts-verify-proof",
        "A proof, for a gate; `Authorization: Bearer PROOF` is the alternative",
    );
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .security_scheme("apiKey", SecurityScheme::ApiKey(ApiKey::Header(own)))
        .security_scheme("proof", SecurityScheme::ApiKey(ApiKey::Header(proof)))
        .build();
    OpenApiBuilder::new()
        .info(info)
        .paths(PathsBuilder::new().build())
        // The folder of the document, whatever prefix a proxy adds (OpenAPI 3.1, section 4.8.5).
        .servers(Some([ServerBuilder::new().url(".").description(Some("This service")).build()]))
        .security(Some([SecurityRequirement::default()]))
        .tags(Some([
            tag("verify", "Find out from STS whose credentials these are"),
            tag("gate", "Authentication for the proxies of other services"),
            tag("lambda", "The interface of the Lambda function that this service replaces"),
            tag("health", "The state of the process"),
        ]))
        .components(Some(components))
        .build()
}

/// Adds headers and examples. In the sandbox the examples use the sandbox's callers, so that they can be tried
/// out.
pub(crate) fn complete(document: &mut OpenApi, sandbox: bool) {
    for (path, item) in &mut document.paths.paths {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            describe_headers(operation, item_has_verdict(path));
        }
    }
    if let Some(gate) = document.paths.paths.get_mut(gate::PATH).and_then(|item| item.get.as_mut()) {
        describe_gates_headers(gate);
    }
    if let Some(verify) = post(document, "/verify") {
        examples::add_requests(verify, &examples::requests(sandbox));
        examples::add_responses(verify);
    }
    if let Some(batch) = post(document, batch::PATH) {
        examples::add_batch(batch, &examples::requests(sandbox));
    }
    if let Some(invoke) = post(document, lambda::PATH) {
        examples::add_requests(invoke, &examples::events(sandbox));
        describe_lambdas_headers(invoke);
    }
}

fn post<'a>(document: &'a mut OpenApi, path: &str) -> Option<&'a mut Operation> {
    document.paths.paths.get_mut(path)?.post.as_mut()
}

fn item_has_verdict(path: &str) -> bool {
    path == "/verify" || path == lambda::PATH
}

fn describe_headers(operation: &mut Operation, verdicts: bool) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(utoipa::openapi::Response { headers, .. }) = response else { continue };
        let mut add = |name: &str, header: Header| headers.insert(name.to_owned(), RefOr::T(header));
        add(
            "x-request-id",
            text_header(
                "The request's id, which is also in the log; the caller's own id if it has a safe form",
            ),
        );
        if status == "401" {
            add("www-authenticate", text_header("How to authenticate (RFC 6750)"));
        }
        if status == "415" {
            add("accept", text_header("The media type to send, if the request had another one (RFC 9110)"));
            add(
                "accept-encoding",
                text_header("`identity`, if the request had a Content-Encoding (RFC 9110)"),
            );
        }
        if verdicts && matches!(status.as_str(), "200" | "400" | "502" | "504") {
            add("x-sts-verdict", verdict_header());
            add("cache-status", text_header(SHARED));
        }
        if verdicts && matches!(status.as_str(), "200" | "400") {
            add("age", text_header("The age of a cached answer in seconds (RFC 9111)"));
        }
        if verdicts && matches!(status.as_str(), "200" | "400" | "429" | "502" | "503" | "504") {
            add(
                "retry-after",
                text_header("The number of seconds after which to try again, where that may help"),
            );
        }
    }
}

fn describe_lambdas_headers(invoke: &mut Operation) {
    for (status, response) in &mut invoke.responses.responses {
        let RefOr::T(utoipa::openapi::Response { headers, .. }) = response else { continue };
        let mut add = |name: HeaderName, text: &str| {
            headers.insert(name.as_str().to_owned(), RefOr::T(text_header(text)));
        };
        add(lambda::AMAZON_REQUEST_ID, "The same id as in x-request-id");
        if status == "200" {
            add(lambda::EXECUTED_VERSION, "Always $LATEST");
            add(lambda::LOG_RESULT, "For x-amz-log-type Tail: the request's line in the log, in base64");
        }
        if status.starts_with(['4', '5']) {
            add(lambda::ERROR_TYPE, "The name of the error");
        }
    }
}

fn describe_gates_headers(gate: &mut Operation) {
    for (status, response) in &mut gate.responses.responses {
        let RefOr::T(utoipa::openapi::Response { headers, .. }) = response else { continue };
        let mut add = |name: &str, text: &str| headers.insert(name.to_owned(), RefOr::T(text_header(text)));
        for (name, text) in HEADERS {
            add(name.as_str(), text);
        }
        if matches!(status.as_str(), "429" | "503") {
            add("retry-after", "The number of seconds after which to try again");
        }
    }
}

fn text_header(description: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

fn verdict_header() -> Header {
    let words = ["valid", "invalid", "indeterminate"];
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
    let description = "The verdict on the credentials; absent when STS was not called. Indeterminate means that \
                       it could not be found out";
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}

/// Serves only the document.
pub(crate) fn with_document<S>(routes: Router<S>, document: &OpenApi) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    // A document of strings and maps always serializes. Responses share the bytes, so an unread response takes
    // no memory of its own.
    let json = Bytes::from(document.to_json().unwrap_or_default());
    routes.route(DOCUMENT_PATH, get(async move || ([(CONTENT_TYPE, "application/json")], json)))
}

/// Serves the document and Swagger UI, whose files are part of this program: nothing is loaded from elsewhere.
pub(crate) fn with_docs<S>(routes: Router<S>, document: &OpenApi) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let config = Config::new([DOCUMENT_FROM_DOCS])
        .try_it_out_enabled(true)
        .display_request_duration(true)
        .validator_url("none");
    let config = Arc::new(config);
    let page = get(move |uri: Uri| async move { docs_file(uri.path(), config) });
    let policy = SetResponseHeaderLayer::overriding(CONTENT_SECURITY_POLICY, DOCS_POLICY);
    let docs = Router::new()
        // Relative, for the same reason.
        .route("/docs", get(async || (StatusCode::SEE_OTHER, [(LOCATION, "docs/")])))
        .route("/docs/", page.clone())
        .route("/docs/{*rest}", page);
    with_document(routes, document).merge(docs.layer(policy))
}

/// A file of Swagger UI. The path is used without decoding: no file has a name that needs escapes.
fn docs_file(path: &str, config: Arc<Config<'static>>) -> Response {
    let name = path.strip_prefix("/docs/").unwrap_or_default();
    match utoipa_swagger_ui::serve(name, config) {
        Ok(Some(SwaggerFile { bytes, content_type, .. })) => {
            ([(CONTENT_TYPE, content_type)], bytes).into_response()
        }
        Ok(None) => ApiError::NotFound.into_response(),
        Err(_) => ApiError::Internal.into_response(),
    }
}
