//! `sts-verify check`: each thing that can be wrong on the way to STS is called by its name.

use crate::helpers::start_sandbox;
use crate::program::{End, Scratch, run};
use crate::stub::{Reply, Stub, http, http_bytes, identity, sts_error};
use crate::wire::{Authority, tls};
use tokio::net::TcpSocket;

/// A label of more than 63 characters cannot be asked for, so nobody is.
const NO_NAME: &str = "http://a-label-of-a-name-that-is-too-long-to-be-one-and-so-is-never-looked-up.example";

async fn check(sts_url: &str, variables: &[(&str, &str)]) -> End {
    run(&["check"], &[&[("AWS_ENDPOINT_URL_STS", sts_url)], variables].concat()).await
}

/// The check of one region must fail, and say this of it.
fn assert_blames(end: &End, what: &str) {
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(1), 1, 1), "{what}: {end:?}");
    let line = &end.stdout[0];
    assert!(line.starts_with("us-east-1  BAD   "), "{what}: {line}");
    assert!(line.split_once("/: ").is_some_and(|(_, trouble)| trouble.starts_with(what)), "{what}: {line}");
}

#[tokio::test]
async fn a_good_way_to_each_region_is_said_in_a_line_each() {
    let sandbox = start_sandbox().await;
    let end = check(&sandbox, &[("STS_VERIFY_ALLOWED_REGIONS", "us-west-2,cn-north-1")]).await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:?}");
    let regions: Vec<_> = end.stdout.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(regions, ["cn-north-1", "us-east-1", "us-west-2"]);
    let good = format!("  good  {sandbox}/: name, route, clock (");
    assert!(end.stdout.iter().all(|line| line.contains(&good)), "{end:?}");
}

#[tokio::test]
async fn each_region_is_asked_once() {
    let stub = Stub::always(sts_error(503, "ServiceUnavailable", "busy")).await;
    let end =
        check(&stub.url, &[("STS_VERIFY_ALLOWED_REGIONS", "us-west-2"), ("AWS_MAX_ATTEMPTS", "5")]).await;
    assert_eq!((end.code, end.stdout.len(), stub.count()), (Some(1), 2, 2), "{end:?}");
}

#[tokio::test]
async fn what_sts_says_is_traced_to_its_cause() {
    let expired = "Signature expired: 20220127T001427Z is now earlier than 20220127T014428Z";
    let cases = [
        (sts_error(403, "SignatureDoesNotMatch", expired), "clock: SignatureDoesNotMatch: Signature expired"),
        (
            sts_error(403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region. "),
            "region: SignatureDoesNotMatch",
        ),
        (sts_error(403, "AccessDenied", "no"), "policy of the VPC endpoint: AccessDenied"),
        (sts_error(403, "MissingAuthenticationToken", "no"), "something on the way changes requests"),
        (sts_error(400, "Throttling", "Rate exceeded"), "STS: Throttling"),
        (http(200, &[("Content-Type", "text/html")], "<html>sign in</html>"), "something on the way: what"),
        (identity(), "STS: it takes credentials that are nobody's"),
        (Reply::Close, "STS: the connection was closed"),
    ];
    for (reply, what) in cases {
        assert_blames(&check(&Stub::always(reply).await.url, &[]).await, what);
    }
}

#[tokio::test]
async fn an_sts_that_says_nothing_is_told_from_a_route_that_is_not_there() {
    let silent = Stub::always(Reply::Silence).await;
    let brief = [("STS_VERIFY_ATTEMPT_TIMEOUT", "300ms"), ("STS_VERIFY_CONNECT_TIMEOUT", "200ms")];
    assert_blames(&check(&silent.url, &brief).await, "STS: connected, and no answer in time");
    // Bound, so that nobody else can have the port, and not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = format!("http://{}", socket.local_addr().unwrap());
    assert_blames(&check(&nobody, &[]).await, "route: nobody takes the connection");
}

#[tokio::test]
async fn a_name_without_an_address_is_called_so() {
    assert_blames(&check(NO_NAME, &[]).await, "name: the host has no address");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_a_matter_of_tls() {
    let (stub, authority, other) = (
        Stub::always(sts_error(403, "InvalidClientTokenId", "")).await,
        Authority::new("check"),
        Authority::new("check-other"),
    );
    let front = tls(&authority, &["127.0.0.1"], &stub.url).await;
    let endpoint = format!("https://{}", front.address);
    assert_blames(&check(&endpoint, &[("AWS_CA_BUNDLE", &other.bundle)]).await, "TLS: no handshake");
    let end = check(&endpoint, &[("AWS_CA_BUNDLE", &authority.bundle)]).await;
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(end.stdout[0].contains("name, route, TLS, clock ("), "{end:?}");
}

#[tokio::test]
async fn a_proxy_is_named_without_its_password() {
    let refusing = Stub::always(Reply::Last(http_bytes(407, &[], ""))).await;
    let host = refusing.url.strip_prefix("http://").unwrap();
    let proxy = format!("http://operator:the-password@{host}");
    let authority = Authority::new("check-proxy");
    let ca = ("AWS_CA_BUNDLE", authority.bundle.as_str());
    let end = run(&["check"], &[("HTTPS_PROXY", &proxy), ca]).await;
    assert!(end.stdout[0].contains(&format!(" through the proxy {host}: proxy: it does not let")), "{end:?}");
    assert!(!format!("{end:?}").contains("the-password"));
    let away = run(&["check"], &[("HTTPS_PROXY", NO_NAME), ca]).await;
    assert!(away.stdout[0].ends_with("proxy: its name has no address"), "{away:?}");
}

#[tokio::test]
async fn settings_with_which_the_service_would_not_start_are_refused() {
    let files = Scratch::new("check");
    for (variable, value) in [
        ("AWS_REGION", "nowhere!"),
        ("STS_VERIFY_ATTEMPT_TIMEOUT", "21s"),
        ("HTTPS_PROXY", "ftp://proxy"),
        ("AWS_CA_BUNDLE", &files.path("missing.pem")),
    ] {
        let end = run(&["check"], &[(variable, value)]).await;
        assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{variable}: {end:?}");
        assert!(end.stderr[0].contains(variable), "{end:?}");
    }
}
