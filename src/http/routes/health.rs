//! What the process says of itself. Nobody else is asked: a brown-out of STS must not take every replica out of a
//! load balancer at once, when each of them could say `indeterminate`.
//!
//! | path | says | used by |
//! |---|---|---|
//! | `GET /livez` | 200 while the process runs, stopping or not | liveness probes, `sts-verify healthcheck` |
//! | `GET /readyz`, `/healthz`, `/health` | 200, and 503 once it was told to stop | readiness probes, load balancers |

use crate::http::state::AppState;
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

/// Is the process alive?
///
/// Whatever else is wrong, and while it is stopping: a restart would help nobody.
#[utoipa::path(get, path = "/livez", operation_id = "livez", tag = "health", responses(
    (status = 200, description = "It is", body = Health),
))]
pub(crate) async fn livez() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// May it be sent requests?
///
/// Asks nobody: STS being down does not make this service unready.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "health", responses(
    (status = 200, description = "It may", body = Health),
    (status = 503, description = "No: it was told to stop", body = Health),
))]
pub(crate) async fn readyz(State(app): State<AppState>) -> (StatusCode, Json<Health>) {
    if app.is_stopping() {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Health { status: "stopping" }))
    } else {
        (StatusCode::OK, Json(Health { status: "ok" }))
    }
}

/// May it be sent requests?
///
/// The same as /readyz, under a name that Kubernetes had before.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "health", responses(
    (status = 200, description = "It may", body = Health),
    (status = 503, description = "No: it was told to stop", body = Health),
))]
pub(crate) async fn healthz(app: State<AppState>) -> (StatusCode, Json<Health>) {
    readyz(app).await
}

/// May it be sent requests?
///
/// The same as /readyz, under a name that many load balancers ask for by default.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "health", responses(
    (status = 200, description = "It may", body = Health),
    (status = 503, description = "No: it was told to stop", body = Health),
))]
pub(crate) async fn health(app: State<AppState>) -> (StatusCode, Json<Health>) {
    readyz(app).await
}
