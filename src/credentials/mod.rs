//! The credentials that a caller posts: how they may be spelled, which values are valid, and that they are
//! never printed.
//!
//! [`VerifyRequest::from_json`] reads a JSON object that has the values under any of the names that AWS tools
//! print ([`NAMES`]), at any position where a tool puts them, and checks them. Invalid input ends in a
//! [`ValidationError`], whose text names a field and never contains any part of the input: serde's own messages
//! repeat the input, so none of them leaves this module.
//!
//! Other formats use the same rules: [`Name`] and [`NameRule`] for their names, [`CredentialFields`] for their
//! values.

mod fields;
mod json;
mod names;
mod posted;
mod proof_members;
pub(crate) mod redact;

pub use fields::{CredentialFields, FieldValue, SiblingFields, is_access_key_id};
pub use names::{Field, KnownName, NAMES, Name, NameRule};
pub use posted::{EKS_TOKEN_PREFIX, Posted, PostedHeaders, PostedLogin, PostedProof, PostedText};

use secrecy::{ExposeSecret as _, SecretString};

/// A caller's credentials, of which only the form was checked.
///
/// There is no `Debug`, `Clone` or `Serialize`, so that they cannot reach a log or an answer by accident. The
/// secrets are wiped on drop.
pub struct Credentials {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

/// One verify request: credentials, and the region whose STS verifies them.
pub struct VerifyRequest {
    /// The credentials to verify.
    pub credentials: Credentials,
    /// The region to use.
    pub region: RequestedRegion,
}

/// The region that a request names. All names have the form of a region's name; the operator's list decides
/// whether a region is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedRegion {
    /// This region only.
    Named(String),
    /// The first of these that is possible. The default region if there are none.
    Hints(Vec<String>),
}

/// Why a request is rejected before STS is called. No text contains any part of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// Not JSON, or JSON that is not an object.
    #[error("The request body must be one JSON object.")]
    MalformedJson,
    /// A text in an encoding other than UTF-8.
    #[error(
        "The request body must be one JSON object in UTF-8; it is in another encoding, such as PowerShell's UTF-16."
    )]
    NotUtf8,
    /// A required value is absent, null or empty.
    #[error("{0} is missing or empty.")]
    Missing(&'static str),
    /// A value is invalid.
    #[error("{0} {1}.")]
    Invalid(&'static str, &'static str),
    /// Credentials, or a part of them, although none are accepted.
    #[error("This service does not accept credentials (STS_VERIFY_ACCEPT).")]
    NotAccepted,
    /// A value that occurs under two names, or twice under one, with a difference.
    #[error("{0} and {1} name the same value and differ; send one of them.")]
    Duplicate(&'static str, &'static str),
}

impl Credentials {
    /// The whole access key ID, which is only for signing. Logs use [`Credentials::masked_access_key`].
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The masked access key ID for logs: its first four and last four characters.
    #[must_use]
    pub fn masked_access_key(&self) -> String {
        masked_access_key(&self.access_key_id)
    }

    /// The secret access key.
    #[must_use]
    pub fn secret_access_key(&self) -> &SecretString {
        &self.secret_access_key
    }

    /// Both secrets. The token is empty if absent, which means the same to AWS.
    pub(crate) fn secrets(&self) -> [&str; 2] {
        let token = self.session_token.as_ref().map_or("", |token| token.expose_secret());
        [self.secret_access_key.expose_secret(), token]
    }

    /// The session token, if there is one. Never empty: AWS tools write an empty token for none.
    #[must_use]
    pub fn session_token(&self) -> Option<&SecretString> {
        self.session_token.as_ref()
    }
}

/// The masked form of an access key ID for logs: its first four and last four characters. The ID must be
/// well-formed ([`is_access_key_id`]), so it is long enough and ASCII.
pub(crate) fn masked_access_key(id: &str) -> String {
    format!("{}…{}", &id[..4], &id[id.len() - 4..])
}

/// Some editors and PowerShell write this before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl Posted {
    /// Reads a request body: JSON in UTF-8, with or without a byte order mark.
    ///
    /// # Errors
    ///
    /// A [`ValidationError`] for a body that is not a JSON object, and for a value that is missing, ambiguous
    /// or malformed.
    pub fn from_json(body: &[u8]) -> Result<Self, ValidationError> {
        Self::accepting(body, true)
    }

    /// The same for a service that may not accept credentials.
    ///
    /// # Errors
    ///
    /// As for [`Posted::from_json`], and for credentials, or a part of them, that are not accepted.
    pub fn accepting(body: &[u8], credentials_accepted: bool) -> Result<Self, ValidationError> {
        let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        // JSON never contains a NUL. In UTF-16 and UTF-32 it has one among its first four bytes (RFC 4627,
        // section 3).
        if body.iter().take(4).any(|byte| *byte == 0) {
            return Err(ValidationError::NotUtf8);
        }
        let text = std::str::from_utf8(body).map_err(|_| ValidationError::NotUtf8)?;
        json::read(text)?.check(credentials_accepted)
    }
}

impl VerifyRequest {
    /// Reads a request body that must contain credentials.
    ///
    /// # Errors
    ///
    /// As for [`Posted::from_json`]; for a proof the error is that there are no credentials.
    pub fn from_json(body: &[u8]) -> Result<Self, ValidationError> {
        match Posted::from_json(body)? {
            Posted::Credentials(request) => Ok(request),
            Posted::Proof(_) => Err(ValidationError::Missing("stsAccessKey")),
        }
    }
}

/// Whether a text has the form of a region's name: one DNS label in lower case (RFC 1123), so that it can never
/// change the rest of a host name.
#[must_use]
pub fn is_region_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
