//! Reads the values from a JSON object, whatever objects a tool put around them.
//!
//! The body is read member by member, and only the values with known names are kept: a body with very many
//! members takes time in proportion to its length, and no more memory. Each level below the top is parsed once
//! more.

use super::ValidationError;
use super::fields::{FieldValue, SiblingFields};
use super::names::{Name, fold_name};
use super::posted::PostedFields;
use super::proof_members::{ProofMember, ProofValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// How many levels below the top are searched.
const DEEPEST: usize = 3;

/// Reads the known values from a JSON object.
pub(super) fn read(text: &str) -> Result<PostedFields, ValidationError> {
    // The whole body must be valid JSON; otherwise nothing of it is used.
    let mut fields = PostedFields::default();
    read_object(text, 0, &mut fields).map_err(|_| ValidationError::MalformedJson)?;
    Ok(fields)
}

fn read_object(object: &str, depth: usize, fields: &mut PostedFields) -> serde_json::Result<()> {
    let mut json = serde_json::Deserializer::from_str(object);
    ObjectReader { depth, fields }.deserialize(&mut json)?;
    json.end()
}

struct ObjectReader<'a> {
    depth: usize,
    fields: &'a mut PostedFields,
}

impl<'de> DeserializeSeed<'de> for ObjectReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, object: D) -> Result<(), D::Error> {
        object.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { depth, fields } = self;
        let mut siblings = SiblingFields::default();
        // Member by member: a map would silently keep the last of two members with the same name.
        while let Some((name, value)) = object.next_entry::<MemberName, &RawValue>()? {
            match name {
                MemberName::Region if depth == 0 => {
                    fields.credentials.put(Name::REGION, FieldValue::from_json(value));
                }
                MemberName::Proof(member) if member.takes_object() => {
                    fields.proofs.put(member, ProofValue::from_json(value));
                }
                _ if value.get().starts_with('{') => {
                    if depth < DEEPEST {
                        read_object(value.get(), depth + 1, fields).map_err(serde::de::Error::custom)?;
                    }
                }
                MemberName::ConsulLogin => {
                    if let Some(object) = object_in_text(value).filter(|_| depth < DEEPEST) {
                        let read = read_object(object.expose_secret(), depth + 1, fields);
                        read.map_err(serde::de::Error::custom)?;
                    }
                }
                MemberName::Known(name) => siblings.put(name, FieldValue::from_json(value)),
                MemberName::Proof(member) => fields.proofs.put(member, ProofValue::from_json(value)),
                MemberName::Region | MemberName::Other => {}
            }
        }
        let token = fields.credentials.take(siblings);
        fields.proofs.put(ProofMember::TOKEN, token);
        Ok(())
    }
}

/// The JSON object in a text. `None` for any other value: a login to Consul that is not by AWS has another token.
fn object_in_text(value: &RawValue) -> Option<SecretString> {
    let text: SecretString = serde_json::from_str(value.get()).ok()?;
    let is_object = |text: &str| text.trim_ascii_start().starts_with('{') && is_json(text);
    is_object(text.expose_secret()).then_some(text)
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The name of a member, with its escapes resolved.
enum MemberName {
    Region,
    /// The member of a login to Consul (`POST /v1/acl/login`) that has the proof, as an object's text.
    ConsulLogin,
    Known(Name),
    Proof(ProofMember),
    Other,
}

impl<'de> serde::Deserialize<'de> for MemberName {
    fn deserialize<D: Deserializer<'de>>(name: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = MemberName;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_bytes<E>(self, name: &[u8]) -> Result<MemberName, E> {
                Ok(match name {
                    b"region" => MemberName::Region,
                    b"BearerToken" => MemberName::ConsulLogin,
                    name => match Name::parse(name) {
                        Some(name) => MemberName::Known(name),
                        None => fold_name(name, ProofMember::of_folded)
                            .map_or(MemberName::Other, MemberName::Proof),
                    },
                })
            }
        }
        // As bytes, because half a surrogate pair in the name of another member must not make the body invalid.
        name.deserialize_bytes(Read)
    }
}

impl FieldValue {
    fn from_json(value: &RawValue) -> Self {
        match serde_json::from_str::<Option<SecretString>>(value.get()) {
            Ok(Some(text)) => Self::Text(text),
            Ok(None) => Self::Null,
            Err(_) => Self::Other,
        }
    }
}
