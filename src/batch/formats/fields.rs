//! From values under names to a request, the same for every format.

use crate::batch::entry::{Question, ReadError};
use crate::credentials::{CredentialFields, Field, FieldValue, Name, SiblingFields, VerifyRequest};
use secrecy::{ExposeSecret as _, SecretString};

/// The name under which a profile's own region, or that of a row, is a hint.
const REGION_HINT: &[u8] = b"AWS_REGION";

/// Values that stand side by side, with the line of the first.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) line: u32,
    values: Vec<(Name, SecretString)>,
    /// A line that cannot be read, and why. Without its value, a session's token say, the others would make another key.
    pub(super) broken: Option<(u32, ReadError)>,
}

/// What a name in a file stands for; `region` is a hint.
pub(super) fn parse_name(name: &str) -> Option<Name> {
    if name.eq_ignore_ascii_case("region") {
        return Name::parse(REGION_HINT);
    }
    Name::parse(name.as_bytes())
}

impl Fields {
    pub(super) fn at(line: u32) -> Self {
        Self { line, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn put(&mut self, name: Name, value: &str) {
        self.values.push((name, value.into()));
    }

    pub(super) fn has(&self, name: Name) -> bool {
        self.values.iter().any(|(known, _)| known.is_same(name))
    }

    pub(super) fn shares_a_name_with(&self, other: &Self) -> bool {
        other.values.iter().any(|(name, _)| self.has(*name))
    }

    pub(super) fn append(&mut self, mut other: Self) {
        if self.is_empty() {
            self.line = other.line;
        }
        self.values.append(&mut other.values);
        self.broken = self.broken.or(other.broken);
    }

    /// Whether these are meant to be an AWS key. An environment may well have a `SECRET_KEY` of something else.
    pub(super) fn are_a_key(&self) -> bool {
        self.values.iter().filter(|(_, value)| !value.expose_secret().is_empty()).any(|(name, _)| {
            let spelling = name.spelling().to_ascii_lowercase();
            let qualified = spelling.starts_with("aws") || spelling.starts_with("sts");
            match name.field() {
                Field::AccessKey => true,
                Field::SecretKey => qualified,
                _ => false,
            }
        })
    }

    pub(super) fn into_question(self) -> Result<Question, ReadError> {
        let mut siblings = SiblingFields::default();
        for (name, value) in self.values {
            siblings.put(name, FieldValue::Text(value));
        }
        let mut fields = CredentialFields::default();
        fields.put_siblings(siblings);
        Ok(Question::Credentials(fields.check()?))
    }
}

/// A request of values whose meaning the format says.
pub(super) fn request(
    access_key: Option<&str>,
    secret_key: Option<&str>,
    token: Option<&str>,
) -> Result<VerifyRequest, ReadError> {
    let mut fields = CredentialFields::default();
    let named = [("AccessKeyId", access_key), ("SecretAccessKey", secret_key), ("SessionToken", token)];
    for (name, value) in named {
        if let (Some(name), Some(value)) = (Name::parse(name.as_bytes()), value) {
            fields.put(name, FieldValue::Text(value.into()));
        }
    }
    Ok(fields.check()?)
}
