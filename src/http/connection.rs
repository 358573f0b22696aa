//! What a handler may know of the connection that a request came on.

use axum::extract::Request;
use std::sync::Arc;
use tokio::sync::watch;

/// Whether the client of a connection has ended its side. It is in the extensions of every request that came over a socket.
/// Clones share what is known.
///
/// There is nothing to ask about a client that has left: the handler of its request is dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientConnection(Arc<watch::Sender<bool>>);

impl ClientConnection {
    /// That of a request. A request that came over no socket has one whose client stays.
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// Whether the client has sent a FIN: it sends nothing more, and may or may not wait for its answer. Work that is
    /// under way may end and be answered (RFC 9112, section 9.6), and nothing further should be begun for it.
    pub(crate) fn half_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// The client's FIN has come.
    pub(crate) fn set_half_closed(&self) {
        self.0.send_replace(true);
    }

    /// Waits for the client's FIN.
    pub(crate) async fn half_close(&self) {
        // It fails only when the sender is gone, which is here.
        let _ = self.0.subscribe().wait_for(|half_closed| *half_closed).await;
    }
}
