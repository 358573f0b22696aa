//! The pool of connections to STS: their total number is limited, and they are reused after good answers.
//!
//! At most as many connections are open as the operator allows, for all hosts together and idle ones included.
//! A call needs a [`Permit`]; there are as many permits as connections, and the regions share them fairly. With
//! a permit the call takes an idle connection to its host or opens one. If the maximum is open, it closes the
//! connection that has been idle the longest, whatever its host. A call never waits for a connection of another
//! call: while it holds a permit without a connection, at least one of the open connections is idle or is being
//! closed.

use super::ConnectFailure;
use super::fair_semaphore::{FairSemaphore, Permit};
use super::reply::MAX_REPLY_BYTES;
use super::stream::Allowance;
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

/// Shorter than the time after which STS closes an idle connection (measured: about 20 s), so that a call is
/// rarely sent over a connection that is being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// The body of a request.
pub(super) type Body = Full<Bytes>;

/// All connections to STS.
pub(super) struct Pool {
    transport: Transport,
    /// Limits the calls that may use a connection.
    calls: FairSemaphore,
    /// Limits the open connections. The task of each holds a permit until its socket is closed.
    open: Arc<Semaphore>,
    idle: Mutex<Idle>,
    /// The maximum idle time of a connection.
    idle_timeout: Duration,
}

/// The connections that are not in use.
#[derive(Default)]
struct Idle {
    /// In the order in which they were last used.
    connections: VecDeque<IdleConnection>,
    /// Whether a task runs that closes them after the idle timeout.
    has_cleanup_task: bool,
}

struct IdleConnection {
    since: Instant,
    connection: Connection,
}

/// A connection for one request at a time. It is closed on drop.
pub(super) struct Connection {
    /// The number of its host.
    host: usize,
    sender: SendRequest<Body>,
    allowance: Allowance,
    task: AbortHandle,
    /// Whether it comes from the pool: STS may have closed it meanwhile.
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

    /// Waits until a call to the STS of a region may use a connection. Regions are identified by the numbers of
    /// their own hosts.
    pub(super) async fn acquire(&self, region: usize) -> Permit {
        self.calls.acquire(region).await
    }

    /// An idle connection to a host, or a new one, for the holder of a permit.
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
        let allowance = stream.allowance();
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|_| ConnectError::Failed(ConnectFailure::Route))?;
        let task = tokio::spawn(async move {
            // Released after the connection was dropped: locals are dropped in reverse order.
            let _open = open;
            // The call that waits for the answer gets the error of the connection.
            let _ = connection.await;
        });
        Ok(Connection { host, sender, allowance, task: task.abort_handle(), is_reused: false })
    }

    /// Keeps a connection for the next call to its host.
    pub(super) fn keep(self: &Arc<Self>, mut connection: Connection) {
        connection.is_reused = true;
        let idle_connection = IdleConnection { since: Instant::now(), connection };
        let mut idle = self.idle();
        idle.connections.push_back(idle_connection);
        if !std::mem::replace(&mut idle.has_cleanup_task, true) {
            tokio::spawn(close_in_time(Arc::downgrade(self)));
        }
    }

    /// Waits until another connection may be opened. Closes an idle connection if necessary.
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

    /// Closes the connection that has been idle the longest. Connections that STS closed are no longer open and
    /// do not count.
    fn close_oldest(&mut self) {
        while let Some(oldest) = self.connections.pop_front() {
            if !oldest.connection.sender.is_closed() {
                return;
            }
        }
    }

    /// Closes the connections that have been idle for too long. Returns when the next one is due.
    fn close_old(&mut self, after: Duration) -> Option<Instant> {
        while self.connections.pop_front_if(|idle| idle.since.elapsed() >= after).is_some() {}
        let next = self.connections.front().map(|oldest| oldest.since + after);
        self.has_cleanup_task = next.is_some();
        next
    }
}

/// Closes idle connections after their timeout. Runs as long as there are any.
async fn close_in_time(pool: Weak<Pool>) {
    while let Some(next) = pool.upgrade().and_then(|pool| pool.idle().close_old(pool.idle_timeout)) {
        sleep_until(next).await;
    }
}

impl Connection {
    /// Sends a request and waits for the head of the answer. The error contains the request if nothing of it
    /// was sent.
    pub(super) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Body>>> {
        self.allowance.set(MAX_REPLY_BYTES);
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
