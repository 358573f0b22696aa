//! The errors of GetWebIdentityToken, as they were recorded, except where the code says otherwise.

use super::{
    Ask, ROLE, USER, error_of, sts,
    web_identity::{ask, token, verifies},
};

/// Status, code and message of the error that a user gets for these parameters.
fn rejection(parameters: &str) -> (u16, String, String) {
    error_of(&sts().ask(ask(USER, parameters).post()).response.expect("a response"))
}

/// Parameters beside a valid algorithm, the value and the member that the message names, and the constraint
/// in the message.
const VIOLATIONS: [(&str, &str, &str); 7] = [
    ("SigningAlgorithm=none", "'none' at 'signingAlgorithm'", "have length greater than or equal to 5"),
    ("SigningAlgorithm=RS256x", "'RS256x' at 'signingAlgorithm'", "have length less than or equal to 5"),
    ("DurationSeconds=59", "'59' at 'durationSeconds'", "have value greater than or equal to 60"),
    ("DurationSeconds=3601", "'3601' at 'durationSeconds'", "have value less than or equal to 3600"),
    (
        "Tags.member.1.Key=%3Cteam%3E&Tags.member.1.Value=x",
        "'&lt;team&gt;' at 'tags.1.member.key'",
        r"satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+",
    ),
    ("Tags.member.7.Key=team", "null at 'tags.1.member.value'", "not be null"),
    (
        "SubjectMode=Other",
        "'Other' at 'subjectMode'",
        "satisfy enum value set: [AWSIdentity, OriginIdentity]",
    ),
];

/// Asserts that a user gets one violation for these parameters.
fn violates(parameters: &str, value_and_member: &str, constraint: &str) {
    let (status, code, message) = rejection(parameters);
    assert_eq!((status, code.as_str()), (400, "ValidationError"), "{parameters}");
    let end = format!("{value_and_member} failed to satisfy constraint: Member must {constraint}");
    assert!(
        message.starts_with("1 validation error detected: Value ") && message.ends_with(&end),
        "{message}"
    );
}

#[test]
fn each_violation_of_the_model_has_its_message() {
    for (parameters, value_and_member, constraint) in VIOLATIONS {
        // The first of two values counts.
        violates(&format!("{parameters}&SigningAlgorithm=RS256"), value_and_member, constraint);
    }
    violates("", "null at 'signingAlgorithm'", "not be null");
}

#[test]
fn lists_and_texts_that_are_too_long_are_violations() {
    let list = |count: usize, one: fn(usize) -> String| (1..=count).map(one).collect::<Vec<_>>().concat();
    let tags = list(51, |n| format!("&Tags.member.{n}.Key={n}&Tags.member.{n}.Value=x"));
    let audiences = list(10, |n| format!("&Audience.member.{}={n}", n + 1));
    let value = "v".repeat(257);
    let tag = format!("&Tags.member.1.Key=team&Tags.member.1.Value={value}");
    for (parameters, value_and_member, most) in [
        (tags, "Tag(key=51, value=x)]' at 'tags'", 50),
        (audiences, "'[verify.example.com, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]' at 'audience'", 10),
        (tag, &*format!("'{value}' at 'tags.1.member.value'"), 256),
    ] {
        let constraint = format!("have length less than or equal to {most}");
        violates(&format!("SigningAlgorithm=RS256{parameters}"), value_and_member, &constraint);
    }
}

#[test]
fn all_violations_are_told_in_one_message() {
    let (_, _, message) = rejection("SigningAlgorithm=RS256&Tags.member.1.Key=&Tags.member.1.Value=test");
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
        let (got_status, got_code, message) = rejection(parameters);
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
