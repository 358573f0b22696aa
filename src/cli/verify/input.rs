//! The files of a list. They are read by a separate thread, because waiting for standard input would block a
//! runtime.

use super::output::Terminal;
use crate::batch::entry::{Item, Location, ReadError};
use crate::batch::formats::{self, Format};
use std::fs::File;
use std::io::{self, stdin};
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::{Path, PathBuf};
use std::thread;
use tokio::sync::mpsc;

/// The number of items that are read ahead of the runner.
const AHEAD: usize = 256;

/// The name of standard input.
const STDIN: &str = "-";

/// The files of a list.
#[derive(Clone)]
pub(super) struct Inputs {
    files: Vec<PathBuf>,
    format: Format,
}

impl Inputs {
    pub(super) fn new(files: &[PathBuf], format: Format) -> Self {
        let files = if files.is_empty() { vec![PathBuf::from(STDIN)] } else { files.to_vec() };
        Self { files, format }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.files.iter().map(|file| file.to_string_lossy().into_owned()).collect()
    }

    /// Reads the files into a channel. If a progress bar is shown and the files can be read twice, their
    /// entries are counted.
    pub(super) fn read(self, terminal: &Terminal) -> mpsc::Receiver<Item> {
        if terminal.shows_progress() && self.files.iter().all(|file| file.is_file()) {
            let (inputs, terminal) = (self.clone(), terminal.clone());
            thread::spawn(move || terminal.set_total(inputs.count()));
        }
        let (sender, items) = mpsc::channel(AHEAD);
        // The thread ends with the process. Nothing waits for it, because it may wait for a person's input.
        thread::spawn(move || {
            let _ = self.read_all(&mut |item| match sender.blocking_send(item) {
                Ok(()) => Continue(()),
                Err(_) => Break(()),
            });
        });
        items
    }

    fn count(&self) -> u64 {
        let mut count = 0;
        let _ = self.read_all(&mut |item| {
            count += u64::from(matches!(item, Item::Entry(..)));
            Continue(())
        });
        count
    }

    fn read_all(&self, emit: &mut dyn FnMut(Item) -> ControlFlow<()>) -> ControlFlow<()> {
        for (number, file) in (0_u32..).zip(&self.files) {
            match open(file) {
                Ok(input) => formats::read(number, input, self.format, emit)?,
                Err(error) => {
                    emit(Item::Unreadable(Location::line(number, 0), ReadError::Io(error.kind())))?;
                }
            }
        }
        Continue(())
    }
}

fn open(file: &Path) -> io::Result<Box<dyn io::Read>> {
    if file == Path::new(STDIN) { Ok(Box::new(stdin().lock())) } else { Ok(Box::new(File::open(file)?)) }
}
