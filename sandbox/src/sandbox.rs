//! A running sandbox.

use std::{fmt, io, net::Ipv4Addr, sync::Arc};

use bytes::Bytes;
use http::Request;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
};

use crate::{builder::SandboxBuilder, caller::Caller, server::serve, sts::Sts};

/// A simulated STS that runs until it is dropped. [`builder`](Self::builder) starts one.
pub struct Sandbox {
    url: String,
    sts: Arc<Sts>,
    /// Dropped to stop.
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<io::Result<()>>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// The settings of a new sandbox without callers.
    #[must_use]
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::default()
    }

    pub(crate) fn new(settings: SandboxBuilder, listener: TcpListener) -> io::Result<Self> {
        let mut address = listener.local_addr()?;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let url = format!("http://{address}");
        let sts = Arc::new(Sts::new(settings, url.clone())?);
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(listener, sts.clone(), stopped));
        Ok(Self { url, sts, stop: Some(stop), served })
    }

    /// The URL for `AWS_ENDPOINT_URL_STS` or an SDK's endpoint URL, such as `http://127.0.0.1:43210`. It is
    /// also the issuer of web identity tokens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The callers that the sandbox knows, in the order in which they were added.
    pub fn callers(&self) -> impl Iterator<Item = &Caller> {
        self.sts.callers()
    }

    /// The newest requests to the sandbox, oldest first, as they were received. Includes health checks and
    /// rejected requests.
    #[must_use]
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.sts.requests.all()
    }

    /// Replaces the keys that sign web identity tokens. Like AWS's key IDs, those of the new keys are the same
    /// as those of the old ones. This takes up to a second.
    ///
    /// # Errors
    ///
    /// The system has no randomness or no memory.
    pub async fn rotate_keys(&self) -> io::Result<()> {
        let sts = self.sts.clone();
        let rotated = spawn_blocking(move || sts.issuer.rotate_keys()).await.map_err(io::Error::other)?;
        rotated.map_err(|_| io::Error::other("no new keys can be made"))
    }

    /// Serves until `shutdown` resolves. Then idle connections are closed at once, and responses in progress
    /// have one second.
    ///
    /// # Errors
    ///
    /// The listener can accept no more connections, for a permanent reason.
    pub async fn run_until(mut self, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        tokio::select! {
            ended = &mut self.served => return ended.unwrap_or_else(|error| Err(io::Error::other(error))),
            () = shutdown => {}
        }
        drop(self.stop.take());
        (&mut self.served).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }
}

impl Drop for Sandbox {
    /// Closes the listener and every connection, whatever is in progress, as soon as the runtime processes it.
    fn drop(&mut self) {
        self.served.abort();
    }
}
