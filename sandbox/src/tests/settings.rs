//! What the builder's settings do.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use http::Request;

use super::{Ask, NOW, URL, USER, error_of};
use crate::{
    Caller, Sandbox, SandboxBuilder, memory::WrongSecrets, request::Received, response::OutgoingResponse,
    sts::Sts, verify_signature,
};

/// A clock that a test sets, at first to [`NOW`].
#[derive(Clone)]
struct Clock(Arc<Mutex<SystemTime>>);

impl Clock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(SystemTime::from(NOW))))
    }

    fn advance(&self, by: Duration) {
        *self.0.lock().expect("no panic") += by;
    }

    /// A sandbox with this clock.
    fn sts(&self, builder: SandboxBuilder) -> Sts {
        let now = self.0.clone();
        let builder = builder.callers(crate::table()).clock(move || *now.lock().expect("no panic"));
        Sts::new(builder, URL.to_owned()).expect("the settings are good")
    }
}

fn with_another_secret() -> Received {
    Ask::of(USER).with(|ask| ask.secret = "x".repeat(40)).post()
}

/// The code of the response to a request over a connection, or `OK`.
fn over(sts: &Sts, connection: &WrongSecrets, request: Received) -> String {
    let response: OutgoingResponse = sts.respond(connection, request).response.expect("a response");
    if response.status.is_success() { "OK".to_owned() } else { error_of(&response).1 }
}

#[test]
fn a_wrong_secret_is_remembered_for_five_seconds_by_connection_and_key() {
    let clock = Clock::new();
    let sts = clock.sts(Sandbox::builder().remember_wrong_secrets());
    let (first, second) = (WrongSecrets::default(), WrongSecrets::default());
    let root = || Ask::of("AKIASBXROOT00EXAMPLE").post();
    assert_eq!(over(&sts, &first, with_another_secret()), "SignatureDoesNotMatch");
    assert_eq!(over(&sts, &first, Ask::of(USER).post()), "SignatureDoesNotMatch");
    assert_eq!(over(&sts, &second, Ask::of(USER).post()), "OK");
    assert_eq!(over(&sts, &first, root()), "OK");
    clock.advance(Duration::from_millis(4_999));
    assert_eq!(over(&sts, &first, Ask::of(USER).post()), "SignatureDoesNotMatch");
    clock.advance(Duration::from_millis(1));
    assert_eq!(over(&sts, &first, Ask::of(USER).post()), "OK");
}

#[test]
fn a_sandbox_remembers_no_refusal_unless_it_is_told_to() {
    let sts = Clock::new().sts(Sandbox::builder());
    let connection = WrongSecrets::default();
    assert_eq!(over(&sts, &connection, with_another_secret()), "SignatureDoesNotMatch");
    assert_eq!(over(&sts, &connection, Ask::of(USER).post()), "OK");
}

#[test]
fn other_errors_than_a_wrong_secret_are_not_remembered() {
    let sts = Clock::new().sts(Sandbox::builder().remember_wrong_secrets());
    let connection = WrongSecrets::default();
    let no_region = Ask::of(USER).with(|ask| ask.scope.region = "nowhere".to_owned()).post();
    let a_token = Ask::of(USER).with(|ask| ask.token = Some("any".to_owned())).post();
    for (request, code) in [(no_region, "SignatureDoesNotMatch"), (a_token, "InvalidClientTokenId")] {
        assert_eq!(over(&sts, &connection, request), code);
        assert_eq!(over(&sts, &connection, Ask::of(USER).post()), "OK");
    }
}

#[test]
fn requests_above_the_limit_of_a_second_are_throttled() {
    let clock = Clock::new();
    let sts = clock.sts(Sandbox::builder().throttle_above(2));
    let ask = || over(&sts, &WrongSecrets::default(), Ask::of(USER).post());
    assert_eq!([ask(), ask(), ask()], ["OK", "OK", "Throttling"]);
    clock.advance(Duration::from_millis(999));
    assert_eq!(ask(), "Throttling");
    clock.advance(Duration::from_millis(1));
    assert_eq!([ask(), ask(), ask()], ["OK", "OK", "Throttling"]);
}

#[test]
fn the_newest_requests_are_kept_as_they_were_received() {
    for (limit, kept) in [(0, vec![]), (2, vec!["/b", "/c"]), (9, vec!["/a", "/b", "/c"])] {
        let sts = Clock::new().sts(Sandbox::builder().keep_requests(limit));
        for path in ["/a", "/b", "/c"] {
            let mut request = Ask::of(USER).post();
            request.path = path.to_owned();
            sts.ask(request);
        }
        let requests = sts.requests.all();
        assert_eq!(requests.iter().map(|request| request.uri().path()).collect::<Vec<_>>(), kept);
        assert!(requests.iter().all(|request| request.headers().contains_key("authorization")));
    }
}

#[test]
fn callers_that_cannot_be_told_apart_and_regions_that_are_none_are_errors() {
    let ann = || Caller::user("123456789012", "ann");
    for (builder, words) in [
        (Sandbox::builder().caller(ann()).caller(ann()), "two callers have the access key id AKIA"),
        (Sandbox::builder().caller(ann().in_region("nowhere-1")), "is not one of AWS"),
    ] {
        let error = Sts::new(builder, URL.to_owned()).map(|_| ()).expect_err("an error");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_signature_is_verified_without_a_sandbox() {
    let secret = Ask::of(USER).secret;
    for request in [Ask::of(USER).post(), Ask::of(USER).presigned()] {
        let request = Request::from(request);
        assert_eq!(verify_signature(&request, &secret), Ok(()));
        let error = verify_signature(&request, "another").expect_err("another secret");
        assert_eq!((error.status(), error.code()), (403, "SignatureDoesNotMatch"));
        let changed = request.map(|body| [&body[..], b"&"].concat());
        assert!(verify_signature(&changed, &secret).is_err());
    }
    let unsigned = verify_signature(&Request::new(""), &secret).expect_err("no signature");
    assert_eq!(unsigned.code(), "MissingAuthenticationToken");
}

#[test]
fn the_host_of_a_request_that_is_not_sent_yet_is_that_of_its_url() {
    let ask = Ask::of(USER);
    let mut request = Request::from(ask.presigned());
    let host = request.headers_mut().remove("host").expect("a host");
    let url = format!("http://{}{}", host.to_str().expect("text"), request.uri());
    *request.uri_mut() = url.parse().expect("a URL");
    assert_eq!(verify_signature(&request, &ask.secret), Ok(()));
}
