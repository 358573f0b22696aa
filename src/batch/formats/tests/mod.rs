//! Each format as tools write it, and with errors: every entry and every error with its line.

mod environments;
mod scanners;

use super::*;
use crate::credentials::Posted;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const OTHER: &str = "ASIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN+with/a+length+of+more+than+sixty-four+characters==";

/// The items, one line each: `LINE[name] id secret token region`, `LINE: error`, or `ignored`.
fn all(format: Format, input: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    let flow = read(0, input, format, &mut |item| {
        all.push(match item {
            Item::Ignored => "ignored".to_owned(),
            Item::Unreadable(location, reason) => format!("{}: {reason}", location.line),
            Item::Entry(location, Posted::Proof(_)) => format!("{} proof", location.line),
            Item::Entry(location, Posted::Credentials(request)) => {
                let name = location.name.map(|name| format!("[{name}]")).unwrap_or_default();
                let credentials = &request.credentials;
                let secret = credentials.secret_access_key().expose_secret();
                let token = credentials.session_token().map_or("-", |token| token.expose_secret());
                let region = format!("{:?}", request.region).replace("Hints([])", "");
                format!("{}{name} {} {secret} {token} {region}", location.line, credentials.access_key_id())
                    .trim_end()
                    .to_owned()
            }
        });
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    all
}

fn auto(input: &str) -> Vec<String> {
    all(Format::Auto, input.as_bytes())
}

fn entry(line: u32) -> String {
    format!("{line} {ID} {SECRET} -")
}

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
fn a_file_that_is_not_the_named_report_is_an_error() {
    for format in [Format::Trufflehog, Format::Betterleaks, Format::Kingfisher] {
        for (input, error) in [
            ("{\"a\": 1}", "1: stsAccessKey is missing or empty."),
            ("[{\"a\": 1}]", "1: stsAccessKey is missing or empty."),
            ("a,b\nc", "1: This is not a JSON object."),
        ] {
            assert_eq!(all(format, input.as_bytes())[0], error, "{format:?} {input}");
        }
    }
}

#[test]
fn a_csv_file_may_name_its_delimiter_in_its_first_line() {
    for (first, delimiter) in [("sep=;", ';'), ("sep=,", ','), ("SEP=|\r", '|'), ("sep=\t", '\t')] {
        let csv = format!(
            "{first}\nAccess key ID{delimiter}Secret access key\n{ID}{delimiter}{SECRET}\n{OTHER}{delimiter}{SECRET}\n"
        );
        let expected = [entry(3), entry(4).replace(ID, OTHER)];
        assert_eq!(auto(&csv), expected, "{first:?}");
        assert_eq!(all(Format::Csv, csv.as_bytes()), expected, "{first:?}");
    }
    assert_eq!(
        all(Format::Csv, b"sep=;;\na;b\n"),
        ["1: There is no CSV header with an access key and a secret key."]
    );
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

#[test]
fn profiles_with_keys_are_entries_named_by_them() {
    let file = format!(
        "# mine\n[default]\naws_access_key_id = {ID}\naws_secret_access_key={SECRET} ; old\nregion = eu-west-1\n\n\
         [profile ops team] # x\nAWS_ACCESS_KEY_ID = {OTHER}\naws_secret_access_key = \"{SECRET}\"\naws_session_token = {TOKEN}\n\
         s3 =\n  aws_access_key_id = nested\n  max = 10\n\n[profile role]\nrole_arn = arn:x\nregion = us-east-1\n\n\
         [half]\naws_access_key_id = {ID}\n[broken\n[last]\n  aws_access_key_id = {ID}\n  aws_secret_access_key = {SECRET}\n"
    );
    let expected = [
        format!("2[default] {ID} {SECRET} - Hints([\"eu-west-1\"])"),
        format!("7[ops team] {OTHER} {SECRET} {TOKEN}"),
        "19: SecretAccessKey is missing or empty.".replace("SecretAccessKey", "stsSecretKey"),
        "21: The name of the section has no closing bracket.".to_owned(),
        format!("22[last] {ID} {SECRET} -"),
    ];
    assert_eq!(auto(&file), expected);
    assert_eq!(auto(&file.replace('\n', "\r\n")), expected);
}

#[test]
fn a_profile_may_be_indented_and_its_delimiter_a_colon() {
    for (id, secret) in [("= ", "="), (": ", ":"), (" : ", "= "), (":", " = ")] {
        let key = format!("aws_access_key_id{id}{ID}\naws_secret_access_key{secret}{SECRET}:x=\n");
        assert_eq!(auto(&format!("[a]\n{key}")), [format!("1[a] {ID} {SECRET}:x= -")], "{key}");
    }
    for empty in ["aws_session_token =", "output =", "s3 =\n    aws_access_key_id = nested"] {
        let profile =
            format!("[a]\n  {empty}\n  aws_access_key_id = {ID}\n  aws_secret_access_key = {SECRET}\n");
        assert_eq!(auto(&profile), [format!("1[a] {ID} {SECRET} -")], "{empty}");
    }
    let deeper =
        format!("[a]\naws_session_token =\n  aws_access_key_id = {ID}\n  aws_secret_access_key = {SECRET}\n");
    assert_eq!(auto(&deeper), [format!("1[a] {ID} {SECRET} -")]);
}

#[test]
fn a_value_that_is_too_long_costs_its_own_key_and_no_other() {
    let long = "x".repeat(MAX_ENTRY_BYTES);
    let section = format!("aws_access_key_id={ID}\naws_secret_access_key={SECRET}\n");
    let too_long = |line: u32| format!("{line}: The entry is longer than 1 MiB.");
    let file = format!("[a]\n{section}aws_session_token={long}\n[b]\n{section}");
    assert_eq!(auto(&file), [too_long(4), format!("5[b] {ID} {SECRET} -")]);
    let file = format!("{section}aws_session_token={long}\n\n{section}");
    assert_eq!(auto(&file), [too_long(3), entry(5)]);
    let file = format!("export AWS_SESSION_TOKEN={long}\n{section}\n# next\n{section}");
    assert_eq!(auto(&file), [too_long(1), entry(6)]);
    let file =
        format!("{{\"findings\": [],\n\"AccessKeyId\": \"{ID}\", \"SecretAccessKey\": \"{SECRET}{long}\"}}");
    assert_eq!(auto(&file), [too_long(1)]);
}

#[test]
fn a_profile_that_is_named_by_its_secret_is_redacted() {
    let file = format!("[{SECRET}]\naws_access_key_id={ID}\naws_secret_access_key={SECRET}\n");
    assert_eq!(auto(&file), [format!("1[[redacted]] {ID} {SECRET} -")]);
}

#[test]
fn a_csv_file_is_read_by_its_header() {
    for (header, row) in [
        ("Access key ID,Secret access key", format!("{ID},{SECRET}")),
        ("\"User name\",\"Access key ID\",\"Secret access key\"", format!("\"a, b\",{ID},\"{SECRET}\"")),
        (
            "User Name,Password,Access key ID,Secret access key,Console login link",
            format!("ann,,{ID},{SECRET},https://x"),
        ),
        ("aws_secret_access_key;aws_access_key_id", format!("{SECRET};{ID}")),
        ("AccessKeyId\tSecretAccessKey\tSessionToken", format!("{ID}\t{SECRET}\t")),
        ("Notes,Access key ID,Secret access key", format!("\"two\nlines\",{ID},{SECRET}")),
    ] {
        assert_eq!(auto(&format!("{header}\r\n{row}\r\n")), [entry(2)], "{header}");
        assert_eq!(auto(&format!("{header}\n\n{row}\n{header}\n{row}")).len(), 2, "{header}");
    }
    let region =
        format!("Access key ID,Secret access key,Region,Session token\n{OTHER},{SECRET},eu-west-3,{TOKEN}\n");
    assert_eq!(auto(&region), [format!("2 {OTHER} {SECRET} {TOKEN} Hints([\"eu-west-3\"])")]);
}

#[test]
fn a_broken_record_costs_no_other() {
    let input = format!(
        "User name,Access key ID,Secret access key\nann,,\nbob,{ID}\n\"joe,{ID},{SECRET}\n\"eve\",{ID},{SECRET}\n\
         {ID},\"{SECRET}\n\n,{ID},{SECRET}\n"
    );
    assert_eq!(
        auto(&input),
        [
            "3: stsSecretKey is missing or empty.".to_owned(),
            "4: A quote is not closed.".to_owned(),
            entry(5),
            "6: A quote is not closed.".to_owned(),
            entry(8),
        ]
    );
    assert_eq!(
        all(Format::Csv, b"a,b\nc,d\n"),
        ["1: There is no CSV header with an access key and a secret key."]
    );
}

#[test]
fn lines_may_end_with_cr_alone() {
    for text in [
        format!("sep=;\nAccess key ID;Secret access key\n{ID};{SECRET}\n"),
        format!("\nUser,Access key ID,Secret access key\nann,{ID},{SECRET}\n"),
        format!("# it's\n\nAWS_ACCESS_KEY_ID={ID} # x\nAWS_SECRET_ACCESS_KEY={SECRET}\n"),
    ] {
        assert_eq!(auto(&text.replace('\n', "\r")), [entry(3)], "{text}");
    }
    let profile = format!("\r[a]\raws_access_key_id={ID}\raws_secret_access_key={SECRET}");
    assert_eq!(auto(&profile), [format!("2[a] {ID} {SECRET} -")]);
    let csv = format!("Access key ID,Secret access key\r{ID},{SECRET}\r{ID},{SECRET}");
    assert_eq!(all(Format::Csv, csv.as_bytes()), [entry(2), entry(3)]);
}

#[test]
fn byte_order_marks_and_utf_16_are_accepted() {
    let text = format!("Access key ID,Secret access key\r\n{ID},{SECRET}\r\n");
    let marked = format!("\u{feff}{text}");
    let little: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for input in [marked.as_bytes(), &little, &big] {
        assert_eq!(all(Format::Auto, input), [entry(2)]);
        assert_eq!(all(Format::Csv, input), [entry(2)]);
    }
    assert_eq!(all(Format::Auto, &little[2..]), ["1: The file is not text. UTF-16 needs a byte order mark."]);
    assert_eq!(
        all(Format::Ini, b"\x7fELF\0\0"),
        ["1: The file is not text. UTF-16 needs a byte order mark."]
    );
}

#[test]
fn an_unrecognised_format_is_reported_once() {
    assert_eq!(auto(""), Vec::<String>::new());
    assert_eq!(auto("\n# nothing\n\n"), Vec::<String>::new());
    assert_eq!(
        auto("Dear all,\nkeys are in the safe.\n"),
        ["1: The format is not recognised. Name it with --format."]
    );
    assert_eq!(auto("user,password\nann,x\n"), ["1: The format is not recognised. Name it with --format."]);
}

#[test]
fn a_comment_in_another_encoding_does_no_harm_and_a_value_is_rejected() {
    let input = [b"# cl\xe9\nAWS_ACCESS_KEY_ID=", ID.as_bytes(), b"\nAWS_SECRET_ACCESS_KEY=\xe9x\n"].concat();
    assert_eq!(
        all(Format::Auto, &input),
        ["2: AWS_SECRET_ACCESS_KEY must be at most 128 printable ASCII characters without spaces."]
    );
}

proptest! {
    #[test]
    fn no_input_makes_a_reader_panic_or_repeat_it(
        input in proptest::collection::vec(any::<u8>(), 0..300), pick in 0_usize..9, cut in 0_usize..400,
    ) {
        let format = Format::value_variants()[pick];
        all(format, &input);
        let good = format!("[p]\naws_access_key_id={ID}\n{{\"AccessKeyId\":\"{ID}\",\"SecretAccessKey\":\"{SECRET}\"}}\nAccess key ID,Secret access key\n\"{ID}\",\"{SECRET}\"\n");
        let cut = cut % (good.len() + 1);
        let mixed = [&good.as_bytes()[..cut], &input[..], &good.as_bytes()[cut..]].concat();
        for line in all(format, &mixed) {
            if line.contains(": ") {
                prop_assert!(!line.contains(&SECRET[..12]), "{line}");
            }
        }
    }
}
