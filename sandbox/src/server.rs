//! The connections of a sandbox: HTTP/1.1, in bounded time and memory.

use std::{io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use crate::{memory::Refusals, sts::Sts};

/// A request to STS is a few hundred bytes, a few thousand with a long token; the rest is a mistake.
const BODY_LIMIT: usize = 64 * 1024;

/// How long a client may take for a request's head, and how long a connection may be idle: longer than the SDKs keep
/// theirs (20 s), so that it is always they who close.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take for a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long responses that are under way when the sandbox stops may take. Those of a silent caller never come.
const GRACE: Duration = Duration::from_secs(1);

/// Why a connection is closed without a response. hyper closes when a service fails, which is what each of these needs.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("the caller's behaviour says so")]
    HangUp,
    #[error("the body took too long")]
    SlowBody,
    #[error("the body is over the limit or broke off")]
    BadBody,
}

/// Serves until `shutdown` resolves or its sender is dropped; then idle connections are closed at once, and responses
/// under way have a second.
///
/// # Errors
///
/// When `listener` can accept no more, for a reason that will not pass.
pub(crate) async fn serve(
    listener: TcpListener,
    sts: Arc<Sts>,
    mut shutdown: oneshot::Receiver<()>,
) -> io::Result<()> {
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => _ = connections.spawn(connection(stream, sts.clone(), stopped.clone())),
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

async fn connection(stream: TcpStream, sts: Arc<Sts>, mut stopped: watch::Receiver<()>) {
    // Only delays a response when it fails.
    _ = stream.set_nodelay(true);
    let refusals = Arc::new(Refusals::default());
    let service = service_fn(move |request| respond(sts.clone(), refusals.clone(), request));
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

async fn respond(
    sts: Arc<Sts>,
    refusals: Arc<Refusals>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await;
    let body = body.map_err(|_| Closed::SlowBody)?.map_err(|_| Closed::BadBody)?.to_bytes();
    let request = sts.receive(Request::from_parts(head, body));
    if sts.issuer.lacks_keys_for(&request) {
        let sts = sts.clone();
        // What fails now fails again when the response needs them.
        _ = spawn_blocking(move || sts.issuer.keys().map(|_| ())).await;
    }
    let outcome = sts.respond(&refusals, request);
    if !outcome.wait.is_zero() {
        sleep(outcome.wait).await;
    }
    outcome.response.map(Response::from).ok_or(Closed::HangUp)
}
