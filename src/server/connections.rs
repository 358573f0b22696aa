//! How many connections may be open at once.
//!
//! One above the limit is refused before anything is read, sent or handed to TLS, with an answer where the listener
//! speaks plain HTTP. A probe of a load balancer looks like anybody else by then, so it is refused, too: right for a
//! balancer, which sends what is new elsewhere; wrong for whoever restarts what does not answer. Hence a few more
//! places for connections from this machine (`sts-verify healthcheck`), and health on the listener of the metrics.

use crate::observability::LogThrottle;
use crate::observability::metrics::ConnectionFigures;
use axum_server::accept::Accept;
use std::future::Future;
use std::io::{self, Read as _, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::add_extension::AddExtension;
use tracing::warn;

/// Further connections, for clients on this machine.
const OWN: usize = 4;

/// What a client of plain HTTP reads. It has the one shape of errors, and no request id: no request was read.
const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Content-Type: application/json\r\nContent-Length: 124\r\nRetry-After: 1\r\nCache-Control: no-store\r\n\
    Connection: close\r\n\r\n\
    {\"exception\":\"ServiceError\",\"error_code\":\"Overloaded\",\
    \"error_message\":\"As many connections as this service takes are open.\"}";

/// The places of a listener.
pub(crate) struct Connections {
    most: usize,
    in_use: Arc<Semaphore>,
    own: Arc<Semaphore>,
    figures: ConnectionFigures,
    refused: LogThrottle,
}

/// The place of one open connection. Given back when this is dropped, which is when the connection is.
struct ConnectionPermit {
    _permit: OwnedSemaphorePermit,
    figures: ConnectionFigures,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.figures.active.dec();
    }
}

impl Connections {
    pub(crate) fn new(most: usize, figures: ConnectionFigures) -> Arc<Self> {
        let in_use = Arc::new(Semaphore::new(most));
        Arc::new(Self {
            most,
            in_use,
            own: Arc::new(Semaphore::new(OWN)),
            figures,
            refused: LogThrottle::default(),
        })
    }

    fn enter(&self, stream: &TcpStream) -> Option<Arc<ConnectionPermit>> {
        let own = || stream.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
        let permit = match self.in_use.clone().try_acquire_owned() {
            Err(_) if own() => self.own.clone().try_acquire_owned().ok()?,
            permit => permit.ok()?,
        };
        self.figures.active.inc();
        Some(Arc::new(ConnectionPermit { _permit: permit, figures: self.figures.clone() }))
    }

    fn refuse(&self, stream: TcpStream, plain: bool) -> io::Error {
        self.figures.refused.inc();
        self.refused.say(|| warn!(most = self.most, "too many connections: new ones are refused"));
        if plain {
            answer(stream);
        }
        io::ErrorKind::ConnectionRefused.into()
    }
}

/// Nothing here waits: the socket does not block. What has come already is read, because the system resets a
/// connection that is closed on unread bytes, and the answer may be lost then.
fn answer(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write(ANSWER);
    }
}

/// Lets a connection on to `inner` (TLS, perhaps) if there is a place for it.
#[derive(Clone)]
pub(crate) struct Bounded<A> {
    inner: A,
    connections: Arc<Connections>,
    /// Whether what is written as it stands can be read at the other end.
    plain: bool,
}

impl<A> Bounded<A> {
    pub(crate) fn new(inner: A, connections: Arc<Connections>, plain: bool) -> Self {
        Self { inner, connections, plain }
    }
}

/// A connection's place is held by its service, which lives as long as it.
#[derive(Clone)]
pub(crate) struct Held(
    #[expect(dead_code, reason = "dropped, it gives the permit back")] Arc<ConnectionPermit>,
);

impl<A, S> Accept<TcpStream, S> for Bounded<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
{
    type Stream = A::Stream;
    type Service = AddExtension<A::Service, Held>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Some(place) = self.connections.enter(&stream) else {
            let error = self.connections.refuse(stream, self.plain);
            return Box::pin(async move { Err(error) });
        };
        let accepting = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            Ok((stream, AddExtension::new(service, Held(place))))
        })
    }
}
