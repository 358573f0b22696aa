use super::*;
use std::io::Error;
use std::time::Instant;

/// The time after which a test fails. No result depends on it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A disk with limited space, and the writes that it accepted.
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
fn a_line_that_a_full_disk_cut_is_completed_before_the_next() {
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
fn the_queue_is_limited_in_lines_and_in_bytes() {
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
fn a_write_has_whole_lines_and_at_most_pipe_buf_bytes() {
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
fn lines_that_follow_each_other_soon_are_written_together() {
    let disk = Disk::with_room(usize::MAX);
    // Collects until the flush.
    let writer = LogWriter::start_collecting(disk.clone(), Counter::default(), PATIENCE).unwrap();
    writer.push(b"first\n");
    let begun = Instant::now();
    while disk.text().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "the first line is collected, too");
        thread::yield_now();
    }
    for _ in 0..50 {
        writer.push(b"line\n");
    }
    writer.flush(PATIENCE);
    assert_eq!(disk.0.lock().unwrap().1, [b"first\n".to_vec(), b"line\n".repeat(50)]);
}

/// A non-blocking output that accepts a byte every other time.
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
fn the_writer_waits_for_a_non_blocking_output() {
    let (disk, dropped) = (Disk::with_room(100), Counter::default());
    let writer = LogWriter::start(Slow(false, disk.clone()), dropped.clone()).unwrap();
    writer.push(b"one\n");
    writer.flush(PATIENCE);
    assert_eq!((disk.text().as_str(), dropped.get()), ("one\n", 0));
}
