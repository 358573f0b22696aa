//! The reports of scanners, in the forms of their releases.

use super::*;

#[test]
fn trufflehog_s_findings_are_read_in_both_forms() {
    let finding = |detector: &str, rest: &str| {
        format!(
            r#"{{"SourceMetadata":{{}},"DetectorType":2,"DetectorName":"{detector}","Verified":false,"Raw":"{ID}",{rest},"ExtraData":{{"account":"1"}}}}"#
        )
    };
    let input = [
        finding("AWS", &format!(r#""RawV2":"{ID}:{SECRET}""#)),
        finding("AWSSessionKey", &format!(r#""RawV2":"{OTHER}:{SECRET}:{TOKEN}""#)),
        finding("Github", r#""RawV2":"""#),
        finding(
            "AWS",
            &format!(
                r#""RawV2":"x","SecretParts":{{"access_key_id":"{ID}","secret_access_key":"{SECRET}"}}"#
            ),
        ),
        finding("AWS", r#""RawV2":"","SecretParts":null"#),
    ];
    let expected = [
        entry(1),
        format!("2 {OTHER} {SECRET} {TOKEN}"),
        "ignored".to_owned(),
        entry(4),
        "5: stsSecretKey is missing or empty.".to_owned(),
    ];
    assert_eq!(auto(&input.join("\n")), expected);
    assert_eq!(all(Format::Trufflehog, input.join("\n").as_bytes()), expected);
}

#[test]
fn betterleaks_findings_are_read_with_the_names_of_every_release() {
    let component = |secret: &str| format!(r#"{{"RuleID":"x","Secret":"{secret}"}}"#);
    for (rule, secret, sets) in [
        ("RuleID", "Secret", format!(r#""RequiredSets":[{{"Components":[{}]}}]"#, component(ID))),
        ("RuleID", "Secret", format!(r#""ComponentSets":[[{}]]"#, component(ID))),
        (
            "ruleID",
            "secret",
            format!(
                r#""componentSets":[{{"components":[{}],"validation":{{}}}}]"#,
                component(ID).to_lowercase().replace(&ID.to_lowercase(), ID)
            ),
        ),
        ("rule_id", "secret", format!(r#""component_sets":[{{"components":[{}]}}]"#, component(ID))),
    ] {
        let finding = format!(
            r#"{{"{rule}":"aws-secret-access-key","{secret}":"{SECRET}","match":"x","Match":"x",{sets}}}"#
        );
        let other = format!(r#"{{"{rule}":"github-pat","{secret}":"ghp_x"}}"#);
        let report = format!("[\n {finding},\n {other}\n]");
        assert_eq!(auto(&report), [entry(2), "ignored".to_owned()], "{report}");
    }
    let sets = format!(
        r#""ComponentSets":[{{"Components":[{0},{1}]}},{{"Components":[{0}]}}]"#,
        component(SECRET),
        component(TOKEN)
    );
    let finding = format!(r#"{{"RuleID":"aws-access-token","Secret":"{OTHER}",{sets}}}"#);
    assert_eq!(auto(&finding), [format!("1 {OTHER} {SECRET} {TOKEN}"), format!("1 {OTHER} {SECRET} -")]);
    let alone = format!(r#"{{"RuleID":"aws-access-token","Secret":"{ID}"}}"#);
    assert_eq!(auto(&alone), ["1: stsSecretKey is missing or empty."]);
    // Release 2.0: as JSON and as JSON Lines.
    let value = |secret: &str| format!(r#""match":{{"full":"x = {secret}","value":"{secret}"}}"#);
    let finding = format!(
        r#"{{"rule_id":"aws-access-token",{},"component_sets":[{{"components":[{{"rule_id":"aws-secret-access-key",{}}}]}}]}}"#,
        value(ID),
        value(SECRET)
    );
    let other = format!(r#"{{"rule_id":"github-pat",{}}}"#, value("ghp"));
    let json = format!(
        "{{\n \"schema_version\": \"1\",\n \"findings\": [\n{finding},\n {other}\n],\n \"scan\": {{}}\n}}\n"
    );
    assert_eq!(auto(&json), [entry(4), "ignored".to_owned()]);
    let line = |finding: &str| format!("{{\"schema_version\":\"1\",\"finding\":{finding}}}\n");
    let lines =
        line(&finding) + &line(&other) + "{\"schema_version\":\"1\",\"scan\":{\"state\":\"complete\"}}\n";
    assert_eq!(auto(&lines), [entry(1), "ignored".to_owned()]);
}

#[test]
fn kingfisher_s_findings_are_read_in_a_report_and_one_per_line() {
    let record = |rule: &str, snippet: &str, command: &str| {
        format!(
            r#"{{"rule":{{"name":"x","id":"{rule}"}},"finding":{{"snippet":"{snippet}","line":3,"path":"a.py"{command}}}}}"#
        )
    };
    let user = record(
        "kingfisher.aws.2",
        SECRET,
        &format!(
            r#","validate_command":"kingfisher validate --rule 'kingfisher.aws.2' --var AKID='{ID}' '{SECRET}'""#
        ),
    );
    let session = record(
        "kingfisher.aws.4",
        TOKEN,
        &format!(
            r#","validate_command":"kingfisher validate --rule 'a' --var AKID='{OTHER}' --var AWS_SECRET_ACCESS_KEY='{SECRET}' '{TOKEN}'""#
        ),
    );
    let other = record("kingfisher.github.1", "ghp", "");
    let alone = record("kingfisher.aws.2", SECRET, "");
    let missing = |line: u32| format!("{line}: stsAccessKey is missing or empty.");
    let of_session = |line: u32| format!("{line} {OTHER} {SECRET} {TOKEN}");
    let over = || "ignored".to_owned();
    let by_id = format!(
        r#"{{"rule":{{"name":"aws-access-token","id":"betterleaks.aws-access-token"}},"finding":{{"snippet":"{ID}",
        "dependent_captures":{{"AWS_SECRET_ACCESS_KEY":"{SECRET}"}}}}}}"#
    )
    .replace('\n', "");
    let after = r#"{"access_map":[]}
{"audit":{}}
{"findings":2,"kingfisher":{}}"#;
    let lines = [user.as_str(), &session, &other, &alone, &by_id, after].join("\n");
    assert_eq!(auto(&lines), [entry(1), of_session(2), over(), missing(4), entry(5)]);
    let report = format!(
        "{{\"findings\":[{user},{session},{other}],\"metadata\":{{\"a\":1}}}}\n{{\"metadata\":1,\"findings\":[{user}]}}"
    );
    assert_eq!(auto(&report), [entry(1), of_session(1), over(), entry(2)]);
}
