//! One connection, from its TLS handshake to its end.

use super::clock::{Clock, Due, Waits};
use super::connections::ConnectionPermit;
use super::exchange::Exchange;
use super::service::Requests;
use super::tls::Tls;
use super::transport::{Transport, bound_what_is_left, departure, has_unread_bytes, linger, set_options};
use super::wire::Wire;
use crate::config::HttpArgs;
use crate::http::connection::ClientConnection;
use crate::http::head_error::HeadError;
use crate::observability::metrics::{ConnectionFigures, WaitedFor};
use axum::Router;
use axum::body::HttpBody;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::{Builder, Connection};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// The maximum length of a request's head, and the most that hyper reads ahead. Its default is 400 KiB.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// How much of a response is encrypted before the client reads it. rustls's default is 64 KiB.
const TLS_BUFFER: usize = 16 * 1024;

/// The stage of a listener and its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Stage {
    /// Everything is served.
    Serving,
    /// The requests that have begun are answered.
    Draining,
    /// Whatever is left is cut off.
    Over,
}

/// How the connections of a listener are served.
pub(super) struct Server {
    routes: Router,
    tls: Option<Tls>,
    http: Builder,
    waits: Waits,
    write_timeout: Duration,
    figures: ConnectionFigures,
}

/// Why a connection ends.
enum End {
    /// HTTP ended it, or the client.
    Http(hyper::Result<()>),
    /// The client has left, a time limit was exceeded, or the process stops.
    CutOff,
}

impl Server {
    pub(super) fn new(routes: Router, tls: Option<Tls>, args: &HttpArgs, figures: ConnectionFigures) -> Self {
        let mut http = Builder::new();
        http.max_buf_size(MAX_HEAD_BYTES)
            .max_header_size(MAX_HEAD_BYTES)
            // The connection has a clock of its own.
            .header_read_timeout(None)
            // A client that sends nothing more may still wait for its response. Departures are detected below.
            .half_close(true);
        Self { routes, tls, http, waits: Waits::new(args), write_timeout: args.write_timeout, figures }
    }

    /// Whether bytes that are written without TLS can be read by the client.
    pub(super) fn is_plain(&self) -> bool {
        self.tls.is_none()
    }

    /// Serves one connection until its end.
    pub(super) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        stage: watch::Receiver<Stage>,
        _permit: ConnectionPermit,
    ) {
        if set_options(&stream).is_err() {
            // The client has left already.
            return;
        }
        let stream = Arc::new(stream);
        let exchange = Arc::new(Exchange::new());
        let transport =
            Transport::new(stream.clone(), exchange.clone(), self.write_timeout, self.figures.clone());
        let requests = Requests {
            routes: self.routes.clone(),
            peer,
            client: ClientConnection::default(),
            exchange: exchange.clone(),
        };
        let mut over = stage.clone();
        match &self.tls {
            None => self.converse(transport, &stream, requests, stage).await,
            // Boxed, so that a connection without TLS needs no memory for it.
            Some(tls) => Box::pin(self.converse_with_tls(tls, transport, &stream, requests, stage)).await,
        }
        if exchange.lingers() {
            tokio::select! {
                () = linger(&stream) => {}
                _ = over.wait_for(|stage| *stage == Stage::Over) => {}
            }
        }
        bound_what_is_left(&stream, self.write_timeout);
    }

    async fn converse_with_tls(
        &self,
        tls: &Tls,
        transport: Transport,
        stream: &TcpStream,
        requests: Requests,
        mut stage: watch::Receiver<Stage>,
    ) {
        let handshake = timeout(self.waits.handshake(), tls.acceptor().accept(transport));
        let accepted = tokio::select! {
            // No client waits for a response yet.
            _ = stage.wait_for(|stage| *stage != Stage::Serving) => return,
            accepted = handshake => accepted,
        };
        match accepted {
            Ok(Ok(mut encrypted)) => {
                encrypted.get_mut().1.set_buffer_limit(Some(TLS_BUFFER));
                self.converse(encrypted, stream, requests, stage).await;
            }
            Ok(Err(_)) => {}
            Err(_) => self.figures.timed_out(WaitedFor::Handshake),
        }
    }

    /// Answers requests, and at the end a head that hyper rejected, if there was one.
    async fn converse<S>(
        &self,
        clear: S,
        stream: &TcpStream,
        requests: Requests,
        mut stage: watch::Receiver<Stage>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let wire = Wire::new(clear, requests.exchange.clone(), requests.client.clone());
        let answer = |request| requests.clone().answer(request);
        let mut http = self.http.serve_connection(TokioIo::new(wire), service_fn(answer));
        let End::Http(Err(error)) = self.drive(&mut http, stream, &requests, &mut stage).await else {
            return;
        };
        let Some(error) = head_error(&error) else { return };
        requests.exchange.linger();
        let wire = http.into_parts().io.into_inner().without_input();
        let answer = |request: Request<Incoming>| requests.clone().reject(request, error);
        let mut http = self.http.serve_connection(TokioIo::new(wire), service_fn(answer));
        self.drive(&mut http, stream, &requests, &mut stage).await;
    }

    /// Runs hyper until the end of the connection, within the time limits.
    async fn drive<I, S>(
        &self,
        http: &mut Connection<I, S>,
        stream: &TcpStream,
        requests: &Requests,
        stage: &mut watch::Receiver<Stage>,
    ) -> End
    where
        S: HttpService<Incoming, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin,
        S::ResBody: HttpBody<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
        I: hyper::rt::Read + hyper::rt::Write + Unpin,
    {
        let mut clock = Clock::new(self.waits);
        let mut departure = pin!(departure(stream, &requests.client));
        let mut seen = Stage::Serving;
        loop {
            tokio::select! {
                biased;
                () = &mut departure => return End::CutOff,
                end = &mut *http => return End::Http(end),
                stage = stage.wait_for(|stage| *stage > seen) => {
                    seen = stage.map_or(Stage::Over, |stage| *stage);
                    if seen == Stage::Over {
                        return End::CutOff;
                    }
                    std::pin::Pin::new(&mut *http).graceful_shutdown();
                }
                // Last, because it checks the effects of the others.
                due = poll_fn(|cx| clock.poll_due(cx, requests.exchange.moment())) => match due {
                    Due::Probe => requests.exchange.probe(has_unread_bytes(stream)),
                    Due::Idle => return End::CutOff,
                    Due::Late(waited_for) => {
                        self.figures.timed_out(waited_for);
                        return End::CutOff;
                    }
                }
            }
        }
    }
}

/// The error to answer if hyper rejected a head.
fn head_error(error: &hyper::Error) -> Option<HeadError> {
    if error.is_parse_version_h2() {
        Some(HeadError::VersionNotSupported)
    } else if error.is_parse_too_large() {
        Some(HeadError::TooLarge)
    } else {
        error.is_parse().then_some(HeadError::Malformed)
    }
}
