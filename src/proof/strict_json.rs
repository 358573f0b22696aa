//! JSON without duplicate members in any object, at any depth.
//!
//! Parsers differ in which of two duplicate members they use. A text that one party signs and another reads
//! must have only one meaning (JWT's best current practices, RFC 8725, section 2.4).

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Parses a text that is one JSON value, in UTF-8, without duplicate members in any object.
pub(super) fn read(text: &[u8]) -> Option<Value> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Strict.deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
}

/// Parses such a text if it is an object.
pub(super) fn read_object(text: &[u8]) -> Option<Map<String, Value>> {
    match read(text)? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Parses a value.
#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without duplicate members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = array.next_element_seed(self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            if members.insert(name, object.next_value_seed(self)?).is_some() {
                return Err(A::Error::custom("a duplicate member"));
            }
        }
        Ok(members.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
            "{\"a\":\"\u{1}\"}",
        ] {
            assert!(read(text.as_bytes()).is_none(), "{text}");
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_none());
        for text in
            [r#"{"a":1,"b":{"a":1,"c":[{"a":1},{"a":1}]}}"#, "[]", "1e400", r#""a""#, "null", " {} \n"]
        {
            assert_eq!(read(text.as_bytes()), serde_json::from_str(text).ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_accepts_no_more_than_the_parser_and_reads_the_same(text in "[\\[\\]{}\":,a-c0-9 tru\\\\]{0,40}") {
            let read = read(text.as_bytes());
            prop_assert!(read.is_none() || read == serde_json::from_str(&text).ok());
        }
    }
}
