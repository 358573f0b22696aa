//! JSON in which no object has a member twice, at any depth.
//!
//! Parsers differ in which of two members they take. What is signed by somebody and read by somebody else has to have one
//! reading (RFC 8725, section 2.4 of JWT's best current practices, names the like).

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// Whether a text is one JSON value, in UTF-8, in which no object has a member twice.
pub(super) fn is_strict(text: &[u8]) -> bool {
    let mut json = serde_json::Deserializer::from_slice(text);
    Strict.deserialize(&mut json).is_ok() && json.end().is_ok()
}

/// Reads a value and keeps nothing of it.
#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without doubled members")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while array.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = object.next_key::<Cow<'de, str>>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member twice"));
            }
            object.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_member_that_comes_twice_is_found_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"[{"a":[{"b":null,"b":null}]}]"#,
            // The same name, written otherwise.
            "{\"a\":1,\"\\u0061\":2}",
            r#"{"a":1} x"#,
            r#"{"a":1}{"a":1}"#,
            "",
            "{",
            "{\"a\":\"\u{1}\"}",
        ] {
            assert!(!is_strict(text.as_bytes()), "{text}");
        }
        assert!(!is_strict(b"{\"a\":\"\xff\"}"));
        for text in
            [r#"{"a":1,"b":{"a":1,"c":[{"a":1},{"a":1}]}}"#, "[]", "1e400", r#""a""#, "null", " {} \n"]
        {
            assert_eq!(
                is_strict(text.as_bytes()),
                serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() && text != "1e400",
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn it_takes_no_more_than_the_parser(text in "[\\[\\]{}\":,a-c0-9 tru\\\\]{0,40}") {
            prop_assert!(!is_strict(text.as_bytes()) || serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }
}
