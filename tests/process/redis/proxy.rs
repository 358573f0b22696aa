//! A proxy to Redis that loses or delays answers.

use crate::wire::Server;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// What happens to the answers of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They are passed on.
    Open,
    /// They are held until the proxy is open again.
    Slow,
    /// Instead of an answer, the connection is closed, this many times. The command has been executed by
    /// then.
    Lossy(usize),
}

/// A proxy on loopback.
pub struct Proxy {
    server: Server,
    way: watch::Sender<Way>,
    port: Arc<AtomicU16>,
    /// The number of connections so far.
    pub connections: Arc<AtomicUsize>,
}

impl Proxy {
    pub async fn before(port: u16) -> Self {
        let (way, seen) = watch::channel(Way::Open);
        let (connections, port) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU16::new(port)));
        let (sender, counted, target) = (way.clone(), connections.clone(), port.clone());
        let server = Server::start(move |client| {
            counted.fetch_add(1, Ordering::Relaxed);
            pass(client, target.load(Ordering::Relaxed), seen.clone(), sender.clone())
        });
        Self { server: server.await, way, port, connections }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.server.address)
    }

    /// From now on connections lead to another Redis.
    pub fn lead_to(&self, port: u16) {
        self.port.store(port, Ordering::Relaxed);
    }

    pub fn turn(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn pass(
    client: TcpStream,
    port: u16,
    mut way: watch::Receiver<Way>,
    sender: watch::Sender<Way>,
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_redis, mut to_redis) = TcpStream::connect(("127.0.0.1", port)).await?.into_split();
    let there = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_redis).await });
    let mut answer = [0; 4096];
    loop {
        let length = from_redis.read(&mut answer).await?;
        let lost = sender.send_if_modified(|way| match way {
            Way::Lossy(times) if length > 0 => {
                *way = if *times > 1 { Way::Lossy(*times - 1) } else { Way::Open };
                true
            }
            _ => false,
        });
        if length == 0 || lost {
            there.abort();
            return Ok(());
        }
        way.wait_for(|way| *way != Way::Slow).await.map_err(std::io::Error::other)?;
        to_client.write_all(&answer[..length]).await?;
    }
}
