//! An STS stand-in for first steps, demonstrations and tests, for this service and for any AWS SDK or tool through
//! `AWS_ENDPOINT_URL_STS`.
//!
//! It is faithful where a stand-in usually is not. The signature is recomputed from the bytes received; the clock, the
//! scope, the token and expiry are checked in STS's order; answers are byte for byte those that were recorded. So what
//! works here works there, and every way in which STS says no can be met on a laptop. Nothing in it is real, though:
//! it knows only the callers of its own [`table()`], whose credentials are invented and printed on start.
//!
//! The way of a request, each arrow a module that knows nothing of those to its left:
//!
//! ```text
//! mod (HTTP) ─▶ respond ─▶ claim    the form: who signed, when, for where
//!                       ─▶ check    clock, scope, key and token, expiry, signature (sigv4)
//!                       ─▶ table    what the row does (rows)
//!                       ─▶ answer   XML or JSON (refusal)
//! ```
//!
//! Of what was received only the ends of an access key id and the name of a region are ever logged.

mod answer;
mod check;
mod claim;
mod refusal;
mod request;
mod respond;
mod rows;
mod sigv4;
mod table;
#[cfg(test)]
mod tests;

use std::{io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use time::OffsetDateTime;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use self::{request::Received, respond::Sandbox};

pub use self::table::{Caller, print_table, table};

/// A request to STS is a few hundred bytes, a few thousand with a long token; the rest is a mistake.
const BODY_LIMIT: usize = 64 * 1024;

/// How long a client may take for a request's head, and how long a connection may be idle: longer than the SDKs keep
/// theirs (20 s), so that it is always they who close.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take for a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long answers that are under way when the sandbox stops may take. The silent row's never come.
const GRACE: Duration = Duration::from_secs(1);

/// Why a connection is closed without an answer. hyper closes when a service fails, which is what each of these wants.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("the caller's row says so")]
    HangUp,
    #[error("the body took too long")]
    SlowBody,
    #[error("the body is over the limit or broke off")]
    BadBody,
}

/// Serves the sandbox on `listener` until `shutdown` resolves; then idle connections are closed at once, and answers
/// under way get a second.
///
/// # Errors
///
/// When `listener` can accept no more, for a reason that will not pass.
pub async fn serve(listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let sandbox = Arc::new(Sandbox::default());
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => _ = connections.spawn(connection(stream, sandbox.clone(), stopped.clone())),
                Err(error) => survive(error).await?,
            },
        }
    }
    drop((listener, stop));
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, drained).await.is_err() {
        debug!("connections cut off at the end of the sandbox");
    }
    Ok(())
}

/// Takes an error of `accept` that concerns one connection, or that will pass, for what it is.
async fn survive(error: io::Error) -> io::Result<()> {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    /// `ENFILE` and `EMFILE`: the system, or this process, has no file descriptor left.
    const OUT_OF_DESCRIPTORS: [i32; 2] = [23, 24];

    match (error.kind(), error.raw_os_error()) {
        (ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted, _) => Ok(()),
        (_, Some(number)) if OUT_OF_DESCRIPTORS.contains(&number) => {
            warn!(%error, "the sandbox cannot take a connection just now");
            // Nothing tells when one is free again.
            sleep(Duration::from_millis(100)).await;
            Ok(())
        }
        _ => Err(error),
    }
}

async fn connection(stream: TcpStream, sandbox: Arc<Sandbox>, mut stopped: watch::Receiver<()>) {
    // Only delays an answer when it fails.
    _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(sandbox.clone(), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        debug!(%error, "a connection to the sandbox ended early");
    }
}

async fn answer(sandbox: Arc<Sandbox>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await;
    let body = body.map_err(|_| Closed::SlowBody)?.map_err(|_| Closed::BadBody)?.to_bytes();
    let outcome = sandbox.respond(Received::new(head, body), OffsetDateTime::now_utc());
    if !outcome.wait.is_zero() {
        sleep(outcome.wait).await;
    }
    outcome.answer.map(Response::from).ok_or(Closed::HangUp)
}
