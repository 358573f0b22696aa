//! `sts-verify sandbox`: the sandbox by itself.

use super::signals::Signals;
use super::{Failure, bind, tokio_listener};
use crate::config::SandboxArgs;
use crate::observability::logs;
use std::net::TcpListener;
use sts_sandbox::Sandbox;
use tracing::info;

/// Serves until a signal ends it.
pub(super) async fn run(args: &SandboxArgs, signals: Signals) -> Result<(), Failure> {
    logs::init(&args.log)?;
    let listener = bind(args.listen)?;
    let address = listener.local_addr()?;
    let sandbox = start(listener)?;
    info!(%address, "sandbox listening");
    let hangup = signals.hangup.clone();
    tokio::spawn(async move {
        loop {
            hangup.notified().await;
            info!("SIGHUP: the sandbox has no file to reload");
        }
    });
    sandbox.run_until(async { _ = signals.stop().await }).await?;
    Ok(())
}

/// Prints the sandbox's own callers and starts a sandbox with them. It stores no requests, because it may run
/// for a long time.
pub(super) fn start(listener: TcpListener) -> Result<Sandbox, Failure> {
    let callers = sts_sandbox::table();
    logs::print(&sts_sandbox::render_table(&callers));
    let sandbox = Sandbox::builder().callers(callers).remember_wrong_secrets().keep_requests(0);
    Ok(sandbox.start_on(tokio_listener(listener)?)?)
}
