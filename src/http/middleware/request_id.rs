//! The id by which a request is found again in the log: its caller's, or a new one.

use crate::credentials::redact::SHORTEST_PART;
use crate::observability::UNMATCHED;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator};

/// The header of the id, in requests and answers.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request with this head.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    headers.get(REQUEST_ID_HEADER).filter(|id| is_sane(id)).cloned().unwrap_or_else(new_id)
}

/// A caller's id is taken over when it is short and plain, so that it can do no harm in a log, and has a form that no part
/// of a secret has that slipped into it. AWS's secrets are base64 of random bytes: a run of them that is long enough to matter
/// has letters of both cases. Such a run is only taken where it is as long as a known kind of id; a secret access key
/// has 40 characters, and a session token hundreds.
fn is_sane(id: &HeaderValue) -> bool {
    let in_base64 = |b: &u8| b.is_ascii_alphanumeric() || *b == b'=';
    let id = id.as_bytes();
    let is_nanoid = || NANOID_LENGTHS.contains(&id.len()) && !may_hold_an_access_key_id(id);
    (1..=64).contains(&id.len())
        && id.iter().all(|b| in_base64(b) || b"-_.:".contains(b))
        && (is_nanoid() || id.split(|b| !in_base64(b)).all(is_harmless))
}

/// The lengths of nanoids, and of UUIDs in base64 or base62. They may have any of the characters that part words, too.
const NANOID_LENGTHS: [usize; 2] = [21, 22];

/// How many characters of base62 a KSUID has.
const KSUID_LENGTH: usize = 27;

/// The shortest access key id.
const ACCESS_KEY_ID_LENGTH: usize = 16;

/// Whether a word of an id can be no part of a secret: it is shorter than what counts as one, a number in hexadecimal, has no
/// capital letter (TypeIDs, CUIDs, XIDs), or is a ULID or a KSUID.
fn is_harmless(word: &[u8]) -> bool {
    // Crockford's base32 is without I, L, O and U, and 26 characters of it make 128 bits if the first is 7 at most.
    let in_crockford = |b: &u8| b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"ILOU".contains(b));
    let ulid = || word.len() == 26 && word[0] <= b'7' && word.iter().all(in_crockford);
    let in_ksuid = || word.iter().all(u8::is_ascii_alphanumeric) && !may_hold_an_access_key_id(word);
    word.len() < SHORTEST_PART
        || word.iter().all(u8::is_ascii_hexdigit)
        || !word.iter().any(u8::is_ascii_uppercase)
        || (word.len() == KSUID_LENGTH && in_ksuid())
        || ulid()
}

/// Whether so many capital letters and digits stand in a row that they may be an access key id, which the log has to mask.
fn may_hold_an_access_key_id(text: &[u8]) -> bool {
    let mut runs = text.split(|b| !b.is_ascii_uppercase() && !b.is_ascii_digit());
    runs.any(|run| run.len() >= ACCESS_KEY_ID_LENGTH)
}

/// A UUID of version 4. Its random bits come from where those of trace ids do, without a system call for each.
fn new_id() -> HeaderValue {
    let random = RandomIdGenerator::default().new_trace_id().to_bytes();
    let id = uuid::Builder::from_random_bytes(random).into_uuid();
    let mut text = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(id.hyphenated().encode_lower(&mut text))
        .unwrap_or_else(|_| HeaderValue::from_static(UNMATCHED))
}
