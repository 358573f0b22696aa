//! The profiles of AWS's shared files.

use super::*;

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
fn a_profile_that_is_named_by_its_secret_is_redacted() {
    let file = format!("[{SECRET}]\naws_access_key_id={ID}\naws_secret_access_key={SECRET}\n");
    assert_eq!(auto(&file), [format!("1[[redacted]] {ID} {SECRET} -")]);
}
