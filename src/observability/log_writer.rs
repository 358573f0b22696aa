//! Writes log lines to stdout in a separate thread, so that no other thread waits for the reader.
//!
//! A pipe that is not read is full after 64 KiB, and a write to it then blocks its thread. So lines wait in a
//! bounded queue. A line is dropped and counted if the queue is full, or if it cannot be written (a closed
//! pipe, a full disk).
//!
//! Waking the thread costs more than writing a line. So it is woken only for the first line after a pause;
//! lines that follow soon are collected and written together.

use memchr::{memchr, memchr_iter, memrchr};
use prometheus_client::metrics::counter::Counter;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tracing::warn;

/// The maximum number of waiting lines: those of half a second at full load.
const MAX_LINES: u64 = 8 * 1024;

/// The maximum total length of the waiting lines in bytes. A request's line has some 300 bytes.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// The maximum length of a write that a pipe keeps together (`PIPE_BUF` in pipe(7)): no line is cut by another
/// process that writes to the same pipe. A longer line is written in one piece, but without that guarantee.
const PIPE_BUF: usize = 4096;

/// The wait before writing again to a non-blocking output that is full.
const RETRY: Duration = Duration::from_millis(10);

/// How long lines are collected after others were written.
const COLLECT: Duration = Duration::from_millis(10);

/// A buffer that has grown larger than this is released.
const MAX_KEPT_BUFFER: usize = 64 * 1024;

/// A queue of lines and the thread that writes them. Writing through a reference never fails and never waits.
pub(crate) struct LogWriter {
    queue: Mutex<Queue>,
    /// Notified when a line was added, or when all lines are written.
    changed: Condvar,
    /// Counts the dropped lines.
    dropped: Counter,
    /// How long lines are collected.
    collect: Duration,
}

/// The lines that wait to be written.
#[derive(Default)]
struct Queue {
    /// The lines that the thread has not taken.
    text: Vec<u8>,
    /// The number of waiting lines, including those that the thread has taken.
    lines: u64,
    /// The total length of these lines.
    bytes: usize,
    /// The thread has written everything and waits for more.
    idle: bool,
    /// Somebody waits until everything is written: nothing is collected.
    hurried: bool,
}

/// The lines that the thread has taken, and how much of them it has passed on.
#[derive(Default)]
struct Taken {
    text: Vec<u8>,
    passed: usize,
}

impl LogWriter {
    /// Starts the thread. It ends with the process.
    ///
    /// # Errors
    ///
    /// No further thread can be started.
    pub(crate) fn start(output: impl Write + Send + 'static, dropped: Counter) -> io::Result<Arc<Self>> {
        Self::start_collecting(output, dropped, COLLECT)
    }

    fn start_collecting(
        output: impl Write + Send + 'static,
        dropped: Counter,
        collect: Duration,
    ) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self { queue: Mutex::default(), changed: Condvar::new(), dropped, collect });
        let own = writer.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || own.work(output))?;
        Ok(writer)
    }

    /// Appends text that ends with a line end, or drops it.
    pub(crate) fn push(&self, text: &[u8]) {
        let lines = lines_in(text);
        let mut queue = self.queue();
        if queue.lines >= MAX_LINES || queue.bytes + text.len() > MAX_BYTES {
            drop(queue);
            self.dropped.inc_by(lines);
            return;
        }
        queue.lines += lines;
        queue.bytes += text.len();
        queue.text.extend_from_slice(text);
        if std::mem::take(&mut queue.idle) {
            self.changed.notify_all();
        }
    }

    /// Waits until everything is written, but at most this long.
    pub(crate) fn flush(&self, limit: Duration) {
        let mut queue = self.queue();
        if !queue.idle {
            queue.hurried = true;
            self.changed.notify_all();
        }
        let waited = self.changed.wait_timeout_while(queue, limit, |queue| !queue.idle);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn work(&self, mut output: impl Write) {
        let mut batch = Vec::with_capacity(PIPE_BUF);
        let mut taken = Taken::default();
        let mut reported = self.dropped.get();
        loop {
            // The batch may still contain the rest of a line that was cut, for example by a full disk.
            let rest = batch.len();
            self.next_batch(&mut taken, &mut batch);
            let written = write(&mut output, &batch);
            let failed = written < batch.len();
            let cut = written < rest || written > 0 && batch[written - 1] != b'\n';
            let kept = if cut { line_length(&batch[written..]) } else { 0 };
            self.dropped.inc_by(lines_in(&batch[written + kept..]));
            batch.truncate(written + kept);
            batch.drain(..written);
            let dropped = self.dropped.get();
            if !failed && dropped > reported && self.queue().lines == 0 {
                warn!(
                    lines = dropped - reported,
                    "log lines were dropped: they were not read in time or could not be written"
                );
                reported = dropped;
            }
        }
    }

    /// Appends as many lines as fit in one write. Waits if there are none.
    fn next_batch(&self, taken: &mut Taken, batch: &mut Vec<u8>) {
        if taken.is_empty() {
            self.take(taken);
        }
        let lines = taken.pass_on(PIPE_BUF.saturating_sub(batch.len()));
        batch.extend_from_slice(lines);
        let mut queue = self.queue();
        queue.lines = queue.lines.saturating_sub(lines_in(lines));
        queue.bytes -= lines.len();
    }

    /// Waits for lines and takes all of them.
    fn take(&self, taken: &mut Taken) {
        let first = std::mem::replace(&mut taken.passed, 0) == 0;
        taken.text.clear();
        if taken.text.capacity() > MAX_KEPT_BUFFER {
            taken.text = Vec::new();
        }
        let mut queue = self.queue();
        if !first {
            let collected = self.changed.wait_timeout_while(queue, self.collect, |queue| !queue.hurried);
            queue = collected.unwrap_or_else(PoisonError::into_inner).0;
        }
        while queue.text.is_empty() {
            queue.idle = true;
            queue.hurried = false;
            self.changed.notify_all();
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut queue.text, &mut taken.text);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn is_empty(&self) -> bool {
        self.passed == self.text.len()
    }

    /// The next lines that fit into `room`: at least one, whatever its length.
    fn pass_on(&mut self, room: usize) -> &[u8] {
        let rest = &self.text[self.passed..];
        let whole_lines = memrchr(b'\n', &rest[..rest.len().min(room)]).map(|end| end + 1);
        let length = whole_lines.unwrap_or_else(|| line_length(rest));
        self.passed += length;
        &rest[..length]
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
