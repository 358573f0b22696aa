//! What a handler can learn about the connection of a request.

use axum::extract::Request;
use std::sync::Arc;
use tokio::sync::watch;

/// Whether the client of a connection has closed its side. Every request that came over a socket has it in its
/// extensions. Clones share the state.
///
/// The handler of a client that has left is dropped, so there is nothing to check for that case.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientConnection(Arc<watch::Sender<bool>>);

impl ClientConnection {
    /// The state for a request. A request that came over no socket has a client that stays connected.
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// Whether the client has sent a FIN: it sends nothing more, and may or may not wait for its answer. Work
    /// in progress may end and be answered (RFC 9112, section 9.6), but nothing further should be started for
    /// it.
    pub(crate) fn half_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// Called when the client's FIN has arrived.
    pub(crate) fn set_half_closed(&self) {
        self.0.send_replace(true);
    }

    /// Waits for the client's FIN.
    pub(crate) async fn half_close(&self) {
        // This fails only when the sender is gone, but it is owned here.
        let _ = self.0.subscribe().wait_for(|half_closed| *half_closed).await;
    }
}
