//! How many connections may be open at once, in all and from one address.
//!
//! One above a limit is refused before anything is read, sent or handed to TLS, with an answer where the listener
//! speaks plain HTTP. A probe of a load balancer looks like anybody else by then, so it is refused, too: right for a
//! balancer, which sends what is new elsewhere; wrong for whoever restarts what does not answer. Hence a few more
//! places for connections from this machine (`sts-verify healthcheck`), and health on the listener of the metrics.

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

/// Further connections, for clients on this machine.
const OWN: usize = 4;

/// The places of a listener.
pub(super) struct Connections {
    most: usize,
    in_use: Arc<Semaphore>,
    own: Arc<Semaphore>,
    addresses: Option<Arc<Addresses>>,
    figures: ConnectionFigures,
    refused: LogThrottle,
    limited: LogThrottle,
}

/// The place of one open connection. Given back when this is dropped, which is when the connection is.
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
    /// `per_address`: how many one address may have, if that is limited.
    pub(super) fn new(most: usize, per_address: Option<usize>, figures: ConnectionFigures) -> Self {
        Self {
            most,
            in_use: Arc::new(Semaphore::new(most)),
            own: Arc::new(Semaphore::new(OWN)),
            addresses: per_address.map(|most| Arc::new(Addresses { most, open: Mutex::default() })),
            figures,
            refused: LogThrottle::default(),
            limited: LogThrottle::default(),
        }
    }

    /// The place of a connection from this address, or what its client is told.
    pub(super) fn enter(&self, peer: IpAddr) -> Result<ConnectionPermit, ApiError> {
        let (permit, share) = match self.place(peer) {
            Ok((permit, share)) => (permit, share),
            Err(error) if !peer.to_canonical().is_loopback() => return Err(error),
            Err(error) => (self.own.clone().try_acquire_owned().map_err(|_| error)?, None),
        };
        self.figures.active.inc();
        Ok(ConnectionPermit { _permit: permit, _share: share, figures: self.figures.clone() })
    }

    fn place(&self, peer: IpAddr) -> Result<(OwnedSemaphorePermit, Option<AddressShare>), ApiError> {
        let full = |_| ApiError::ConnectionsOverloaded;
        let permit = self.in_use.clone().try_acquire_owned().map_err(full)?;
        let limited = self.addresses.as_ref();
        let share = limited.map(|addresses| addresses.enter(peer).ok_or(ApiError::TooManyConnections));
        Ok((permit, share.transpose()?))
    }

    /// Closes a connection for which there is no place. Its client is told why if it can read what is `plain`.
    pub(super) fn refuse(&self, stream: TcpStream, error: &ApiError, plain: bool) {
        self.figures.refused.inc();
        if matches!(error, ApiError::TooManyConnections) {
            self.figures.limited.inc();
            self.limited.say(|| warn!("too many connections of one address: its new ones are refused"));
        } else {
            self.refused.say(|| warn!(most = self.most, "too many connections: new ones are refused"));
        }
        if plain {
            answer(stream, error);
        }
    }
}

/// How many connections each address has open. Addresses without any are not in it.
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

/// Nothing here waits: the socket does not block. What has come already is read, because the system resets a
/// connection that is closed on unread bytes, and the answer may be lost then. The answer has no request id: no request was
/// read.
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
        connections.enter(peer.parse().unwrap())
    }

    #[test]
    fn one_address_has_its_share_and_an_ipv6_network_is_one_address() {
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
    fn this_machine_has_some_places_more_in_either_case() {
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
