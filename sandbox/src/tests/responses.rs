//! What each row gets, byte for byte where it was recorded.

use std::time::Duration as Wait;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Ask, ROLE, USER, answer, rejection, sts};
use crate::response::OutgoingResponse;

fn header<'a>(response: &'a OutgoingResponse, name: &str) -> &'a str {
    response.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str()).expect(name)
}

fn expected(body: &str, answer: &OutgoingResponse) {
    assert_eq!(answer.body, body.replace("REQUEST-ID", header(answer, "x-amzn-requestid")));
}

#[test]
fn a_named_caller_is_answered_byte_for_byte_as_recorded() {
    for request in [Ask::of(ROLE).post(), Ask::of(ROLE).presigned()] {
        expected(
            r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:sts::123456789012:assumed-role/SandboxRole/session-1</Arn>
    <UserId>AROASBXROLE000EXAMPLE:session-1</UserId>
    <Account>123456789012</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>REQUEST-ID</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>
"#,
            &answer(request),
        );
    }
}

#[test]
fn an_error_is_answered_byte_for_byte_as_recorded() {
    let answer = answer(Ask::of("AKIASBXDELETEEXAMPLE").post());
    expected(
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type>
    <Code>InvalidClientTokenId</Code>
    <Message>The security token included in the request is invalid.</Message>
  </Error>
  <RequestId>REQUEST-ID</RequestId>
</ErrorResponse>
"#,
        &answer,
    );
    let names: Vec<_> = answer.headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["x-amzn-requestid", "content-type"]);
}

#[test]
fn a_success_has_sts_s_headers_in_sts_s_order() {
    let answer = answer(Ask::of("AKIASBXCHINA0EXAMPLE").post());
    let names: Vec<_> = answer.headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["x-amzn-requestid", "x-amz-sts-extended-request-id", "content-type"]);
    assert_eq!(header(&answer, "content-type"), "text/xml");
    let id = STANDARD.decode(header(&answer, "x-amz-sts-extended-request-id")).expect("base64");
    let id = String::from_utf8(id).expect("text");
    let random = id.strip_prefix("1:cn-north-1:S:1795435200000:R:").expect(&id);
    assert!(random.len() == 8 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
}

#[test]
fn json_is_answered_to_who_asks_for_it_by_name() {
    for accept in ["application/json", "text/plain, Application/JSON;q=0.9"] {
        let ask = |key| Ask::of(key).with(|ask| ask.accept = Some(accept)).post();
        let good = answer(ask(USER));
        assert_eq!(header(&good, "content-type"), "application/json");
        let arn = "arn:aws:iam::123456789012:user/division_abc/subdivision_xyz/Zhang@example.com-CLI";
        expected(
            &format!(
                r#"{{"GetCallerIdentityResponse":{{"GetCallerIdentityResult":{{"Account":"123456789012","Arn":"{arn}","UserId":"AIDASBXUSER000EXAMPLE"}},"ResponseMetadata":{{"RequestId":"REQUEST-ID"}}}}}}"#
            ),
            &good,
        );
        expected(
            r#"{"Error":{"Code":"Throttling","Message":"Rate exceeded","Type":"Sender"},"RequestId":"REQUEST-ID"}"#,
            &answer(ask("AKIASBXTHROTLEXAMPLE")),
        );
    }
    let any = answer(Ask::of(USER).with(|ask| ask.accept = Some("*/*")).post());
    assert_eq!(header(&any, "content-type"), "text/xml");
}

#[test]
fn every_row_of_an_error_answers_it_in_both_forms() {
    for (key, status, code) in [
        ("AKIASBXNOAUTHEXAMPLE", 403, "MissingAuthenticationToken"),
        ("AKIASBXMANGLEEXAMPLE", 400, "IncompleteSignature"),
        ("AKIASBXBEHINDEXAMPLE", 403, "SignatureDoesNotMatch"),
        ("AKIASBXAHEAD0EXAMPLE", 403, "SignatureDoesNotMatch"),
        ("AKIASBXREGIONEXAMPLE", 403, "SignatureDoesNotMatch"),
        ("AKIASBXDELETEEXAMPLE", 403, "InvalidClientTokenId"),
        ("AKIASBXAWAY00EXAMPLE", 403, "InvalidClientTokenId"),
        ("ASIASBXEXPIREEXAMPLE", 403, "ExpiredToken"),
        ("AKIASBXDENIEDEXAMPLE", 403, "AccessDenied"),
        ("AKIASBXREQOLDEXAMPLE", 400, "RequestExpired"),
        ("AKIASBXOPTOUTEXAMPLE", 403, "RegionDisabledException"),
        ("AKIASBXTHROTLEXAMPLE", 400, "Throttling"),
        ("AKIASBXERR500EXAMPLE", 500, "InternalFailure"),
        ("AKIASBXERR503EXAMPLE", 503, "ServiceUnavailable"),
    ] {
        for request in [Ask::of(key).post(), Ask::of(key).presigned()] {
            let (got_status, got_code, _) = rejection(request);
            assert_eq!((got_status, got_code.as_str()), (status, code), "{key}");
        }
    }
}

#[test]
fn the_message_of_a_mangled_header_repeats_it_as_sts_does() {
    let request = Ask::of("AKIASBXMANGLEEXAMPLE").post();
    let sent = request.header("authorization").expect("a header");
    let received = sent.replace("Credential=", "Credential= ");
    let (_, _, message) = rejection(request);
    assert!(message.ends_with(&format!("in Authorization header: '{received}'.")), "{message}");
}

#[test]
fn a_row_s_error_after_the_signature_needs_the_right_secret() {
    let ask = Ask::of("AKIASBXTHROTLEXAMPLE").with(|ask| ask.secret = "x".repeat(40));
    assert_eq!(rejection(ask.post()).1, "SignatureDoesNotMatch");
}

#[test]
fn a_fault_of_sts_s_own_is_the_receiver_s() {
    assert!(answer(Ask::of("AKIASBXERR500EXAMPLE").post()).body.contains("<Type>Receiver</Type>"));
}

#[test]
fn the_flaky_row_fails_twice_then_succeeds_over_and_over() {
    let sts = sts();
    let status = || {
        let outcome = sts.ask(Ask::of("AKIASBXFLAKY0EXAMPLE").post());
        outcome.response.expect("a response").status.as_u16()
    };
    let statuses: Vec<_> = std::iter::repeat_with(status).take(6).collect();
    assert_eq!(statuses, [500, 500, 200, 500, 500, 200]);
}

#[test]
fn a_flaky_call_with_a_wrong_secret_does_not_count() {
    let sts = sts();
    let ask = |secret: Option<&str>| {
        let mut ask = Ask::of("AKIASBXFLAKY0EXAMPLE");
        ask.secret = secret.map_or(ask.secret, str::to_owned);
        sts.ask(ask.post()).response.expect("a response").status.as_u16()
    };
    assert_eq!([ask(None), ask(Some("x")), ask(None), ask(None)], [500, 403, 500, 200]);
}

#[test]
fn rows_that_get_no_response_of_sts_s_are_as_described() {
    let sts = sts();
    let outcome = |key| sts.ask(Ask::of(key).post());
    let slow = outcome("AKIASBXSLOW00EXAMPLE");
    assert_eq!((slow.wait, slow.response.expect("a response").status.as_u16()), (Wait::from_secs(3), 200));
    let silent = outcome("AKIASBXSILENTEXAMPLE");
    assert!(silent.wait == Wait::MAX && silent.response.is_none());
    let hang_up = outcome("AKIASBXHANGUPEXAMPLE");
    assert!(hang_up.wait.is_zero() && hang_up.response.is_none());
    let empty = answer(Ask::of("AKIASBXEMPTY0EXAMPLE").post());
    assert_eq!((empty.status.as_u16(), empty.body.as_str(), empty.headers.len()), (503, "", 0));
    let page = answer(Ask::of("AKIASBXPROXY0EXAMPLE").post());
    assert!(page.status == 200 && page.body.starts_with("<!DOCTYPE html>"));
    let cut = answer(Ask::of("AKIASBXCUT200EXAMPLE").post());
    assert!(
        cut.status == 200
            && cut.body.starts_with("<GetCaller")
            && !cut.body.contains("</GetCallerIdentityRes")
    );
}
