//! Rows in each form.

use super::*;
use crate::batch::answer::Verdict;
use crate::identity::KeyKind;

fn key() -> KeyInfo {
    KeyInfo {
        masked: Some("AKIA…MPLE".to_owned()),
        kind: KeyKind::LongTerm,
        account: Some("123456789012".to_owned()),
        canary: false,
    }
}

fn valid() -> Answer {
    Answer {
        verdict: Verdict::Valid,
        account: Some("123456789012".to_owned()),
        arn: Some("arn:aws:iam::123456789012:user/ops/ann".to_owned()),
        user_id: Some("AIDAEXAMPLE".to_owned()),
        error_code: None,
        error_message: None,
        region: Some("us-east-1".to_owned()),
        request_id: Some("8102c0c9".to_owned()),
        attempts: 1,
    }
}

fn report(format: ReportFormat, rows: &[(u32, Option<&str>, Answer)]) -> String {
    let sources = Sources(vec!["dir/keys of ann.csv".to_owned()]);
    let mut written = Vec::new();
    let style = TableStyle { width: 80, colors: false };
    let mut report = Report::begin(&mut written, format, style, sources).unwrap();
    for (line, name, answer) in rows {
        let location = Location { file: 0, line: *line, name: name.map(Into::into) };
        report.row(&location, &key(), answer).unwrap();
    }
    report.finish(true, "the summary").unwrap();
    String::from_utf8(written).unwrap()
}

#[test]
fn a_row_of_json_has_all_members_in_their_order() {
    let skipped = Answer::skipped("Offline", "not asked");
    let text = report(ReportFormat::Ndjson, &[(3, None, valid()), (4, Some("dev"), skipped)]);
    let expected = concat!(
        r#"{"source":"dir/keys of ann.csv:3","access_key":"AKIA…MPLE","verdict":"valid","account":"123456789012","#,
        r#""arn":"arn:aws:iam::123456789012:user/ops/ann","user_id":"AIDAEXAMPLE","#,
        r#""principal":{"partition":"aws","type":"user","path":"/ops/","name":"ann","session":null},"#,
        r#""key":{"kind":"long-term","account":"123456789012","canary":false},"#,
        r#""error_code":null,"error_message":null,"region":"us-east-1","request_id":"8102c0c9","attempts":1}"#,
        "\n",
        r#"{"source":"dir/keys of ann.csv:dev","access_key":"AKIA…MPLE","verdict":"skipped","account":null,"#,
        r#""arn":null,"user_id":null,"principal":null,"#,
        r#""key":{"kind":"long-term","account":"123456789012","canary":false},"#,
        r#""error_code":"Offline","error_message":"not asked","region":null,"request_id":null,"attempts":0}"#,
        "\n"
    );
    assert_eq!(text, expected);
}

#[test]
fn a_table_fits_eighty_columns_whatever_it_contains() {
    let long =
        Answer { arn: Some(format!("arn:aws:iam::123456789012:user/{}/ann", "ops/".repeat(40))), ..valid() };
    let hostile = Answer {
        error_code: Some("\x1b[2J漢字漢字漢字漢字漢字漢字漢字漢字漢字".to_owned()),
        ..Answer::skipped("", "")
    };
    let account = Answer { account: Some("\x1b[2J1234567890123\r\n".to_owned()), ..valid() };
    let rows =
        [(3, None, valid()), (123_456_789, None, long), (5, Some("a\tb\r"), hostile), (6, None, account)];
    let text = report(ReportFormat::Table, &rows);
    for line in text.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 80, "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[1], "valid         AKIA…MPLE 123456789012 user/ops/ann              …eys of ann.csv:3");
    assert!(
        lines[2].contains("…ops/ops/ops/ops/ops//ann …") && lines[2].ends_with(".csv:123456789"),
        "{}",
        lines[2]
    );
    assert_eq!(lines.last(), Some(&"the summary"));
}

#[test]
fn only_verdicts_have_colours() {
    let mut written = Vec::new();
    let style = TableStyle { width: 80, colors: true };
    style.write_row(&mut written, &Row::new("a:1", &key(), &valid())).unwrap();
    let text = String::from_utf8(written).unwrap();
    assert!(text.starts_with("\x1b[1;31mvalid        \x1b[0m AKIA…MPLE"), "{text:?}");
}

#[test]
fn csv_has_a_header_and_quotes_fields_that_need_it() {
    let odd = Answer { error_message: Some("a, \"b\"".to_owned()), ..Answer::skipped("X", "") };
    let text = report(ReportFormat::Csv, &[(3, None, valid()), (4, None, odd)]);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("source,access_key,verdict,account,arn,user_id,principal_partition"));
    assert_eq!(
        lines[1],
        "dir/keys of ann.csv:3,AKIA…MPLE,valid,123456789012,arn:aws:iam::123456789012:user/ops/ann,AIDAEXAMPLE,aws,user,/ops/,ann,,long-term,123456789012,false,,,us-east-1,8102c0c9,1"
    );
    assert!(lines[2].contains(",X,\"a, \"\"b\"\"\",,,0"), "{}", lines[2]);
}

#[test]
fn sarif_has_valid_keys_as_errors_and_indeterminate_ones_as_warnings() {
    let unknown = Answer {
        verdict: Verdict::Indeterminate,
        error_code: Some("Throttling".to_owned()),
        ..Answer::skipped("", "")
    };
    let invalid = Answer { verdict: Verdict::Invalid, ..unknown.clone() };
    for rows in [&[][..], &[(3, None, valid()), (4, None, invalid), (9, Some("dev"), unknown)]] {
        let sarif: serde_json::Value = serde_json::from_str(&report(ReportFormat::Sarif, rows)).unwrap();
        assert_eq!(sarif["version"], "2.1.0");
        let run = &sarif["runs"][0];
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
        let results = run["results"].as_array().unwrap();
        let found: Vec<_> = results
            .iter()
            .map(|result| {
                let location = &result["locations"][0]["physicalLocation"];
                let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
                assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
                assert_eq!(location["artifactLocation"]["uri"], "dir/keys%20of%20ann.csv");
                (result["level"].as_str().unwrap(), location["region"]["startLine"].as_u64().unwrap())
            })
            .collect();
        let expected: &[(&str, u64)] = if rows.is_empty() { &[] } else { &[("error", 3), ("warning", 9)] };
        assert_eq!(found, expected);
    }
}
