//! Where objects begin and end, and the effect of a broken object.

use super::*;
use crate::batch::formats::MAX_ENTRY_BYTES;
use proptest::prelude::*;
use std::io::{BufReader, Cursor};

fn values(input: &str) -> Vec<(u32, String)> {
    let mut values = Values::new(BufReader::with_capacity(5, Cursor::new(input.to_owned())));
    let mut all = Vec::new();
    while let Some((line, value)) = values.next().unwrap() {
        let text = match value {
            Value::Object => String::from_utf8_lossy(values.text()).into_owned(),
            other => format!("{other:?}"),
        };
        all.push((line, text));
    }
    all
}

#[test]
fn objects_are_found_alone_one_per_line_and_in_arrays() {
    for (input, expected) in [
        ("{\"a\":1}", &[(1, "{\"a\":1}")][..]),
        ("{\"a\":1}\n\n{\"b\":\"}\"}\n", &[(1, "{\"a\":1}"), (3, "{\"b\":\"}\"}")]),
        ("[{\"a\":1},{\"b\":\"\\\"{\"}]", &[(1, "{\"a\":1}"), (1, "{\"b\":\"\\\"{\"}")]),
        ("[\n  {\n    \"a\": {\n      \"b\": 1 }\n  }\n]", &[(2, "{\n    \"a\": {\n      \"b\": 1 }\n  }")]),
        ("[]", &[]),
        ("  \n", &[]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
        assert_eq!(values(input), expected, "{input}");
    }
}

#[test]
fn the_findings_of_an_object_are_values_and_the_rest_of_it_is_not() {
    let input =
        "{\"version\": 1, \"findings\": [{\"a\":1},{\"b\":2}], \"metadata\": {\"x\": \"]}\"}}\n{\"c\":3}\n";
    assert_eq!(
        values(input),
        [(1, "{\"a\":1}".to_owned()), (1, "{\"b\":2}".to_owned()), (2, "{\"c\":3}".to_owned())]
    );
}

#[test]
fn an_object_that_names_a_key_is_one_value_with_or_without_findings() {
    let inside = "{\"secretKey\": \"x\", \"findings\": [{\"a\":1}]}";
    assert_eq!(values(inside), [(1, inside.to_owned())]);
    assert_eq!(
        values("{\"findings\": [{\"a\":1}, 7],\n\"secretKey\": \"x\"}"),
        [
            (1, "{\"a\":1}".to_owned()),
            (1, "Other".to_owned()),
            (1, "{\"findings\": [],\n\"secretKey\": \"x\"}".to_owned())
        ]
    );
}

#[test]
fn an_object_needs_no_indentation() {
    for input in [
        "{\n\"a\": [\n{\n\"b\": 1\n},\n{\n\"c\": [[1], {}]\n}\n]\n}",
        "{\n\"a\":\n{\n\"b\": [\n{\n}\n]\n}\n}",
        "{ \r\n\"a\" :\r\n{\r\n}\r\n}",
        "{\"a\": [\n{\"b\": \"]\"},\n{\"c\": 2}\n]}",
    ] {
        assert_eq!(values(input), [(1, input.to_owned())], "{input}");
        assert_eq!(values(&format!("[\n{input}\n,\n{input}\n]")).len(), 2, "{input}");
    }
    for cut in ["{\"a\": 1,", "{\"a\": [1", "{\"a\": [{\"b\": 2}", "{\n\"a\": [1]", "{\"a\":"] {
        let found = values(&format!("{cut}\n{{\"c\":1}}\n"));
        assert_eq!(
            found.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(),
            ["CutOff", "{\"c\":1}"],
            "{cut}"
        );
    }
}

#[test]
fn a_broken_object_costs_no_other() {
    let cut = "CutOff".to_owned();
    for (input, expected) in [
        ("{\"a\":\"x\n{\"b\":1}\n", &[(1, "CutOff"), (2, "{\"b\":1}")][..]),
        ("{\"a\":\n{\"b\":1}\n{\"c\":1}\n", &[(1, "CutOff"), (2, "{\"b\":1}"), (3, "{\"c\":1}")]),
        ("[\n  {\"a\": {\n    \"b\": \"x\n  },\n  {\"c\":1}\n]", &[(2, "CutOff"), (5, "{\"c\":1}")]),
        (
            "{\"a\":1}\nnoise {\"b\":1}\nmore noise\n",
            &[(1, "{\"a\":1}"), (2, "Other"), (2, "{\"b\":1}"), (3, "Other")],
        ),
        ("[42, \"a{b\", {\"c\":1}]", &[(1, "Other"), (1, "{\"c\":1}")]),
        ("{\"a\":", &[(1, "CutOff")]),
        // An array that is cut off between its values, and one that is cut off in a value.
        ("\n[{\"a\":1},\n", &[(2, "{\"a\":1}"), (2, "CutOff")]),
        ("[\n\n[{\"a\":1}]", &[(3, "{\"a\":1}"), (1, "CutOff")]),
        ("[[{\"a\":1}], []] []", &[(1, "{\"a\":1}")]),
        ("[1[{\"a\":1}]]", &[(1, "Other"), (1, "{\"a\":1}")]),
        ("[{\"a\":1},{\"a", &[(1, "{\"a\":1}"), (1, "CutOff")]),
        ("[{\"a\":\"x\n]\n{\"b\":1}\n", &[(1, "CutOff"), (3, "{\"b\":1}")]),
        ("{\"findings\":[{\"a\":1}],\"x\n{\"b\":1}", &[(1, "{\"a\":1}"), (2, "{\"b\":1}")]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
        assert_eq!(values(input), expected, "{input}");
    }
    assert_eq!(values("{")[0].1, cut);
}

#[test]
fn lines_also_end_with_cr() {
    for (input, expected) in [
        ("{\"a\":1}\r{\"b\":\"x\r{\"c\":1}\r", &[(1, "{\"a\":1}"), (2, "CutOff"), (3, "{\"c\":1}")][..]),
        (
            "{\r\n\"a\":1}\r\n\r\nnoise\r\n\r{\"b\":1}",
            &[(1, "{\r\n\"a\":1}"), (4, "Other"), (6, "{\"b\":1}")],
        ),
        ("{\r\"a\":\r{\r\"b\":1}}\r[1]", &[(1, "{\r\"a\":\r{\r\"b\":1}}"), (5, "Other")]),
    ] {
        let expected: Vec<_> = expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
        assert_eq!(values(input), expected, "{input:?}");
    }
}

#[test]
fn an_object_that_is_too_long_is_an_error_and_the_next_is_read() {
    let input = format!("{{\"a\":\"{}\"}}\n{{\"b\":1}}\n", "x".repeat(MAX_ENTRY_BYTES));
    assert_eq!(values(&input), [(1, "TooLong".to_owned()), (2, "{\"b\":1}".to_owned())]);
}

/// An object around findings, with this before them and behind them.
fn around(before: &str, after: &str) -> Vec<(u32, String)> {
    values(&format!("\n{{{before}\"findings\": [{{\"a\":1}}]{after}"))
}

#[test]
fn a_key_around_findings_is_found_or_told_of() {
    let finding = (2, "{\"a\":1}".to_owned());
    let (long, key) = (format!("\"long\": \"{}\"", "x".repeat(MAX_ENTRY_BYTES)), "\"secretKey\": \"x\"");
    for (before, after, told) in [
        (String::new(), format!(", {long}, {key}}}"), "TooLong"),
        (String::new(), format!(", {key}, {long}}}"), "TooLong"),
        (format!("{key}, {long}, "), "}".to_owned(), "TooLong"),
        (format!("{long}, "), format!(", {key}}}"), "TooLong"),
        (String::new(), format!(", {key}, \"a"), "CutOff"),
        (String::new(), format!(", {key}, "), "CutOff"),
        (String::new(), format!(", {key}\n{{\"a\":1}}"), "CutOff"),
        (format!("{key}, {long}, "), String::new(), "CutOff"),
    ] {
        let found = around(&before, &after);
        assert_eq!(found[..2], [finding.clone(), (2, told.to_owned())], "{} {}", before.len(), after.len());
    }
    assert_eq!(around("", ", \"a"), std::slice::from_ref(&finding));
    let cut = values("\n{\"findings\": [{\"a\":1},\n");
    assert_eq!(cut, [finding, (2, "CutOff".to_owned())]);
}

proptest! {
    #[test]
    fn complete_objects_one_per_line_are_all_found(texts in proptest::collection::vec("[a-z{}\\[\\]\" \\\\,:é]{0,12}", 0..8)) {
        let objects: Vec<String> =
            texts.iter().map(|text| serde_json::json!({"v": text, "n": {"w": [text]}}).to_string()).collect();
        let found: Vec<String> = values(&objects.join("\n")).into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(found, objects);
    }

    #[test]
    fn no_text_makes_it_panic_or_loop(text in "[\\[\\]{}\":,a-c \r\n\\\\]{0,60}") {
        let lines = u32::try_from(text.split(['\n', '\r']).count()).unwrap();
        prop_assert!(values(&text).iter().all(|(line, _)| (1..=lines).contains(line)));
    }
}
