//! The headers of a gate's responses. Every response has all of them.

use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use tower::util::MapResponseLayer;

pub(super) const ACCOUNT: HeaderName = HeaderName::from_static("x-sts-account");
/// The ARN of the principal, without a session.
pub(crate) const PRINCIPAL: HeaderName = HeaderName::from_static("x-sts-principal");
pub(crate) const ARN: HeaderName = HeaderName::from_static("x-sts-arn");
pub(crate) const USER_ID: HeaderName = HeaderName::from_static("x-sts-user-id");
pub(crate) const SESSION_NAME: HeaderName = HeaderName::from_static("x-sts-session-name");
/// `user`, `role`, `federated-user` or `root`.
pub(crate) const PRINCIPAL_TYPE: HeaderName = HeaderName::from_static("x-sts-principal-type");
pub(crate) const PARTITION: HeaderName = HeaderName::from_static("x-sts-partition");
/// The organisation, which only tokens contain.
pub(crate) const ORG_ID: HeaderName = HeaderName::from_static("x-sts-org-id");
/// The paths in the organisation, separated by commas.
pub(crate) const ORG_PATH: HeaderName = HeaderName::from_static("x-sts-org-path");

/// All of them, with their descriptions in the OpenAPI document.
pub(crate) const HEADERS: [(HeaderName, &str); 9] = [
    (ACCOUNT, "The AWS account"),
    (PRINCIPAL, "The ARN of the principal, without a session"),
    (ARN, "The ARN as STS returns it; for a token the ARN of the principal"),
    (USER_ID, "The unique ID as STS returns it; empty for a token"),
    (SESSION_NAME, "The name of a role's session"),
    (PRINCIPAL_TYPE, "user, role, federated-user or root"),
    (PARTITION, "The partition, such as aws or aws-cn"),
    (ORG_ID, "The ID of the organisation; for tokens only"),
    (ORG_PATH, "The paths of the account in its organisation, separated by commas; for tokens only"),
];

/// Adds all of the headers to every response of these routes, empty where there is no value: a proxy copies
/// each of them from the response, so that values that the client sent are replaced.
pub(crate) fn with_headers(routes: Router) -> Router {
    routes.layer(MapResponseLayer::new(with_empty_headers))
}

/// Adds those of the headers that a response does not have.
pub(crate) fn with_empty_headers(mut response: Response) -> Response {
    for (name, _) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(""));
    }
    response
}
