//! The connections to STS: bounded in all, and reused after good answers.
//!
//! No more connections than the operator allows are open at once, over all hosts and idle ones included. A call needs a
//! [`Permit`], of which there are as many and which the regions share fairly. With it the call takes an idle connection to its host or opens one; if as many
//! are open as allowed, it closes the one that has been idle the longest, to whichever host. A call never waits for a
//! connection of another call: while it holds a permit without a connection, at least one of the open ones is idle or is
//! just being closed.

use super::ConnectFailure;
use super::fair_semaphore::{FairSemaphore, Permit};
use super::stream::Received;
use super::transport::{ConnectError, Route, Transport};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

/// Shorter than the time after which STS's own side closes an idle connection (about 20 s have been seen), so that
/// a call is seldom sent into a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The body of a request.
pub(super) type Body = Full<Bytes>;

/// All connections to STS.
pub(super) struct Pool {
    transport: Transport,
    /// The calls that may use a connection.
    calls: FairSemaphore,
    /// The connections that may be open. The task of each holds a permit until its socket is closed.
    open: Arc<Semaphore>,
    idle: Mutex<Idle>,
    /// How long a connection may be idle.
    idle_timeout: Duration,
}

/// The connections that are not in use.
#[derive(Default)]
struct Idle {
    /// In the order in which they were last used.
    connections: VecDeque<IdleConnection>,
    /// Whether a task closes them in time.
    is_watched: bool,
}

struct IdleConnection {
    since: Instant,
    connection: Connection,
}

/// A connection for one request at a time. It is closed when this is dropped.
pub(super) struct Connection {
    /// The number of the host that it leads to.
    host: usize,
    sender: SendRequest<Body>,
    received: Received,
    task: AbortHandle,
    /// Whether it was idle before: STS may have closed it meanwhile.
    pub(super) is_reused: bool,
}

impl Pool {
    pub(super) fn new(transport: Transport, max_connections: usize, regions: usize) -> Arc<Self> {
        Arc::new(Self {
            transport,
            calls: FairSemaphore::new(max_connections, regions),
            open: Arc::new(Semaphore::new(max_connections)),
            idle: Mutex::default(),
            idle_timeout: IDLE_TIMEOUT,
        })
    }

    /// Waits until a call to the STS of a region may use a connection. Regions are told apart by the numbers of their own hosts.
    pub(super) async fn acquire(&self, region: usize) -> Permit {
        self.calls.acquire(region).await
    }

    /// An idle connection to a host, or a new one. It is for whoever holds the permit.
    pub(super) async fn connection(
        &self,
        _: &Permit,
        host: usize,
        route: &Route,
    ) -> Result<Connection, ConnectError> {
        while let Some(mut connection) = self.take_idle(host) {
            if connection.sender.ready().await.is_ok() {
                return Ok(connection);
            }
        }
        self.connect(host, route).await
    }

    async fn connect(&self, host: usize, route: &Route) -> Result<Connection, ConnectError> {
        let open = self.may_open().await;
        let stream = self.transport.connect(route).await?;
        let received = stream.received();
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|_| ConnectError::Failed(ConnectFailure::Route))?;
        let task = tokio::spawn(async move {
            // Released after the connection is dropped: locals are dropped in reverse order.
            let _open = open;
            // The call that waits for an answer is told how the connection ends.
            let _ = connection.await;
        });
        Ok(Connection { host, sender, received, task: task.abort_handle(), is_reused: false })
    }

    /// Keeps a connection for the next call to its host.
    pub(super) fn keep(self: &Arc<Self>, mut connection: Connection) {
        connection.is_reused = true;
        let idle_connection = IdleConnection { since: Instant::now(), connection };
        let mut idle = self.idle();
        idle.connections.push_back(idle_connection);
        if !std::mem::replace(&mut idle.is_watched, true) {
            tokio::spawn(close_in_time(Arc::downgrade(self)));
        }
    }

    /// Waits until another connection may be opened. An idle one is closed for it if need be.
    async fn may_open(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = self.open.clone().try_acquire_owned() {
                return permit;
            }
            self.idle().close_oldest();
            if let Ok(permit) = self.open.clone().acquire_owned().await {
                return permit;
            }
        }
    }

    fn take_idle(&self, host: usize) -> Option<Connection> {
        self.idle().take(host)
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    /// The connection to a host that was used last.
    fn take(&mut self, host: usize) -> Option<Connection> {
        let newest = self.connections.iter().rposition(|idle| idle.connection.host == host)?;
        self.connections.remove(newest).map(|idle| idle.connection)
    }

    /// Closes the connection that has been idle the longest. One that STS closed is not open any more, and does not count.
    fn close_oldest(&mut self) {
        while let Some(oldest) = self.connections.pop_front() {
            if !oldest.connection.sender.is_closed() {
                return;
            }
        }
    }

    /// Closes the connections that have been idle for too long. Returns when to look again.
    fn close_old(&mut self, after: Duration) -> Option<Instant> {
        while self.connections.pop_front_if(|idle| idle.since.elapsed() >= after).is_some() {}
        let next = self.connections.front().map(|oldest| oldest.since + after);
        self.is_watched = next.is_some();
        next
    }
}

/// Runs as long as there are idle connections.
async fn close_in_time(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.idle().close_old(pool.idle_timeout)) {
        sleep_until(next).await;
    }
}

impl Connection {
    /// Sends a request and waits for the head of the answer. The error has the request in it if nothing of it was sent.
    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        self.received.reset();
        self.sender.try_send_request(request).await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests;
