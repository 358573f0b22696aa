//! The certificates that TLS trusts: only the bundle, or those of the system. Without any, the program does
//! not start.

use crate::helpers::{expected, summary};
use crate::program::{End, Scratch, Service, run};
use crate::stub::{Reply, Stub, http, identity};
use crate::wire::{Authority, Pair, tls, tls_with, tunnel};

/// The program must not start with these variables.
async fn refused(variables: &[(&str, &str)]) -> End {
    run(&["--listen=127.0.0.1:0"], variables).await
}

fn assert_blames_the_bundle(end: &End) {
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{end:?}");
    assert!(end.stderr[0].contains("AWS_CA_BUNDLE"), "{end:?}");
}

#[tokio::test]
async fn an_sts_that_the_bundle_trusts_is_used() {
    let (stub, authority) = (Stub::always(identity()).await, Authority::new("believed"));
    let front = tls(&authority, &["127.0.0.1"], &stub.url).await;
    let endpoint = format!("https://{}", front.address);
    let service = Service::asking(&endpoint, &[("AWS_CA_BUNDLE", &authority.bundle)]).await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
}

#[tokio::test]
async fn an_sts_that_the_bundle_does_not_trust_gets_no_request() {
    let (stub, authority, other) =
        (Stub::always(identity()).await, Authority::new("its-own"), Authority::new("another"));
    let front = tls(&authority, &["127.0.0.1"], &stub.url).await;
    let endpoint = format!("https://{}", front.address);
    let service = Service::asking(&endpoint, &[("AWS_CA_BUNDLE", &other.bundle)]).await;
    let answer = summary(service.verify_someone().await).await;
    assert_eq!(answer, expected(502, "indeterminate", "EndpointConnectionError"));
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn the_bundle_replaces_the_system_s_certificates() {
    let (stub, system, bundle) =
        (Stub::always(identity()).await, Authority::new("system"), Authority::new("instead"));
    let front = tls(&system, &["127.0.0.1"], &stub.url).await;
    let endpoint = format!("https://{}", front.address);
    let of_the_system = ("SSL_CERT_FILE", system.bundle.as_str());
    let service = Service::asking(&endpoint, &[of_the_system]).await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    let service = Service::asking(&endpoint, &[of_the_system, ("AWS_CA_BUNDLE", &bundle.bundle)]).await;
    let answer = summary(service.verify_someone().await).await;
    assert_eq!(answer, expected(502, "indeterminate", "EndpointConnectionError"));
}

#[tokio::test]
async fn a_bundle_of_several_certificates_is_used_whole() {
    let (stub, first, second) =
        (Stub::always(identity()).await, Authority::new("first"), Authority::new("second"));
    let files = Scratch::new("several");
    let read = |authority: &Authority| std::fs::read_to_string(&authority.bundle).unwrap();
    let both = files.file("both.pem", &format!("# two of them\n{}\n{}", read(&first), read(&second)));
    for authority in [&first, &second] {
        let front = tls(authority, &["127.0.0.1"], &stub.url).await;
        let endpoint = format!("https://{}", front.address);
        let service = Service::asking(&endpoint, &[("AWS_CA_BUNDLE", &both)]).await;
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    }
}

#[tokio::test]
async fn a_bundle_is_read_whole_or_not_at_all() {
    let (stub, first, second) =
        (Stub::always(identity()).await, Authority::new("glued-first"), Authority::new("glued-second"));
    let files = Scratch::new("glued");
    let read = |authority: &Authority| std::fs::read_to_string(&authority.bundle).unwrap();
    let (one, two) = (read(&first), read(&second));
    let front = tls(&second, &["127.0.0.1"], &stub.url).await;
    let endpoint = format!("https://{}", front.address);
    for (name, content) in [
        ("glued", format!("{}{two}", one.trim_end())),
        ("mark", format!("\u{feff}{two}{one}")),
        ("windows", format!("{one}{two}").replace('\n', "\r\n")),
        ("old-label", format!("{one}{two}").replace("CERTIFICATE", "X509 CERTIFICATE")),
    ] {
        let bundle = files.file(name, &content);
        let service = Service::asking(&endpoint, &[("AWS_CA_BUNDLE", &bundle)]).await;
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""), "{name}");
    }
    for (name, block) in [
        ("no-end", two.replace("-----END CERTIFICATE-----", "")),
        ("lost-dash", two.replace("-----BEGIN", "----BEGIN")),
        ("unknown", two.replace("CERTIFICATE", "TRUSTED CERTIFICATE")),
        ("cut", two.replacen(two.lines().nth(3).unwrap(), "", 1)),
    ] {
        let bundle = files.file(name, &format!("{one}{block}"));
        for variable in ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"] {
            let end = refused(&[(variable, &bundle)]).await;
            assert!(end.stderr[0].starts_with(&format!("sts-verify: {variable}: ")), "{name}: {end:?}");
            assert!(end.stderr[0].contains("on line "), "{name}: {end:?}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_s_own_certificate_in_the_bundle_is_trusted() {
    let (stub, files) = (Stub::always(identity()).await, Scratch::new("own"));
    let another = std::fs::read_to_string(Authority::new("own-another").bundle).unwrap();
    for is_ca in [false, true] {
        let pair = Pair::self_signed(&["127.0.0.1"], is_ca, 4096);
        let front = tls_with(&pair, &stub.url).await;
        let endpoint = format!("https://{}", front.address);
        let proxy = tunnel(&front.address).await;
        let proxy = format!("http://{}", proxy.address);
        for content in [pair.certificate.clone(), format!("{another}{}", pair.certificate)] {
            let bundle = files.file("own.pem", &content);
            for proxies in [&[] as &[(&str, &str)], &[("HTTPS_PROXY", &proxy)]] {
                let variables = [&[("AWS_CA_BUNDLE", bundle.as_str())], proxies].concat();
                let service = Service::asking(&endpoint, &variables).await;
                let answer = summary(service.verify_someone().await).await;
                assert_eq!(answer, expected(200, "valid", ""), "{is_ca} {proxies:?}");
            }
        }
    }
    assert_eq!(stub.count(), 8);
}

#[tokio::test]
async fn an_endpoint_certificate_that_is_invalid_or_not_in_the_bundle_is_not_trusted() {
    let (stub, files) = (Stub::always(identity()).await, Scratch::new("not-own"));
    let good = Pair::self_signed(&["127.0.0.1"], true, 4096);
    let (twin, elsewhere) =
        (Pair::self_signed(&["127.0.0.1"], true, 4096), Pair::self_signed(&["sts.example.com"], true, 4096));
    let expired = Pair::self_signed(&["127.0.0.1"], true, 2020);
    let both = |one: &Pair| format!("{}{}", good.certificate, one.certificate);
    for (name, shown, bundle) in [
        ("another key under the same name", &twin, good.certificate.clone()),
        ("another name", &elsewhere, both(&elsewhere)),
        ("expired", &expired, both(&expired)),
    ] {
        let front = tls_with(shown, &stub.url).await;
        let bundle = files.file("bundle.pem", &bundle);
        let variables = [("AWS_CA_BUNDLE", bundle.as_str()), ("AWS_MAX_ATTEMPTS", "1")];
        let service = Service::asking(&format!("https://{}", front.address), &variables).await;
        let answer = summary(service.verify_someone().await).await;
        assert_eq!(answer, expected(502, "indeterminate", "EndpointConnectionError"), "{name}");
    }
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn an_endpoint_with_its_own_certificate_is_asked_by_the_same_rules() {
    let files = Scratch::new("own-rules");
    let pair = Pair::self_signed(&["127.0.0.1"], true, 4096);
    let bundle = files.file("own.pem", &pair.certificate);
    let unavailable = Stub::always(http(503, &[], "")).await;
    for (stub, answer, attempts) in [
        (unavailable, expected(400, "indeterminate", "503"), 5),
        (Stub::always(Reply::Close).await, expected(502, "indeterminate", "ConnectionClosedError"), 5),
    ] {
        let front = tls_with(&pair, &stub.url).await;
        let endpoint = format!("https://{}", front.address);
        let service = Service::asking(&endpoint, &[("AWS_CA_BUNDLE", &bundle)]).await;
        assert_eq!(summary(service.verify_someone().await).await, answer);
        // A connection that brought a 5xx is not used again.
        assert_eq!((stub.count(), stub.connections()), (attempts, attempts));
    }
    let good = Stub::always(identity()).await;
    let front = tls_with(&pair, &good.url).await;
    let service = Service::asking(&format!("https://{}", front.address), &[("AWS_CA_BUNDLE", &bundle)]).await;
    for _ in 0..3 {
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    }
    assert_eq!((good.count(), good.connections()), (3, 1));
    // A proxy that does not answer creates no tunnel.
    let silent = Stub::always(Reply::Silence).await;
    let brief =
        [("STS_VERIFY_CONNECT_TIMEOUT", "200ms"), ("AWS_MAX_ATTEMPTS", "1"), ("AWS_CA_BUNDLE", &*bundle)];
    let variables = [&brief, [("HTTPS_PROXY", &*silent.url)].as_slice()].concat();
    let service = Service::asking("https://127.0.0.1:1", &variables).await;
    let answer = summary(service.verify_someone().await).await;
    assert_eq!(answer, expected(504, "indeterminate", "ConnectTimeoutError"));
    let service = Service::asking("https://127.0.0.1:1", &brief).await;
    let answer = summary(service.verify_someone().await).await;
    assert_eq!(answer, expected(502, "indeterminate", "EndpointConnectionError"));
}

#[tokio::test]
async fn a_bundle_that_cannot_be_used_keeps_the_service_from_starting() {
    let files = Scratch::new("unusable");
    let block =
        |kind: &str, content: &str| format!("-----BEGIN {kind}-----\n{content}\n-----END {kind}-----\n");
    let bundles = [
        files.path("missing.pem"),
        files.path(""),
        files.file("empty.pem", ""),
        files.file("text.pem", "no certificate at all\n"),
        files.file("key.pem", &block("PRIVATE KEY", "AAAA")),
        files.file("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"),
        files.file("not-base64.pem", &block("CERTIFICATE", "!!!!")),
        files.file("not-a-certificate.pem", &block("CERTIFICATE", "AAAAAAAA")),
    ];
    for bundle in &bundles {
        let end = refused(&[("AWS_CA_BUNDLE", bundle)]).await;
        assert_blames_the_bundle(&end);
        assert!(!end.stderr[0].contains(bundle), "{end:?}");
    }
}

#[tokio::test]
async fn without_any_certificate_the_service_does_not_start_if_it_needs_one() {
    let files = Scratch::new("no-roots");
    let nowhere = files.path("");
    let unusable = "-----BEGIN CERTIFICATE-----\nAAAAAAAA\n-----END CERTIFICATE-----\n";
    let unusable = files.file("unusable.pem", unusable);
    for file in ["/dev/null", &files.file("empty.pem", ""), &files.path("missing.pem"), &unusable] {
        let roots = [("SSL_CERT_FILE", file), ("SSL_CERT_DIR", nowhere.as_str())];
        assert_blames_the_bundle(&refused(&roots).await);
        let endpoint = [("AWS_ENDPOINT_URL_STS", "https://sts.example.com")];
        assert_blames_the_bundle(&refused(&[roots.as_slice(), &endpoint].concat()).await);
    }
}

#[tokio::test]
async fn without_any_certificate_a_plain_http_endpoint_is_used() {
    let (files, stub) = (Scratch::new("plain"), Stub::always(identity()).await);
    let roots = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", &files.path(""))];
    let service = Service::asking(&stub.url, &roots).await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
}

#[tokio::test]
async fn without_any_certificate_the_sandbox_starts() {
    let files = Scratch::new("sandbox-roots");
    let roots = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", &files.path(""))];
    let service = Service::with_arguments(&["serve", "--sandbox"], &roots).await;
    let answer = summary(service.verify_someone().await).await;
    assert_eq!(answer, expected(400, "invalid", "InvalidClientTokenId"));
}

#[tokio::test]
async fn an_empty_variable_for_certificates_counts_as_unset() {
    let authority = Authority::new("empty-variable");
    // One of the two names the system's certificates; the other is empty, as compose files pass it on.
    let roots = [("SSL_CERT_FILE", authority.bundle.as_str()), ("SSL_CERT_DIR", ""), ("AWS_CA_BUNDLE", "")];
    Service::start(&roots).await;
    let files = Scratch::new("empty-file");
    let pem = std::fs::read_to_string(&authority.bundle).unwrap();
    // A directory of certificates holds files named by a hash.
    files.file("5f15c80c.0", &pem);
    let roots = [("SSL_CERT_FILE", ""), ("SSL_CERT_DIR", &files.path("")), ("AWS_CA_BUNDLE", "")];
    Service::start(&roots).await;
}
