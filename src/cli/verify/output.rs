//! Rows on standard output; errors and a progress bar on standard error.

use crate::batch::answer::{Answer, KeyInfo, Verdict};
use crate::batch::entry::{Location, ReadError};
use crate::batch::report::Report;
use crate::batch::resume::Resume;
use crate::batch::runner::{Output, Totals};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal as _, Write, stderr, stdout};
use std::time::Duration;

/// The size of one write.
const BUFFER_BYTES: usize = 64 * 1024;

/// How often the bar is redrawn.
const TICK: Duration = Duration::from_millis(200);

const WITH_TOTAL: &str = "{bar:12} {pos}/{len}  {rate}/s  {eta} left  {wide_msg}";
const WITHOUT_TOTAL: &str = "{spinner} {pos}  {rate}/s  {elapsed}  {wide_msg}";

/// Standard error with its progress bar, which is hidden if standard error is not a terminal.
#[derive(Clone)]
pub(super) struct Terminal(ProgressBar);

impl Terminal {
    pub(super) fn new() -> Self {
        if !stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        set_template(&bar, WITHOUT_TOTAL);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    pub(super) fn shows_progress(&self) -> bool {
        !self.0.is_hidden()
    }

    pub(super) fn set_total(&self, total: u64) {
        self.0.set_length(total);
        set_template(&self.0, WITH_TOTAL);
    }

    /// Standard output, coordinated with the bar.
    pub(super) fn writer(&self) -> Writer {
        Writer { bar: self.0.clone(), buffer: Vec::with_capacity(BUFFER_BYTES) }
    }
}

fn set_template(bar: &ProgressBar, template: &str) {
    // The templates are constants and valid. Without one the bar would only look different.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("rate", |state: &ProgressState, text: &mut dyn fmt::Write| {
            // The bar has no use for errors.
            let _ = write!(text, "{:.0}", state.per_sec());
        }));
    }
}

/// Standard output, written in pieces. The bar can be drawn between them.
pub(super) struct Writer {
    bar: ProgressBar,
    buffer: Vec<u8>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let buffer = &self.buffer;
        self.bar.suspend(|| {
            let mut stdout = stdout().lock();
            stdout.write_all(buffer)?;
            stdout.flush()
        })?;
        self.buffer.clear();
        Ok(())
    }
}

/// Receives the answers.
pub(super) struct Console {
    report: Report<Writer>,
    resume: Option<Resume>,
    terminal: Terminal,
}

impl Console {
    pub(super) fn new(report: Report<Writer>, resume: Option<Resume>, terminal: Terminal) -> Self {
        Self { report, resume, terminal }
    }

    pub(super) fn finish(self, complete: bool, summary: &str) -> io::Result<()> {
        self.terminal.0.finish_and_clear();
        self.report.finish(complete, summary)
    }
}

impl Output for Console {
    fn is_done(&self, location: &Location, key: &KeyInfo) -> Option<Verdict> {
        self.resume.as_ref()?.verdict(&self.report.sources().label(location), key.masked.as_deref())
    }

    fn answer(&mut self, location: &Location, key: &KeyInfo, answer: &Answer) -> io::Result<()> {
        self.report.row(location, key, answer)
    }

    fn unreadable(&mut self, location: &Location, reason: ReadError) -> io::Result<()> {
        let label = self.report.sources().label(location);
        self.terminal.0.suspend(|| say(&format!("sts-verify: {label}: {reason}")));
        Ok(())
    }

    fn pause(&mut self, totals: &Totals) -> io::Result<()> {
        let answered: u64 = totals.verdicts.iter().sum();
        self.terminal.0.set_position(answered + totals.done_before);
        if self.terminal.shows_progress() {
            let met = Verdict::ALL.into_iter().filter(|verdict| totals.of(*verdict) > 0);
            let counts: Vec<_> =
                met.map(|verdict| format!("{} {}", totals.of(verdict), verdict.as_str())).collect();
            self.terminal.0.set_message(counts.join(", "));
        }
        self.report.flush()
    }
}

/// Writes a line on standard error, if it is read. Control characters in names are not written.
pub(super) fn say(line: &str) {
    let line: String = line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let _ = writeln!(stderr(), "{line}");
}
