//! Turns named values into a verify request, in the same way for every format.

use crate::batch::entry::ReadError;
use crate::credentials::{
    CredentialFields, Field, FieldValue, Name, NameRule, Posted, SiblingFields, VerifyRequest,
    is_access_key_id,
};
use crate::identity::{AccessKeyId, KeyKind};
use secrecy::{ExposeSecret as _, SecretString};

/// The name under which the region of a profile or a row is read as a hint.
const REGION_HINT: &[u8] = b"AWS_REGION";

/// Values that belong together, with the line of the first.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) line: u32,
    values: Vec<(Name, Value)>,
    /// The first line that cannot be read, and why. If its value, such as a session token, were ignored, the
    /// others would make up another key.
    pub(super) broken: Option<(u32, ReadError)>,
}

/// A value, or the line that cannot be read, and why.
type Value = Result<SecretString, (u32, ReadError)>;

/// The value that a name in a file stands for. `region` is a hint.
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
        self.values.push((name, Ok(value.into())));
    }

    /// Adds a value that cannot be read. The key is an error if the name counts.
    pub(super) fn put_broken(&mut self, name: Name, line: u32, reason: ReadError) {
        if self.is_empty() {
            self.line = line;
        }
        self.values.push((name, Err((line, reason))));
    }

    /// Whether there is a value with this name.
    pub(super) fn has(&self, name: Name) -> bool {
        self.present().any(|known| known.is_same(name))
    }

    /// The names that have a value.
    fn present(&self) -> impl Iterator<Item = Name> {
        let present = |(_, value): &&(Name, Value)| {
            value.as_ref().map_or(true, |text| !text.expose_secret().is_empty())
        };
        self.values.iter().filter(present).map(|(name, _)| *name)
    }

    fn has_field(&self, field: Field) -> bool {
        self.present().any(|name| name.field() == field)
    }

    /// Whether a further value begins the next key: its name is there already, or it is another access key
    /// beside a complete key. Names that do not count here are ignored, and a region can belong to any key.
    pub(super) fn ends_before(&self, name: Name, value: &str) -> bool {
        let rule = NameRule::new(self.present());
        let is_other_key = name.field() == Field::AccessKey
            && self.has_field(Field::AccessKey)
            && self.has_field(Field::SecretKey)
            && !self.has_access_key(value);
        !is_region(name) && !value.is_empty() && rule.counts(name) && (self.has(name) || is_other_key)
    }

    fn has_access_key(&self, id: &str) -> bool {
        let is_it = |(name, value): &(Name, Value)| {
            name.field() == Field::AccessKey && value.as_ref().is_ok_and(|value| value.expose_secret() == id)
        };
        self.values.iter().any(is_it)
    }

    /// Whether a text has an access key ID that is not in any access key here, even an unreadable one.
    pub(super) fn lack_a_key_of(&self, text: &str) -> bool {
        let is_it = |id: &str, (name, value): &(Name, Value)| {
            name.field() == Field::AccessKey
                && value.as_ref().map_or(true, |value| value.expose_secret().contains(id))
        };
        key_ids(text).any(|id| !self.values.iter().any(|value| is_it(id, value)))
    }

    /// Whether two paragraphs are two keys.
    pub(super) fn is_another_than(&self, other: &Self) -> bool {
        let rule = NameRule::new(self.present().chain(other.present()));
        let shares_a_name =
            other.present().any(|name| !is_region(name) && rule.counts(name) && self.has(name));
        shares_a_name || (self.has_field(Field::AccessKey) && other.has_field(Field::AccessKey))
    }

    pub(super) fn append(&mut self, mut other: Self) {
        if self.is_empty() {
            self.line = other.line;
        }
        other.values.retain(|(name, _)| !(is_region(*name) && self.has(*name)));
        self.values.append(&mut other.values);
        self.broken = self.broken.or(other.broken);
    }

    /// Whether the values are an AWS key. An environment may contain a `SECRET_KEY` for something else.
    pub(super) fn are_a_key(&self) -> bool {
        self.present().any(|name| {
            let spelling = name.spelling().to_ascii_lowercase();
            let qualified = spelling.starts_with("aws") || spelling.starts_with("sts");
            match name.field() {
                Field::AccessKey => true,
                Field::SecretKey => qualified,
                _ => false,
            }
        })
    }

    /// The line that cannot be read, and why, if the key cannot be read without it.
    pub(super) fn error(&self) -> Option<(u32, ReadError)> {
        let rule = NameRule::new(self.present());
        let broken =
            |(name, value): &(Name, Value)| value.as_ref().err().filter(|_| rule.counts(*name)).copied();
        self.broken.or_else(|| self.values.iter().find_map(broken).filter(|_| self.are_a_key()))
    }

    pub(super) fn into_posted(self) -> Result<Posted, ReadError> {
        let mut siblings = SiblingFields::default();
        for (name, value) in self.values {
            // A value that cannot be read does not count here: otherwise `error` has returned it.
            siblings.put(name, FieldValue::Text(value.unwrap_or_default()));
        }
        let mut fields = CredentialFields::default();
        fields.put_siblings(siblings);
        Ok(Posted::Credentials(fields.check()?))
    }
}

/// The access key IDs in a text, recognised by their form.
pub(super) fn key_ids(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric());
    words.filter(|word| is_access_key_id(word) && AccessKeyId::new(word).kind() != KeyKind::Other)
}

/// Whether a name is that of a region hint.
pub(super) fn is_region(name: Name) -> bool {
    matches!(name.field(), Field::Region | Field::AwsRegion | Field::AwsDefaultRegion)
}

/// A request with values whose meaning follows from the format.
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
