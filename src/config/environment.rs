//! The variables without a flag: those that other programs read, too.

/// The value of a variable. If it is empty or only white space (a Secret that was made with `echo`), the
/// variable counts as not set.
///
/// # Errors
///
/// One line, when the value is not UTF-8.
pub(super) fn text(name: &str) -> Result<Option<String>, String> {
    let Some(value) = std::env::var_os(name) else { return Ok(None) };
    let value = value.into_string().map_err(|_| format!("{name}: must be text in UTF-8"))?;
    Ok(Some(value).filter(|value| !value.trim().is_empty()))
}
