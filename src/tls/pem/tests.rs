//! Files as they come from editors, shells and other programs.

use super::*;
use rcgen::{CertificateParams, KeyPair};
use std::path::PathBuf;

/// A file that is removed on drop.
struct Scratch(PathBuf);

impl Scratch {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let name = format!("pem-{}-{}", std::process::id(), uuid::Uuid::new_v4());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn certificate() -> String {
    CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

fn count(content: impl AsRef<[u8]>) -> Result<usize, PemError> {
    certificates(&Scratch::new(content).0).map(|found| found.len())
}

#[test]
fn every_certificate_is_read_however_the_file_was_made() {
    let (one, two) = (certificate(), certificate());
    let crlf = |pem: &str| pem.replace('\n', "\r\n");
    let on_one_line = |pem: &str| pem.replace("\r\n", "\n").replace('\n', " ");
    let (key, both) = (KeyPair::generate().unwrap().serialize_pem(), format!("{one}{two}"));
    for content in [
        both.clone(),
        format!("{}{two}", one.trim_end()),
        format!("\u{feff}{both}"),
        crlf(&both),
        both.replace('\n', "\r"),
        format!("  {}", both.replace('\n', "\n  ")),
        on_one_line(&both),
        format!("{one}\n\n# The end. ---- Begin here:\n{two}\nThat is all.\n"),
        format!("# ---------- first ----------\n{one}# ---------- second\n{two}"),
        format!("subject=CN = a\nissuer=CN = b\n{one}{two}"),
        format!("{one}{key}{two}"),
        format!("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n{both}"),
        both.replace("CERTIFICATE", "X509 CERTIFICATE"),
        both.trim_end().to_owned(),
    ] {
        assert!(matches!(count(&content), Ok(2)), "{content} {:?}", count(&content));
    }
    // A comment in Latin-1.
    assert!(matches!(count([b"# \xe9metteur\n".as_slice(), both.as_bytes()].concat()), Ok(2)));
}

#[test]
fn a_file_with_one_unreadable_block_is_refused() {
    let (one, two) = (certificate(), certificate());
    let lines: Vec<&str> = two.lines().collect();
    let damaged = [
        ("no end", lines[..lines.len() - 1].join("\n")),
        ("no beginning", lines[1..].join("\n")),
        ("a cut end", two.replace("-----END CERTIFICATE-----", "-----END CERTIFICATE---")),
        ("a dash too few before", two.replace("-----BEGIN", "----BEGIN")),
        ("a dash too few behind", two.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE----")),
        ("dashes of a word processor", two.replace("-----", "\u{2013}\u{2013}\u{2013}")),
        ("small letters", two.to_lowercase()),
        ("another end", two.replace("END CERTIFICATE", "END CERT")),
        ("no base64", two.replacen(lines[2], &lines[2].replace('M', "!"), 1).replacen("MII", "!!!", 1)),
        ("a line too few", two.replacen(lines[2], "", 1)),
        ("line ends in letters", two.replace('\n', "\\n")),
        ("a beginning in it", two.replacen(lines[2], "-----BEGIN CERTIFICATE-----", 1)),
        ("an unknown kind", two.replace("CERTIFICATE", "PKCS7")),
        ("OpenSSL's own kind", two.replace("CERTIFICATE", "TRUSTED CERTIFICATE")),
        ("no certificate", "-----BEGIN CERTIFICATE-----\nAAAAAAAA\n-----END CERTIFICATE-----\n".to_owned()),
        ("an empty one", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n".to_owned()),
    ];
    for (how, block) in damaged {
        for content in [format!("{one}{block}\n"), format!("{block}\n{one}")] {
            let error = count(&content).unwrap_err();
            assert!(matches!(error, PemError::Damaged(_) | PemError::UnknownKind(_)), "{how}: {error:?}");
            assert!(!error.to_string().contains("MII"), "{error}");
        }
    }
    let second = one.lines().count() + 1;
    let error = count(format!("{one}{}", two.replace("CERTIFICATE", "PKCS7"))).unwrap_err();
    assert!(matches!(error, PemError::UnknownKind(line) if line == second), "{error:?}");
}

#[test]
fn a_file_without_certificates_has_none() {
    for content in ["", "no PEM at all\n", &KeyPair::generate().unwrap().serialize_pem()] {
        assert!(matches!(count(content), Err(PemError::NoCertificate)), "{content}");
    }
    let utf_16: Vec<u8> = certificate().encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(matches!(count(utf_16), Err(PemError::NoCertificate)));
    assert!(matches!(certificates(Path::new("/nowhere/at-all.pem")), Err(PemError::Unreadable(_))));
    assert!(matches!(certificates(Path::new("/dev/zero")), Err(PemError::Unreadable(_))));
}

#[test]
fn the_one_key_of_a_file_is_read() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let read = |content: &str| private_key(&Scratch::new(content).0);
    for content in [
        key.clone(),
        format!("\u{feff}{}", key.replace('\n', "\r\n")),
        format!("{}{key}", certificate()),
        format!("{}{key}", certificate().trim_end()),
        format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{key}"),
    ] {
        assert!(read(&content).is_ok(), "{:?}", read(&content).err());
    }
    assert!(matches!(read(&format!("{key}{key}")), Err(PemError::SeveralKeys)));
    assert!(matches!(read(&certificate()), Err(PemError::NoKey)));
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert!(matches!(read(&encrypted), Err(PemError::NoKey)));
    let old =
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    assert!(matches!(read(old), Err(PemError::NoKey)));
}
