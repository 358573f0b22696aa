//! `sts-verify sandbox`: the STS stand-in by itself.

use super::signals::Signals;
use super::{Failure, bind, tokio_listener};
use crate::config::SandboxArgs;
use crate::observability::logs;
use crate::sandbox;
use tracing::info;

/// Serves until a signal ends it.
pub(super) async fn run(args: &SandboxArgs, signals: Signals) -> Result<(), Failure> {
    logs::init(&args.log)?;
    let listener = bind(args.listen)?;
    logs::print(&sandbox::print_table());
    info!(address = %listener.local_addr()?, "sandbox listening");
    let hangup = signals.hangup.clone();
    tokio::spawn(async move {
        loop {
            hangup.notified().await;
            info!("SIGHUP: the sandbox has no file to read again");
        }
    });
    let stop = async { _ = signals.stop().await };
    sandbox::serve(tokio_listener(listener)?, stop).await?;
    Ok(())
}
