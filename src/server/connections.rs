//! Limits the number of open connections, in all and per address.
//!
//! A connection above a limit is rejected before anything is read, sent or passed to TLS, with a response if
//! the listener uses plain HTTP. A load balancer's probe cannot be recognised at that point, so it is rejected,
//! too: that is right for a balancer, which sends new connections elsewhere, but wrong for a supervisor that
//! restarts a process without an answer. So there are some more permits for connections from this machine
//! (`sts-verify healthcheck`), and the metrics listener answers health, too.

use crate::callers::CallerId;
use crate::http::error::ApiError;
use crate::observability::LogThrottle;
use crate::observability::metrics::ConnectionFigures;
use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

/// The number of additional permits for clients on this machine.
const OWN: usize = 4;

/// The connection permits of a listener.
pub(super) struct Connections {
    most: usize,
    in_use: Arc<Semaphore>,
    own: Arc<Semaphore>,
    addresses: Option<Arc<Addresses>>,
    figures: ConnectionFigures,
    rejected: LogThrottle,
    limited: LogThrottle,
}

/// The permit of one open connection. It is released on drop, which is when the connection ends.
pub(super) struct ConnectionPermit {
    _permit: OwnedSemaphorePermit,
    _share: Option<AddressShare>,
    figures: ConnectionFigures,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.figures.active.dec();
    }
}

impl Connections {
    /// `per_address`: the maximum for one address, if there is one.
    pub(super) fn new(most: usize, per_address: Option<usize>, figures: ConnectionFigures) -> Self {
        Self {
            most,
            in_use: Arc::new(Semaphore::new(most)),
            own: Arc::new(Semaphore::new(OWN)),
            addresses: per_address.map(|most| Arc::new(Addresses { most, open: Mutex::default() })),
            figures,
            rejected: LogThrottle::default(),
            limited: LogThrottle::default(),
        }
    }

    /// The permit for a connection from this address, or the error for its client.
    pub(super) fn acquire(&self, peer: IpAddr) -> Result<ConnectionPermit, ApiError> {
        let (permit, share) = match self.permit_for(peer) {
            Ok((permit, share)) => (permit, share),
            Err(error) if !peer.to_canonical().is_loopback() => return Err(error),
            Err(error) => (self.own.clone().try_acquire_owned().map_err(|_| error)?, None),
        };
        self.figures.active.inc();
        Ok(ConnectionPermit { _permit: permit, _share: share, figures: self.figures.clone() })
    }

    fn permit_for(&self, peer: IpAddr) -> Result<(OwnedSemaphorePermit, Option<AddressShare>), ApiError> {
        let full = |_| ApiError::ConnectionsOverloaded;
        let permit = self.in_use.clone().try_acquire_owned().map_err(full)?;
        let limited = self.addresses.as_ref();
        let share = limited.map(|addresses| addresses.enter(peer).ok_or(ApiError::TooManyConnections));
        Ok((permit, share.transpose()?))
    }

    /// Rejects a connection that got no permit. The client gets the error if it can read plain text (`plain`).
    pub(super) fn reject(&self, stream: TcpStream, error: &ApiError, plain: bool) {
        self.figures.refused.inc();
        if matches!(error, ApiError::TooManyConnections) {
            self.figures.limited.inc();
            self.limited.say(|| warn!("too many connections of one address: its new ones are rejected"));
        } else {
            self.rejected.say(|| warn!(most = self.most, "too many connections: new ones are rejected"));
        }
        if plain {
            answer(stream, error);
        }
    }
}

/// The number of open connections of each address. Addresses without connections are removed.
struct Addresses {
    most: usize,
    open: Mutex<HashMap<CallerId, usize>>,
}

impl Addresses {
    fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<AddressShare> {
        let caller = CallerId::at(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(caller).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(AddressShare { addresses: self.clone(), caller })
    }
}

/// One open connection of an address.
struct AddressShare {
    addresses: Arc<Addresses>,
    caller: CallerId,
}

impl Drop for AddressShare {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

/// This never waits, because the socket does not block. Bytes that have arrived are read: the system resets a
/// connection that is closed with unread bytes, and the response may be lost then. The response has no request
/// id, because no request was read.
fn answer(stream: TcpStream, error: &ApiError) {
    let answer = error.answer();
    let body = serde_json::to_string(&answer.body).unwrap_or_default();
    let text = format!(
        "HTTP/1.1 {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        answer.status,
        body.len(),
        answer.retry_after.unwrap_or(1),
    );
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(connections: &Connections, peer: &str) -> Result<ConnectionPermit, ApiError> {
        connections.acquire(peer.parse().unwrap())
    }

    #[test]
    fn one_address_has_a_limit_and_an_ipv6_network_is_one_address() {
        let connections = Connections::new(100, Some(2), ConnectionFigures::default());
        for peers in [
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"],
            ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3"],
            ["2001:db8:0:2::1", "2001:db8:0:2::2", "2001:db8:0:2::3"],
        ] {
            let [first, second, third] = peers.map(|peer| from(&connections, peer));
            assert!(first.is_ok() && second.is_ok(), "{peers:?}");
            assert_eq!(third.err(), Some(ApiError::TooManyConnections), "{peers:?}");
            drop(first);
            assert!(from(&connections, peers[2]).is_ok(), "{peers:?}");
        }
        assert!(connections.addresses.unwrap().open.lock().unwrap().is_empty());
    }

    #[test]
    fn this_machine_has_some_additional_permits_in_either_case() {
        for (connections, error) in [
            (Connections::new(100, Some(1), ConnectionFigures::default()), ApiError::TooManyConnections),
            (Connections::new(1, None, ConnectionFigures::default()), ApiError::ConnectionsOverloaded),
        ] {
            let open: Vec<_> = (0..=OWN).map(|_| from(&connections, "127.0.0.1").ok().unwrap()).collect();
            assert_eq!(from(&connections, "127.0.0.1").err(), Some(error));
            assert_eq!(usize::try_from(connections.figures.active.get()), Ok(open.len()));
            drop(open);
            assert_eq!(connections.figures.active.get(), 0);
        }
    }
}
