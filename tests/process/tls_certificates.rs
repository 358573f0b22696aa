//! The pair of TLS files: renewal, invalid pairs, and chains.

use crate::program::{Scratch, Service, run};
use crate::tls::{BOTH, Guarded, connect, livez, write};
use crate::wire::{Authority, Pair};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::CertificateDer;

#[tokio::test]
async fn sighup_loads_a_new_certificate_and_closes_no_connection() {
    let guarded = Guarded::start("renewal", &[]).await;
    let mut before = guarded.connect().await;
    livez(&mut before).await;
    assert_eq!(certificate_of(&before), guarded.first.der);
    let second = guarded.authority.pair(&["127.0.0.1"]);
    write(&guarded.files, &second);
    guarded.service.program.signal("HUP");
    let line = guarded.service.program.message("reloaded").await;
    assert_eq!((line["file"].as_str(), line["entries"].as_u64()), (Some("tls"), Some(1)), "{line}");
    livez(&mut before).await;
    let mut after = guarded.connect().await;
    livez(&mut after).await;
    assert_eq!(certificate_of(&after), second.der);
}

#[tokio::test]
async fn a_new_certificate_is_loaded_without_a_signal_once_its_key_exists() {
    let guarded = Guarded::start("renewal-unasked", &[]).await;
    let mut before = guarded.connect().await;
    livez(&mut before).await;
    let second = guarded.authority.pair(&["127.0.0.1"]);
    // One file is written after the other, so the two do not match for a while.
    guarded.files.file("cert.pem", &second.certificate);
    guarded.service.program.lines(1, |line| line.contains("\"ERROR\"")).await;
    assert_eq!(certificate_of(&guarded.connect().await), guarded.first.der);
    guarded.files.file("key.pem", &second.key);
    guarded.service.program.message("reloaded").await;
    assert_eq!(certificate_of(&guarded.connect().await), second.der);
    livez(&mut before).await;
}

#[tokio::test]
async fn files_that_went_bad_leave_the_old_certificate_in_use() {
    let guarded = Guarded::start("tls-went-bad", &[]).await;
    let other = guarded.authority.pair(&["127.0.0.1"]);
    let bad = [
        Pair { certificate: String::new(), ..guarded.first.clone() },
        Pair { key: "zqxj".to_owned(), ..guarded.first.clone() },
        Pair { key: other.key, ..guarded.first.clone() },
    ];
    for (count, pair) in bad.iter().enumerate() {
        write(&guarded.files, pair);
        guarded.service.program.signal("HUP");
        let errors = guarded.service.program.lines(count + 1, |line| line.contains("\"ERROR\"")).await;
        assert!(errors[count].contains("STS_VERIFY_TLS_") && !errors[count].contains("zqxj"), "{errors:?}");
        let mut stream = guarded.connect().await;
        livez(&mut stream).await;
        assert_eq!(certificate_of(&stream), guarded.first.der);
    }
}

#[tokio::test]
async fn a_pair_that_cannot_be_used_keeps_the_service_from_starting() {
    let (authority, files) = (Authority::new("unusable-ca"), Scratch::new("unusable-pair"));
    let (pair, other) = (authority.pair(&["127.0.0.1"]), authority.pair(&["127.0.0.1"]));
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAAAAAA\n-----END CERTIFICATE-----\n";
    let cut = other.certificate.replace("-----END CERTIFICATE-----\n", "");
    let strange = other.certificate.replace("CERTIFICATE", "PKCS7");
    let (cert, key) = ("STS_VERIFY_TLS_CERT_FILE", "STS_VERIFY_TLS_KEY_FILE");
    let (good_cert, good_key) = write(&files, &pair);
    for (cert_file, key_file, blamed) in [
        (good_cert.clone(), String::new(), cert),
        (String::new(), good_key.clone(), key),
        (files.path("missing"), good_key.clone(), cert),
        (files.path(""), good_key.clone(), cert),
        (files.file("empty.pem", ""), good_key.clone(), cert),
        (files.file("garbage.pem", garbage), good_key.clone(), cert),
        (good_key.clone(), good_key.clone(), cert),
        (good_cert.clone(), files.path("missing"), key),
        (good_cert.clone(), files.file("empty.pem", ""), key),
        (good_cert.clone(), good_cert.clone(), key),
        (good_cert.clone(), files.file("another.pem", &other.key), key),
        (files.file("half-chain.pem", &format!("{}{garbage}", pair.certificate)), good_key.clone(), cert),
        (files.file("cut-chain.pem", &format!("{}{cut}", pair.certificate)), good_key.clone(), cert),
        (files.file("strange-chain.pem", &format!("{}{strange}", pair.certificate)), good_key.clone(), cert),
        (good_cert.clone(), files.file("two-keys.pem", &format!("{}{}", pair.key, other.key)), key),
    ] {
        let variables = [(cert, cert_file.as_str()), (key, key_file.as_str())];
        let end = run(&["serve", "--sandbox", "--listen=127.0.0.1:0"], &variables).await;
        assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{variables:?} {end:?}");
        assert!(end.stderr[0].starts_with(&format!("sts-verify: {blamed}: ")), "{end:?}");
        assert!(!end.stderr[0].contains(&files.path("")) && !end.stderr[0].contains("-----"), "{end:?}");
    }
}

#[tokio::test]
async fn a_chain_is_served_whole_however_its_file_was_made() {
    let (authority, files) = (Authority::new("chain-ca"), Scratch::new("chain"));
    let pair = authority.pair(&["127.0.0.1"]);
    let above = std::fs::read_to_string(&authority.bundle).unwrap();
    let (leaf, chain) = (&pair.certificate, format!("{}{above}", pair.certificate));
    for content in [
        format!("{}{above}", leaf.trim_end()),
        format!("\u{feff}{chain}"),
        chain.replace('\n', "\r\n"),
        format!("{leaf}{}{above}", pair.key),
        chain.replace('\n', " "),
    ] {
        let (certificate, key) = (files.file("cert.pem", &content), files.file("key.pem", &pair.key));
        let variables = [("STS_VERIFY_TLS_CERT_FILE", &*certificate), ("STS_VERIFY_TLS_KEY_FILE", &key)];
        let service = Service::start(&variables).await;
        let stream = connect(service.address, &authority, BOTH, "http/1.1").await.unwrap();
        assert_eq!(stream.get_ref().1.peer_certificates().unwrap().len(), 2, "{content}");
    }
    // One file for both, as with HAProxy.
    let both = files.file("both.pem", &format!("{chain}{}", pair.key));
    let variables = [("STS_VERIFY_TLS_CERT_FILE", &*both), ("STS_VERIFY_TLS_KEY_FILE", &both)];
    let service = Service::start(&variables).await;
    connect(service.address, &authority, BOTH, "http/1.1").await.unwrap();
}

fn certificate_of(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}
