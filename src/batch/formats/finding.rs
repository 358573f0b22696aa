//! A scanner's finding: its members, and what it comes to.

use crate::batch::entry::ReadError;
use crate::credentials::VerifyRequest;
use serde_json::Value as Json;

/// What a finding of a scanner comes to.
pub(super) type Found = Result<VerifyRequest, ReadError>;

/// A member by its name, without regard to case and `_`.
pub(super) fn member<'a>(object: &'a Json, folded: &str) -> Option<&'a Json> {
    let fold = |name: &str| name.replace('_', "").to_ascii_lowercase();
    object.as_object()?.iter().find(|(name, _)| fold(name) == folded).map(|(_, value)| value)
}

/// A member that is a text.
pub(super) fn text<'a>(object: &'a Json, folded: &str) -> Option<&'a str> {
    member(object, folded)?.as_str()
}
