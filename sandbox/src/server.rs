//! The connections of a sandbox: HTTP/1.1, with limits of time and memory.

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

use crate::{memory::WrongSecrets, sts::Sts};

/// A request to STS has a few hundred bytes, or a few thousand with a long token. A longer one is a mistake.
const BODY_LIMIT: usize = 64 * 1024;

/// The time limit for a request's head, and for an idle connection: longer than the SDKs keep idle connections
/// (20 s), so that they always close first.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The time limit for a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The time limit for responses that are in progress when the sandbox stops. Those of a silent caller never
/// come.
const GRACE: Duration = Duration::from_secs(1);

/// Why a connection is closed without a response. hyper closes the connection when a service fails.
#[derive(Debug, thiserror::Error)]
enum Closed {
    #[error("the caller's behaviour says so")]
    HangUp,
    #[error("the body took too long")]
    SlowBody,
    #[error("the body is over the limit or broke off")]
    BadBody,
}

/// Serves until `shutdown` resolves or its sender is dropped. Then idle connections are closed at once, and
/// responses in progress have one second.
///
/// # Errors
///
/// `listener` can accept no more connections, for a permanent reason.
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

/// Decides whether an error of `accept` is harmless: it concerns one connection, or is temporary.
async fn survive(error: io::Error) -> io::Result<()> {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    /// `ENFILE` and `EMFILE`: the system, or this process, has no file descriptor left.
    const OUT_OF_DESCRIPTORS: [i32; 2] = [23, 24];

    match (error.kind(), error.raw_os_error()) {
        (ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted, _) => Ok(()),
        (_, Some(number)) if OUT_OF_DESCRIPTORS.contains(&number) => {
            warn!(%error, "the sandbox cannot take a connection just now");
            // There is no notification when one is free again.
            sleep(Duration::from_millis(100)).await;
            Ok(())
        }
        _ => Err(error),
    }
}

async fn connection(stream: TcpStream, sts: Arc<Sts>, mut stopped: watch::Receiver<()>) {
    // If this fails, responses are only delayed.
    _ = stream.set_nodelay(true);
    let wrong_secrets = Arc::new(WrongSecrets::default());
    let service = service_fn(move |request| respond(sts.clone(), wrong_secrets.clone(), request));
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
    wrong_secrets: Arc<WrongSecrets>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = timeout(BODY_TIMEOUT, Limited::new(body, BODY_LIMIT).collect()).await;
    let body = body.map_err(|_| Closed::SlowBody)?.map_err(|_| Closed::BadBody)?.to_bytes();
    let request = sts.receive(Request::from_parts(head, body));
    if sts.issuer.lacks_keys_for(&request) {
        let sts = sts.clone();
        // An error occurs again when the response needs the keys.
        _ = spawn_blocking(move || sts.issuer.keys().map(|_| ())).await;
    }
    let outcome = sts.respond(&wrong_secrets, request);
    if !outcome.wait.is_zero() {
        sleep(outcome.wait).await;
    }
    outcome.response.map(Response::from).ok_or(Closed::HangUp)
}
