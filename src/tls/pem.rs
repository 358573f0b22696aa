//! Reads PEM files: all of a file, or nothing of it.
//!
//! PEM parsers skip what they do not recognise: a block that begins on the line on which the previous one ends,
//! a marker with a dash missing, a block without an end, a first block after a byte order mark. A chain is then
//! served without its intermediates, or a CA is not trusted, without an error. Here the blocks are found first
//! and then decoded by rustls's parser, and whatever looks like part of a block that was not found is an error.

use rustls::RootCertStore;
use rustls_pki_types::pem::{PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The bundle of an operating system has about 250 KB.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

const DASHES: &str = "-----";
const BEGIN: &str = "-----BEGIN ";

/// The labels that are known. Any other may stand for a certificate or a key in a form that is not read here
/// (`PKCS7`, `TRUSTED CERTIFICATE`), so it is an error.
const LABELS: [(&str, Kind); 12] = [
    ("CERTIFICATE", Kind::Certificate),
    ("X509 CERTIFICATE", Kind::Certificate),
    ("PRIVATE KEY", Kind::Key),
    ("RSA PRIVATE KEY", Kind::Key),
    ("EC PRIVATE KEY", Kind::Key),
    ("ENCRYPTED PRIVATE KEY", Kind::Key),
    ("EC PARAMETERS", Kind::Other),
    ("DH PARAMETERS", Kind::Other),
    ("X9.42 DH PARAMETERS", Kind::Other),
    ("PUBLIC KEY", Kind::Other),
    ("CERTIFICATE REQUEST", Kind::Other),
    ("X509 CRL", Kind::Other),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Certificate,
    Key,
    /// Not needed here, and ignored.
    Other,
}

/// Why a file cannot be used. No text repeats the file's contents.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file is not there, may not be read, or is too large to be one.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A block, or what looks like the rest of one, cannot be read.
    #[error("the PEM block on line {0} cannot be read")]
    Damaged(usize),
    /// A block has a label that is not known.
    #[error("the PEM block on line {0} is of a kind that is not read here")]
    UnknownKind(usize),
    /// There is no certificate in the file.
    #[error("the file holds no usable PEM certificate")]
    NoCertificate,
    /// There is no key in the file, or an encrypted one.
    #[error("the file holds no usable PEM private key (encrypted ones are not read)")]
    NoKey,
    /// It is ambiguous which key to use.
    #[error("the file holds more than one private key")]
    SeveralKeys,
}

/// The certificates of a file in their order, at least one. Keys and parameters in the same file are ignored.
///
/// # Errors
///
/// [`PemError`], also when one certificate out of several cannot be read.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = read(file)?;
    let blocks = blocks(&text)?.into_iter().filter(|block| block.kind == Kind::Certificate);
    let certificates: Vec<_> = blocks.map(|block| block.certificate()).collect::<Result<_, _>>()?;
    if certificates.is_empty() { Err(PemError::NoCertificate) } else { Ok(certificates) }
}

/// The private key of a file. Certificates and parameters in the same file are ignored.
///
/// # Errors
///
/// [`PemError`], also when there is a second key.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let text = read(file)?;
    let blocks = blocks(&text)?;
    let mut keys = blocks.iter().filter(|block| block.kind == Kind::Key);
    let key = keys.next().ok_or(PemError::NoKey)?;
    if keys.next().is_some() {
        return Err(PemError::SeveralKeys);
    }
    PrivateKeyDer::from_pem_slice(key.text(key.label).as_bytes()).map_err(|_| PemError::NoKey)
}

fn block(label: &str, body: &str) -> String {
    format!("{BEGIN}{label}{DASHES}\n{body}\n-----END {label}{DASHES}\n")
}

fn read(file: &Path) -> Result<String, PemError> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 4 MiB").into());
    }
    // Comments between the blocks may be in any encoding; the blocks are ASCII.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A block: its label, and the text between its markers.
struct Block<'a> {
    kind: Kind,
    label: &'a str,
    body: &'a str,
    line: usize,
}

impl Block<'_> {
    /// The block by itself, with its markers on lines of their own.
    fn text(&self, label: &str) -> String {
        block(label, self.body.trim())
    }

    fn certificate(&self) -> Result<CertificateDer<'static>, PemError> {
        let damaged = |_| PemError::Damaged(self.line);
        let (_, der) = <(SectionKind, Vec<u8>)>::from_pem_slice(self.text("CERTIFICATE").as_bytes())
            .map_err(|_| PemError::Damaged(self.line))?;
        let certificate = CertificateDer::from(der);
        // rustls itself parses the first certificate of a chain only.
        RootCertStore::empty().add(certificate.clone()).map_err(damaged)?;
        Ok(certificate)
    }
}

/// All blocks of a file in their order.
fn blocks(text: &str) -> Result<Vec<Block<'_>>, PemError> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(BEGIN) {
        let begin = at + found;
        let line = line_of(text, begin);
        no_lost_marker(text, at, begin)?;
        let rest = &text[begin + BEGIN.len()..];
        let (label, rest) = rest.split_once(DASHES).ok_or(PemError::Damaged(line))?;
        let (body, _) =
            rest.split_once(&format!("-----END {label}{DASHES}")).ok_or(PemError::Damaged(line))?;
        if label.contains(['\n', '\r']) || body.contains(DASHES) {
            return Err(PemError::Damaged(line));
        }
        let kind = LABELS.iter().find(|(known, _)| *known == label).ok_or(PemError::UnknownKind(line))?.1;
        blocks.push(Block { kind, label, body, line });
        at = begin + BEGIN.len() + label.len() + DASHES.len() + body.len() + "-----END ".len();
        at += label.len() + DASHES.len();
    }
    no_lost_marker(text, at, text.len())?;
    Ok(blocks)
}

/// Text between blocks is allowed. But BEGIN or END after a dash is a damaged marker: a dash is missing, its
/// other half is, or a word processor has replaced the dashes.
fn no_lost_marker(text: &str, from: usize, to: usize) -> Result<(), PemError> {
    let comment = text[from..to].to_ascii_uppercase();
    let dash =
        |before: &str| before.ends_with(|c: char| matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}'));
    let mut words = ["BEGIN ", "END "].into_iter().flat_map(|word| comment.match_indices(word));
    match words.find(|(at, _)| dash(&comment[..*at])) {
        Some((at, _)) => Err(PemError::Damaged(line_of(text, from + at))),
        None => Ok(()),
    }
}

/// The number of the line that a byte is on, from one.
fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
#[path = "pem/tests.rs"]
mod tests;
