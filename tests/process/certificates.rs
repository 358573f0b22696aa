//! Whom TLS trusts: the bundle alone, or the system's certificates, or nobody, and then nothing starts.

use crate::helpers::{expected, summary};
use crate::program::{End, Scratch, Service, run};
use crate::stub::{Stub, identity};
use crate::wire::{Authority, tls};

/// Starts with these variables must be refused.
async fn refused(variables: &[(&str, &str)]) -> End {
    run(&["--listen=127.0.0.1:0"], variables).await
}

fn assert_blames_the_bundle(end: &End) {
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{end:?}");
    assert!(end.stderr[0].contains("AWS_CA_BUNDLE"), "{end:?}");
}

#[tokio::test]
async fn an_sts_that_the_bundle_vouches_for_is_believed() {
    let (stub, authority) = (Stub::always(identity()).await, Authority::new("believed"));
    let front = tls(&authority, &["127.0.0.1"], &stub.url).await;
    let endpoint = format!("https://{}", front.address);
    let service = Service::asking(&endpoint, &[("AWS_CA_BUNDLE", &authority.bundle)]).await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
}

#[tokio::test]
async fn an_sts_that_the_bundle_does_not_vouch_for_is_told_nothing() {
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
async fn the_bundle_stands_instead_of_the_system_s_certificates() {
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
async fn without_any_certificate_nothing_starts_that_needs_one() {
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
async fn without_any_certificate_a_plain_http_endpoint_is_asked() {
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
    // One of the two names the system's certificates; the other is passed on empty, as compose files do.
    let roots = [("SSL_CERT_FILE", authority.bundle.as_str()), ("SSL_CERT_DIR", ""), ("AWS_CA_BUNDLE", "")];
    Service::start(&roots).await;
    let files = Scratch::new("empty-file");
    let pem = std::fs::read_to_string(&authority.bundle).unwrap();
    // A directory of certificates holds files named by a hash.
    files.file("5f15c80c.0", &pem);
    let roots = [("SSL_CERT_FILE", ""), ("SSL_CERT_DIR", &files.path("")), ("AWS_CA_BUNDLE", "")];
    Service::start(&roots).await;
}
