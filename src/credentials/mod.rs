//! The three values a caller posts: how they may be spelled, what they may hold, and that they are never printed.
//!
//! [`VerifyRequest::from_json`] reads a JSON object with the values under any of the names that AWS tools print
//! ([`SPELLINGS`]) and checks them. What it refuses, it refuses with a [`ValidationError`], whose text names a field and
//! never holds any part of the input: serde's own messages repeat it, so none of them leaves this module.

pub(crate) mod redact;

use secrecy::{ExposeSecret, SecretString};
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// The values that are read, each in every spelling. The first name of each list is the documented one.
///
/// In order: the Lambda function; AWS CLI, credential_process and the metadata services; the JavaScript SDK and IAM
/// Identity Center; boto3's arguments and the shared credentials file; the environment.
pub const SPELLINGS: [(Field, &[&str]); 4] = [
    (
        Field::AccessKey,
        &["stsAccessKey", "AccessKeyId", "accessKeyId", "aws_access_key_id", "AWS_ACCESS_KEY_ID"],
    ),
    (
        Field::SecretKey,
        &[
            "stsSecretKey",
            "SecretAccessKey",
            "secretAccessKey",
            "aws_secret_access_key",
            "AWS_SECRET_ACCESS_KEY",
        ],
    ),
    (
        Field::SessionToken,
        &[
            "stsSessionToken",
            "SessionToken",
            "Token",
            "sessionToken",
            "aws_session_token",
            "AWS_SESSION_TOKEN",
        ],
    ),
    (Field::Region, &["region"]),
];

/// The members that tools put around the three values.
pub const CONTAINERS: [&str; 3] = ["Credentials", "credentials", "roleCredentials"];

/// One value of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The access key id.
    AccessKey,
    /// The secret access key.
    SecretKey,
    /// The session token.
    SessionToken,
    /// The region whose STS is to be asked.
    Region,
}

/// Credentials as a caller gave them, checked in shape only.
///
/// There is no `Debug`, `Clone` or `Serialize`, so that they cannot reach a log or an answer by accident, and the
/// secret parts are wiped when this is dropped.
pub struct Credentials {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

/// What one request asks: these credentials, and at which region's STS (`None`: the configured one).
pub struct VerifyRequest {
    /// Whose identity is asked for.
    pub credentials: Credentials,
    /// A region name of the right form; whether it may be asked is for the operator's list to say.
    pub region: Option<String>,
}

/// Why a request was refused before STS was asked. No text of it holds any part of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidationError {
    /// Not JSON, or JSON that is not an object.
    #[error("The request body must be one JSON object.")]
    MalformedJson,
    /// A value that is needed is absent, null or empty.
    #[error("{0} is missing or empty.")]
    Missing(&'static str),
    /// A value is there, and cannot be one.
    #[error("{0} {1}.")]
    Invalid(&'static str, &'static str),
    /// One value under two names, or twice under one.
    #[error("{0} and {1} give the same value twice; send one of them.")]
    Duplicate(&'static str, &'static str),
}

const ACCESS_KEY_FORM: &str = "must be 16 to 128 characters of A-Z, a-z, 0-9 and _";
const SECRET_KEY_FORM: &str = "must be at most 128 printable ASCII characters without spaces";
const SESSION_TOKEN_FORM: &str = "must be at most 8192 printable ASCII characters without spaces";
const REGION_FORM: &str = "must be the name of an AWS region";
const NOT_A_STRING: &str = "must be a string";

impl Credentials {
    /// The access key id, whole: for signing and for nothing else. Logs use [`Credentials::masked_access_key`].
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The access key id as it may be logged: its first four and last four characters.
    #[must_use]
    pub fn masked_access_key(&self) -> String {
        let id = &self.access_key_id;
        format!("{}…{}", &id[..4], &id[id.len() - 4..])
    }

    /// The secret access key.
    #[must_use]
    pub fn secret_access_key(&self) -> &SecretString {
        &self.secret_access_key
    }

    /// The session token, if there is one. Never empty: AWS tools write an empty token for none.
    #[must_use]
    pub fn session_token(&self) -> Option<&SecretString> {
        self.session_token.as_ref()
    }
}

impl VerifyRequest {
    /// Reads a request body.
    ///
    /// # Errors
    ///
    /// A [`ValidationError`] for a body that is no JSON object, and for a value that is missing, doubled or malformed.
    pub fn from_json(body: &[u8]) -> Result<Self, ValidationError> {
        let members = serde_json::from_slice(body).map_err(|_| ValidationError::MalformedJson)?;
        let mut found = Found::default();
        found.read(members, false)?;
        found.check()
    }
}

impl Field {
    /// The documented name.
    fn name(self) -> &'static str {
        SPELLINGS[self as usize].1[0]
    }

    /// The field that a member's name stands for, with the name as the table has it.
    fn named(name: &str) -> Option<(Self, &'static str)> {
        SPELLINGS.iter().find_map(|(field, names)| {
            names.iter().find(|candidate| **candidate == name).map(|known| (*field, *known))
        })
    }

    /// Whether a text can be this value, and what is to be said if not. The check is more than politeness: no
    /// header can hold a control character, and STS repeats a malformed header in its message.
    fn check(self, text: &str) -> Result<(), &'static str> {
        let printable = |longest: usize| text.len() <= longest && text.bytes().all(|b| b.is_ascii_graphic());
        let (good, form) = match self {
            Self::AccessKey => (is_access_key_id(text), ACCESS_KEY_FORM),
            Self::SecretKey => (printable(128), SECRET_KEY_FORM),
            Self::SessionToken => (printable(8192), SESSION_TOKEN_FORM),
            Self::Region => (is_region_name(text), REGION_FORM),
        };
        if good { Ok(()) } else { Err(form) }
    }
}

/// Whether a text has the form of an access key ID.
#[must_use]
pub fn is_access_key_id(text: &str) -> bool {
    (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
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

/// One member of the body that is one of ours, with the name it came under.
struct Given {
    name: &'static str,
    value: Value,
}

enum Value {
    Text(SecretString),
    Null,
    Other,
}

impl Value {
    fn read(raw: &RawValue) -> Self {
        match serde_json::from_str::<Option<SecretString>>(raw.get()) {
            Ok(Some(text)) => Self::Text(text),
            Ok(None) => Self::Null,
            Err(_) => Self::Other,
        }
    }
}

/// The members found so far that are ours.
#[derive(Default)]
struct Found {
    slots: [Option<Given>; SPELLINGS.len()],
}

impl Found {
    /// Reads the members of the body (and, one level down, of the containers in it); passes over all others.
    fn read(&mut self, members: Members<'_>, nested: bool) -> Result<(), ValidationError> {
        for (name, raw) in members.0 {
            match Field::named(&name) {
                Some((Field::Region, _)) if nested => {}
                Some((field, name)) => self.put(field, Given { name, value: Value::read(raw) })?,
                None if !nested && CONTAINERS.contains(&name.as_ref()) => {
                    if let Ok(inner) = serde_json::from_str(raw.get()) {
                        self.read(inner, true)?;
                    }
                }
                None => {}
            }
        }
        Ok(())
    }

    fn put(&mut self, field: Field, given: Given) -> Result<(), ValidationError> {
        match &mut self.slots[field as usize] {
            Some(first) => Err(ValidationError::Duplicate(first.name, given.name)),
            empty => {
                *empty = Some(given);
                Ok(())
            }
        }
    }

    fn check(self) -> Result<VerifyRequest, ValidationError> {
        let [access_key, secret_key, session_token, region] = self.slots;
        let credentials = Credentials {
            access_key_id: required(access_key, Field::AccessKey)?.expose_secret().to_owned(),
            secret_access_key: required(secret_key, Field::SecretKey)?,
            session_token: optional(session_token, Field::SessionToken)?,
        };
        let region = match region {
            Some(Given { name, value: Value::Text(text) }) if text.expose_secret().is_empty() => {
                return Err(ValidationError::Invalid(name, REGION_FORM));
            }
            region => optional(region, Field::Region)?.map(|text| text.expose_secret().to_owned()),
        };
        Ok(VerifyRequest { credentials, region })
    }
}

fn required(given: Option<Given>, field: Field) -> Result<SecretString, ValidationError> {
    let name = given.as_ref().map_or(field.name(), |given| given.name);
    optional(given, field)?.ok_or(ValidationError::Missing(name))
}

fn optional(given: Option<Given>, field: Field) -> Result<Option<SecretString>, ValidationError> {
    match given {
        None | Some(Given { value: Value::Null, .. }) => Ok(None),
        Some(Given { name, value: Value::Other }) => Err(ValidationError::Invalid(name, NOT_A_STRING)),
        Some(Given { value: Value::Text(text), .. }) if text.expose_secret().is_empty() => Ok(None),
        Some(Given { name, value: Value::Text(text) }) => match field.check(text.expose_secret()) {
            Ok(()) => Ok(Some(text)),
            Err(form) => Err(ValidationError::Invalid(name, form)),
        },
    }
}

/// The members of a JSON object in order, doubled names included (a map would keep the last one silently).
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = object.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        object.deserialize_map(Collect)
    }
}
