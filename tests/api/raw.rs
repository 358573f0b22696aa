//! A client that writes arbitrary bytes and reads the answers.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    read: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

impl Answer {
    /// Whether the service says that it will close the connection.
    pub fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }

    /// The error's code.
    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).expect("errors are JSON");
        let names: Vec<_> = body.as_object().unwrap().keys().collect();
        assert_eq!(names, ["exception", "error_code", "error_message"]);
        body["error_code"].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), read: Vec::new() }
    }

    /// Sends this on a new connection.
    pub async fn send(address: SocketAddr, text: impl AsRef<[u8]>) -> Self {
        let mut client = Self::connect(address).await;
        client.write(text).await;
        client
    }

    pub async fn write(&mut self, text: impl AsRef<[u8]>) {
        self.stream.write_all(text.as_ref()).await.unwrap();
    }

    /// The next answer, 100 Continue included.
    pub async fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await;
        };
        let head = String::from_utf8(self.read.drain(..end).collect()).unwrap().to_lowercase();
        let length = head.split("\r\ncontent-length: ").nth(1);
        let length = length.map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        while self.read.len() < length {
            self.more().await;
        }
        let body = String::from_utf8_lossy(&self.read.drain(..length).collect::<Vec<_>>()).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body }
    }

    async fn more(&mut self) {
        let count = self.stream.read_buf(&mut self.read).await.unwrap();
        assert_ne!(count, 0, "no whole answer: {}", String::from_utf8_lossy(&self.read));
    }

    /// Everything until the service closes its side, with a FIN or a reset.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.stream.read_buf(&mut self.read).await.is_ok_and(|count| count > 0) {}
        std::mem::take(&mut self.read)
    }

    /// Leaves with a reset, as a process that is killed with unread bytes.
    pub fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// A POST to /verify with these headers, and a body.
pub fn post(headers: &str, body: &str) -> String {
    format!("POST /verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n{body}")
}
