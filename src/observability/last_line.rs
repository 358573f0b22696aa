//! The last line that was logged for a request, for callers that want it in the response.

use futures_util::FutureExt as _;
use std::cell::RefCell;
use std::future::Future;

tokio::task_local! {
    /// The line, if it is wanted.
    static LINE: RefCell<Option<String>>;
}

/// Runs a future and, if `wanted`, returns the last line that was logged in it. The text is empty if nothing
/// was logged: the settings may leave a line out.
pub(crate) fn catch<F: Future>(wanted: bool, future: F) -> impl Future<Output = (F::Output, String)> {
    let line = RefCell::new(wanted.then(String::new));
    let with_line = |output| (output, LINE.with(RefCell::take).unwrap_or_default());
    LINE.scope(line, future.map(with_line))
}

/// Records a line that is being logged.
pub(super) fn logged(text: &str) {
    let keep = |line: &RefCell<Option<String>>| {
        if let Some(line) = &mut *line.borrow_mut() {
            text.clone_into(line);
        }
    };
    // Outside of a request the line is not wanted.
    let _ = LINE.try_with(keep);
}
