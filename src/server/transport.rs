//! The TCP stream of a connection, below TLS: what its client may make the system hold, how long it may leave its answer
//! unread, whether it is still there, and how it is closed.

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

/// What the system may hold of a connection in each direction, in bytes. Linux doubles it for its own bookkeeping
/// (socket(7)), and would go up to 4 MiB of an answer that nobody reads by itself.
const SOCKET_BUFFER: usize = 32 * 1024;

/// How much is read at once. hyper's read buffer has 8 KiB, and is doubled each time that one read fills it.
const READ_AT_ONCE: usize = 4 * 1024;

/// How long a client may go on sending what nobody wants while it reads the last answer.
const LINGER: Duration = Duration::from_secs(5);

/// Sets the options of a stream. Those of a listener would be taken over by its streams, but not by those that were there
/// before its options were.
pub(super) fn set_options(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_send_buffer_size(stream, SOCKET_BUFFER)?;
    sockopt::set_socket_recv_buffer_size(stream, SOCKET_BUFFER)?;
    // hyper writes whole answers, TLS whole records.
    stream.set_nodelay(true)
}

/// The stream, with a deadline on progress in writing. It is shared with whoever watches for the client's departure.
pub(super) struct Transport {
    stream: Arc<TcpStream>,
    write_timeout: Duration,
    figures: ConnectionFigures,
    /// Runs since the system last took anything for the client, once it takes nothing more.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Transport {
    pub(super) fn new(stream: Arc<TcpStream>, write_timeout: Duration, figures: ConnectionFigures) -> Self {
        Self { stream, write_timeout, figures, stalled: None }
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
        // The system calls a stream writable once a third of its buffer is free: a slow reader may not have come that
        // far, and has taken something all the same.
        Poll::Ready(match write(&self.stream) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.figures.timed_out(WaitedFor::Reading);
                // What is not sent by now never will be. The system would go on offering it for minutes.
                self.stream.set_zero_linger()?;
                Err(ErrorKind::TimedOut.into())
            }
            done => done,
        })
    }
}

/// Reads or writes once. If less was done than asked for, there is nothing more to do at the moment, and tokio is told to
/// wait for the system's next event, as its own streams do it: to try again would cost a system call.
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
                    // A client that still sends may be one that reads when it is done with that.
                    self.stalled = None;
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

/// Resolves when the connection is reset or broken, and notes a FIN meanwhile. Neither depends on reading: bytes that nobody
/// has read yet, such as those of a next request, hide nothing unless they fill the system's buffer.
pub(super) async fn departure(stream: &TcpStream, client: &ClientConnection) {
    // tokio tells the end of the client's stream with READABLE and with PRIORITY; READABLE would be told of bytes, too.
    // Urgent data is not: tokio asks the system for it only on streams that are registered for it.
    let ends = stream.ready(Interest::PRIORITY | Interest::ERROR).await;
    if ends.is_ok_and(|ends| !ends.is_error()) {
        client.set_half_closed();
        // The client may still wait for its answer. An error here is the end of the runtime.
        let _ = stream.ready(Interest::ERROR).await;
    }
}

/// Whether something has come that nobody has read yet.
pub(super) fn has_unread_bytes(stream: &TcpStream) -> bool {
    stream.try_io(Interest::READABLE, || Ok(())).is_ok()
}

/// Closes a stream in a way that the client can still read its answer: waits until it has closed its side, and throws away
/// what it still sends. A stream that is closed on unread bytes is reset, and the reset may overtake the answer (RFC 9112,
/// section 9.6).
pub(super) async fn linger(stream: &TcpStream) {
    let mut unwanted = vec![0; 4096];
    let closing = async {
        // It may have been done already.
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

/// Tells the system how long it may hold what a client has not read of a stream that is about to be closed. No process waits
/// for it any more, and the system's own bound is minutes.
pub(super) fn bound_what_is_left(stream: &TcpStream, patience: Duration) {
    let patience = patience.as_millis().try_into().unwrap_or(u32::MAX);
    // It fails if the client has left already.
    let _ = sockopt::set_tcp_user_timeout(stream, patience);
}
