//! `sts-verify healthcheck`: the container's own health check, since its image has no shell and no curl.

use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::{Request, body::Bytes, header::HOST};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;

/// The longest wait for an answer. Docker's own default for a health check is 30 s.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the /livez of the listener at this address.
///
/// # Errors
///
/// Why it is not alive.
pub async fn run(listener: SocketAddr) -> Result<(), Box<dyn Error + Send + Sync>> {
    tokio::time::timeout(TIMEOUT, ask(reachable(listener))).await?
}

async fn ask(address: SocketAddr) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::get("/livez").header(HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let status = sender.send_request(request).await?.status();
    connection.abort();
    if status.is_success() { Ok(()) } else { Err(format!("/livez answered {status}").into()) }
}

/// An unspecified address is one to listen on, not one to connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
