//! SIGHUP: reads again what may change while the process runs, the API keys and the certificate. No connection is dropped
//! for it, and a file that is wrong leaves everything as it was.

use crate::http::state::AppState;
use crate::observability::metrics::ReloadedFile;
use crate::server::tls::Tls;
use std::sync::Arc;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tracing::{error, info};

/// Reads the files again at each notification, for as long as anybody polls it.
pub async fn run(hangup: Arc<Notify>, state: AppState, tls: Option<Tls>) {
    loop {
        hangup.notified().await;
        let (state, tls) = (state.clone(), tls.clone());
        // Not here: a file system that hangs would hang the requests of this thread, too.
        if spawn_blocking(move || reload(&state, tls.as_ref())).await.is_err() {
            error!("reading the files again failed");
        }
    }
}

fn reload(state: &AppState, tls: Option<&Tls>) {
    let keys = state.api_keys.as_ref().and_then(|keys| keys.reload());
    let keys = keys.map(|outcome| outcome.map_err(|error| error.to_string()));
    let chain = tls.map(|tls| tls.reload().map_err(|error| error.to_string()));
    if keys.is_none() && chain.is_none() {
        info!("SIGHUP: there is no file to read again");
    }
    report(state, ReloadedFile::ApiKeys, keys);
    report(state, ReloadedFile::Tls, chain);
}

fn report(state: &AppState, file: ReloadedFile, outcome: Option<Result<usize, String>>) {
    match outcome {
        None => {}
        Some(Ok(entries)) => info!(file = file.as_str(), entries, "read again"),
        Some(Err(error)) => {
            state.metrics.reload_failed(file);
            error!(file = file.as_str(), error, "not read again; what was read before stays in use");
        }
    }
}
