//! The TCP stream of a connection, below TLS: limits the system's buffers and how long a client may leave its
//! response unread, detects its departure, and closes the stream.

use super::exchange::Exchange;
use crate::http::connection::ClientConnection;
use crate::observability::metrics::{ConnectionFigures, WaitedFor};
use bytes::BufMut as _;
use rustix::net::{Shutdown, shutdown, sockopt};
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::consume_budget;
use tokio::time::{Sleep, sleep, timeout};

/// The size of the system's buffers for a connection in each direction, in bytes. Linux doubles it for its own
/// bookkeeping (socket(7)). Without it, Linux would buffer up to 4 MiB of an unread response.
const SOCKET_BUFFER: usize = 32 * 1024;

/// The size of one read. hyper's read buffer has 8 KiB, and doubles each time that one read fills it.
const READ_AT_ONCE: usize = 4 * 1024;

/// How long a client may continue to send unneeded bytes while it reads the last response.
const LINGER: Duration = Duration::from_secs(5);

/// Sets the options of a stream. A stream inherits the options of its listener, but not if it arrived before
/// they were set.
pub(super) fn set_options(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_send_buffer_size(stream, SOCKET_BUFFER)?;
    sockopt::set_socket_recv_buffer_size(stream, SOCKET_BUFFER)?;
    // hyper writes whole responses, and TLS whole records.
    stream.set_nodelay(true)
}

/// The stream, with a deadline for progress in writing. It is shared with the task that detects the client's
/// departure.
pub(super) struct Transport {
    stream: Arc<TcpStream>,
    exchange: Arc<Exchange>,
    write_timeout: Duration,
    figures: ConnectionFigures,
    /// Runs since the system last took bytes for the client, once it takes no more.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Transport {
    pub(super) fn new(
        stream: Arc<TcpStream>,
        exchange: Arc<Exchange>,
        write_timeout: Duration,
        figures: ConnectionFigures,
    ) -> Self {
        Self { stream, exchange, write_timeout, figures, stalled: None }
    }

    fn poll_write_by(
        &mut self,
        cx: &mut Context<'_>,
        length: usize,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        while self.stream.poll_write_ready(cx)?.is_ready() {
            match attempt(&self.stream, Interest::WRITABLE, length, || write(&self.stream)) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => {
                    self.stalled = None;
                    return Poll::Ready(done);
                }
            }
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.write_timeout)));
        ready!(stalled.as_mut().poll(cx));
        self.stalled = None;
        // The system calls a stream writable once a third of its buffer is free. A slow reader may have read
        // less than that, and has made progress all the same.
        Poll::Ready(match write(&self.stream) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.figures.timed_out(WaitedFor::Reading);
                // The rest will never be sent. The system would continue to offer it for minutes.
                self.stream.set_zero_linger()?;
                Err(ErrorKind::TimedOut.into())
            }
            done => done,
        })
    }
}

/// Reads or writes once. If less was done than requested, nothing more is possible at the moment, and tokio
/// must wait for the system's next event, as its own streams do: another try would cost a system call.
fn attempt(
    stream: &TcpStream,
    interest: Interest,
    asked: usize,
    operation: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    let mut done = None;
    let result = stream.try_io(interest, || {
        let count = *done.insert(operation()?);
        if 0 < count && count < asked { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
    });
    done.map_or(result, Ok)
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            let asked = buffer.remaining().min(READ_AT_ONCE);
            // The space need not be filled with zeros for this.
            let read = attempt(&self.stream, Interest::READABLE, asked, || {
                self.stream.try_read_buf(&mut buffer.limit(asked))
            });
            match read {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(_) => {
                    // A client may read only after it has sent its whole body. The handler bounds the body;
                    // nothing would bound bytes that are discarded.
                    if self.stalled.is_some() && self.exchange.takes_input() {
                        self.stalled = None;
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_by(cx, data.len(), |stream| Ok(rustix::io::write(stream, data)?))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = data.iter().map(|part| part.len()).sum();
        self.poll_write_by(cx, length, |stream| Ok(rustix::io::writev(stream, data)?))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(shutdown(&*self.stream, Shutdown::Write)?))
    }
}

/// Resolves when the connection is reset or broken, and records a FIN meanwhile. Neither depends on reading:
/// unread bytes, such as those of a next request, hide nothing unless they fill the system's buffer.
pub(super) async fn departure(stream: &TcpStream, client: &ClientConnection) {
    // tokio reports the end of the client's stream as READABLE and as PRIORITY, but READABLE also reports
    // bytes. PRIORITY does not report urgent data here: tokio requests that from the system only for streams
    // that are registered for it.
    let ends = stream.ready(Interest::PRIORITY | Interest::ERROR).await;
    if ends.is_ok_and(|ends| !ends.is_error()) {
        client.set_half_closed();
        // The client may still wait for its response. An error here means the end of the runtime.
        let _ = stream.ready(Interest::ERROR).await;
    }
}

/// Whether bytes have arrived that were not read yet.
pub(super) fn has_unread_bytes(stream: &TcpStream) -> bool {
    stream.try_io(Interest::READABLE, || Ok(())).is_ok()
}

/// Closes a stream so that the client can still read its response: waits until the client has closed its side,
/// and discards the bytes that it still sends. A stream that is closed with unread bytes is reset, and the
/// reset may overtake the response (RFC 9112, section 9.6).
pub(super) async fn linger(stream: &TcpStream) {
    let mut unwanted = vec![0; 4096];
    let closing = async {
        // This may have been done already.
        let _ = shutdown(stream, Shutdown::Write);
        while stream.readable().await.is_ok() {
            match stream.try_read(&mut unwanted) {
                Ok(0) => return,
                Err(error) if error.kind() != ErrorKind::WouldBlock => return,
                _ => consume_budget().await,
            }
        }
    };
    let _ = timeout(LINGER, closing).await;
}

/// Limits how long the system keeps unread bytes of a stream that is about to be closed. No process waits for
/// them any more, and the system's own limit is minutes.
pub(super) fn bound_what_is_left(stream: &TcpStream, patience: Duration) {
    let patience = patience.as_millis().try_into().unwrap_or(u32::MAX);
    // This fails if the client has left already.
    let _ = sockopt::set_tcp_user_timeout(stream, patience);
}
