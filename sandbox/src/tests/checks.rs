//! Which requests pass, and which check stops the others, in which order and with which words.

use http::{Method, StatusCode};
use time::Duration;

use super::{Ask, BODY, ROLE, USER, answer, received, rejection, sts};

const WRONG: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                     Secret Access Key and signing method. Consult the service documentation for details.";
const INVALID: &str = "The security token included in the request is invalid.";
const ELSEWHERE: &str = "The security token included in the request is invalid";

fn says(request: super::Received, status: u16, code: &str, message: &str) {
    assert_eq!(rejection(request), (status, code.to_owned(), message.to_owned()));
}

/// As botocore 1.43.11 sent it at [`NOW`].
fn from_botocore() -> super::Received {
    let headers = [
        ("host", "127.0.0.1:8090"),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("user-agent", "Boto3/1.43.11 Botocore/1.43.11"),
        ("x-amz-date", "20261123T120000Z"),
        ("x-amz-security-token", "SandboxSession/FEDERA+NotARealToken/EXAMPLETOKEN=="),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=ASIASBXFEDERAEXAMPLE/20261123/us-east-1/sts/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, \
             Signature=5e336b03c556422bf3d1f34b61d1b35a0221fb27c506bcb219a8c5a2583db5e6",
        ),
    ];
    received(Method::POST, "", &headers, BODY)
}

#[test]
fn a_request_that_botocore_signed_is_verified() {
    assert_eq!(answer(from_botocore()).status, StatusCode::OK);
}

#[test]
fn a_url_that_botocore_presigned_is_verified() {
    let query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=ASIASBXFEDERAEXAMPLE%2F20261123%2Fus-east-1%2Fsts%2Faws4_request\
        &X-Amz-Date=20261123T120000Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host\
        &X-Amz-Security-Token=SandboxSession%2FFEDERA%2BNotARealToken%2FEXAMPLETOKEN%3D%3D\
        &X-Amz-Signature=8aa6f308415c7735cc1901edafb2b0ec881eaab6b19244de6d116ccdc62bb701";
    let get = |query: &str| received(Method::GET, query, &[("host", "127.0.0.1:8090")], "");
    assert_eq!(answer(get(query)).status, StatusCode::OK);
    says(get(&query.replace("3600", "60")), 403, "SignatureDoesNotMatch", WRONG);
    says(get(&query.replace("%2BNot", "%2BOther")), 403, "InvalidClientTokenId", INVALID);
}

#[test]
fn a_change_of_anything_signed_breaks_the_signature() {
    let changes: [fn(&mut super::Received); 5] = [
        |request| request.body = format!("{BODY}&x=").into(),
        |request| request.method = Method::PUT,
        |request| request.path = "/other".to_owned(),
        |request| request.query = "x".to_owned(),
        |request| _ = request.headers.insert("host", "sts.amazonaws.com".parse().expect("a value")),
    ];
    for change in changes {
        let mut request = from_botocore();
        change(&mut request);
        says(request, 403, "SignatureDoesNotMatch", WRONG);
    }
}

#[test]
fn another_secret_is_refused_in_both_forms() {
    let ask = Ask::of(USER).with(|ask| ask.secret = "x".repeat(40));
    says(ask.post(), 403, "SignatureDoesNotMatch", WRONG);
    says(ask.presigned(), 403, "SignatureDoesNotMatch", WRONG);
}

#[test]
fn a_key_without_its_token_with_another_s_or_with_one_too_many_is_invalid() {
    for (key, token) in [(ROLE, None), (ROLE, Some("other")), (ROLE, Some("")), (USER, Some("any"))] {
        let ask = Ask::of(key).with(|ask| ask.token = token.map(str::to_owned));
        says(ask.post(), 403, "InvalidClientTokenId", INVALID);
        says(ask.presigned(), 403, "InvalidClientTokenId", INVALID);
    }
}

#[test]
fn a_key_that_nobody_has_is_invalid() {
    let ask = Ask::of(USER).with(|ask| ask.key = "AKIANOBODY00000000000".to_owned());
    says(ask.post(), 403, "InvalidClientTokenId", INVALID);
}

#[test]
fn a_key_works_in_its_partition_s_regions_but_for_those_to_opt_in_to() {
    let asked = |key, region: &str| Ask::of(key).with(|ask| ask.scope.region = region.to_owned()).post();
    assert_eq!(answer(asked(USER, "eu-west-3")).status, StatusCode::OK);
    assert_eq!(answer(asked("AKIASBXCHINA0EXAMPLE", "cn-northwest-1")).status, StatusCode::OK);
    for (key, region) in [(USER, "me-south-1"), (USER, "cn-north-1"), ("AKIASBXCHINA0EXAMPLE", "us-east-1")] {
        says(asked(key, region), 403, "InvalidClientTokenId", ELSEWHERE);
    }
}

#[test]
fn the_clock_may_be_fifteen_minutes_off_and_no_more() {
    let at = |seconds| Ask::of(USER).with(|ask| ask.late = Duration::seconds(seconds)).post();
    for fine in [-900, 0, 900] {
        assert_eq!(answer(at(fine)).status, StatusCode::OK);
    }
    says(
        at(-901),
        403,
        "SignatureDoesNotMatch",
        "Signature expired: 20261123T114459Z is now earlier than 20261123T114500Z (20261123T120000Z - 15 min.)",
    );
    says(
        at(901),
        403,
        "SignatureDoesNotMatch",
        "Signature not yet current: 20261123T121501Z is still later than 20261123T121500Z \
         (20261123T120000Z + 15 min.)",
    );
}

#[test]
fn every_part_of_the_scope_is_checked() {
    let scoped = |change: fn(&mut super::Scope)| Ask::of(USER).with(|ask| change(&mut ask.scope)).post();
    let code = "SignatureDoesNotMatch";
    let region = "Credential should be scoped to a valid region. ";
    says(scoped(|scope| scope.region = "xx-east-1".to_owned()), 403, code, region);
    let service = "Credential should be scoped to correct service: 'sts'. ";
    says(scoped(|scope| scope.service = "iam".to_owned()), 403, code, service);
    let terminal = "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'. ";
    says(scoped(|scope| scope.terminal = "aws5".to_owned()), 403, code, terminal);
    let date = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                '20261122' != '20261123', from '20261123T120000Z'.";
    says(scoped(|scope| scope.date = "20261122".to_owned()), 403, code, date);
}

#[test]
fn each_check_comes_before_the_next() {
    // Wrong in every way; mended from the first check to the last.
    let mut ask = Ask::of("ASIASBXEXPIREEXAMPLE").with(|ask| {
        ask.secret = "x".repeat(40);
        ask.token = None;
        ask.scope.region = "nowhere".to_owned();
        ask.late = Duration::HOUR;
        ask.action = "Action=Other".to_owned();
    });
    let mut request = ask.post();
    request.headers.remove("x-amz-date");
    assert_eq!(rejection(request).1, "IncompleteSignature");
    assert!(rejection(ask.post()).2.starts_with("Signature not yet current"));
    ask.late = Duration::ZERO;
    assert!(rejection(ask.post()).2.starts_with("Credential should be scoped"));
    ask.scope.region = "cn-north-1".to_owned();
    assert_eq!(rejection(ask.post()).2, ELSEWHERE);
    ask.scope.region = "us-east-1".to_owned();
    assert_eq!(rejection(ask.post()).2, INVALID);
    ask.token = Ask::of("ASIASBXEXPIREEXAMPLE").token;
    assert_eq!(rejection(ask.post()).1, "ExpiredToken");
    let user = Ask::of(USER).with(|user| user.action.clone_from(&ask.action));
    assert_eq!(rejection(user.clone().with(|user| user.secret = "x".repeat(40)).post()).2, WRONG);
    assert_eq!(rejection(user.post()).1, "InvalidAction");
}

#[test]
fn only_get_caller_identity_of_its_version_is_served() {
    for (form, message) in [
        ("Action=GetCallerIdentity&Version=2010-05-08", "GetCallerIdentity for version 2010-05-08"),
        ("Action=AssumeRole&Version=2011-06-15", "AssumeRole for version 2011-06-15"),
        ("Action=%3CA%26B%3E", "&lt;A&amp;B&gt; for version NO_VERSION_SPECIFIED"),
    ] {
        let request = Ask::of(USER).with(|ask| ask.action = form.to_owned()).post();
        says(request, 400, "InvalidAction", &format!("Could not find operation {message}"));
    }
}

#[test]
fn no_authorization_at_all_is_a_missing_token() {
    let request = received(Method::POST, "", &[("host", "sts")], BODY);
    says(request, 403, "MissingAuthenticationToken", "Request is missing Authentication Token");
}

#[test]
fn each_fault_of_an_authorization_header_has_its_message() {
    let date = ("x-amz-date", "20261123T120000Z");
    let says = |authorization: &str, headers: &[(&'static str, &str)], message: &str| {
        let headers = [headers, &[("host", "sts"), ("authorization", authorization)]].concat();
        says(received(Method::POST, "", &headers, BODY), 400, "IncompleteSignature", message);
    };
    let mangled =
        "AWS4-HMAC-SHA256 Credential= K/20261123/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";
    let piece = "K/20261123/us-east-1/sts/aws4_request";
    let not_a_pair = "not a valid key=value pair (missing equal-sign) in Authorization header:";
    says(mangled, &[date], &format!("'{piece}' {not_a_pair} '{mangled}'."));
    says("Bearer abc", &[date], &format!("'abc' {not_a_pair} 'Bearer abc'."));
    says(
        "abc",
        &[],
        "Authorization header requires 'Credential' parameter. \
         Authorization header requires 'Signature' parameter. \
         Authorization header requires 'SignedHeaders' parameter. \
         Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=abc",
    );
    let short = "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0";
    says(
        short,
        &[date],
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b'",
    );
    says(&short.replace("256", "1"), &[date], "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'.");
    says(
        &short.replace("a/b", "a/b/c/d/e"),
        &[("x-amz-date", "today")],
        "Date must be in ISO-8601 'basic format'. Got 'today'. See http://en.wikipedia.org/wiki/ISO_8601",
    );
}

#[test]
fn a_date_header_does_where_there_is_no_x_amz_date() {
    let mut request = Ask::of(USER).post();
    request.headers.remove("x-amz-date");
    request.headers.insert("date", "Mon, 23 Nov 2026 12:00:00 GMT".parse().expect("a value"));
    // The form and the clock pass; the signature covered the header that is gone.
    says(request, 403, "SignatureDoesNotMatch", WRONG);
}

#[test]
fn a_presigned_url_that_lost_a_parameter_is_incomplete() {
    let mut request = Ask::of(USER).presigned();
    request.query = request.query.replace("X-Amz-Date", "X-Other-Date");
    says(
        request,
        400,
        "IncompleteSignature",
        "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
    );
}

#[test]
fn the_host_has_to_be_signed() {
    let mut request = Ask::of(USER).presigned();
    request.query = request.query.replace("SignedHeaders=host", "SignedHeaders=accept");
    assert_eq!(
        rejection(request).2,
        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    );
}

#[test]
fn no_answer_holds_a_token_or_a_secret() {
    let sts = sts();
    for caller in crate::table() {
        let ask = Ask::of(&caller.access_key_id);
        for request in [ask.post(), ask.presigned()] {
            let Some(response) = sts.ask(request).response else { continue };
            let text = format!("{response:?}");
            assert!(!text.contains(&caller.secret_access_key));
            assert!(!caller.session_token.as_ref().is_some_and(|token| text.contains(token)));
        }
    }
}
