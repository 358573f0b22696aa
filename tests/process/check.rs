//! `sts-verify check` names each possible cause of a failed connection to STS.

use crate::helpers::start_sandbox;
use crate::program::{End, Scratch, run};
use crate::stub::{Reply, Stub, http, http_bytes, identity, sts_error};
use crate::wire::{Authority, Server, read_until, tls};
use sts_verify::sts::partitions::{all_regions, partition_of};
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpSocket, TcpStream};

/// A label of more than 63 characters cannot be looked up, so no name server is used.
const NO_NAME: &str = "http://a-label-of-a-name-that-is-too-long-to-be-one-and-so-is-never-looked-up.example";

async fn check(sts_url: &str, variables: &[(&str, &str)]) -> End {
    run(&["check"], &[&[("AWS_ENDPOINT_URL_STS", sts_url)], variables].concat()).await
}

/// The check of one region must fail with this message.
fn assert_blames(end: &End, what: &str) {
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(1), 1, 1), "{what}: {end:?}");
    let line = &end.stdout[0];
    assert!(line.starts_with("us-east-1  BAD   "), "{what}: {line}");
    assert!(line.split_once("/: ").is_some_and(|(_, trouble)| trouble.starts_with(what)), "{what}: {line}");
}

#[tokio::test]
async fn a_working_connection_to_each_region_is_reported_in_one_line() {
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
async fn the_cause_of_an_answer_of_sts_is_reported() {
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
        (identity(), "STS: it accepts example credentials"),
        (Reply::Close, "STS: the connection was closed"),
    ];
    for (reply, what) in cases {
        assert_blames(&check(&Stub::always(reply).await.url, &[]).await, what);
    }
}

#[tokio::test]
async fn an_sts_that_does_not_answer_differs_from_a_missing_route() {
    let silent = Stub::always(Reply::Silence).await;
    let brief = [("STS_VERIFY_ATTEMPT_TIMEOUT", "300ms"), ("STS_VERIFY_CONNECT_TIMEOUT", "200ms")];
    assert_blames(&check(&silent.url, &brief).await, "STS: connected, and no answer in time");
    // Bound, so that no other process can use the port, and not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = format!("http://{}", socket.local_addr().unwrap());
    assert_blames(&check(&nobody, &[]).await, "route: the connection is not accepted");
}

#[tokio::test]
async fn a_name_without_an_address_is_reported() {
    assert_blames(&check(NO_NAME, &[]).await, "name: the host has no address");
}

#[tokio::test]
async fn an_untrusted_certificate_is_reported_as_a_tls_error() {
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

/// A proxy to one address for requests to these hosts only.
async fn gatekeeper(hosts: &[String], target: &str) -> Server {
    let (hosts, target) = (hosts.to_vec(), target.to_owned());
    Server::start(move |mut stream| {
        let (hosts, target) = (hosts.clone(), target.clone());
        async move {
            let request = read_until(&mut stream, b"\r\n\r\n").await?;
            if !hosts.iter().any(|host| request.starts_with(&format!("CONNECT {host}:443 "))) {
                return stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await;
            }
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
            copy_bidirectional(&mut stream, &mut TcpStream::connect(target).await?).await.map(drop)
        }
    })
    .await
}

#[tokio::test]
async fn an_unreachable_partition_is_a_failure_only_if_it_was_named() {
    let sts = Stub::always(sts_error(403, "InvalidClientTokenId", "")).await;
    let of_aws = all_regions().filter(|region| partition_of(region) == Some("aws"));
    let aws: Vec<_> = of_aws.map(|region| format!("sts.{region}.amazonaws.com")).collect();
    let one_of_china = "sts.cn-north-1.amazonaws.com.cn".to_owned();
    let and_china = [aws.as_slice(), &[one_of_china]].concat();
    let authority = Authority::new("check-partitions");
    let front = tls(&authority, &and_china.iter().map(String::as_str).collect::<Vec<_>>(), &sts.url).await;
    for (hosts, regions, home, bad) in [
        (aws.as_slice(), "*", "us-east-1", None),
        (&and_china, "*", "us-east-1", Some("cn-northwest-1")),
        (&aws[1..], "*", "us-east-1", Some("af-south-1")),
        (&aws, "us-iso-east-1", "us-east-1", Some("us-iso-east-1")),
        (&aws, "*", "us-isob-west-1", Some("us-isob-west-1")),
    ] {
        let proxy = gatekeeper(hosts, &front.address).await;
        let proxy = format!("http://{}", proxy.address);
        let variables = [
            ("HTTPS_PROXY", proxy.as_str()),
            ("AWS_CA_BUNDLE", &authority.bundle),
            ("STS_VERIFY_ALLOWED_REGIONS", regions),
            ("AWS_REGION", home),
        ];
        let end = run(&["check"], &variables).await;
        assert_eq!(end.code, Some(i32::from(bad.is_some())), "{end:#?}");
        let is_bad = |line: &&String| line.contains("  BAD   ");
        assert_eq!(end.stdout.iter().any(|line| is_bad(&line)), bad.is_some(), "{end:#?}");
        for line in end.stdout.iter().filter(is_bad) {
            let partition = partition_of(line.split(' ').next().unwrap());
            assert_eq!(partition, partition_of(bad.unwrap()), "{end:#?}");
        }
        let skipped = end.stdout.iter().filter(|line| line.contains("  skip  ")).count();
        let good = end.stdout.iter().filter(|line| line.contains("  good  ")).count();
        assert_eq!(good, if regions == "*" { hosts.len() } else { 1 }, "{end:#?}");
        assert_eq!(skipped > 0, regions == "*", "{end:#?}");
    }
}

#[tokio::test]
async fn the_route_is_reported() {
    let (sandbox, proxy) = (start_sandbox().await, Stub::always(identity()).await);
    let host = proxy.url.strip_prefix("http://").unwrap();
    let through = format!("  {sandbox}/ through the proxy {host}: STS: it accepts example credentials");
    for (variables, said) in [
        (&[] as &[(&str, &str)], format!("  {sandbox}/: name, route, clock (")),
        (&[("HTTPS_PROXY", "proxy.example:1")], format!("  {sandbox}/: name, route, clock (")),
        (&[("HTTP_PROXY", &proxy.url)], through.clone()),
        (&[("http_proxy", &proxy.url), ("HTTP_PROXY", "proxy.example:1")], through),
        (
            &[("HTTP_PROXY", &proxy.url), ("NO_PROXY", "127.0.0.1")],
            format!("  {sandbox}/ directly (NO_PROXY): name, route, clock ("),
        ),
    ] {
        let end = check(&sandbox, variables).await;
        assert!(end.stdout[0].contains(&said), "{variables:?}: {end:?}");
    }
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
