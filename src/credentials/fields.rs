//! Collects the values of a request, each with its name, until all are known and can be checked.

use super::names::{Field, Name, NameRule};
use super::proof_members::ProofValue;
use super::{Credentials, RequestedRegion, ValidationError, VerifyRequest, is_region_name};
use secrecy::{ExposeSecret, SecretString};

const ACCESS_KEY_FORM: &str = "must be 16 to 128 characters of A-Z, a-z, 0-9 and _";
const SECRET_KEY_FORM: &str = "must be at most 128 printable ASCII characters without spaces";
const SESSION_TOKEN_FORM: &str = "must be at most 16384 printable ASCII characters without spaces";
const REGION_FORM: &str = "must be the name of an AWS region";
const NOT_A_STRING: &str = "must be a string";

/// A value with one of the known names.
pub enum FieldValue {
    /// A string. An empty one counts as absent, except for a [`Field::Region`].
    Text(SecretString),
    /// Null, which counts as absent.
    Null,
    /// A value of a wrong type, such as a number.
    Other,
}

impl FieldValue {
    fn is_absent(&self) -> bool {
        match self {
            Self::Text(text) => text.expose_secret().is_empty(),
            Self::Null => true,
            Self::Other => false,
        }
    }

    /// Whether two values are equal. Values of a wrong type are never equal, because they are rejected anyway.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.expose_secret() == other.expose_secret(),
            (Self::Other, Self::Other) => true,
            _ => false,
        }
    }
}

/// One value with its name.
struct RawField {
    name: Name,
    value: FieldValue,
    /// The name under which the same field has a different value.
    contradicted_by: Option<&'static str>,
}

impl RawField {
    /// Merges another value of the same field: absent and equal values change nothing.
    fn merge(&mut self, other: Self) {
        if other.value.is_absent() {
            return;
        }
        if self.value.is_absent() {
            *self = other;
        } else if self.value.is_same(&other.value) {
            self.contradicted_by = self.contradicted_by.or(other.contradicted_by);
        } else {
            self.contradicted_by.get_or_insert(other.name.spelling());
        }
    }

    /// The value of a proof.
    fn into_proof(self) -> Option<ProofValue> {
        match (self.value, self.contradicted_by) {
            (FieldValue::Null, _) => None,
            (FieldValue::Text(text), None) => ProofValue::from_text(text),
            (FieldValue::Text(text), Some(_)) => Some(ProofValue::Contradicted(text)),
            (FieldValue::Other, _) => Some(ProofValue::Other),
        }
    }

    /// The value, unless it is absent.
    fn text(self) -> Result<Option<SecretString>, ValidationError> {
        if self.value.is_absent() { Ok(None) } else { self.checked().map(Some) }
    }

    /// The value, checked.
    fn checked(self) -> Result<SecretString, ValidationError> {
        let name = self.name.spelling();
        if let Some(other) = self.contradicted_by {
            return Err(ValidationError::Duplicate(name, other));
        }
        match self.value {
            FieldValue::Text(text) => match check(self.name.field(), text.expose_secret()) {
                Ok(()) => Ok(text),
                Err(form) => Err(ValidationError::Invalid(name, form)),
            },
            FieldValue::Null | FieldValue::Other => Err(ValidationError::Invalid(name, NOT_A_STRING)),
        }
    }
}

/// The values of one JSON object, one section, or one row. At most one is kept for each name.
#[derive(Default)]
pub struct SiblingFields(Vec<RawField>);

impl SiblingFields {
    /// Adds a value.
    pub fn put(&mut self, name: Name, value: FieldValue) {
        let is_hint = matches!(name.field(), Field::AwsRegion | Field::AwsDefaultRegion);
        if is_hint && !matches!(&value, FieldValue::Text(text) if is_region_name(text.expose_secret())) {
            return;
        }
        let field = RawField { name, value, contradicted_by: None };
        match self.0.iter_mut().find(|known| known.name.is_same(name)) {
            Some(known) => known.merge(field),
            None => self.0.push(field),
        }
    }
}

/// All values of a request that count.
#[derive(Default)]
pub struct CredentialFields([Option<RawField>; 6]);

impl CredentialFields {
    /// Takes the values that count. Returns a token without an access key ID beside it, which may be a proof.
    pub(super) fn take(&mut self, siblings: SiblingFields) -> Option<ProofValue> {
        let present = siblings.0.iter().filter(|field| !field.value.is_absent()).map(|field| field.name);
        let rule = NameRule::new(present);
        let mut lone_token = None;
        for field in siblings.0 {
            if rule.counts(field.name) {
                self.merge(field);
            } else if rule.is_lone_token(field.name) {
                lone_token = field.into_proof();
            }
        }
        lone_token
    }

    /// Adds the values that count, in a format that has no proofs.
    pub fn put_siblings(&mut self, siblings: SiblingFields) {
        let _ = self.take(siblings);
    }

    /// The name of the first value: if there is one, credentials or a part of them were posted. A region does
    /// not count.
    pub(super) fn first_name(&self) -> Option<&'static str> {
        let [access_key, secret_key, session_token, ..] = &self.0;
        let given = [access_key, secret_key, session_token].into_iter().flatten();
        given.filter(|field| !field.value.is_absent()).map(|field| field.name.spelling()).next()
    }

    /// Adds a value that counts whatever is beside it.
    pub fn put(&mut self, name: Name, value: FieldValue) {
        self.merge(RawField { name, value, contradicted_by: None });
    }

    fn merge(&mut self, field: RawField) {
        match &mut self.0[field.name.field() as usize] {
            Some(known) => known.merge(field),
            empty => *empty = Some(field),
        }
    }

    /// Checks the values.
    ///
    /// # Errors
    ///
    /// A [`ValidationError`] for a value that is missing, malformed, or given twice with a difference.
    pub fn check(self) -> Result<VerifyRequest, ValidationError> {
        let [access_key, secret_key, session_token, region, aws_region, aws_default_region] = self.0;
        let credentials = Credentials {
            access_key_id: required(access_key, "stsAccessKey")?.expose_secret().to_owned(),
            secret_access_key: required(secret_key, "stsSecretKey")?,
            session_token: optional(session_token)?,
        };
        let region = match region {
            Some(RawField { value: FieldValue::Null, .. }) | None => {
                let hints = [optional(aws_region)?, optional(aws_default_region)?];
                RequestedRegion::Hints(hints.iter().flatten().map(plain).collect())
            }
            Some(region) => RequestedRegion::Named(plain(&region.checked()?)),
        };
        Ok(VerifyRequest { credentials, region })
    }
}

fn required(field: Option<RawField>, documented: &'static str) -> Result<SecretString, ValidationError> {
    let name = field.as_ref().map_or(documented, |field| field.name.spelling());
    optional(field)?.ok_or(ValidationError::Missing(name))
}

fn optional(field: Option<RawField>) -> Result<Option<SecretString>, ValidationError> {
    field.map_or(Ok(None), RawField::text)
}

/// A region is not secret.
fn plain(region: &SecretString) -> String {
    region.expose_secret().to_owned()
}

/// Checks the form of a value. Returns the required form if it is wrong. The check prevents leaks, too: no
/// header can contain a control character, and STS repeats a malformed header in its message.
fn check(field: Field, text: &str) -> Result<(), &'static str> {
    let printable = |longest: usize| text.len() <= longest && text.bytes().all(|b| b.is_ascii_graphic());
    let (good, form) = match field {
        Field::AccessKey => (is_access_key_id(text), ACCESS_KEY_FORM),
        Field::SecretKey => (printable(128), SECRET_KEY_FORM),
        Field::SessionToken => (printable(16384), SESSION_TOKEN_FORM),
        Field::Region | Field::AwsRegion | Field::AwsDefaultRegion => (is_region_name(text), REGION_FORM),
    };
    if good { Ok(()) } else { Err(form) }
}

/// Whether a text has the form of an access key ID.
#[must_use]
pub fn is_access_key_id(text: &str) -> bool {
    (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
