//! `sts-verify serve`: the service.

mod files;

use super::signals::Signals;
use super::{Failure, bind, sandbox};
use crate::config::{ServeArgs, build};
use crate::http::router::{internal_routes, router};
use crate::http::state::AppState;
use crate::observability::{self, logs};
use crate::proof::ProofVerifier;
use crate::server::{self, hardening, reload, take_file_descriptors};
use crate::sts::{StsClientFactory, StsSettings};
use files::{Files, warn_of_role_paths};
use std::net::TcpListener;
use std::sync::Arc;
use tracing::{info, warn};

/// The settings and their files, read and checked.
pub(super) struct Checked {
    sts: StsClientFactory,
    proofs: ProofVerifier,
    files: Files,
    /// The sandbox's listener, when there is one.
    stand_in: Option<TcpListener>,
}

/// Checks all settings before a port opens. `None` if a signal to stop arrives first: if reading a file never
/// ends (a pipe, a file system that hangs), only its thread stays.
pub(super) async fn prepare(args: &ServeArgs, signals: &Signals) -> Result<Option<Checked>, Failure> {
    let args = args.clone();
    let checking = tokio::spawn(async move { check(&args).await });
    tokio::select! {
        checked = checking => Ok(Some(checked??)),
        _ = signals.clone().stop() => Ok(None),
    }
}

/// The sandbox's endpoint is only known with its listener, which is on a free port of loopback and is part of
/// its clients' settings.
async fn check(args: &ServeArgs) -> Result<Checked, Failure> {
    let mut settings: StsSettings = args.sts_settings()?;
    let stand_in = args.sandbox.then(|| TcpListener::bind("127.0.0.1:0")).transpose()?;
    // The sandbox is also the issuer of its tokens.
    let address = stand_in.as_ref().map(TcpListener::local_addr).transpose()?;
    let sandbox_url = address.map(|address| format!("http://{address}"));
    if sandbox_url.is_some() {
        settings.endpoint_url.clone_from(&sandbox_url);
    }
    let proof_settings = args.http.proofs.settings(sandbox_url.as_deref())?;
    let files = Files::load(args, &settings, proof_settings.accept)?;
    let sts = StsClientFactory::new(&settings, &files.transport).await?;
    let proofs = ProofVerifier::new(proof_settings, &settings, &files.transport).await;
    Ok(Checked { sts, proofs, files, stand_in })
}

pub(super) async fn run(args: &ServeArgs, checked: Checked, signals: Signals) -> Result<(), Failure> {
    let Checked { sts, proofs, files, stand_in } = checked;
    let Files { api_keys, tls, policies, redis, exporter, watched, .. } = files;
    logs::init(&args.log)?;
    let exporter = exporter.map(observability::export);
    if let Err(error) = hardening::forbid_core_dumps() {
        warn!(%error, "a crash may leave a core dump with secrets in it");
    }
    // Each request in flight has at most one connection to STS.
    let max_sts_connections = args.sts.max_sts_connections.min(args.http.max_in_flight);
    take_file_descriptors(args.http.limits.max_connections, max_sts_connections);
    let listener = bind(args.listen)?;
    if stand_in.is_some() {
        warn!(
            "SANDBOX: nothing is real; credentials are checked against a table of made-up ones, AWS is not called"
        );
    }
    // It stops on drop, which is after the service.
    let sandbox = stand_in.map(sandbox::start).transpose()?;
    if let Some(sandbox) = &sandbox {
        info!(url = sandbox.url(), "sandbox started");
    }
    info!(address = %listener.local_addr()?, version = build::VERSION, revision = build::REVISION, "listening");
    if tls.is_none() && !listener.local_addr()?.ip().is_loopback() {
        warn!(
            "plain HTTP on an address that others can reach: anybody who can read the traffic can read the credentials; set \
             STS_VERIFY_TLS_CERT_FILE and STS_VERIFY_TLS_KEY_FILE, or put a load balancer with TLS before it"
        );
    }
    if let Some(policies) = &policies {
        warn_of_role_paths(&policies.current(), &[]);
    }
    let state = AppState::new(sts, proofs, &args.http)?.with_api_keys(api_keys).with_redis(redis);
    let state = Arc::new(state.with_policies(policies));
    if let Some(address) = args.http.metrics_listen {
        let listener = bind(address)?;
        info!(address = %listener.local_addr()?, "metrics listening");
        let (routes, http) = (internal_routes(&state), args.http.clone());
        tokio::spawn(async move { server::run_until_dropped(listener, routes, &http).await });
    }
    tokio::spawn(reload::run(signals.hangup.clone(), watched, state.metrics()));
    let routes = router(state.clone(), &args.http, sandbox.is_some());
    let ended = server::run(listener, tls, routes, state, &args.http, signals.stop()).await;
    if let Some(exporter) = exporter {
        exporter.flush().await;
    }
    ended?;
    info!("stopped");
    Ok(())
}
