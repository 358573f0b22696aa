//! The three values a caller posts: how they may be spelled, what they may hold, and that they are never printed.
//!
//! [`VerifyRequest::from_json`] reads a JSON object with the values under any of the names that AWS tools print ([`NAMES`]),
//! wherever a tool put them, and checks them. What it refuses, it refuses with a [`ValidationError`], whose text names a
//! field and never holds any part of the input: serde's own messages repeat it, so none of them leaves this module.
//!
//! Other formats use the same rules: [`Name`] and [`NameRule`] for their names, [`CredentialFields`] for their values.

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

/// Credentials as a caller gave them, checked in shape only.
///
/// There is no `Debug`, `Clone` or `Serialize`, so that they cannot reach a log or an answer by accident, and the
/// secret parts are wiped when this is dropped.
pub struct Credentials {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

/// What one request asks: these credentials, and at which region's STS.
pub struct VerifyRequest {
    /// Whose identity is asked for.
    pub credentials: Credentials,
    /// Where it is asked for.
    pub region: RequestedRegion,
}

/// The region whose STS a request wants to be asked. All names have the form of a region's; whether one may be asked is for
/// the operator's list to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedRegion {
    /// This one and no other.
    Named(String),
    /// One of these if that can be, the strongest first; the configured one where there are none.
    Hints(Vec<String>),
}

/// Why a request was refused before STS was asked. No text of it holds any part of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// Not JSON, or JSON that is not an object.
    #[error("The request body must be one JSON object.")]
    MalformedJson,
    /// A text in another encoding than UTF-8.
    #[error(
        "The request body must be one JSON object in UTF-8; it is in another encoding, such as PowerShell's UTF-16."
    )]
    NotUtf8,
    /// A value that is needed is absent, null or empty.
    #[error("{0} is missing or empty.")]
    Missing(&'static str),
    /// A value is there, and cannot be one.
    #[error("{0} {1}.")]
    Invalid(&'static str, &'static str),
    /// Credentials, or a part of them, where none are accepted.
    #[error("This service does not accept credentials (STS_VERIFY_ACCEPT).")]
    NotAccepted,
    /// One value under two names, or twice under one, that differs from one to the other.
    #[error("{0} and {1} name the same value and differ; send one of them.")]
    Duplicate(&'static str, &'static str),
}

impl Credentials {
    /// The access key id, whole: for signing and for nothing else. Logs use [`Credentials::masked_access_key`].
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The access key id as it may be logged: its first four and last four characters.
    #[must_use]
    pub fn masked_access_key(&self) -> String {
        masked_access_key(&self.access_key_id)
    }

    /// The secret access key.
    #[must_use]
    pub fn secret_access_key(&self) -> &SecretString {
        &self.secret_access_key
    }

    /// Both secrets; an empty text for an absent token, which AWS takes for the same.
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

/// An access key ID as it may be logged: its first four and last four characters. It has the form of one
/// ([`is_access_key_id`]), and so is long enough and ASCII.
pub(crate) fn masked_access_key(id: &str) -> String {
    format!("{}…{}", &id[..4], &id[id.len() - 4..])
}

/// What some editors and PowerShell write before a text in UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl Posted {
    /// Reads a request body: JSON in UTF-8, with or without a byte order mark.
    ///
    /// # Errors
    ///
    /// A [`ValidationError`] for a body that is no JSON object, and for a value that is missing, contradicted or malformed.
    pub fn from_json(body: &[u8]) -> Result<Self, ValidationError> {
        Self::accepting(body, true)
    }

    /// The same for a service that may accept no credentials.
    ///
    /// # Errors
    ///
    /// As of [`Posted::from_json`]; and for credentials that are not accepted, or a part of them.
    pub fn accepting(body: &[u8], credentials_accepted: bool) -> Result<Self, ValidationError> {
        let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        // No JSON has a NUL in it; that of UTF-16 and UTF-32 has one among its first four bytes (RFC 4627, section 3).
        if body.iter().take(4).any(|byte| *byte == 0) {
            return Err(ValidationError::NotUtf8);
        }
        let text = std::str::from_utf8(body).map_err(|_| ValidationError::NotUtf8)?;
        json::read(text)?.check(credentials_accepted)
    }
}

impl VerifyRequest {
    /// Reads a request body in which credentials alone are wanted.
    ///
    /// # Errors
    ///
    /// As of [`Posted::from_json`]; and for a proof, that there are no credentials.
    pub fn from_json(body: &[u8]) -> Result<Self, ValidationError> {
        match Posted::from_json(body)? {
            Posted::Credentials(request) => Ok(request),
            Posted::Proof(_) => Err(ValidationError::Missing("stsAccessKey")),
        }
    }
}

/// Whether a text has the form of a region's name: one DNS label in lower case (RFC 1123), so that it can never
/// reach into another host name.
#[must_use]
pub fn is_region_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
