//! The listener: it closes the connections of slow clients, and loses no request when it stops.
//!
//! After SIGTERM, /readyz answers 503 while everything is still served, so that load balancers remove the
//! service (5 s). Then the listener closes, and requests in flight get time to end (20 s). Together this is
//! less than the 30 s after which Kubernetes and ECS kill the process. SIGINT (Ctrl-C) skips the first part,
//! and a second signal ends the process at once.

pub mod hardening;
pub mod reload;
pub mod tls;

mod clock;
mod connection;
mod connections;
mod descriptors;
mod exchange;
mod service;
mod transport;
mod wire;

pub use descriptors::take_file_descriptors;

use crate::config::HttpArgs;
use crate::http::state::{AppState, SharedState};
use crate::observability::LogThrottle;
use crate::observability::metrics::ConnectionFigures;
use crate::server::tls::Tls;
use axum::Router;
use connection::{Server, Stage};
use connections::Connections;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

/// The metrics listener is for a scraper and some probes.
const METRICS_CONNECTIONS: usize = 64;

/// The wait after an error of accept(2). Without it, accept would fail again at once, for example if no
/// descriptor is left.
const PAUSE: Duration = Duration::from_millis(50);

/// Why the process stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM: an orchestrator, which also removes the process from a load balancer.
    Terminate,
    /// SIGINT: a person at a terminal.
    Interrupt,
}

/// Serves, with TLS if there is a certificate, until `stop` resolves and the requests in flight have ended or
/// have used up their time.
///
/// # Errors
///
/// The system's error for the listener.
pub async fn run(
    listener: TcpListener,
    tls: Option<Tls>,
    routes: Router,
    state: SharedState,
    http: &HttpArgs,
    stop: impl Future<Output = Stop>,
) -> io::Result<()> {
    let figures = state.metrics.connections();
    let limits = &http.limits;
    let connections =
        Connections::new(limits.max_connections, limits.connections_per_address(), figures.clone());
    let (announced, watched) = watch::channel(Stage::Serving);
    let server = Server::new(routes, tls, http, figures);
    tokio::select! {
        failed = accept(listener, connections, server, watched) => match failed {
            Ok(never) => match never {},
            Err(error) => return Err(error),
        },
        () = wait_for_stop(stop, &state, http.stop_delay) => {}
    }
    // The listener is closed. Each connection has a receiver until it ends.
    info!(connections = announced.receiver_count(), "draining");
    announced.send_replace(Stage::Draining);
    if timeout(http.drain_timeout, announced.closed()).await.is_err() {
        announced.send_replace(Stage::Over);
        announced.closed().await;
    }
    Ok(())
}

/// Serves plain HTTP for as long as it is polled: for metrics, which are needed until the process ends.
///
/// # Errors
///
/// The system's error for the listener.
pub async fn run_until_dropped(listener: TcpListener, routes: Router, http: &HttpArgs) -> io::Result<()> {
    let figures = ConnectionFigures::default();
    let connections = Connections::new(METRICS_CONNECTIONS, None, figures.clone());
    let (_stage, watched) = watch::channel(Stage::Serving);
    match accept(listener, connections, Server::new(routes, None, http, figures), watched).await? {}
}

/// Accepts connections for as long as it is polled.
async fn accept(
    listener: TcpListener,
    connections: Connections,
    server: Server,
    stage: watch::Receiver<Stage>,
) -> io::Result<Infallible> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let (server, failed) = (Arc::new(server), LogThrottle::default());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match connections.acquire(peer.ip()) {
                Ok(permit) => {
                    tokio::spawn(server.clone().serve(stream, peer, stage.clone(), permit));
                }
                Err(error) => connections.reject(stream, &error, server.is_plain()),
            },
            Err(error) => {
                failed.say(|| warn!(%error, "connections cannot be accepted"));
                sleep(PAUSE).await;
            }
        }
    }
}

async fn wait_for_stop(stop: impl Future<Output = Stop>, state: &AppState, delay: Duration) {
    let reason = stop.await;
    state.stop();
    info!(reason = ?reason, "stopping");
    if reason == Stop::Terminate {
        sleep(delay).await;
    }
}
