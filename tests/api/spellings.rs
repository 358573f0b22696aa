//! Which members of a body are taken for which value: the rule for names, for objects, and for values given twice.

use crate::helpers::{ACCESS_KEY, App, SECRET_KEY, TOKEN, expected, header, summary};
use crate::stub::{Stub, identity};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sts_verify::credentials::{NAMES, RequestedRegion, ValidationError, VerifyRequest};

const OTHER: &str = "AKIAI44QH8DHBEXAMPLE";

/// The three values of a body, or the error's name and text.
fn read(body: &str) -> Result<(String, String, Option<String>), ValidationError> {
    let credentials = VerifyRequest::from_json(body.as_bytes())?.credentials;
    let token = credentials.session_token().map(|token| token.expose_secret().to_owned());
    Ok((
        credentials.access_key_id().to_owned(),
        credentials.secret_access_key().expose_secret().to_owned(),
        token,
    ))
}

#[track_caller]
fn is_read(body: &Value, token: Option<&str>) {
    let values = (ACCESS_KEY.to_owned(), SECRET_KEY.to_owned(), token.map(str::to_owned));
    assert_eq!(read(&body.to_string()), Ok(values), "{body}");
}

#[track_caller]
fn is_refused(body: &Value, error: ValidationError) {
    assert_eq!(read(&body.to_string()), Err(error), "{body}");
}

#[test]
fn every_name_of_the_table_counts_in_every_case_with_and_without_separators() {
    let values = [ACCESS_KEY, SECRET_KEY, TOKEN];
    for known in &NAMES {
        let place = known.field as usize;
        if place >= values.len() {
            continue;
        }
        let dashed: String = known.folded.chars().flat_map(|letter| ['-', letter, '_']).collect();
        for name in [known.folded.to_owned(), known.folded.to_uppercase(), dashed] {
            // Beside it the plain names for the other values, or those that go with a name of AWS's.
            let qualified = known.folded.starts_with("aws") || known.folded.starts_with("sts");
            let beside = if qualified {
                ["stsAccessKey", "stsSecretKey", "stsSessionToken"]
            } else {
                ["AccessKeyId", "SecretAccessKey", "SessionToken"]
            };
            let mut body = json!({});
            for (number, value) in values.iter().enumerate() {
                let name = if number == place { &name } else { beside[number] };
                body[name] = json!(value);
            }
            is_read(&body, Some(TOKEN));
        }
    }
}

#[test]
fn objects_are_looked_into_three_levels_below_the_top_whatever_they_are_called() {
    let mut body = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": TOKEN});
    for name in ["Credentials", "AccessKey", "\u{1F600}", ""] {
        let inner = body.clone();
        is_read(&inner, Some(TOKEN));
        body = json!({name: inner, "Version": 1, "list": [{"AccessKeyId": OTHER}]});
    }
    is_refused(&body, ValidationError::Missing("stsAccessKey"));
}

#[test]
fn the_values_may_stand_in_different_objects() {
    let body = json!({"id": {"AccessKeyId": ACCESS_KEY}, "secret": {"SecretAccessKey": SECRET_KEY}, "SessionToken": TOKEN});
    is_read(&body, Some(TOKEN));
}

#[test]
fn arrays_are_not_looked_into() {
    let keys = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY});
    is_refused(&json!({"Credentials": [keys]}), ValidationError::Missing("stsAccessKey"));
    is_refused(
        &json!({"AccessKey": [keys], "a": keys}),
        ValidationError::Duplicate("AccessKeyId", "AccessKey"),
    );
}

#[test]
fn a_member_with_an_object_is_looked_into_even_if_it_has_the_name_of_a_value() {
    // As `aws iam create-access-key` prints it.
    is_read(
        &json!({"AccessKey": {"UserName": "ann", "AccessKeyId": ACCESS_KEY, "Status": "Active",
        "SecretAccessKey": SECRET_KEY, "CreateDate": "2026-01-01T00:00:00Z"}}),
        None,
    );
    is_read(
        &json!({"Token": {"Token": {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY, "token": {}}}}),
        None,
    );
    // Below the third level it is neither.
    is_read(
        &json!({"a": {"b": {"c": {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "token": {"token": 1}}}}}),
        None,
    );
}

#[test]
fn what_others_keep_beside_names_of_aws_is_passed_over() {
    let environment = json!({"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "TOKEN": "ghp_other",
        "SECRET_KEY": "django-insecure with spaces", "ACCESS_KEY": 12, "SESSION_TOKEN": "other", "HOME": "/root"});
    is_read(&environment, None);
    let mut with_token = environment.clone();
    with_token["AWS_SECURITY_TOKEN"] = json!(TOKEN);
    is_read(&with_token, Some(TOKEN));
    // Of what stands beside, it is the names that decide, and only those that have a value.
    is_refused(
        &json!({"AWS_SECRET_ACCESS_KEY": SECRET_KEY, "ACCESS_KEY": ACCESS_KEY}),
        ValidationError::Missing("stsAccessKey"),
    );
    is_read(
        &json!({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": null, "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY, "token": TOKEN}),
        Some(TOKEN),
    );
    is_read(
        &json!({"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "aws_session_token": TOKEN}),
        Some(TOKEN),
    );
    // And only in their own object.
    is_refused(
        &json!({"env": {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}, "SECRET_KEY": "other"}),
        ValidationError::Duplicate("AWS_SECRET_ACCESS_KEY", "SecretKey"),
    );
}

#[test]
fn a_token_counts_only_beside_an_access_key_id() {
    let keys = json!({"access_key": ACCESS_KEY, "secret_key": SECRET_KEY});
    is_read(&json!({"data": keys, "token": "s.other", "wrap_info": {"token": "other"}}), None);
    is_read(&json!({"data": keys, "token": 5}), None);
    is_read(&json!({"AccessKeyId": ACCESS_KEY, "b": {"SecretAccessKey": SECRET_KEY, "Token": TOKEN}}), None);
    is_read(
        &json!({"AccessKeyId": ACCESS_KEY, "b": {"SecretAccessKey": SECRET_KEY}, "Token": TOKEN}),
        Some(TOKEN),
    );
    is_read(&json!({"a": {"AccessKeyId": "", "Token": TOKEN}, "b": keys}), None);
    is_read(&json!({"data": keys, "session_token": TOKEN}), Some(TOKEN));
}

#[test]
fn a_value_that_is_given_twice_is_taken_once_if_both_are_equal() {
    // As Vault prints it.
    let vault = json!({"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "security_token": TOKEN, "session_token": TOKEN});
    is_read(
        &json!({"request_id": "x", "lease_id": "aws/creds/r/x", "renewable": true, "data": vault, "auth": null}),
        Some(TOKEN),
    );
    let half = json!({"accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY, "sessionToken": ""});
    is_read(
        &json!({"a": half, "b": {"b": half}, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SESSION_TOKEN": null}),
        None,
    );
    is_read(&json!({"a": half, "SessionToken": TOKEN}), Some(TOKEN));
    is_read(
        &json!({"AccessKey": ACCESS_KEY, "secretKey": SECRET_KEY, "secret_key": "", "session_token": TOKEN,
        "SecurityToken": null}),
        Some(TOKEN),
    );
    let doubled =
        format!(r#"{{"accessKey":"{ACCESS_KEY}","accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}}"#);
    assert!(read(&doubled).is_ok());
    // Equal as texts, however they are written.
    let escaped = SECRET_KEY.replace('/', r"\/").replace('w', r"\u0077");
    let doubled =
        format!(r#"{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}","SecretAccessKey":"{escaped}"}}"#);
    assert!(read(&doubled).is_ok());
}

#[test]
fn a_value_that_is_given_twice_and_differs_is_refused() {
    let keys = |id: &str| json!({"AccessKeyId": id, "SecretAccessKey": SECRET_KEY});
    is_refused(
        &json!({"a": keys(ACCESS_KEY), "b": keys(OTHER)}),
        ValidationError::Duplicate("AccessKeyId", "AccessKeyId"),
    );
    is_refused(
        &json!({"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_SESSION_TOKEN": TOKEN,
        "AWS_SECURITY_TOKEN": "other"}),
        ValidationError::Duplicate("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"),
    );
    is_refused(
        &json!({"AccessKeyId": ACCESS_KEY, "accessKeyId": 12, "secretKey": SECRET_KEY}),
        ValidationError::Duplicate("AccessKeyId", "accessKeyId"),
    );
    is_refused(
        &json!({"AccessKeyId": ACCESS_KEY, "secretKey": SECRET_KEY, "secret_key": SECRET_KEY.to_lowercase()}),
        ValidationError::Duplicate("secretKey", "secret_key"),
    );
    // The third is the one that differs.
    is_refused(
        &json!({"a": keys(ACCESS_KEY), "b": {"c": keys(ACCESS_KEY), "d": {"e": keys(OTHER)}}}),
        ValidationError::Duplicate("AccessKeyId", "AccessKeyId"),
    );
    let doubled =
        format!(r#"{{"accessKey":"{ACCESS_KEY}","accessKey":"{OTHER}","secretKey":"{SECRET_KEY}"}}"#);
    assert_eq!(read(&doubled), Err(ValidationError::Duplicate("accessKey", "accessKey")));
    // A value that another object has, too, and contradicts itself there.
    let doubled =
        format!(r#"{{"a":{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}},"b":{doubled}}}"#);
    assert_eq!(read(&doubled), Err(ValidationError::Duplicate("accessKey", "accessKey")));
    // Not where neither counts.
    let doubled =
        format!(r#"{{"stsAccessKey":"{ACCESS_KEY}","stsSecretKey":"{SECRET_KEY}","token":"a","token":"b"}}"#);
    assert!(read(&doubled).is_ok());
}

#[test]
fn names_are_read_with_their_escapes_resolved() {
    let body = format!(
        r#"{{"Access\u004beyId":"{ACCESS_KEY}","\u0073ecret\u005fkey":"{SECRET_KEY}","\ud800":1,"a\u0000":2}}"#
    );
    assert!(read(&body).is_ok());
    // What is not ASCII is no letter of ours: this K is the sign for kelvin.
    is_refused(
        &json!({"Access\u{212a}eyId": ACCESS_KEY, "secretKey": SECRET_KEY}),
        ValidationError::Missing("stsAccessKey"),
    );
}

#[test]
fn a_byte_order_mark_is_taken_and_another_encoding_is_refused_by_name() {
    let body =
        json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": "caf\u{e9}"}).to_string();
    let good = body.replace('\u{e9}', "e");
    assert!(read(&format!("\u{feff}{good}")).is_ok());
    assert_eq!(read(&format!("\u{feff}\u{feff}{good}")), Err(ValidationError::MalformedJson));
    let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let latin_1: Vec<u8> = body.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let utf_32: Vec<u8> = good.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect();
    // As `curl -d @file` sends it: without the NULs.
    let stripped = little(&format!("\u{feff}{good}")).into_iter().filter(|byte| *byte != 0).collect();
    for other in [
        little(&good),
        big(&good),
        little(&format!("\u{feff}{good}")),
        big(&format!("\u{feff}{good}")),
        utf_32,
        latin_1,
        stripped,
    ] {
        assert_eq!(
            VerifyRequest::from_json(&other).err(),
            Some(ValidationError::NotUtf8),
            "{:?}",
            &other[..8]
        );
    }
    assert!(ValidationError::NotUtf8.to_string().contains("UTF-8"));
}

#[tokio::test]
async fn a_byte_order_mark_and_another_encoding_over_http() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    let body = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY}).to_string();
    assert_eq!(app.verify_text(format!("\u{feff}{body}")).await.status(), 200);
    let utf_16: Vec<u8> = format!("\u{feff}{body}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(summary(app.verify_text(utf_16).await).await, expected(400, "", "MalformedJson"));
}

#[tokio::test]
async fn a_session_token_of_the_longest_length_reaches_sts() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[]).await;
    let body = |token: &str| json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "SessionToken": token});
    let longest = "t".repeat(16384);
    assert_eq!(app.verify(&body(&longest)).await.status(), 200);
    assert!(stub.requests()[0].contains(&format!("x-amz-security-token: {longest}\r\n")));
    let outcome = summary(app.verify(&body(&format!("{longest}t"))).await).await;
    assert_eq!(outcome, expected(400, "", "InvalidParameter"));
}

fn region_of(more: &Value) -> Result<RequestedRegion, ValidationError> {
    let mut body = json!({"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Ok(VerifyRequest::from_json(body.to_string().as_bytes())?.region)
}

#[test]
fn the_regions_of_an_environment_are_hints_the_stronger_first() {
    let hints =
        |names: &[&str]| Ok(RequestedRegion::Hints(names.iter().map(|&name| name.to_owned()).collect()));
    for (more, expected) in [
        (json!({}), hints(&[])),
        (
            json!({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "cn-north-1"}),
            hints(&["cn-north-1", "eu-west-1"]),
        ),
        (json!({"env": {"aws_default_region": "eu-west-1"}}), hints(&["eu-west-1"])),
        (json!({"AWS_REGION": "us east", "aws-region": "eu-west-1"}), hints(&["eu-west-1"])),
        (json!({"AWS_REGION": 1, "AWS_DEFAULT_REGION": ""}), hints(&[])),
        (json!({"AWS_REGION": null, "AWS_DEFAULT_REGION": ["eu-west-1"]}), hints(&[])),
        (json!({"AWS_REGION": "eu-west-1", "env": {"AWS_REGION": "eu-west-1"}}), hints(&["eu-west-1"])),
        (
            json!({"AWS_REGION": "eu-west-1", "env": {"aws_region": "eu-west-2"}}),
            Err(ValidationError::Duplicate("aws_region", "AWS_REGION")),
        ),
        (
            json!({"REGION": "emea", "Region": 5, "a": {"region": "US East"}, "AWS_REGION": "eu-west-1"}),
            hints(&["eu-west-1"]),
        ),
        (json!({"region": null, "AWS_REGION": "eu-west-1"}), hints(&["eu-west-1"])),
    ] {
        assert_eq!(region_of(&more), expected, "{more}");
    }
}

#[test]
fn a_region_that_is_named_counts_before_every_hint() {
    let named = Ok(RequestedRegion::Named("eu-west-1".to_owned()));
    for more in [
        json!({"region": "eu-west-1", "AWS_REGION": "cn-north-1"}),
        json!({"region": "eu-west-1", "AWS_REGION": "cn-north-1", "env": {"AWS_REGION": "us-east-1"}}),
    ] {
        assert_eq!(region_of(&more), named, "{more}");
    }
    for region in [json!(""), json!("us east"), json!(1), json!({"a": 1}), json!([])] {
        assert!(
            matches!(region_of(&json!({"region": region})), Err(ValidationError::Invalid("region", _))),
            "{region}"
        );
    }
    let doubled =
        r#"{"accessKey":"AKIAIOSFODNN7EXAMPLE","secretKey":"s","region":"eu-west-1","region":"eu-west-2"}"#;
    assert_eq!(read(doubled), Err(ValidationError::Duplicate("region", "region")));
}

#[tokio::test]
async fn a_hint_is_followed_where_it_may_be_and_never_into_the_wrong_partition() {
    let stub = Stub::always(identity()).await;
    let app =
        App::asking(&stub.url, &["--region=eu-central-1", "--allowed-regions=eu-west-1,cn-north-1"]).await;
    for (region, default_region, asked) in [
        ("eu-west-1", "cn-north-1", "eu-west-1"),
        ("cn-north-1", "eu-west-1", "cn-north-1"),
        ("us-west-2", "eu-west-1", "eu-central-1"),
        ("", "eu-west-1", "eu-west-1"),
        ("auto", "cn-north-1", "cn-north-1"),
        ("auto", "local", "eu-central-1"),
        ("us-gov-west-1", "eu-west-1", ""),
        ("cn-northwest-1", "", ""),
        ("", "us-iso-east-1", ""),
    ] {
        let body = json!({"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": region,
            "AWS_DEFAULT_REGION": default_region});
        let before = stub.count();
        let answer = app.verify(&body).await;
        if asked.is_empty() {
            assert_eq!(summary(answer).await, expected(400, "", "RegionNotAllowed"), "{body}");
            assert_eq!(stub.count(), before);
        } else {
            assert_eq!(answer.status(), 200, "{body}");
            let request = stub.requests().pop().unwrap();
            assert!(request.contains(&format!("/{asked}/sts/aws4_request")), "{body}: {request}");
        }
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_and_its_coding_named() {
    let app = App::with_sandbox(&[]).await;
    let post = |codings: &'static [&str]| {
        let request = app.client.post(app.url("/verify")).header("content-type", "application/json");
        codings
            .iter()
            .fold(request, |request, coding| request.header("content-encoding", *coding))
            .body("{}")
            .send()
    };
    for (codings, named) in [
        (&["gzip"][..], "gzip"),
        (&["GZip"], "gzip"),
        (&["identity, br"], "br"),
        (&["identity", "zstd"], "zstd"),
        (&["x-secret-coding"], "an unknown one"),
    ] {
        let answer = post(codings).await.unwrap();
        assert_eq!(header(&answer, "accept-encoding"), Some("identity"));
        let text = answer.text().await.unwrap();
        let message = format!("The request body must have no Content-Encoding; it has {named}.");
        assert!(text.contains("\"UnsupportedMediaType\"") && text.contains(&message), "{text}");
    }
    for codings in [&["identity"][..], &[""], &["Identity, ,identity"]] {
        assert_eq!(
            summary(post(codings).await.unwrap()).await,
            expected(400, "", "MissingParameter"),
            "{codings:?}"
        );
    }
}

/// The time is in proportion to the body: with the square of it this would not end.
#[test]
fn a_body_of_very_many_members_is_read() {
    let many = |name: fn(usize) -> String| {
        let members: Vec<String> =
            (0..50_000).map(|number| format!("\"{}\":\"{number}\"", name(number))).collect();
        members.join(",")
    };
    let keys = format!(r#""AWS_ACCESS_KEY_ID":"{ACCESS_KEY}","AWS_SECRET_ACCESS_KEY":"{SECRET_KEY}""#);
    let body = format!(
        r#"{{{},"a":{{"b":{{"c":{{{}}},{keys}}},{}}},{}}}"#,
        many(|_| "token".to_owned()),
        many(|number| format!("{:_<1$}", "AccessKeyIdx", 12 + number % 9)),
        many(|number| format!("n{number}")),
        "\"\":{},".repeat(50_000) + "\"end\":[]"
    );
    assert!(read(&body).is_ok());
}
