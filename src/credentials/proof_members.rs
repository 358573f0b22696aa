//! The members that belong to a proof, and their values.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::value::RawValue;

/// A member that belongs to a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProofMember {
    pub part: Part,
    /// The name in messages.
    pub name: &'static str,
}

/// The part of a proof that a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Token,
    PresignedUrl,
    Method,
    Url,
    Body,
    Headers,
}

/// The members of proofs, with names folded like those of credentials.
const MEMBERS: [(&str, ProofMember); 6] = [
    ("webidentitytoken", member(Part::Token, "WebIdentityToken")),
    ("presignedurl", member(Part::PresignedUrl, "presigned_url")),
    ("iamhttprequestmethod", member(Part::Method, "iam_http_request_method")),
    ("iamrequesturl", member(Part::Url, "iam_request_url")),
    ("iamrequestbody", member(Part::Body, "iam_request_body")),
    ("iamrequestheaders", member(Part::Headers, "iam_request_headers")),
];

const fn member(part: Part, name: &'static str) -> ProofMember {
    ProofMember { part, name }
}

impl ProofMember {
    /// A `token` in an object without an access key ID.
    pub const TOKEN: Self = member(Part::Token, "token");

    /// The member with this folded name.
    pub fn of_folded(folded: &[u8]) -> Option<Self> {
        MEMBERS.iter().find(|(name, _)| name.as_bytes() == folded).map(|(_, member)| *member)
    }

    /// Whether an object is a valid value.
    pub fn takes_object(self) -> bool {
        self.part == Part::Headers
    }
}

/// A value of one of these members.
pub(super) enum ProofValue {
    Text(SecretString),
    Object(SecretString),
    /// The first of two different values in one object.
    Contradicted(SecretString),
    /// A value of a wrong type, such as a number.
    Other,
}

impl ProofValue {
    /// `None` for null and for an empty text, which count as absent.
    pub fn from_json(value: &RawValue) -> Option<Self> {
        match serde_json::from_str::<Option<SecretString>>(value.get()) {
            Ok(text) => text.and_then(Self::from_text),
            Err(_) if value.get().starts_with('{') => Some(Self::Object(value.get().into())),
            Err(_) => Some(Self::Other),
        }
    }

    pub fn from_text(text: SecretString) -> Option<Self> {
        (!text.expose_secret().is_empty()).then_some(Self::Text(text))
    }

    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) | (Self::Object(one), Self::Object(other)) => {
                one.expose_secret() == other.expose_secret()
            }
            (Self::Other, Self::Other) => true,
            _ => false,
        }
    }
}
