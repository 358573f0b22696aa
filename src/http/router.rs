//! The routes, and the order of the layers around them.

use crate::config::{CorsOrigins, HttpArgs};
use crate::http::error::ApiError;
use crate::http::gate::{with_empty_headers, with_headers};
use crate::http::middleware::access_log::access_log;
use crate::http::middleware::allowed_hosts::{HostGuard, check_host};
use crate::http::middleware::authentication::{API_KEY_HEADER, KeyGuard, authenticate};
use crate::http::middleware::default_headers::{SANDBOX_HEADER, complete, default_headers};
use crate::http::middleware::rate_limit::{CallerGuard, limit_callers};
use crate::http::middleware::request_id::REQUEST_ID_HEADER;
use crate::http::openapi;
use crate::http::request_head;
use crate::http::routes::{batch, gate, health, lambda, metrics, verify};
use crate::http::state::{AppState, SharedState};
use crate::http::verification::{CACHE_STATUS_HEADER, VERDICT_HEADER};
use crate::observability::metrics::Metrics;
use axum::Router;
use axum::extract::Request;
use axum::http::header::{AGE, AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, Method};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tower::layer::layer_fn;
use tower::util::{MapResponseLayer, option_layer};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, Any as AnyOrigin, CorsLayer};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes with their descriptions.
type Routes = OpenApiRouter<SharedState>;

/// What is counted for a caller's rate limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counted {
    /// The request.
    Request,
    /// Each line of its body, which the handler counts.
    Lines,
}

/// How long a browser may cache a preflight. Browsers use two hours at most.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_hours(2);

/// The headers that a page may send: any. A header gives a request no rights that the page does not have
/// itself: there are no cookies, and the page needs an API key to send one. The star does not include
/// `Authorization` (Fetch, section 3.3.3). The other headers are listed for browsers that do not support the
/// star: our own, those of traces, and those that the AWS SDK sends to a Lambda function.
const REQUEST_HEADERS: [HeaderName; 18] = [
    HeaderName::from_static("*"),
    AUTHORIZATION,
    CONTENT_TYPE,
    REQUEST_ID_HEADER,
    API_KEY_HEADER,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
    HeaderName::from_static("x-amzn-trace-id"),
    HeaderName::from_static("x-amz-date"),
    HeaderName::from_static("x-amz-security-token"),
    HeaderName::from_static("x-amz-content-sha256"),
    HeaderName::from_static("x-amz-user-agent"),
    HeaderName::from_static("x-amz-invocation-type"),
    HeaderName::from_static("x-amz-log-type"),
    HeaderName::from_static("x-amz-client-context"),
    HeaderName::from_static("amz-sdk-invocation-id"),
    HeaderName::from_static("amz-sdk-request"),
];

/// The whole service. `sandbox` says whether the STS behind it is the sandbox.
pub fn router(state: SharedState, http: &HttpArgs, sandbox: bool) -> Router {
    let (mut routes, mut document) =
        documented_routes(http.lambda, !http.own_metrics_listener(), |routes, counted| {
            guarded(routes, counted, &state)
        })
        .split_for_parts();
    document.merge(gate_document());
    openapi::complete(&mut document, sandbox);
    routes = if http.docs {
        openapi::with_docs(routes, &document)
    } else {
        openapi::with_document(routes, &document)
    };
    let metrics = state.metrics.clone();
    let gates = with_layers(gate_routes(&state), metrics.clone(), http, sandbox, None);
    let routes = with_fallbacks(routes).with_state(state);
    let routes = with_layers(routes, metrics, http, sandbox, Some(cors(&http.cors_origins)));
    routes.merge(with_headers(gates))
}

/// The routes of the gates. They have no CORS: the CORS layer would answer a preflight with 200, which opens
/// the gate of a proxy that forwards its client's method. The caller is identified by its address, because
/// gates have no API keys.
fn gate_routes(state: &SharedState) -> Router {
    let mut routes = Router::new();
    for path in gate::ROUTES {
        routes = routes.route(path, any(gate::gate));
    }
    if let Some(guard) = caller_guard(state) {
        routes = routes.route_layer(from_fn_with_state(guard, limit_callers));
    }
    routes.with_state(state.clone())
}

fn caller_guard(state: &AppState) -> Option<CallerGuard> {
    let (metrics, trusted_proxies) = (state.metrics.clone(), state.trusted_proxies);
    state.callers.clone().map(|limit| CallerGuard { limit, trusted_proxies, metrics })
}

/// Answers unknown routes and methods with the common error body.
fn with_fallbacks<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.fallback(no_route).method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
}

async fn no_route(request: Request) -> Response {
    match request_head::reason(&request) {
        // The path is not known if the parser rejected the head. It may be that of a gate.
        Some(error) => with_empty_headers(error.into_response()),
        None => ApiError::NotFound.into_response(),
    }
}

/// The routes of the metrics listener: the metrics, and health for the supervisor that restarts a process that
/// does not answer. The public listener may have no free connection when these are most needed.
pub fn internal_routes(state: &SharedState) -> Router {
    let routes = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::metrics));
    with_fallbacks(routes).with_state(state.clone())
}

/// The OpenAPI document, as `sts-verify openapi` prints it.
#[must_use]
pub fn document() -> OpenApi {
    let (_, mut document) = documented_routes(true, true, |routes, _| routes).split_for_parts();
    document.merge(gate_document());
    openapi::complete(&mut document, false);
    document
}

/// The OpenAPI document of the gates, whose routes accept every method.
fn gate_document() -> OpenApi {
    OpenApiRouter::<SharedState>::new().routes(routes!(gate::gate)).into_openapi()
}

/// The routes of the OpenAPI document. A route without a description cannot be added. Those that call STS are
/// guarded.
fn documented_routes(lambda: bool, metrics: bool, guarded: impl Fn(Routes, Counted) -> Routes) -> Routes {
    let verify = OpenApiRouter::new().routes(routes!(verify::verify));
    let batch = OpenApiRouter::new().routes(routes!(batch::verify_batch));
    let invoke = OpenApiRouter::new().routes(routes!(lambda::invoke));
    let routes = OpenApiRouter::with_openapi(openapi::base())
        .merge(guarded(verify, Counted::Request))
        .merge(guarded(batch, Counted::Lines))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::healthz))
        .routes(routes!(health::health));
    let routes = if metrics { routes.routes(routes!(metrics::metrics)) } else { routes };
    if lambda { routes.merge(guarded(invoke, Counted::Request)) } else { routes }
}

/// Adds the checks that a request must pass before STS is called, from the inside out: the rate limit uses the
/// key that authentication found. They run before any of the body is read.
fn guarded(mut routes: Routes, counted: Counted, state: &AppState) -> Routes {
    if let Some(guard) = caller_guard(state).filter(|_| counted == Counted::Request) {
        routes = routes.route_layer(from_fn_with_state(guard, limit_callers));
    }
    if let Some(keys) = state.api_keys.clone() {
        let (failures, metrics) = (state.failed_authentication.clone(), state.metrics.clone());
        let trusted_proxies = state.trusted_proxies;
        let guard = KeyGuard { keys, failures, trusted_proxies, metrics };
        routes = routes.route_layer(from_fn_with_state(guard, authenticate));
    }
    routes
}

/// The layers from the outside in: the first one sees a request first and its response last. The router sees
/// them as one layer; it would box and clone each separate layer for every request.
fn with_layers(
    mut routes: Router,
    metrics: Arc<Metrics>,
    http: &HttpArgs,
    sandbox: bool,
    cors: Option<CorsLayer>,
) -> Router {
    let headers = Arc::new(default_headers(http, sandbox));
    if let Some(hosts) = http.allowed_hosts.clone() {
        let guard = HostGuard { hosts: Arc::new(hosts), exempt: &health::PATHS };
        routes = routes.layer(from_fn_with_state(guard, check_host));
    }
    routes.layer((
        layer_fn(lambda::speak_as_lambda),
        layer_fn(move |inner| access_log(inner, metrics.clone())),
        MapResponseLayer::new(move |response| complete(response, &headers)),
        option_layer(cors),
        // Converts the body type of the next layer, which may be the panic's response, to axum's.
        MapResponseLayer::new(IntoResponse::into_response),
        CatchPanicLayer::custom(answer_a_panic),
    ))
}

fn cors(origins: &CorsOrigins) -> CorsLayer {
    let layer = CorsLayer::new()
        .allow_methods([Method::POST])
        .allow_headers(REQUEST_HEADERS)
        .expose_headers([
            VERDICT_HEADER,
            RETRY_AFTER,
            REQUEST_ID_HEADER,
            SANDBOX_HEADER,
            CACHE_STATUS_HEADER,
            AGE,
            WWW_AUTHENTICATE,
            lambda::AMAZON_REQUEST_ID,
            lambda::ERROR_TYPE,
            // The SDK looks for it. It is never present: the function always answers.
            HeaderName::from_static("x-amz-function-error"),
            lambda::LOG_RESULT,
            lambda::EXECUTED_VERSION,
        ])
        .max_age(PREFLIGHT_MAX_AGE);
    match origins {
        CorsOrigins::Any => layer.allow_origin(AnyOrigin).vary([]),
        CorsOrigins::List(list) => layer.allow_origin(AllowOrigin::list(list.clone())).vary([ORIGIN]),
    }
}

/// A panic is a fault of this program: the caller learns nothing more, and the hook in
/// [`crate::observability::logs`] logs the location.
fn answer_a_panic(_: Box<dyn Any + Send + 'static>) -> Response {
    ApiError::Internal.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::HeaderMap;
    use axum::http::Request;
    use axum::routing::post;
    use clap::Parser as _;
    use tower::ServiceExt as _;

    /// The response of a route whose handler panics, and its body.
    async fn answer_of_a_panic(route: &str) -> (HeaderMap, String) {
        let http = crate::config::Cli::parse_from(["sts-verify"]).serve.http;
        let handler = async || -> Response { panic!("wJalrXUtnFEMI") };
        let routes = with_layers(
            Router::new().route(route, post(handler)),
            Arc::default(),
            &http,
            false,
            Some(cors(&http.cors_origins)),
        );
        let response = routes.oneshot(Request::post(route).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["access-control-allow-origin"], "*");
        let (head, body) = response.into_parts();
        let body = String::from_utf8(to_bytes(body, 1000).await.unwrap().into()).unwrap();
        assert!(!body.contains("wJalrXUtnFEMI"));
        (head.headers, body)
    }

    #[tokio::test]
    async fn a_panic_is_answered_as_an_internal_error_without_details() {
        let (_, body) = answer_of_a_panic("/panic").await;
        assert!(
            body.starts_with("{\"exception\":\"ServiceError\",\"error_code\":\"InternalError\""),
            "{body}"
        );
    }

    #[tokio::test]
    async fn a_panic_of_an_invocation_is_answered_in_lambdas_format() {
        let (headers, body) = answer_of_a_panic(lambda::PATH).await;
        assert_eq!(headers["x-amzn-errortype"], "ServiceException");
        assert_eq!(headers["x-amzn-requestid"], headers["x-request-id"]);
        assert!(body.starts_with("{\"Type\":\"Service\",\"Message\":\""), "{body}");
    }
}
