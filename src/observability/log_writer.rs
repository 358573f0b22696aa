//! Lines for stdout, written by a thread of their own: nobody else ever waits for whoever reads them.
//!
//! A pipe that nobody reads is full after 64 KiB, and a write to it then blocks its thread. So lines wait in a bounded
//! queue, and a line that finds it full is dropped and counted, as is one that cannot be written (a closed pipe, a full
//! disk).

use memchr::{memchr, memchr_iter};
use prometheus_client::metrics::counter::Counter;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use tracing::warn;

/// How many lines may wait to be written: those of half a second at full load.
const MAX_LINES: usize = 8 * 1024;

/// How many bytes these may have together. A request's line has some 300.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// What a pipe keeps together (`PIPE_BUF` in pipe(7)), and so the most that is written at once: no line is cut by those
/// of another process that writes to the same pipe. A single line that is longer is written whole, but without that promise.
const PIPE_BUF: usize = 4096;

/// How long to wait before writing again to an output that does not block and takes nothing just now.
const RETRY: Duration = Duration::from_millis(10);

/// A queue of lines and the thread that writes them. It is written to by reference and never fails nor waits.
pub(crate) struct LogWriter {
    queue: Mutex<Queue>,
    /// A line has come, or all are written.
    changed: Condvar,
    /// Lines that will never be written.
    dropped: Counter,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Box<[u8]>>,
    /// The length of all of them.
    bytes: usize,
    /// The thread has written everything and waits for more.
    idle: bool,
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

    /// Waits until everything is written, but no longer than this.
    pub(crate) fn flush(&self, limit: Duration) {
        let waited = self.changed.wait_timeout_while(self.queue(), limit, |queue| !queue.idle);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn work(&self, mut output: impl Write) {
        let mut batch = Vec::with_capacity(PIPE_BUF);
        let mut reported = self.dropped.get();
        loop {
            // What is left from the last round is the rest of a line that was cut, by a full disk say.
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

    /// Waits for lines and appends as many as one write may have.
    fn next_batch(&self, batch: &mut Vec<u8>) {
        let mut queue = self.queue();
        while queue.lines.is_empty() {
            queue.idle = true;
            self.changed.notify_all();
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let mut room = PIPE_BUF.saturating_sub(batch.len());
        // One line at least, however long it is.
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
        for (length, most) in [(2, MAX_LINES), (10_000, MAX_BYTES / 10_000)] {
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
