//! The operator's list of digests: a file, or the text of a variable.
//!
//! Digests, each with an optional name, may be separated by anything that is in use: line ends of any system,
//! spaces, tabs, commas, semicolons. (YAML folds lines into one, and some editors write a byte order mark.)
//! Anything else is an error: if a key were skipped silently, its caller would be rejected later.

use super::KEY_PREFIX;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The prefix that a digest may have.
pub(super) const DIGEST_PREFIX: &str = "sha256:";

/// The maximum length of a key's name.
const LONGEST_NAME: usize = 64;

/// A word with at least this many hexadecimal digits is not a name, but an incomplete digest.
const DIGEST_LIKE: usize = 32;

/// The names of keys by their digests. A look-up takes the same time for any number of keys. It need not take
/// constant time: its time could only reveal something about digests, and nobody can find a key for a digest.
pub(super) type KnownKeys = HashMap<Digest, KeyName>;

/// The SHA-256 of a key.
pub(super) type Digest = [u8; 32];

/// The name of a key in the log: its name in the file, or else the first four bytes of its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyName(Arc<str>);

/// An error in the list. No text repeats the digests: a key may have been pasted there.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("the file is not in UTF-8 (in UTF-16, perhaps); save it as UTF-8")]
    NotUtf8,
    #[error("line {0} has something that is not a SHA-256 digest of 64 hexadecimal digits")]
    NoDigest(usize),
    #[error(
        "line {0} has something after a digest that is neither the next digest nor a name, which is at most 64 \
         characters of A-Z, a-z, 0-9, -, _, . and @"
    )]
    NoName(usize),
    /// If line ends were turned into spaces, the rest of the text after a comment would be part of the comment.
    #[error(
        "line {0} has a digest inside a comment; only a digest directly behind the # may be commented out"
    )]
    InComment(usize),
    #[error("line {0} has a digest that occurred before with another name")]
    TwoNames(usize),
    /// A key must not be stored anywhere but with its caller.
    #[error("line {0} has a key itself; only its digest belongs there")]
    Key(usize),
    /// No caller could be authenticated.
    #[error("there is no digest; `sts-verify api-key` makes one")]
    Empty,
    #[error("not together with STS_VERIFY_API_KEYS_FILE; set one of them")]
    Two,
}

/// Whether a text can be the name of a key.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.@".contains(&b);
    let digest_like = text.len() >= DIGEST_LIKE && text.bytes().all(|b| b.is_ascii_hexdigit());
    (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(plain)
        && !digest_like
        && !text.contains(KEY_PREFIX)
}

impl KeyName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a file of digests.
pub(super) fn read_file(path: &Path) -> Result<KnownKeys, Problem> {
    let bytes = Zeroizing::new(std::fs::read(path)?);
    // UTF-16 without a byte order mark is UTF-8 with zero bytes.
    let text = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains('\0'));
    read_text(text.ok_or(Problem::NotUtf8)?)
}

/// Reads lines of digests with or without names, and comments. Lines end with LF, CR or CR LF.
pub(super) fn read_text(text: &str) -> Result<KnownKeys, Problem> {
    let text = text.replace("\r\n", "\n");
    let mut known = KnownKeys::new();
    for (number, line) in (1..).zip(text.split(['\n', '\r'])) {
        let line = line.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        // First of all: a key must not be in a comment either, and a name goes into the log.
        if line.contains(KEY_PREFIX) {
            return Err(Problem::Key(number));
        }
        if let Some(comment) = line.strip_prefix('#') {
            check_comment(comment, number)?;
        } else {
            for entries in line.split([',', ';']) {
                read_entries(entries, number, &mut known)?;
            }
        }
    }
    if known.is_empty() { Err(Problem::Empty) } else { Ok(known) }
}

/// Reads digests with their names, separated by spaces. A name may follow a `#`.
fn read_entries(text: &str, number: usize, known: &mut KnownKeys) -> Result<(), Problem> {
    let text = text.replace('#', " ");
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let digest = digest_in(word).ok_or(Problem::NoDigest(number))?;
        let name = match words.next_if(|next| digest_in(next).is_none()) {
            None => format!("{DIGEST_PREFIX}{}", &hex::encode(digest)[..8]),
            Some(name) if is_name(name) => name.to_owned(),
            Some(_) => return Err(Problem::NoName(number)),
        };
        let name = KeyName(name.into());
        match known.entry(digest) {
            Entry::Occupied(before) if *before.get() != name => return Err(Problem::TwoNames(number)),
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => drop(place.insert(name)),
        }
    }
    Ok(())
}

/// Checks a comment, which may be a line that was commented out. A further digest in it means that the
/// following lines have become part of the comment.
fn check_comment(comment: &str, number: usize) -> Result<(), Problem> {
    let commented_out = comment.split_whitespace().next().and_then(digest_in);
    let words = comment.split(|c: char| !c.is_ascii_alphanumeric());
    let digests = words.filter(|word| digest_in(word).is_some()).count();
    if digests > usize::from(commented_out.is_some()) { Err(Problem::InComment(number)) } else { Ok(()) }
}

/// The digest in a word, with its prefix or without.
fn digest_in(word: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    let hexadecimal = word.strip_prefix(DIGEST_PREFIX).unwrap_or(word);
    hex::decode_to_slice(hexadecimal, &mut digest).ok().map(|()| digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest as _;
    use sha2::Sha256;

    /// A different digest for each number.
    fn digest(number: u8) -> String {
        hex::encode(Sha256::digest([number]))
    }

    /// The names, ordered by their digests.
    fn names(text: &str) -> Vec<String> {
        let known = read_text(text).unwrap_or_else(|problem| panic!("{problem}: {text:?}"));
        let mut names: Vec<_> =
            known.iter().map(|(digest, name)| (digest, name.as_str().to_owned())).collect();
        names.sort_unstable_by_key(|(found, _)| {
            (1..9).position(|number| hex::encode(found) == digest(number))
        });
        names.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn a_line_may_have_a_prefix_a_name_and_capitals() {
        let (one, two, three) = (digest(1), digest(2), digest(3));
        let text = format!(
            "# ours, all of them; so far\r\n\n {one}\r\nsha256:{two}  team-a \n{}\t# team-b\n# sha256:{} gone\n",
            three.to_uppercase(),
            digest(4)
        );
        assert_eq!(names(&text), [&format!("sha256:{}", &one[..8]), "team-a", "team-b"]);
        let longest = "x".repeat(64);
        assert_eq!(names(&format!("{one} {longest}")), [longest]);
    }

    #[test]
    fn no_digest_is_lost_whatever_separates_them() {
        let (one, two, three) = (digest(1), digest(2), digest(3));
        for between in [
            " ",
            "  ",
            "\t",
            "\n",
            "\r",
            "\r\n",
            ",",
            ";",
            ", ",
            " ; ",
            ",\n",
            " \t\r\n",
            "\u{a0}",
            "\u{2028}",
            "\u{85}",
            "\u{b}",
            "\n\u{feff}",
            "\n\n",
            ",,",
            " #\t",
        ] {
            for [a, b] in [["", ""], [" a", " b"], ["", " b"], [" a", ""]] {
                for prefix in ["", "sha256:"] {
                    let text = format!("{prefix}{one}{a}{between}{prefix}{two}{b}{between}{prefix}{three}\n");
                    let named = |name: &str, digest: &str| match name.trim() {
                        "" => format!("sha256:{}", &digest[..8]),
                        name => name.to_owned(),
                    };
                    let expected = [named(a, &one), named(b, &two), named("", &three)];
                    assert_eq!(names(&text), expected, "{text:?}");
                    assert_eq!(names(&format!("\u{feff}{text}")), expected, "with a byte order mark");
                }
            }
        }
    }

    #[test]
    fn only_a_name_or_another_digest_may_follow_a_digest() {
        let (one, two) = (digest(1), digest(2));
        let too_long = "x".repeat(65);
        for behind in [
            "team a b",
            &too_long,
            "t\u{e4}m",
            "a/b",
            "'quoted'",
            // Digests that were damaged in transfer.
            &two[1..],
            &two[..40],
            &format!("sha256:{}", &two[1..]),
            &format!("sha256: {two}"),
            &format!("{two}0"),
            // A line end in the notation of a programming language.
            &format!("a\\nsha256:{two}"),
        ] {
            let problem = read_text(&format!("{one} {behind}")).err();
            assert!(
                matches!(problem, Some(Problem::NoName(1) | Problem::NoDigest(1))),
                "{behind}: {problem:?}"
            );
        }
    }

    #[test]
    fn a_comment_that_swallowed_digests_is_rejected() {
        let (one, two) = (digest(1), digest(2));
        for comment in [
            format!("# ours sha256:{one}"),
            format!("# sha256:{one} old sha256:{two} new"),
            format!("#{one} {two}"),
            format!("# ours ({one})"),
        ] {
            let text = format!("{}\n{comment}\n", digest(3));
            assert!(matches!(read_text(&text), Err(Problem::InComment(2))), "{comment}");
        }
    }

    #[test]
    fn a_duplicate_digest_counts_once_and_has_one_name() {
        let one = digest(1);
        assert_eq!(names(&format!("{one} a\n{one} a\n{one} a")), ["a"]);
        for other in [" b", ""] {
            assert!(matches!(read_text(&format!("{one} a\n{one}{other}")), Err(Problem::TwoNames(2))));
        }
    }

    #[test]
    fn a_line_without_a_digest_is_named_only_by_its_number() {
        let digest = "0123456789abcdef".repeat(4);
        for bad in [&digest[1..], &format!("{digest}0"), &digest.replace('0', "g"), "sha512:00", "~"] {
            let error = read_text(&format!("#\n{digest}\n{bad}")).err().unwrap().to_string();
            assert!(error.contains("line 3 ") && !error.contains(bad), "{error}");
        }
    }

    #[test]
    fn a_key_in_the_file_is_rejected_even_in_a_comment() {
        let digest = "0123456789abcdef".repeat(4);
        for bad in ["stsv_1", &format!("{digest} stsv_1"), "# stsv_1"] {
            assert!(matches!(read_text(bad), Err(Problem::Key(1))), "{bad}");
        }
    }
}
