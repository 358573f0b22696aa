//! JSON without duplicate members in any object, at any depth.
//!
//! Parsers differ in which of two duplicate members they use. A text that one party signs and another reads
//! must have only one meaning (JWT's best current practices, RFC 8725, section 2.4).

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::borrow::Cow;
use std::fmt;

/// A JSON value. Texts without escapes are borrowed from the JSON that was read: a token is read for each
/// request, and of most of its members nothing is needed.
pub(super) enum Json<'a> {
    Null,
    Bool,
    Number(Number),
    Text(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// The members of an object, sorted by their names.
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

/// Parses a text that is one JSON value, in UTF-8, without duplicate members in any object.
pub(super) fn read(text: &[u8]) -> Option<Json<'_>> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Strict.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
}

/// Parses such a text if it is an object.
pub(super) fn read_object(text: &[u8]) -> Option<Object<'_>> {
    match read(text)? {
        Json::Object(object) => Some(object),
        _ => None,
    }
}

impl<'a> Json<'a> {
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Json::Object(object) => Some(object),
            _ => None,
        }
    }
}

impl<'a> Object<'a> {
    /// `None` if two members have the same name.
    fn new(mut members: Vec<(Cow<'a, str>, Json<'a>)>) -> Option<Self> {
        members.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let is_unique = members.windows(2).all(|pair| pair[0].0 != pair[1].0);
        is_unique.then_some(Self(members))
    }

    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        let index = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        Some(&self.0[index].1)
    }

    /// The member with this name, if it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    pub fn into_members(self) -> Vec<(Cow<'a, str>, Json<'a>)> {
        self.0
    }
}

/// Parses a value.
#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Json<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json<'de>, E> {
        Number::from_f64(number).map(Json::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Json<'de>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = array.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(name) = object.next_key_seed(self)? {
            let Json::Text(name) = name else { return Err(A::Error::custom("a name that is no text")) };
            members.push((name, object.next_value_seed(self)?));
        }
        Object::new(members).map(Json::Object).ok_or_else(|| A::Error::custom("a duplicate member"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn is_same(read: &Json<'_>, expected: &Value) -> bool {
        match (read, expected) {
            (Json::Null, Value::Null) | (Json::Bool, Value::Bool(_)) => true,
            (Json::Number(number), Value::Number(expected)) => number == expected,
            (Json::Text(text), Value::String(expected)) => text == expected,
            (Json::Array(values), Value::Array(expected)) => {
                values.len() == expected.len()
                    && values.iter().zip(expected).all(|(one, expected)| is_same(one, expected))
            }
            (Json::Object(object), Value::Object(expected)) => {
                let is_member = |(name, value): (&String, &Value)| {
                    object.get(name).is_some_and(|read| is_same(read, value))
                };
                object.0.len() == expected.len() && expected.iter().all(is_member)
            }
            _ => false,
        }
    }

    /// Whether a text is read as serde_json reads it. `None` if it is not read.
    fn reads_the_same(text: &str) -> Option<bool> {
        let expected: Option<Value> = serde_json::from_str(text).ok();
        read(text.as_bytes()).map(|read| expected.is_some_and(|expected| is_same(&read, &expected)))
    }

    #[test]
    fn a_duplicate_member_is_found_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"[{"a":[{"b":null,"b":null}]}]"#,
            // The same name in another spelling.
            "{\"a\":1,\"\\u0061\":2}",
            r#"{"a":1} x"#,
            r#"{"a":1}{"a":1}"#,
            "",
            "{",
            "1e400",
            "{\"a\":\"\u{1}\"}",
        ] {
            assert!(read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_none());
        for text in [
            r#"{"b":{"c":[{"a":1},{"a":-1.5}],"a":true},"a":false,"\u0062b":"\n"}"#,
            "[]",
            "18446744073709551615",
            r#""a""#,
            "null",
            " {} \n",
        ] {
            assert_eq!(reads_the_same(text), Some(true), "{text}");
        }
    }

    #[test]
    fn a_member_is_found_by_its_name() {
        let object = read_object(br#"{"b":"2","\u0061":"1","c":{"a":"3"}}"#).unwrap();
        assert_eq!((object.text("a"), object.text("b"), object.text("c")), (Some("1"), Some("2"), None));
        assert_eq!(object.get("c").and_then(Json::as_object).and_then(|inner| inner.text("a")), Some("3"));
        assert!(object.get("d").is_none());
    }

    proptest! {
        #[test]
        fn it_accepts_no_more_than_the_parser_and_reads_the_same(text in "[\\[\\]{}\":,a-c0-9 tru\\\\]{0,40}") {
            prop_assert_ne!(reads_the_same(&text), Some(false));
        }
    }
}
