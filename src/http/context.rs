//! What a handler knows about a request besides its body.

use crate::callers::CallerId;
use crate::http::connection::ClientConnection;
use crate::http::middleware::client_address::caller_of;
use crate::http::state::AppState;
use crate::observability::SharedRecord;
use crate::sts::WantsRetries;
use axum::extract::Request;
use std::sync::Arc;

/// Made from a request before its body is read.
pub(crate) struct RequestContext {
    /// The caller.
    pub caller: CallerId,
    /// What the log line will contain.
    pub record: SharedRecord,
    /// Whether the caller still wants the call to STS to be tried again.
    pub wants_retries: WantsRetries,
    /// Whether the request waits for a permit. If not, it is rejected when there is none.
    pub waits_for_permit: bool,
}

impl RequestContext {
    pub(crate) fn of(request: &Request, app: &AppState) -> Self {
        Self {
            caller: caller_of(request, app.trusted_proxies),
            record: request.extensions().get().cloned().unwrap_or_default(),
            wants_retries: wants_retries(ClientConnection::of(request)),
            waits_for_permit: false,
        }
    }
}

/// A client that has half-closed its connection may have left: it gets the outcome of the current attempt, and
/// no other attempt is made for it alone.
fn wants_retries(client: ClientConnection) -> WantsRetries {
    Arc::new(move || !client.half_closed())
}
