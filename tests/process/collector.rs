//! A collector of traces for OTLP over HTTP: it accepts posts and keeps every byte.

use crate::program::PATIENCE;
use crate::wire::Server;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// One request, as received.
#[derive(Debug, Clone)]
pub struct Post {
    pub head: String,
    pub body: Vec<u8>,
}

pub struct Collector {
    pub url: String,
    posts: watch::Receiver<Vec<Post>>,
    _server: Server,
}

impl Collector {
    /// A collector that accepts everything.
    pub async fn start() -> Self {
        Self::answering(Some(200)).await
    }

    /// A collector that answers with this status, or never.
    pub async fn answering(status: Option<u16>) -> Self {
        let (posting, posts) = watch::channel(Vec::new());
        let server = Server::start(move |mut stream| {
            let posting = posting.clone();
            async move {
                loop {
                    let post = read_post(&mut stream).await?;
                    posting.send_modify(|posts: &mut Vec<Post>| posts.push(post));
                    let Some(status) = status else { return std::future::pending().await };
                    let answer = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).await?;
                }
            }
        })
        .await;
        Self { url: format!("http://{}", server.address), posts, _server: server }
    }

    /// Waits until this many posts have arrived in total.
    pub async fn was_posted(&self, count: usize) {
        let mut posts = self.posts.clone();
        let come = timeout(PATIENCE, posts.wait_for(|posts| posts.len() >= count)).await;
        come.expect("the service posts").unwrap();
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.borrow().clone()
    }

    /// All spans, in the order in which they ended.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.requests().into_iter();
        let scopes = requests.flat_map(|request| request.resource_spans).flat_map(|of| of.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    /// The resource of the last post.
    pub fn resource(&self) -> BTreeMap<String, String> {
        let last = self.requests().pop().expect("there is a post");
        attributes(&last.resource_spans[0].resource.as_ref().unwrap().attributes)
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let decode = |post: &Post| ExportTraceServiceRequest::decode(post.body.as_slice()).expect("protobuf");
        self.posts().iter().map(decode).collect()
    }
}

/// Attributes as texts, by name.
pub fn attributes(list: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.clone()) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    };
    list.iter().map(|attribute| (attribute.key.clone(), text(&attribute.value))).collect()
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

async fn read_post(stream: &mut TcpStream) -> std::io::Result<Post> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().unwrap();
            if bytes.len() >= end + 4 + length {
                let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
                return Ok(Post { head, body: bytes[end + 4..end + 4 + length].to_vec() });
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
