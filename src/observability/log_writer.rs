//! Writes log lines to stdout in a separate thread, so that no other thread waits for the reader.
//!
//! A pipe that is not read is full after 64 KiB, and a write to it then blocks its thread. So lines wait in a
//! bounded queue. A line is dropped and counted if the queue is full, or if it cannot be written (a closed
//! pipe, a full disk).

use memchr::{memchr, memchr_iter};
use prometheus_client::metrics::counter::Counter;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tracing::warn;

/// The maximum number of waiting lines: those of half a second at full load.
const MAX_LINES: usize = 8 * 1024;

/// The maximum total length of the waiting lines in bytes. A request's line has some 300 bytes.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The maximum length of a write that a pipe keeps together (`PIPE_BUF` in pipe(7)): no line is cut by another
/// process that writes to the same pipe. A longer line is written in one piece, but without that guarantee.
const PIPE_BUF: usize = 4096;

/// The wait before writing again to a non-blocking output that is full.
const RETRY: Duration = Duration::from_millis(10);

/// A queue of lines and the thread that writes them. Writing through a reference never fails and never waits.
pub(crate) struct LogWriter {
    queue: Mutex<Queue>,
    /// Notified when a line was added, or when all lines are written.
    changed: Condvar,
    /// Counts the dropped lines.
    dropped: Counter,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Box<[u8]>>,
    /// The total length of the lines.
    bytes: usize,
    /// The thread has written everything and waits for more.
    idle: bool,
}

impl LogWriter {
    /// Starts the thread. It ends with the process.
    ///
    /// # Errors
    ///
    /// No further thread can be started.
    pub(crate) fn start(output: impl Write + Send + 'static, dropped: Counter) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self { queue: Mutex::default(), changed: Condvar::new(), dropped });
        let own = writer.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || own.work(output))?;
        Ok(writer)
    }

    /// Appends text that ends with a line end, or drops it.
    pub(crate) fn push(&self, text: &[u8]) {
        let line: Box<[u8]> = text.into();
        let mut queue = self.queue();
        if queue.lines.len() >= MAX_LINES || queue.bytes + line.len() > MAX_BYTES {
            drop(queue);
            self.dropped.inc_by(lines_in(&line));
            return;
        }
        queue.bytes += line.len();
        queue.lines.push_back(line);
        if std::mem::take(&mut queue.idle) {
            self.changed.notify_all();
        }
    }

    /// Waits until everything is written, but at most this long.
    pub(crate) fn flush(&self, limit: Duration) {
        let waited = self.changed.wait_timeout_while(self.queue(), limit, |queue| !queue.idle);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn work(&self, mut output: impl Write) {
        let mut batch = Vec::with_capacity(PIPE_BUF);
        let mut reported = self.dropped.get();
        loop {
            // The batch may still contain the rest of a line that was cut, for example by a full disk.
            let rest = batch.len();
            self.next_batch(&mut batch);
            let written = write(&mut output, &batch);
            let failed = written < batch.len();
            let cut = written < rest || written > 0 && batch[written - 1] != b'\n';
            let kept = if cut { line_length(&batch[written..]) } else { 0 };
            self.dropped.inc_by(lines_in(&batch[written + kept..]));
            batch.truncate(written + kept);
            batch.drain(..written);
            let dropped = self.dropped.get();
            if !failed && dropped > reported && self.queue().lines.is_empty() {
                warn!(
                    lines = dropped - reported,
                    "log lines were dropped: they were not read in time or could not be written"
                );
                reported = dropped;
            }
        }
    }

    /// Waits for lines and appends as many as fit in one write.
    fn next_batch(&self, batch: &mut Vec<u8>) {
        let mut queue = self.queue();
        while queue.lines.is_empty() {
            queue.idle = true;
            self.changed.notify_all();
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let mut room = PIPE_BUF.saturating_sub(batch.len());
        // At least one line, whatever its length.
        let mut next = queue.lines.pop_front();
        while let Some(line) = next {
            queue.bytes -= line.len();
            room = room.saturating_sub(line.len());
            batch.extend(line);
            next = queue.lines.pop_front_if(|line| line.len() <= room);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layer of the log writes one line per call.
impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what the output accepts and returns the number of bytes: all, unless there was an error.
fn write(output: &mut impl Write, text: &[u8]) -> usize {
    let mut written = 0;
    while written < text.len() {
        match output.write(&text[written..]) {
            Ok(0) => break,
            Ok(more) => written += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(_) => break,
        }
    }
    written
}

/// The length of the first line, its end included.
fn line_length(text: &[u8]) -> usize {
    memchr(b'\n', text).map_or(text.len(), |end| end + 1)
}

fn lines_in(text: &[u8]) -> u64 {
    memchr_iter(b'\n', text).count() as u64
}

#[cfg(test)]
mod tests;
