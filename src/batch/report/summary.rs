//! The result of a list, in one line.

use crate::batch::answer::Verdict;
use crate::batch::runner::Totals;
use std::fmt::Write as _;
use std::time::Duration;

/// The summary line.
#[must_use]
pub fn summary(totals: &Totals, took: Duration) -> String {
    let mut text = format!("{} read, {} distinct:", totals.read, totals.distinct);
    for (at, verdict) in Verdict::ALL.into_iter().enumerate() {
        let separator = if at == 0 { "" } else { "," };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator} {} {}", totals.of(verdict), verdict.as_str());
    }
    let _ = write!(text, "; {} unreadable", totals.unreadable);
    for (count, what) in
        [(totals.ignored, "findings of other rules"), (totals.done_before, "answered before")]
    {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    let _ = write!(text, "; {:.1} s", took.as_secs_f64());
    text
}
