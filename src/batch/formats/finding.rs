//! The members of a scanner's finding, and the key in it.

use crate::batch::entry::ReadError;
use crate::credentials::VerifyRequest;
use serde_json::Value as Json;

/// The key in a scanner's finding.
pub(super) type FoundKey = Result<VerifyRequest, ReadError>;

/// A member by its name, ignoring case and `_`.
pub(super) fn member<'a>(object: &'a Json, folded: &str) -> Option<&'a Json> {
    let fold = |name: &str| name.replace('_', "").to_ascii_lowercase();
    object.as_object()?.iter().find(|(name, _)| fold(name) == folded).map(|(_, value)| value)
}

/// A member that is a string.
pub(super) fn text<'a>(object: &'a Json, folded: &str) -> Option<&'a str> {
    member(object, folded)?.as_str()
}
