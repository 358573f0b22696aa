//! The settings of a sandbox.

use std::{fmt, io, time::SystemTime};

use time::OffsetDateTime;
use tokio::net::TcpListener;

use crate::{caller::Caller, sandbox::Sandbox};

/// The number of requests that a sandbox stores unless [`SandboxBuilder::keep_requests`] sets another.
const KEPT_REQUESTS: usize = 1000;

/// The settings of a sandbox before it starts: [`Sandbox::builder`].
pub struct SandboxBuilder {
    pub(crate) callers: Vec<Caller>,
    pub(crate) remember_wrong_secrets: bool,
    pub(crate) throttle_above: Option<u32>,
    pub(crate) keep_requests: usize,
    pub(crate) clock: Box<dyn Fn() -> OffsetDateTime + Send + Sync>,
}

impl Default for SandboxBuilder {
    fn default() -> Self {
        Self {
            callers: Vec::new(),
            remember_wrong_secrets: false,
            throttle_above: None,
            keep_requests: KEPT_REQUESTS,
            clock: Box::new(OffsetDateTime::now_utc),
        }
    }
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SandboxBuilder").field("callers", &self.callers).finish_non_exhaustive()
    }
}

impl SandboxBuilder {
    /// Adds a caller.
    #[must_use]
    pub fn caller(self, caller: Caller) -> Self {
        self.callers([caller])
    }

    /// Adds callers, such as those of [`table`](crate::table()).
    #[must_use]
    pub fn callers(mut self, callers: impl IntoIterator<Item = Caller>) -> Self {
        self.callers.extend(callers);
        self
    }

    /// Lets STS remember a wrong secret for five seconds, by connection and access key ID: the right secret
    /// over the same connection is then `SignatureDoesNotMatch`, too.
    ///
    /// STS does this. It is off by default, because a test that uses a wrong secret before the right one would
    /// otherwise depend on whether its HTTP client opens a new connection.
    #[must_use]
    pub fn remember_wrong_secrets(mut self) -> Self {
        self.remember_wrong_secrets = true;
        self
    }

    /// Lets STS answer `Throttling` to all requests after the first `requests` in each second of the clock. The
    /// default is no limit.
    #[must_use]
    pub fn throttle_above(mut self, requests: u32) -> Self {
        self.throttle_above = Some(requests);
        self
    }

    /// Sets how many of the newest requests are stored for [`Sandbox::requests`]. The default is 1000.
    #[must_use]
    pub fn keep_requests(mut self, number: usize) -> Self {
        self.keep_requests = number;
        self
    }

    /// Sets the clock of STS, which is used for signatures, remembered wrong secrets, the throttle and web
    /// identity tokens. The default is the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Box::new(move || clock().into());
        self
    }

    /// Starts the sandbox on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// No port is available, or an error of [`start_on`](Self::start_on).
    pub async fn start(self) -> io::Result<Sandbox> {
        self.start_on(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Starts the sandbox on a listener.
    ///
    /// # Errors
    ///
    /// The listener has no address, two callers have the same access key ID, or a caller's region does not have
    /// the form of a region's name.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn start_on(self, listener: TcpListener) -> io::Result<Sandbox> {
        Sandbox::new(self, listener)
    }
}
