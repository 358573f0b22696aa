//! JSON: objects, arrays, lines, and lists under a name.

use super::*;

#[test]
fn one_json_object_an_array_and_one_a_line_are_read() {
    let object = format!(r#"{{"AccessKeyId": "{ID}", "SecretAccessKey": "{SECRET}"}}"#);
    assert_eq!(auto(&object), [entry(1)]);
    assert_eq!(auto(&format!("[\n{object},\n  {object}]")), [entry(2), entry(3)]);
    assert_eq!(auto(&format!("{object}\r\n\r\n{object}\r\n")), [entry(1), entry(3)]);
    let pretty = object.replace(['{', '}', ','], "\n$0\n").replace("$0", "");
    assert_eq!(auto(&format!("{{\n\"Credentials\": {{{pretty}, \"x\": 1}}}}")).len(), 1);
    let nested = format!(
        "{{\n    \"Credentials\": {{\n        \"AccessKeyId\": \"{ID}\",\n        \"SecretAccessKey\": \"{SECRET}\"\n    }}\n}}\n"
    );
    assert_eq!(auto(&nested), [entry(1)]);
    let region = object.replace('}', ", \"region\": \"eu-west-1\"}");
    assert_eq!(auto(&region), [format!("{} Named(\"eu-west-1\")", entry(1))]);
}

#[test]
fn a_broken_object_is_an_error_with_its_line_and_the_others_are_read() {
    let object = format!(r#"{{"AccessKeyId": "{ID}", "SecretAccessKey": "{SECRET}"}}"#);
    let cut = &object[..object.len() - 10];
    let input = format!("{object}\n{cut}\n{object}\nnot json\n[1, {object}]\n{{\"a\": 1}}\n{cut}");
    assert_eq!(
        auto(&input),
        [
            entry(1),
            "2: The JSON object has no end.".to_owned(),
            entry(3),
            "4: This is not a JSON object.".to_owned(),
            "5: This is not a JSON object.".to_owned(),
            entry(5),
            "6: stsAccessKey is missing or empty.".to_owned(),
            "7: The JSON object has no end.".to_owned(),
        ]
    );
    assert_eq!(auto(r#"{"AccessKeyId": nope}"#), ["1: This is not a JSON object."]);
}

#[test]
fn a_list_under_a_name_is_read_and_missing_values_are_named() {
    let metadata = format!(
        "{{\n  \"AccessKeyMetadata\": [\n    {{\"UserName\": \"ann\", \"AccessKeyId\": \"{ID}\", \"Status\": \"Active\"}},\n    \
         {{\"UserName\": \"ann\", \"AccessKeyId\": \"{OTHER}\", \"Status\": \"Inactive\"}}\n  ]\n}}\n"
    );
    let lacks = "1: stsSecretKey is missing or empty.".to_owned();
    assert_eq!(auto(&metadata), [lacks.clone(), lacks]);
    let object = format!(r#"{{"AccessKeyId": "{ID}", "SecretAccessKey": "{SECRET}"}}"#);
    assert_eq!(auto(&format!(r#"{{"keys": [{object}, 7, {{"a": 1}}], "next": null}}"#)), [entry(1)]);
    let none = ["1: stsAccessKey is missing or empty.".to_owned()];
    for other in [r#"{"AccessKeyMetadata": []}"#, r#"{"items": [{"a": 1}, {"b": 2}]}"#, r#"{"a": ["x"]}"#] {
        assert_eq!(auto(other), none, "{other}");
    }
}

#[test]
fn credentials_may_have_a_member_with_a_name_from_reports() {
    for extra in [
        "\"finding\": \"x\"",
        "\"scan\": {}",
        "\"audit\": 1",
        "\"rule_id\": \"r-1\"",
        "\"findings\": [{\"a\": 1}]",
        "\"access_map\": []",
    ] {
        let key = format!("\"AccessKeyId\": \"{ID}\", \"SecretAccessKey\": \"{SECRET}\"");
        let objects = [
            format!("{{{key}, {extra}}}"),
            format!("{{{extra}, {key}}}"),
            format!("{{\"Credentials\": {{{key}}}, {extra}}}"),
            format!("{{\"secretKey\": \"{SECRET}\", \"accessKey\": \"{ID}\", {extra}}}"),
        ];
        for object in objects {
            for format in [Format::Auto, Format::Json, Format::Trufflehog, Format::Betterleaks] {
                assert!(all(format, object.as_bytes()).contains(&entry(1)), "{object}");
            }
        }
    }
}

#[test]
fn proofs_are_distinguished_from_credentials() {
    for proof in [
        r#"{"status": {"token": "k8s-aws-v1.aHR0cHM6Ly9zdHM"}}"#,
        r#"{"WebIdentityToken": "eyJ"}"#,
        r#"{"presigned_url": "https://sts.amazonaws.com/?x"}"#,
        r#"{"iam_http_request_method": "POST", "iam_request_url": "aA=="}"#,
    ] {
        assert_eq!(auto(proof), ["1 proof"], "{proof}");
    }
}
