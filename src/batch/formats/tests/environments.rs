//! Assignments of environment variables in the syntax of every shell.

use super::*;

#[test]
fn assignments_of_every_shell_are_read() {
    let forms = [
        "AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n",
        "# x\nexport AWS_ACCESS_KEY_ID='{id}' # y\nexport AWS_SECRET_ACCESS_KEY=\"{secret}\"\n",
        "set AWS_ACCESS_KEY_ID={id}\r\nset \"AWS_SECRET_ACCESS_KEY={secret}\"\r\n",
        "$Env:AWS_ACCESS_KEY_ID=\"{id}\"\n$env:AWS_SECRET_ACCESS_KEY = '{secret}'\n",
        "set -gx AWS_ACCESS_KEY_ID {id}\nset -x -g AWS_SECRET_ACCESS_KEY '{secret}';\n",
        "setenv AWS_ACCESS_KEY_ID {id}; setenv AWS_SECRET_ACCESS_KEY {secret}\n",
        "declare -x AWS_ACCESS_KEY_ID=\"{id}\"\ndeclare -x AWS_SECRET_ACCESS_KEY=\"{secret}\"\n",
        "AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={secret} aws s3 ls\n",
        "AWSAccessKeyId={id}\r\nAWSSecretKey={secret}\r\n",
        "aws_access_key_id = {id}\naws_secret_access_key = {secret}",
        "SECRET_KEY=django\nTOKEN=x\nAWS_ACCESS_KEY_ID={id}\n\nAWS_SECRET_ACCESS_KEY={secret}\n",
    ];
    for form in forms {
        let found = auto(&form.replace("{id}", ID).replace("{secret}", SECRET));
        assert_eq!(found.len(), 1, "{form}: {found:?}");
        assert!(found[0].ends_with(&format!(" {ID} {SECRET} -")), "{form}: {found:?}");
    }
    assert_eq!(auto("DATABASE_URL=postgres://x\nexport SECRET_KEY=django # it's\n"), Vec::<String>::new());
}

#[test]
fn several_keys_in_one_environment_are_separated() {
    let session =
        format!("AWS_SESSION_TOKEN={TOKEN}\nAWS_ACCESS_KEY_ID={OTHER}\nAWS_SECRET_ACCESS_KEY={SECRET}\n");
    let user = format!("AWS_ACCESS_KEY_ID={ID}\nAWS_SECRET_ACCESS_KEY={SECRET}\n");
    let of_session = |line: u32| format!("{line} {OTHER} {SECRET} {TOKEN}");
    // The first token does not belong to the user's key.
    assert_eq!(auto(&format!("{user}\n{session}")), [entry(1), of_session(4)]);
    assert_eq!(auto(&format!("{session}\n# next\n{user}{user}")), [of_session(1), entry(6), entry(8)]);
    assert_eq!(
        auto(&format!("{user}{user}AWS_ACCESS_KEY_ID={ID}\n")),
        [entry(1), entry(3), "5: stsSecretKey is missing or empty.".to_owned()]
    );
    // Without its token a session would have the verdict invalid.
    let broken = session.replacen(TOKEN, &format!("'{TOKEN}"), 1);
    assert_eq!(auto(&format!("{broken}\n{user}")), ["1: A quote is not closed.".to_owned(), entry(5)]);
}

#[test]
fn a_region_or_an_unrelated_name_splits_no_key_of_an_environment() {
    let (id, secret) = (format!("AWS_ACCESS_KEY_ID={ID}\n"), format!("AWS_SECRET_ACCESS_KEY={SECRET}\n"));
    for between in [
        "REGION=emea\n",
        "\nREGION=emea\nAWS_REGION=eu-west-3\n",
        "AWS_REGION=eu-west-2\n",
        "TOKEN=a\nTOKEN=b\n",
    ] {
        let found = auto(&format!("AWS_REGION=eu-west-1\n{id}{between}{secret}"));
        assert_eq!(found, [format!("1 {ID} {SECRET} - Hints([\"eu-west-1\"])")], "{between:?}");
    }
    assert_eq!(auto(&format!("REGION=emea\n{id}{secret}")), [entry(2)]);
    for between in ["TOKEN=a\n\nTOKEN=b\n", "SECRET_KEY=a\n\n# x\nSECRET_KEY=b\n"] {
        assert_eq!(auto(&format!("{id}{between}{secret}")), [entry(1)], "{between:?}");
    }
    // Nor does a name without a value.
    for after in ["", "\n", "AWS_ACCESS_KEY_ID=\n"] {
        let session = format!("AWS_SESSION_TOKEN=\n{id}{secret}{after}AWS_SESSION_TOKEN={TOKEN}\n");
        assert_eq!(auto(&session), [format!("1 {ID} {SECRET} {TOKEN}")], "{after:?}");
    }
    // A region before the next key belongs to that key.
    let both = format!("AWS_REGION=eu-west-1\n{id}{secret}AWS_REGION=eu-west-2\n{id}{secret}");
    let in_region = |line: u32, region: &str| format!("{} Hints([\"{region}\"])", entry(line));
    assert_eq!(auto(&both), [in_region(1, "eu-west-1"), in_region(5, "eu-west-2")]);
}

#[test]
fn keys_in_other_spellings_and_several_on_a_line_are_separated() {
    let first = format!("AWS_ACCESS_KEY_ID={ID}\nAWS_SECRET_ACCESS_KEY={SECRET}\n");
    let other = |line: u32| entry(line).replace(ID, OTHER);
    for [id, secret] in [["AccessKeyId", "SecretAccessKey"], ["AWS_ACCESS_KEY", "AWS_SECRET_KEY"]] {
        let second = format!("{id}={OTHER}\n{secret}={SECRET}\n");
        assert_eq!(auto(&format!("{first}\n{second}")), [entry(1), other(4)], "{id}");
        assert_eq!(auto(&format!("{second}\n{first}")), [other(1), entry(4)], "{id}");
        assert_eq!(auto(&format!("{second}{first}")), [other(1), entry(3)], "{id}");
    }
    // A name without `AWS` beside one that has it belongs to another service.
    assert_eq!(auto(&format!("{first}ACCESS_KEY=minioadministrator\nSECRET_KEY=x\n")), [entry(1)]);
    let on_one_line = format!("AWS_ACCESS_KEY_ID={ID} AWS_SECRET_ACCESS_KEY={SECRET}; ");
    for count in 1..6 {
        assert_eq!(auto(&on_one_line.repeat(count)), vec![entry(1); count]);
        assert_eq!(auto(&format!("{first}{}", on_one_line.repeat(count))).len(), count + 1);
    }
}

#[test]
fn an_apostrophe_in_another_value_costs_no_key() {
    let key = format!("AWS_ACCESS_KEY_ID={ID}\nAWS_SECRET_ACCESS_KEY={SECRET}\n");
    for line in [
        "MOTD=it's a token",
        "NOTE=don't share the access_key",
        "TOKEN=it's",
        "say it's $SECRET_KEY",
        "A=\"region",
    ] {
        assert_eq!(auto(&format!("{key}{line}\n")), [entry(1)], "{line}");
        assert_eq!(
            auto(&format!("{line}\n{key}")),
            [entry(if line.starts_with("TOKEN") { 1 } else { 2 })],
            "{line}"
        );
    }
    let unclosed = |line: u32| format!("{line}: A quote is not closed.");
    for token in [
        "AWS_SESSION_TOKEN='x",
        "set -gx AWS_SESSION_TOKEN \"x",
        "AWS_SESSION_TOKEN = 'x",
        "A=it's; AWS_SESSION_TOKEN=x",
    ] {
        assert_eq!(auto(&format!("{key}{token}\n")), [unclosed(3)], "{token}");
    }
    // The values before it are read.
    assert_eq!(auto(&format!("{} NOTE=it's", key.trim_end().replace('\n', " "))), [entry(1)]);
}
