//! The last line that was logged while a request was handled, for a caller who asks for it.

use futures_util::FutureExt as _;
use std::cell::RefCell;
use std::future::Future;

tokio::task_local! {
    /// The line, where it is wanted.
    static LINE: RefCell<Option<String>>;
}

/// Runs a future and, if it is wanted, catches the last line that was logged in it, as it stands in the log. The text is
/// empty where nothing was logged: the settings may leave a line out.
pub(crate) fn catch<F: Future>(wanted: bool, future: F) -> impl Future<Output = (F::Output, String)> {
    let line = RefCell::new(wanted.then(String::new));
    let with_line = |output| (output, LINE.with(RefCell::take).unwrap_or_default());
    LINE.scope(line, future.map(with_line))
}

/// Tells of a line that is being logged.
pub(super) fn logged(text: &str) {
    let keep = |line: &RefCell<Option<String>>| {
        if let Some(line) = &mut *line.borrow_mut() {
            text.clone_into(line);
        }
    };
    // Outside of a request there is nobody to tell.
    let _ = LINE.try_with(keep);
}
