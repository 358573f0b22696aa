//! The errors of GetWebIdentityToken, as they were recorded but where the code says otherwise.

use super::{
    Ask, ROLE, USER, error_of, sts,
    web_identity::{ask, token, verifies},
};

/// Status, code and message of the error that a user gets for these parameters.
fn refused(parameters: &str) -> (u16, String, String) {
    error_of(&sts().ask(ask(USER, parameters).post()).response.expect("a response"))
}

#[test]
fn each_violation_of_the_model_has_its_message() {
    let many = |count: usize, one: fn(usize) -> String| (1..=count).map(one).collect::<Vec<_>>().join("&");
    let long = "v".repeat(257);
    let cases = [
        (String::new(), "null at 'signingAlgorithm' failed to satisfy constraint: Member must not be null"),
        (
            "SigningAlgorithm=none".to_owned(),
            "'none' at 'signingAlgorithm' failed to satisfy constraint: Member must have length greater than or equal to 5",
        ),
        (
            "SigningAlgorithm=RS256x".to_owned(),
            "'RS256x' at 'signingAlgorithm' failed to satisfy constraint: Member must have length less than or equal to 5",
        ),
        (
            "SigningAlgorithm=RS256&DurationSeconds=59".to_owned(),
            "'59' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60",
        ),
        (
            "SigningAlgorithm=RS256&DurationSeconds=3601".to_owned(),
            "'3601' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 3600",
        ),
        (
            "SigningAlgorithm=RS256&Tags.member.1.Key=%3Cteam%3E&Tags.member.1.Value=x".to_owned(),
            r"'&lt;team&gt;' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+",
        ),
        (
            "SigningAlgorithm=RS256&Tags.member.1.Key=team".to_owned(),
            "null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null",
        ),
        (
            format!("SigningAlgorithm=RS256&Tags.member.7.Key=team&Tags.member.7.Value={long}"),
            "at 'tags.1.member.value' failed to satisfy constraint: Member must have length less than or equal to 256",
        ),
        (
            format!(
                "SigningAlgorithm=RS256&{}",
                many(51, |n| format!("Tags.member.{n}.Key={n}&Tags.member.{n}.Value=x"))
            ),
            "Tag(key=51, value=x)]' at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50",
        ),
        (
            format!("SigningAlgorithm=RS256&{}", many(10, |n| format!("Audience.member.{}={n}", n + 1))),
            "'[verify.example.com, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]' at 'audience' failed to satisfy constraint: Member must \
             have length less than or equal to 10",
        ),
        (
            "SigningAlgorithm=RS256&SubjectMode=Other".to_owned(),
            "'Other' at 'subjectMode' failed to satisfy constraint: Member must satisfy enum value set: [AWSIdentity, \
             OriginIdentity]",
        ),
    ];
    for (parameters, words) in cases {
        let (status, code, message) = refused(&parameters);
        assert_eq!((status, code.as_str()), (400, "ValidationError"), "{parameters}");
        assert!(
            message.starts_with("1 validation error detected: Value ") && message.ends_with(words),
            "{message}"
        );
    }
}

#[test]
fn all_violations_are_told_in_one_message() {
    let (_, _, message) = refused("SigningAlgorithm=RS256&Tags.member.1.Key=&Tags.member.1.Value=test");
    assert_eq!(
        message,
        r"2 validation errors detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1; Value '' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+"
    );
    for (audience, given) in [("", "null"), ("&Audience.member.1=", "'[]'")] {
        let action =
            format!("Action=GetWebIdentityToken&Version=2011-06-15&SigningAlgorithm=RS256{audience}");
        let request = Ask::of(USER).with(|ask| ask.action = action).post();
        let (_, _, message) = error_of(&sts().ask(request).response.expect("a response"));
        assert!(message.contains(&format!("Value {given} at 'audience'")), "{message}");
    }
}

#[test]
fn each_other_error_has_its_code() {
    let tag = |key, number| format!("Tags.member.{number}.Key={key}&Tags.member.{number}.Value=x");
    let twice = format!("SigningAlgorithm=RS256&{}&{}", tag("team", 1), tag("Team", 2));
    let [audience, key, value] = ["a".repeat(1000), "k".repeat(100), "v".repeat(256)];
    let long: Vec<_> = (2..=10).map(|n| format!("&Audience.member.{n}={audience}")).collect();
    let tags: Vec<_> =
        (1..=50).map(|n| format!("&Tags.member.{n}.Key={n}{key}&Tags.member.{n}.Value={value}")).collect();
    let too_long = format!("SigningAlgorithm=RS256{}{}", long.concat(), tags.concat());
    for (parameters, status, code) in [
        ("SigningAlgorithm=RS384", 400, "ValidationError"),
        ("SigningAlgorithm=rs256", 400, "ValidationError"),
        ("SigningAlgorithm=RS256&DurationSeconds=5m", 400, "MalformedInput"),
        ("SigningAlgorithm=RS256&SubjectMode=OriginIdentity", 400, "ValidationError"),
        ("SigningAlgorithm=RS256&Scope=read", 400, "ValidationError"),
        (&twice, 400, "InvalidParameterValue"),
        (&too_long, 400, "JWTPayloadSizeExceededException"),
    ] {
        let (got_status, got_code, message) = refused(parameters);
        assert_eq!((got_status, got_code.as_str()), (status, code), "{message}");
    }
}

#[test]
fn a_token_does_not_outlive_its_session() {
    let sts = sts();
    let last = |seconds| ask(ROLE, &format!("SigningAlgorithm=ES384&DurationSeconds={seconds}")).post();
    assert!(verifies(&sts, &token(&sts, last(3599))));
    let (status, code, _) = error_of(&sts.ask(last(3600)).response.expect("a response"));
    assert_eq!((status, code.as_str()), (403, "SessionDurationEscalationException"));
    token(&sts, ask(USER, "SigningAlgorithm=ES384&DurationSeconds=3600").post());
}

#[test]
fn the_global_endpoint_issues_no_tokens() {
    let (_, code, message) = error_of(
        &sts()
            .ask(ask(USER, "SigningAlgorithm=ES384").with(|ask| ask.host = "sts.amazonaws.com").post())
            .response
            .expect("a response"),
    );
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("InvalidAction", "Operation not supported on STS global endpoint")
    );
}

#[test]
fn no_token_is_issued_to_whoever_signs_with_another_secret() {
    let wrong = ask(USER, "SigningAlgorithm=ES384").with(|ask| ask.secret = "x".repeat(40)).post();
    assert_eq!(error_of(&sts().ask(wrong).response.expect("a response")).1, "SignatureDoesNotMatch");
}
