//! The routes, and the layers around them in their order.

use crate::config::{CorsOrigins, HttpArgs};
use crate::http::error::{ApiError, Refuse};
use crate::http::middleware::access_log::{REQUEST_ID_HEADER, access_log};
use crate::http::middleware::authentication::{API_KEY_HEADER, KeyGuard, authenticate};
use crate::http::middleware::rate_limit::{CallerGuard, limit_callers};
use crate::http::openapi;
use crate::http::request_head;
use crate::http::routes::verify::{CACHE_STATUS_HEADER, VERDICT_HEADER};
use crate::http::routes::{health, lambda, verify};
use crate::http::state::AppState;
use crate::observability::metrics::{Metrics, TEXT_TYPE};
use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ORIGIN, REFERRER_POLICY,
    RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tower::layer::layer_fn;
use tower::util::MapResponseLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, Any as AnyOrigin, CorsLayer};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The response header that says that nothing is real.
pub const SANDBOX_HEADER: HeaderName = HeaderName::from_static("x-sts-sandbox");

/// Routes with their descriptions.
type Routes = OpenApiRouter<AppState>;

/// How long a browser may remember a preflight; browsers take no more than two hours.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(2);

/// What an answer that is not a page may load: nothing.
const NO_CONTENT_AT_ALL: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// For a year a browser that once had TLS from this host asks for nothing else.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The whole service. `sandbox` says that the STS behind it is the stand-in.
pub fn router(state: AppState, http: &HttpArgs, sandbox: bool) -> Router {
    let (mut routes, mut document) =
        documented_routes(http.lambda, |routes, refuse| guarded(routes, &state, refuse)).split_for_parts();
    openapi::complete(&mut document, sandbox);
    routes = routes.route("/healthz", get(health::readyz)).route("/health", get(health::readyz));
    routes = if http.docs {
        openapi::with_docs(routes, &document)
    } else {
        openapi::with_document(routes, &document)
    };
    if !http.own_metrics_listener() {
        routes = routes.merge(metrics_routes(&state));
    }
    let metrics = state.metrics.clone();
    let routes = routes
        .fallback(no_route)
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .with_state(state);
    with_layers(routes, metrics, http, sandbox)
}

/// What the listener of the metrics serves: these, and health for whoever restarts a process that does not answer. The
/// public listener may have no place for another connection when it is wanted most.
pub fn internal_routes(state: &AppState) -> Router {
    let health = Router::new().route("/livez", get(health::livez)).route("/readyz", get(health::readyz));
    health.with_state(state.clone()).merge(metrics_routes(state)).fallback(no_route)
}

async fn no_route(request: Request) -> ApiError {
    request_head::reason(&request)
}

/// GET /metrics, for the public listener or for one of its own.
fn metrics_routes<S>(state: &AppState) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let metrics = state.metrics.clone();
    Router::new().route("/metrics", get(async move || ([(CONTENT_TYPE, TEXT_TYPE)], metrics.text())))
}

/// The OpenAPI document, as `sts-verify openapi` prints it.
#[must_use]
pub fn document() -> OpenApi {
    let (_, mut document) = documented_routes(true, |routes, _| routes).split_for_parts();
    openapi::complete(&mut document, false);
    document
}

/// The routes of the OpenAPI document: one that is not described cannot be added. Those that ask STS are guarded, and
/// each words a refusal in its own way.
fn documented_routes(lambda: bool, guarded: impl Fn(Routes, Refuse) -> Routes) -> Routes {
    let verify = OpenApiRouter::new().routes(routes!(verify::verify));
    let invoke = OpenApiRouter::new().routes(routes!(lambda::invoke));
    let routes = OpenApiRouter::with_openapi(openapi::base())
        .merge(guarded(verify, ApiError::into_response))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz));
    if lambda { routes.merge(guarded(invoke, lambda::refuse)) } else { routes }
}

/// What a request has to pass before STS is asked for it, from the inside out: the limit counts by the key that
/// authentication found. Nothing has been read of a body by then.
fn guarded(mut routes: Routes, state: &AppState, refuse: Refuse) -> Routes {
    if let Some(limit) = state.callers.clone() {
        let guard = CallerGuard { limit, metrics: state.metrics.clone(), refuse };
        routes = routes.route_layer(from_fn_with_state(guard, limit_callers));
    }
    if let Some(keys) = state.api_keys.clone() {
        let guard = KeyGuard { keys, metrics: state.metrics.clone(), refuse };
        routes = routes.route_layer(from_fn_with_state(guard, authenticate));
    }
    routes
}

/// From the outside in: the first one sees a request first and its answer last. They are one layer to the router, which
/// would box and clone each of several for every request.
fn with_layers(routes: Router, metrics: Arc<Metrics>, http: &HttpArgs, sandbox: bool) -> Router {
    let headers = Arc::new(default_headers(http, sandbox));
    routes.layer((
        layer_fn(move |inner| access_log(inner, metrics.clone())),
        MapResponseLayer::new(move |response| complete(response, &headers)),
        cors(&http.cors_origins),
        // From the body of the next one, which may be the panic's answer, back to axum's.
        MapResponseLayer::new(IntoResponse::into_response),
        CatchPanicLayer::custom(answer_a_panic),
    ))
}

/// What every answer has in its head, unless its handler said otherwise.
fn default_headers(http: &HttpArgs, sandbox: bool) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (CONTENT_SECURITY_POLICY, NO_CONTENT_AT_ALL),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    if http.tls_cert_file.is_some() {
        // RFC 6797, section 7.2: not over plain HTTP.
        headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    if sandbox {
        headers.insert(SANDBOX_HEADER, HeaderValue::from_static("true"));
    }
    headers
}

fn complete(mut response: Response, headers: &HeaderMap) -> Response {
    for (name, value) in headers {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}

fn cors(origins: &CorsOrigins) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::POST])
        .allow_headers([CONTENT_TYPE, REQUEST_ID_HEADER, AUTHORIZATION, API_KEY_HEADER])
        .expose_headers([
            VERDICT_HEADER,
            RETRY_AFTER,
            REQUEST_ID_HEADER,
            SANDBOX_HEADER,
            CACHE_STATUS_HEADER,
            AGE,
        ])
        .max_age(PREFLIGHT_MAX_AGE);
    match origins {
        CorsOrigins::Any => layer.allow_origin(AnyOrigin).vary([]),
        CorsOrigins::List(list) => layer.allow_origin(AllowOrigin::list(list.clone())).vary([ORIGIN]),
    }
}

/// A panic is a fault of ours: the caller is told no more than that, and the hook in [`crate::observability::logs`] logs where.
fn answer_a_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    ApiError::Internal.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use axum::routing::post;
    use clap::Parser as _;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn a_panic_is_answered_as_a_fault_of_ours_and_says_nothing_more() {
        let http = crate::config::Cli::parse_from(["sts-verify"]).serve.http;
        let handler = async || -> Response { panic!("wJalrXUtnFEMI") };
        let routes = with_layers(Router::new().route("/panic", post(handler)), Arc::default(), &http, false);
        let response = routes.oneshot(Request::post("/panic").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(
            text.starts_with("{\"exception\":\"ServiceError\",\"error_code\":\"InternalError\""),
            "{text}"
        );
        assert!(!text.contains("wJalrXUtnFEMI"));
    }
}
