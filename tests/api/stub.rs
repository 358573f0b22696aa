//! An STS with prescribed answers: a server of raw bytes, for answers that the sandbox does not give.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the stub does with one request.
#[derive(Clone)]
pub enum Reply {
    /// Writes these bytes and keeps the connection open.
    Bytes(Vec<u8>),
    /// Writes these bytes and closes.
    Last(Vec<u8>),
    /// Closes without an answer.
    Close,
    /// Keeps the connection open and sends nothing.
    Silence,
    /// Writes these bytes, then sends nothing more.
    Stall(Vec<u8>),
    /// Does that after it is released.
    Held(watch::Receiver<bool>, Box<Self>),
}

/// A stub that runs until it is dropped.
pub struct Stub {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    /// Answers the n-th request (from 0) with the result of `script`, which also gets the text of the
    /// request.
    pub async fn start(script: impl Fn(usize, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(script);
        let connections = Arc::new(AtomicUsize::new(0));
        let (seen, accepted) = (requests.clone(), connections.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(converse(stream, script.clone(), seen.clone()));
            }
        });
        Self { url, requests, connections, task }
    }

    /// Gives every request the same answer.
    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_, _| reply.clone()).await
    }

    /// Gives these answers in order, and then repeats the last one.
    pub async fn replies(replies: Vec<Reply>) -> Self {
        Self::start(move |n, _| replies[n.min(replies.len() - 1)].clone()).await
    }

    /// The requests so far, heads and bodies.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn converse(
    mut stream: TcpStream,
    script: Arc<impl Fn(usize, &str) -> Reply>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        let mut reply = script(number, &request);
        while let Reply::Held(mut may, then) = reply {
            may.wait_for(|may| *may).await.unwrap();
            reply = *then;
        }
        match reply {
            Reply::Held(..) => unreachable!("it was waited for"),
            Reply::Bytes(bytes) => stream.write_all(&bytes).await.unwrap(),
            Reply::Last(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Reply::Close => return,
            Reply::Silence => std::future::pending().await,
            Reply::Stall(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                std::future::pending::<()>().await;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(head) = text.find("\r\n\r\n") {
            let length = text[..head]
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned))
                .map_or(0, |value| value.trim().parse().unwrap());
            if bytes.len() >= head + 4 + length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// A complete HTTP answer.
pub fn http(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    Reply::Bytes(http_bytes(status, headers, body))
}

pub fn http_bytes(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} Whatever\r\n");
    for (name, value) in headers {
        write!(answer, "{name}: {value}\r\n").unwrap();
    }
    write!(answer, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    answer.into_bytes()
}

/// The recorded success of STS.
pub const IDENTITY: &str = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  \
    <GetCallerIdentityResult>\n    <Arn>arn:aws:iam::123456789012:user/example-user</Arn>\n    \
    <UserId>AIDAXXXXXXXXXXXXXXXXX</UserId>\n    <Account>123456789012</Account>\n  </GetCallerIdentityResult>\n  \
    <ResponseMetadata>\n    <RequestId>1020a616-1656-464c-9563-6690998cea47</RequestId>\n  </ResponseMetadata>\n\
    </GetCallerIdentityResponse>\n";

pub fn identity() -> Reply {
    http(
        200,
        &[("x-amzn-RequestId", "1020a616-1656-464c-9563-6690998cea47"), ("Content-Type", "text/xml")],
        IDENTITY,
    )
}

/// STS's messages for an expired session, an unknown key, and a wrong secret.
pub const EXPIRED: &str = "The security token included in the request is expired";
pub const UNKNOWN_KEY: &str = "The security token included in the request is invalid.";
pub const WRONG_SECRET: &str = "The request signature we calculated does not match the signature you provided. Check \
    your AWS Secret Access Key and signing method. Consult the service documentation for details.";

/// An error in STS's format.
pub fn sts_error(status: u16, code: &str, message: &str) -> Reply {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    \
         <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
         <RequestId>16fc956c-311e-4199-bee1-1680236e9698</RequestId>\n</ErrorResponse>\n"
    );
    http(status, &[("Content-Type", "text/xml")], &body)
}
