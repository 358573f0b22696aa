//! Handles one request of a connection: passes it to the routes, and deals with a body that they did not read.

use super::exchange::{Exchange, Unread};
use crate::http::connection::ClientConnection;
use crate::http::head_error::HeadError;
use crate::http::request_head;
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{CONNECTION, EXPECT};
use axum::http::{HeaderValue, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tower::Service as _;

/// A body that is not needed is read and discarded if it is no longer than this, and the connection is kept.
/// Otherwise the connection is closed.
const WORTH_DISCARDING: u64 = 64 * 1024;

/// The data that all requests of one connection share.
#[derive(Clone)]
pub(super) struct Requests {
    pub routes: Router,
    pub peer: SocketAddr,
    pub client: ClientConnection,
    pub exchange: Arc<Exchange>,
}

impl Requests {
    /// Has the routes answer a request that hyper has read.
    pub(super) async fn answer(
        mut self,
        request: hyper::Request<Incoming>,
    ) -> Result<Response<AnswerBody>, Infallible> {
        let checked = request_head::check(request.version(), request.headers());
        let (head, body) = request.into_parts();
        let waits_for_continue = head.headers.contains_key(EXPECT);
        let mut request = Request::from_parts(head, RequestBody::of(body, &self.exchange));
        let rejected = checked.is_err();
        if let Err(error) = checked {
            request = request_head::reject(request, error);
        }
        let mut response = self.respond(request).await;
        match self.exchange.answered() {
            Unread::Nothing | Unread::InUse if !rejected => {}
            // A client that waits for 100 Continue may send either the body or a next request after this
            // response.
            Unread::All(body) if !rejected && !waits_for_continue && is_worth_discarding(&body) => {
                self.exchange.discard(true);
                tokio::spawn(discard(body, self.exchange.clone()));
            }
            _ => {
                // The response says that the connection is closed: otherwise a proxy would send the next
                // request on it.
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                self.exchange.linger();
            }
        }
        Ok(response)
    }

    /// Has the routes answer a request whose head hyper rejected. `request` is a substitute for it.
    pub(super) async fn reject(
        mut self,
        request: hyper::Request<Incoming>,
        error: HeadError,
    ) -> Result<Response<AnswerBody>, Infallible> {
        self.exchange.requested(Unread::Nothing);
        let request = request_head::reject(request.map(|_| Body::empty()), error);
        let response = self.respond(request).await;
        self.exchange.answered();
        Ok(response)
    }

    async fn respond(&mut self, mut request: Request) -> Response<AnswerBody> {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        request.extensions_mut().insert(self.client.clone());
        let Ok(response) = self.routes.call(request).await;
        response.map(|body| AnswerBody { body, exchange: self.exchange.clone() })
    }
}

fn is_worth_discarding(body: &Incoming) -> bool {
    body.size_hint().exact().is_some_and(|length| length <= WORTH_DISCARDING)
}

/// Reads a body of known length while its response is written. The connection's clock limits the time.
async fn discard(mut body: Incoming, exchange: Arc<Exchange>) {
    // hyper does not report the end with a frame once it waits for the next head.
    while !body.is_end_stream() && matches!(body.frame().await, Some(Ok(_))) {}
    exchange.discard(false);
}

/// The body of a request. Its unread rest is put into the [`Exchange`].
struct RequestBody {
    body: Option<Incoming>,
    begun: bool,
    exchange: Arc<Exchange>,
}

impl RequestBody {
    /// Most requests of the other routes have no body, and get an empty one.
    fn of(body: Incoming, exchange: &Arc<Exchange>) -> Body {
        if body.is_end_stream() {
            exchange.requested(Unread::Nothing);
            return Body::empty();
        }
        exchange.requested(Unread::InUse);
        Body::new(Self { body: Some(body), begun: false, exchange: exchange.clone() })
    }

    fn end(&mut self, unread: Unread) {
        self.body = None;
        self.exchange.body_ended(unread);
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(cx);
        self.begun = true;
        let frame = ready!(frame);
        match &frame {
            None => self.end(Unread::Nothing),
            Some(Err(_)) => self.end(Unread::Rest),
            Some(Ok(_)) if self.is_end_stream() => self.end(Unread::Nothing),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            self.exchange.body_ended(if self.begun { Unread::Rest } else { Unread::All(body) });
        }
    }
}

/// The body of a response. It notifies the [`Exchange`] when hyper has taken all of it.
pub(super) struct AnswerBody {
    body: Body,
    exchange: Arc<Exchange>,
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.exchange.answer_ended();
    }
}
