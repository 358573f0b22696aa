//! The text of JSON: where its strings are, and whether it contains the name of a key.

use crate::batch::formats::lines::BYTE_ORDER_MARK;
use crate::credentials::{Field, Name};

/// Whether the next character belongs to a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    Outside,
    Inside,
    /// After a backslash.
    Escaped,
}

impl Text {
    /// The state after a character of a string.
    pub(super) fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Outside, _) | (Self::Inside, b'"') => Self::Outside,
            (Self::Inside, b'\\') => Self::Escaped,
            _ => Self::Inside,
        }
    }
}

/// Whether a text contains the name of an access key or a secret.
pub(super) fn names_a_key(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'"').any(is_of_a_key)
}

/// Whether a name is that of an access key or a secret.
pub(in crate::batch::formats) fn is_of_a_key(name: &[u8]) -> bool {
    Name::parse(name).is_some_and(|name| matches!(name.field(), Field::AccessKey | Field::SecretKey))
}

pub(super) fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Whether a byte between values means nothing: white space, a control character such as the RS of JSON text
/// sequences (RFC 7464), or one of a byte order mark, which files that were put together have in the middle.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte.is_ascii_control() || BYTE_ORDER_MARK.contains(&byte)
}
