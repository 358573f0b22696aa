//! The health of the process. It does not depend on others: while STS fails, a load balancer must not lose
//! every replica at once, because each of them can still answer `indeterminate`.
//!
//! | path | answer | used by |
//! |---|---|---|
//! | `GET /livez` | 200 while the process runs, stopping or not | liveness probes, `sts-verify healthcheck` |
//! | `GET /readyz`, `/healthz`, `/health` | 200, and 503 while it is stopping | readiness probes, load balancers |

use crate::http::state::SharedState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The routes of this file.
pub(crate) const PATHS: [&str; 4] = ["/livez", "/readyz", "/healthz", "/health"];

/// The state of the process.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(value_type = String, example = "ok")]
    status: &'static str,
}

/// Liveness
///
/// 200 while the process runs, also while it is stopping and whatever else fails: a restart would not help.
#[utoipa::path(get, path = "/livez", operation_id = "livez", tag = "health", responses(
    (status = 200, description = "The process runs", body = Health),
))]
pub(crate) async fn livez() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Readiness
///
/// 200 if the service accepts requests. It does not depend on STS.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "health", responses(
    (status = 200, description = "The service accepts requests", body = Health),
    (status = 503, description = "The service is stopping", body = Health),
))]
pub(crate) async fn readyz(State(app): State<SharedState>) -> (StatusCode, Json<Health>) {
    if app.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "stopping" }))
    } else {
        (StatusCode::OK, Json(Health { status: "ok" }))
    }
}

/// Readiness
///
/// The same as /readyz, under a name from earlier versions of Kubernetes.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "health", responses(
    (status = 200, description = "The service accepts requests", body = Health),
    (status = 503, description = "The service is stopping", body = Health),
))]
pub(crate) async fn healthz(app: State<SharedState>) -> (StatusCode, Json<Health>) {
    readyz(app).await
}

/// Readiness
///
/// The same as /readyz, under the default name of many load balancers.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "health", responses(
    (status = 200, description = "The service accepts requests", body = Health),
    (status = 503, description = "The service is stopping", body = Health),
))]
pub(crate) async fn health(app: State<SharedState>) -> (StatusCode, Json<Health>) {
    readyz(app).await
}
