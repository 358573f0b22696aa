//! The stream that hyper reads from and writes to: the connection in plain text, with two changes.
//!
//! hyper itself answers a head that it cannot parse, with an empty body and without a notification. Such a
//! response is dropped here, and the connection ends with the error that hyper then returns;
//! [`super::connection`] lets the service answer instead.
//!
//! A client that has sent a FIN may wait for its response or may have left: TCP does not distinguish these. A
//! client that has filled the system's buffer with more than its request may have left without any sign. So the
//! first bytes of the response, which are the same for all responses, are sent early. The system of a client
//! that has left then resets the connection.

use super::exchange::Exchange;
use crate::http::connection::ClientConnection;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A valid head that replaces one that hyper rejected.
const STAND_IN: &[u8] = b"- * HTTP/1.1\r\nConnection: close\r\n\r\n";

/// The first bytes of every response, for HTTP/1.1 and HTTP/1.0.
const START_OF_ANSWER: &[u8] = b"HTTP/1.";

pub(super) struct Wire<S> {
    stream: S,
    exchange: Arc<Exchange>,
    client: ClientConnection,
    input: Input,
    /// The number of bytes of the response that were sent early.
    ahead: usize,
    /// hyper has rejected a head.
    rejected: bool,
}

enum Input {
    /// From the client.
    Stream,
    /// These bytes, and nothing after them.
    Only(&'static [u8]),
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, exchange: Arc<Exchange>, client: ClientConnection) -> Self {
        Self { stream, exchange, client, input: Input::Stream, ahead: 0, rejected: false }
    }

    /// How many of the bytes that hyper writes now must not be written: those of its own rejection, and those
    /// that were sent early.
    fn written_already(&mut self, length: usize) -> usize {
        if !self.exchange.is_ours() {
            self.rejected = true;
            return length;
        }
        std::mem::take(&mut self.ahead).min(length)
    }

    /// The same stream for another hyper connection, which reads one substitute request.
    pub(super) fn without_input(self) -> Self {
        Self { input: Input::Only(STAND_IN), rejected: false, ..self }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Input::Only(rest) = &mut self.input {
            if rest.is_empty() {
                return Poll::Pending;
            }
            let (now, later) = rest.split_at(rest.len().min(buffer.remaining()));
            buffer.put_slice(now);
            *rest = later;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.exchange.received();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.written_already(data.len()) {
            0 => Pin::new(&mut self.stream).poll_write(cx, data),
            count => Poll::Ready(Ok(count)),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.written_already(data.iter().map(|part| part.len()).sum()) {
            0 => Pin::new(&mut self.stream).poll_write_vectored(cx, data),
            count => Poll::Ready(Ok(count)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper calls this when it was woken and has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let due = self.exchange.due_ahead(self.client.half_closed()).min(START_OF_ANSWER.len());
        if self.ahead < due {
            let bytes = &START_OF_ANSWER[self.ahead..due];
            self.ahead += ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.exchange.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.rejected {
            // Something still has to be written.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
