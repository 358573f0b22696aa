//! The id that identifies a request in the log: the caller's, or a new one.

use crate::credentials::redact::SHORTEST_PART;
use crate::observability::UNMATCHED;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

/// The header of the id, in requests and answers.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request with this head.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    headers.get(REQUEST_ID_HEADER).filter(|id| is_safe(id)).cloned().unwrap_or_else(new_id)
}

/// A caller's id is used if it is short and plain, so that it is harmless in a log, and if its form excludes
/// that it contains a part of a secret. AWS's secrets are base64 of random bytes: any run of them that is long
/// enough to be useful has letters of both cases. Such a run is accepted only with the length of a known kind
/// of id; a secret access key has 40 characters, and a session token hundreds.
fn is_safe(id: &HeaderValue) -> bool {
    let in_base64 = |b: &u8| b.is_ascii_alphanumeric() || *b == b'=';
    let id = id.as_bytes();
    let is_nanoid = || NANOID_LENGTHS.contains(&id.len()) && !may_hold_an_access_key_id(id);
    (1..=64).contains(&id.len())
        && id.iter().all(|b| in_base64(b) || b"-_.:".contains(b))
        && (is_nanoid() || id.split(|b| !in_base64(b)).all(cannot_be_secret))
}

/// The lengths of nanoids, and of UUIDs in base64 or base62. They may also contain the characters that separate
/// words.
const NANOID_LENGTHS: [usize; 2] = [21, 22];

/// The number of base62 characters in a KSUID.
const KSUID_LENGTH: usize = 27;

/// The shortest access key id.
const ACCESS_KEY_ID_LENGTH: usize = 16;

/// Whether a word of an id cannot be part of a secret: it is shorter than what counts as a secret, is a
/// hexadecimal number, has no capital letter (TypeIDs, CUIDs, XIDs), or is a ULID or a KSUID.
fn cannot_be_secret(word: &[u8]) -> bool {
    // Crockford's base32 has no I, L, O and U. Its 26 characters encode 128 bits, and the first is at most 7.
    let in_crockford = |b: &u8| b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"ILOU".contains(b));
    let ulid = || word.len() == 26 && word[0] <= b'7' && word.iter().all(in_crockford);
    let in_ksuid = || word.iter().all(u8::is_ascii_alphanumeric) && !may_hold_an_access_key_id(word);
    word.len() < SHORTEST_PART
        || word.iter().all(u8::is_ascii_hexdigit)
        || !word.iter().any(u8::is_ascii_uppercase)
        || (word.len() == KSUID_LENGTH && in_ksuid())
        || ulid()
}

/// Whether a run of capital letters and digits is long enough to be an access key ID, which the log must mask.
fn may_hold_an_access_key_id(text: &[u8]) -> bool {
    let mut runs = text.split(|b| !b.is_ascii_uppercase() && !b.is_ascii_digit());
    runs.any(|run| run.len() >= ACCESS_KEY_ID_LENGTH)
}

/// A version 4 UUID. Its random bits come from the same generator as those of trace ids, without a system call
/// for each.
fn new_id() -> HeaderValue {
    let random = RandomIdGenerator::default().new_trace_id().to_bytes();
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text))
        .unwrap_or_else(|_| HeaderValue::from_static(UNMATCHED))
}
