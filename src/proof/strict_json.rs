//! JSON without duplicate members in any object, at any depth.
//!
//! Parsers differ in which of two duplicate members they use. A text that one party signs and another reads
//! must have only one meaning (JWT's best current practices, RFC 8725, section 2.4).

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// Whether a text is one JSON value, in UTF-8, without duplicate members in any object.
pub(super) fn is_strict(text: &[u8]) -> bool {
    let mut json = serde_json::Deserializer::from_slice(text);
    Strict.deserialize(&mut json).is_ok() && json.end().is_ok()
}

/// Parses a value and keeps nothing of it.
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
        f.write_str("JSON without duplicate members")
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
                return Err(A::Error::custom("a duplicate member"));
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
        fn it_accepts_nothing_that_the_parser_rejects(text in "[\\[\\]{}\":,a-c0-9 tru\\\\]{0,40}") {
            prop_assert!(!is_strict(text.as_bytes()) || serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }
}
