//! The listener: slow clients are let go, and a stop loses no request.
//!
//! On SIGTERM /readyz turns to 503 while everything is still served, so that load balancers look away (5 s); then
//! the listener closes and requests in flight get time to end (20 s). Both together stay below the 30 s after which
//! Kubernetes and ECS kill. SIGINT, a person's Ctrl-C, skips the first part, and a second signal ends at once.

pub mod hardening;
pub mod reload;
pub mod tls;

mod connections;
mod descriptors;

pub use descriptors::take_file_descriptors;

use crate::config::HttpArgs;
use crate::http::state::AppState;
use crate::observability::LogThrottle;
use crate::observability::metrics::ConnectionFigures;
use crate::server::tls::Tls;
use axum::Router;
use axum_server::Handle;
use axum_server::accept::DefaultAcceptor;
use connections::{Bounded, Connections};
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// The longest head of a request, and what a connection reads ahead at most: all of them together are bounded then.
/// hyper's own bound is 400 KiB.
const READ_BUFFER_BYTES: usize = 32 * 1024;

/// The listener of the metrics is for a scraper and some probes.
const METRICS_CONNECTIONS: usize = 64;

/// Why the process is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: an orchestrator that takes the process out of a load balancer meanwhile.
    Terminate,
    /// SIGINT: a person at a terminal.
    Interrupt,
}

/// Serves, with TLS if there is a certificate, until `stop` resolves and the requests in flight have ended or had their time.
///
/// # Errors
///
/// What the system says about the listener.
pub async fn run(
    listener: TcpListener,
    tls: Option<Tls>,
    routes: Router,
    state: AppState,
    http: &HttpArgs,
    stop: impl Future<Output = Stop>,
) -> io::Result<()> {
    let handle = Handle::<SocketAddr>::new();
    let connections = Connections::new(http.limits.max_connections, state.metrics.connections());
    let serving = serve(listener, tls, routes, http, handle.clone(), connections);
    tokio::pin!(serving);
    let (delay, drain) = (http.stop_delay, http.drain_timeout);
    tokio::select! {
        ended = &mut serving => return ended,
        () = wait_for_stop(stop, &state, delay) => {}
    }
    info!(connections = handle.connection_count(), "draining");
    handle.graceful_shutdown(Some(drain));
    serving.await
}

/// Serves plain HTTP for as long as anybody polls it: for figures that are wanted until the process has ended.
///
/// # Errors
///
/// What the system says about the listener.
pub async fn run_until_dropped(listener: TcpListener, routes: Router, http: &HttpArgs) -> io::Result<()> {
    let connections = Connections::new(METRICS_CONNECTIONS, ConnectionFigures::default());
    serve(listener, None, routes, http, Handle::new(), connections).await
}

async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    routes: Router,
    http: &HttpArgs,
    handle: Handle<SocketAddr>,
    connections: Arc<Connections>,
) -> io::Result<()> {
    let failed = LogThrottle::default();
    let mut server = axum_server::from_tcp(listener)?
        .http1_only()
        // A first request's head has to come soon; between requests a connection may be idle for longer.
        .first_request_timeout(http.read_timeout)
        .handle(handle)
        .acceptor(Bounded::new(DefaultAcceptor, connections, tls.is_none()))
        // axum-server goes on after an error. Without an address it is accept(2)'s: no descriptors left, say.
        .accept_error_handler(move |peer, error| {
            if peer.is_none() {
                failed.say(|| warn!(%error, "connections cannot be accepted"));
            }
        });
    server.http_builder().http1().header_read_timeout(http.keep_alive).max_buf_size(READ_BUFFER_BYTES);
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    match tls {
        // A handshake has as long as a first request's head.
        Some(tls) => server.map(|bounded| tls.acceptor(bounded, http.read_timeout)).serve(routes).await,
        None => server.serve(routes).await,
    }
}

async fn wait_for_stop(stop: impl Future<Output = Stop>, state: &AppState, delay: Duration) {
    let reason = stop.await;
    state.stop();
    info!(reason = ?reason, "stopping");
    if reason == Stop::Terminate {
        tokio::time::sleep(delay).await;
    }
}
