//! Which members of a body are used for which value: the rules for names, objects, and repeated values.

use crate::helpers::{ACCESS_KEY, App, SECRET_KEY, TOKEN, expected, summary};
use crate::stub::{Stub, identity};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sts_verify::credentials::{NAMES, ValidationError, VerifyRequest};

const OTHER: &str = "AKIAI44QH8DHBEXAMPLE";

/// The three values of a body, or the code and text of the error.
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
            // With the plain names for the other values, or with the AWS names.
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
fn objects_are_searched_three_levels_deep_whatever_their_names() {
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
fn arrays_are_not_searched() {
    let keys = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY});
    is_refused(&json!({"Credentials": [keys]}), ValidationError::Missing("stsAccessKey"));
    is_refused(
        &json!({"AccessKey": [keys], "a": keys}),
        ValidationError::Duplicate("AccessKeyId", "AccessKey"),
    );
}

#[test]
fn an_object_is_searched_even_if_it_has_the_name_of_a_value() {
    // In the format of `aws iam create-access-key`.
    is_read(
        &json!({"AccessKey": {"UserName": "ann", "AccessKeyId": ACCESS_KEY, "Status": "Active",
        "SecretAccessKey": SECRET_KEY, "CreateDate": "2026-01-01T00:00:00Z"}}),
        None,
    );
    is_read(
        &json!({"Token": {"Token": {"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY, "token": {}}}}),
        None,
    );
    // Below the third level, neither counts.
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
    // Among members of one object the names decide, and only members with a value count.
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
    // Only within their own object.
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
fn a_repeated_equal_value_is_accepted() {
    // In Vault's format.
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
fn a_repeated_value_that_differs_is_refused() {
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
    // The third value differs.
    is_refused(
        &json!({"a": keys(ACCESS_KEY), "b": {"c": keys(ACCESS_KEY), "d": {"e": keys(OTHER)}}}),
        ValidationError::Duplicate("AccessKeyId", "AccessKeyId"),
    );
    let doubled =
        format!(r#"{{"accessKey":"{ACCESS_KEY}","accessKey":"{OTHER}","secretKey":"{SECRET_KEY}"}}"#);
    assert_eq!(read(&doubled), Err(ValidationError::Duplicate("accessKey", "accessKey")));
    // A value that is also in another object, with contradictory values there.
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
    // Non-ASCII characters do not match: this K is the kelvin sign.
    is_refused(
        &json!({"Access\u{212a}eyId": ACCESS_KEY, "secretKey": SECRET_KEY}),
        ValidationError::Missing("stsAccessKey"),
    );
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

/// The time is linear in the length of the body: with quadratic time this would not end.
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
