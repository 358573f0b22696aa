//! `sts-verify sandbox`: the STS stand-in by itself.

use super::signals::Signals;
use super::{Failure, bind, print, tokio_listener};
use crate::config::SandboxArgs;
use crate::observability::logs;
use crate::sandbox;
use tracing::info;

/// Serves until a signal ends it.
pub(super) async fn run(args: &SandboxArgs) -> Result<(), Failure> {
    logs::init(&args.log)?;
    let signals = Signals::new()?;
    let listener = bind(args.listen)?;
    print(&sandbox::print_table())?;
    info!(address = %listener.local_addr()?, "sandbox listening");
    let stop = async { _ = signals.into_stop().await };
    sandbox::serve(tokio_listener(listener)?, stop).await?;
    Ok(())
}
