//! The minimal cost of signing and calling STS: hyper in, a signature by hand, a pooled client out.
//!
//!     floor LISTEN STS_URL [CA_FILE]
//!
//! It returns the service's answer to valid credentials and does nothing else: it has no checks, limits, log,
//! metrics, retries or wiping, and any error closes the connection. Use it only for this comparison.

use bytes::Bytes;
use floor::{Failure, Pool, pool, question};
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize, Serializer};
use std::{borrow::Cow, sync::Arc};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    sts_access_key: Cow<'a, str>,
    sts_secret_key: Cow<'a, str>,
    sts_session_token: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    aws_res: Identity<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Identity<'a> {
    user_id: &'a str,
    account: &'a str,
    arn: &'a str,
    response_metadata: Metadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata<'a> {
    request_id: &'a str,
    #[serde(rename = "HTTPStatusCode")]
    status: u16,
    #[serde(rename = "HTTPHeaders", serialize_with = "in_order")]
    headers: &'a HeaderMap,
    retry_attempts: u32,
}

fn in_order<S: Serializer>(headers: &HeaderMap, serializer: S) -> Result<S::Ok, S::Error> {
    serializer
        .collect_map(headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default())))
}

fn text<'a>(xml: &'a str, element: &str) -> Result<&'a str, Failure> {
    let inside = xml
        .split_once(element)
        .and_then(|(_, rest)| rest.split_once("</"))
        .ok_or("not an answer of STS's")?;
    Ok(inside.0)
}

async fn verify(
    request: Request<Incoming>,
    pool: Pool,
    url: Arc<str>,
) -> Result<Response<Full<Bytes>>, Failure> {
    let body = request.into_body().collect().await?.to_bytes();
    let asked: Question = serde_json::from_slice(&body)?;
    let question = question(&url, &asked.sts_access_key, &asked.sts_secret_key, asked.sts_session_token)?;
    let (head, body) = pool.request(question).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    let xml = std::str::from_utf8(&body)?;
    let response_metadata = Metadata {
        request_id: text(xml, "<RequestId>")?,
        status: head.status.as_u16(),
        headers: &head.headers,
        retry_attempts: 0,
    };
    let (user_id, account, arn) = (text(xml, "<UserId>")?, text(xml, "<Account>")?, text(xml, "<Arn>")?);
    let answer =
        serde_json::to_vec(&Answer { aws_res: Identity { user_id, account, arn, response_metadata } })?;
    Ok(Response::builder().header(header::CONTENT_TYPE, "application/json").body(Full::from(answer))?)
}

async fn serve(listen: &str, url: Arc<str>, pool: Pool) -> Result<(), Failure> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (pool, url) = (pool.clone(), url.clone());
        let answer = service_fn(move |request| verify(request, pool.clone(), url.clone()));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, url, ca_file @ ..] = &*arguments else {
        return Err("usage: floor LISTEN STS_URL [CA_FILE]".into());
    };
    let pool = pool(ca_file.first().map(String::as_str))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(listen, url.as_str().into(), pool))
}
