//! Lines for stdout, written by a thread of their own: nobody else ever waits for whoever reads them.
//!
//! A pipe that nobody reads is full after 64 KiB, and a write to it then blocks its thread. So lines wait in a bounded
//! queue, and a line that finds it full is dropped and counted, as is one that cannot be written (a closed pipe, a full
//! disk).
//!
//! To wake the thread for a line costs more than to write it, so it is woken for the first line after a rest alone. Lines that
//! come soon after that are collected and written together.

use memchr::{memchr, memchr_iter, memrchr};
use prometheus_client::metrics::counter::Counter;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tracing::warn;

/// How many lines may wait to be written: those of half a second at full load.
const MAX_LINES: u64 = 8 * 1024;

/// How many bytes these may have together. A request's line has some 300.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// What a pipe keeps together (`PIPE_BUF` in pipe(7)), and so the most that is written at once: no line is cut by those
/// of another process that writes to the same pipe. A single line that is longer is written whole, but without that promise.
const PIPE_BUF: usize = 4096;

/// How long to wait before writing again to an output that does not block and takes nothing just now.
const RETRY: Duration = Duration::from_millis(10);

/// How long lines are collected before they are written, after others have been.
const COLLECT: Duration = Duration::from_millis(10);

/// A buffer that had to hold more than this, while nobody took the lines, is given back.
const MAX_KEPT_BUFFER: usize = 64 * 1024;

/// A queue of lines and the thread that writes them. It is written to by reference and never fails nor waits.
pub(crate) struct LogWriter {
    queue: Mutex<Queue>,
    /// A line has come, or all are written.
    changed: Condvar,
    /// Lines that will never be written.
    dropped: Counter,
}

/// The lines that wait to be written. Some of them may be in the thread's hands already.
#[derive(Default)]
struct Queue {
    /// Those that the thread has not taken.
    text: Vec<u8>,
    /// The number of all of them.
    lines: u64,
    /// The length of all of them.
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
    /// What the system says when there can be no further thread.
    pub(crate) fn start(output: impl Write + Send + 'static, dropped: Counter) -> io::Result<Arc<Self>> {
        let writer = Arc::new(Self { queue: Mutex::default(), changed: Condvar::new(), dropped });
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

    /// Waits until everything is written, but no longer than this.
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
            // What is left from the last round is the rest of a line that was cut, by a full disk say.
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

    /// Appends as many of the lines as one write may have, and waits for some if there are none.
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

    /// Waits for lines and takes all that have come.
    fn take(&self, taken: &mut Taken) {
        let first = std::mem::replace(&mut taken.passed, 0) == 0;
        taken.text.clear();
        if taken.text.capacity() > MAX_KEPT_BUFFER {
            taken.text = Vec::new();
        }
        let mut queue = self.queue();
        if !first {
            let collected = self.changed.wait_timeout_while(queue, COLLECT, |queue| !queue.hurried);
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

    /// The next lines that have room together; one at least, however long it is.
    fn pass_on(&mut self, room: usize) -> &[u8] {
        let rest = &self.text[self.passed..];
        let whole_lines = memrchr(b'\n', &rest[..rest.len().min(room)]).map(|end| end + 1);
        let length = whole_lines.unwrap_or_else(|| line_length(rest));
        self.passed += length;
        &rest[..length]
    }
}

/// What the layer of the log writes to: one line a call.
impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what the output takes and returns how many bytes these are: all, unless there was an error.
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
mod tests {
    use super::*;
    use std::io::Error;
    use std::time::Instant;

    /// For tests that are to end: nothing waits so long.
    const PATIENCE: Duration = Duration::from_mins(1);

    /// A disk with so much room, and the writes that it took.
    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(usize, Vec<Vec<u8>>)>>);

    impl Disk {
        fn with_room(room: usize) -> Self {
            let disk = Self::default();
            disk.add_room(room);
            disk
        }

        fn add_room(&self, room: usize) {
            self.0.lock().unwrap().0 += room;
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().1.concat()).unwrap()
        }
    }

    impl Write for Disk {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let (room, writes) = &mut *self.0.lock().unwrap();
            let written = text.len().min(*room);
            if written == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            *room -= written;
            writes.push(text[..written].to_vec());
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_a_full_disk_has_cut_is_ended_before_the_next() {
        let (disk, dropped) = (Disk::with_room(8), Counter::default());
        let writer = LogWriter::start(disk.clone(), dropped.clone()).unwrap();
        for line in ["one\n", "two and more\n", "three\n"] {
            writer.push(line.as_bytes());
            writer.flush(PATIENCE);
        }
        assert_eq!((disk.text().as_str(), dropped.get()), ("one\ntwo ", 1));
        disk.add_room(100);
        writer.push(b"four\n");
        writer.flush(PATIENCE);
        assert_eq!((disk.text().as_str(), dropped.get()), ("one\ntwo and more\nfour\n", 1));
    }

    /// An output that is read only when the other end of the channel is gone.
    struct Unread(std::sync::mpsc::Receiver<()>, Disk);

    impl Write for Unread {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_waits_is_bounded_in_lines_and_in_bytes() {
        for (length, most) in [(2, usize::try_from(MAX_LINES).unwrap()), (10_000, MAX_BYTES / 10_000)] {
            let (disk, dropped) = (Disk::with_room(usize::MAX), Counter::default());
            let (unread, pipe) = std::sync::mpsc::channel();
            let writer = LogWriter::start(Unread(pipe, disk.clone()), dropped.clone()).unwrap();
            let line = format!("{}\n", "x".repeat(length - 1));
            let pushed = 3 * most as u64;
            for _ in 0..pushed {
                writer.push(line.as_bytes());
            }
            // The thread may have taken one batch.
            let waiting = pushed - dropped.get();
            let batch = 1 + PIPE_BUF / length;
            assert!((most as u64..=(most + batch) as u64).contains(&waiting), "{waiting} of {length} bytes");
            drop(unread);
            writer.flush(PATIENCE);
            assert_eq!(lines_in(disk.text().as_bytes()), waiting);
        }
    }

    #[test]
    fn a_write_has_whole_lines_and_what_a_pipe_keeps_together() {
        let disk = Disk::with_room(usize::MAX);
        let (unread, pipe) = std::sync::mpsc::channel();
        let writer = LogWriter::start(Unread(pipe, disk.clone()), Counter::default()).unwrap();
        let lines: Vec<String> = (0..300).map(|length| format!("{}\n", "x".repeat(length))).collect();
        for line in &lines {
            writer.push(line.as_bytes());
        }
        drop(unread);
        writer.flush(PATIENCE);
        assert_eq!(disk.text(), lines.concat());
        for write in &disk.0.lock().unwrap().1 {
            assert!(write.ends_with(b"\n") && write.len() <= PIPE_BUF, "{} bytes", write.len());
        }
    }

    #[test]
    fn lines_that_come_soon_after_each_other_are_written_together() {
        let disk = Disk::with_room(usize::MAX);
        let writer = LogWriter::start(disk.clone(), Counter::default()).unwrap();
        let (begun, lines) = (Instant::now(), 50);
        for _ in 0..lines {
            writer.push(b"line\n");
            // As requests come: the thread has time to write each of them by itself.
            thread::sleep(COLLECT / 10);
        }
        let times = begun.elapsed().as_micros() / COLLECT.as_micros();
        writer.flush(PATIENCE);
        let writes = disk.0.lock().unwrap().1.len() as u128;
        assert!(writes <= times + 3, "{writes} writes in {times} times");
        assert_eq!(disk.text().lines().count(), lines);
    }

    /// An output that takes a byte every other time and does not block.
    struct Slow(bool, Disk);

    impl Write for Slow {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 { Err(Error::from(ErrorKind::WouldBlock)) } else { self.1.write(&text[..1]) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_output_that_does_not_block_is_waited_for() {
        let (disk, dropped) = (Disk::with_room(100), Counter::default());
        let writer = LogWriter::start(Slow(false, disk.clone()), dropped.clone()).unwrap();
        writer.push(b"one\n");
        writer.flush(PATIENCE);
        assert_eq!((disk.text().as_str(), dropped.get()), ("one\n", 0));
    }
}
