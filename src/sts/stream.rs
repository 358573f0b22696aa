//! A connection to STS that limits the number of bytes of each answer.

use super::reply::MAX_REPLY_BYTES;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The layers of a connection: a socket, TLS, a tunnel through a proxy.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// A connection. Reading fails when an answer is longer than [`MAX_REPLY_BYTES`], or than [`Allowance::set`]
/// allows, however it is framed: headers and chunk framing count like the body.
pub(super) struct Stream {
    bytes: Box<dyn Bytes>,
    allowance: Allowance,
}

/// The number of bytes of the current answer that may still arrive.
#[derive(Clone)]
pub(super) struct Allowance(Arc<AtomicUsize>);

/// An answer is longer than any answer of STS.
#[derive(Debug, thiserror::Error)]
#[error("the answer is too long")]
pub(super) struct TooLong;

impl Stream {
    pub(super) fn new(bytes: Box<dyn Bytes>) -> Self {
        Self { bytes, allowance: Allowance(Arc::new(AtomicUsize::new(MAX_REPLY_BYTES))) }
    }

    /// The counter of its bytes.
    pub(super) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }
}

impl Allowance {
    /// Sets the maximum length of the next answer: the next byte is its first.
    pub(super) fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn take(&self, bytes: usize) -> io::Result<()> {
        let rest =
            self.0.load(Ordering::Relaxed).checked_sub(bytes).ok_or_else(|| io::Error::other(TooLong))?;
        self.0.store(rest, Ordering::Relaxed);
        Ok(())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.bytes).poll_read(cx, buffer))?;
        Poll::Ready(self.allowance.take(buffer.filled().len() - before))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.bytes.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(cx)
    }
}
