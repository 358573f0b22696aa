//! The listener: slow clients are let go, and a stop loses no request.
//!
//! On SIGTERM /readyz turns to 503 while everything is still served, so that load balancers look away (5 s); then
//! the listener closes and requests in flight get time to end (20 s). Both together stay below the 30 s after which
//! Kubernetes and ECS kill. SIGINT, a person's Ctrl-C, skips the first part, and a second signal ends at once.

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
use crate::http::state::AppState;
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

/// The listener of the metrics is for a scraper and some probes.
const METRICS_CONNECTIONS: usize = 64;

/// After an error of accept(2) the next connection is waited for as long as this: without a descriptor left, say, it would
/// fail again at once.
const PAUSE: Duration = Duration::from_millis(50);

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
    // The listener is closed. Each connection has a receiver until it has ended.
    info!(connections = announced.receiver_count(), "draining");
    announced.send_replace(Stage::Draining);
    if timeout(http.drain_timeout, announced.closed()).await.is_err() {
        announced.send_replace(Stage::Over);
        announced.closed().await;
    }
    Ok(())
}

/// Serves plain HTTP for as long as anybody polls it: for figures that are wanted until the process has ended.
///
/// # Errors
///
/// What the system says about the listener.
pub async fn run_until_dropped(listener: TcpListener, routes: Router, http: &HttpArgs) -> io::Result<()> {
    let figures = ConnectionFigures::default();
    let connections = Connections::new(METRICS_CONNECTIONS, None, figures.clone());
    let (_stage, watched) = watch::channel(Stage::Serving);
    match accept(listener, connections, Server::new(routes, None, http, figures), watched).await? {}
}

/// Accepts connections for as long as anybody polls it.
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
            Ok((stream, peer)) => match connections.enter(peer.ip()) {
                Ok(permit) => {
                    tokio::spawn(server.clone().serve(stream, peer, stage.clone(), permit));
                }
                Err(error) => connections.refuse(stream, &error, server.is_plain()),
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
