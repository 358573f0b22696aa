//! The information in an access key ID: the kind of the key, and the account of a key made since 2019.

use data_encoding::BASE32;

/// The kind of a key, by the first four characters of its ID.
///
/// The prefixes are those of the IAM User Guide, "Understanding unique ID prefixes"
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// `AKIA`: a key of an IAM user or of root.
    LongTerm,
    /// `ASIA`: a key of a session, with a session token.
    Temporary,
    /// `ABIA`: a bearer token of an AWS service.
    ServiceBearer,
    /// `ACCA`: a credential for one service, such as CodeCommit.
    ContextSpecific,
    /// Anything else.
    Other,
}

impl KeyKind {
    /// The word in a list of verified keys.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LongTerm => "long-term",
            Self::Temporary => "temporary",
            Self::ServiceBearer => "service-bearer",
            Self::ContextSpecific => "context-specific",
            Self::Other => "other",
        }
    }
}

/// An access key ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessKeyId<'a>(&'a str);

impl<'a> AccessKeyId<'a> {
    /// Takes any text. A text that is not an access key ID has no known kind and no account.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The kind of the key.
    #[must_use]
    pub fn kind(self) -> KeyKind {
        match self.0.get(..4) {
            Some("AKIA") => KeyKind::LongTerm,
            Some("ASIA") => KeyKind::Temporary,
            Some("ABIA") => KeyKind::ServiceBearer,
            Some("ACCA") => KeyKind::ContextSpecific,
            _ => KeyKind::Other,
        }
    }

    /// The account of the key, as twelve digits. `None` for an ID that contains none: one from before 2019, or
    /// one that AWS did not make.
    ///
    /// The characters after the prefix are base32 (RFC 4648). The first of their first 48 bits is set if there
    /// is an account, and the next 40 bits are its number.
    #[must_use]
    pub fn account(self) -> Option<String> {
        // Ten characters contain the 48 bits and two more. Base32 is decoded in groups of eight characters.
        let encoded = (self.kind() != KeyKind::Other).then(|| self.0.get(4..20))??;
        let bytes = BASE32.decode(encoded.as_bytes()).ok()?;
        let bits = bytes.get(..6)?.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        let number = (bits & 0x7fff_ffff_ff80) >> 7;
        let has_account = bits >> 47 == 1;
        (has_account && number < 1_000_000_000_000).then(|| format!("{number:012}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_account_of_known_keys_is_found() {
        for (id, account) in [
            ("ASIAY34FZKBOKMUTVV7A", Some("609629065308")),
            ("ASIAQNZGKIQY56JQ7WML", Some("029608264753")),
            // A canary of canarytokens.org.
            ("AKIASP2TPHJSQH3FJRUX", Some("171436882533")),
            // The fifth character is from A to P: an older key.
            ("AKIAIOSFODNN7EXAMPLE", None),
            ("AKIAPZZZZZZZZZZZZZZZ", None),
            // More than twelve digits.
            ("AKIA7777777777777777", None),
            ("AKIAQ", None),
            ("AKIAQ1ZZZZZZZZZZZZZZ", None),
            ("akiay34fzkbokmutvv7a", None),
            ("XXXXY34FZKBOKMUTVV7A", None),
            ("", None),
        ] {
            assert_eq!(AccessKeyId::new(id).account().as_deref(), account, "{id}");
        }
    }

    #[test]
    fn the_prefix_determines_the_kind() {
        for (id, kind) in [
            ("AKIAIOSFODNN7EXAMPLE", "long-term"),
            ("ASIAIOSFODNN7EXAMPLE", "temporary"),
            ("ABIAIOSFODNN7EXAMPLE", "service-bearer"),
            ("ACCAIOSFODNN7EXAMPLE", "context-specific"),
            ("AROAIOSFODNN7EXAMPLE", "other"),
            ("akia", "other"),
            ("AKI", "other"),
            ("AKI\u{e9}", "other"),
        ] {
            assert_eq!(AccessKeyId::new(id).kind().as_str(), kind, "{id}");
        }
    }

    proptest! {
        #[test]
        fn an_account_written_into_an_id_is_read_from_it(number in 0_u64..1_000_000_000_000, rest in any::<[u8; 4]>(), low in 0_u64..128) {
            let bits = 1 << 47 | number << 7 | low;
            let bytes = [&bits.to_be_bytes()[2..], &rest[..]].concat();
            let id = format!("AKIA{}", BASE32.encode(&bytes));
            prop_assert_eq!(AccessKeyId::new(&id).account(), Some(format!("{number:012}")));
        }

        #[test]
        fn no_text_makes_it_panic(text in "(AKIA|ASIA)?\\PC{0,40}") {
            let id = AccessKeyId::new(&text);
            let _ = id.kind();
            if let Some(account) = id.account() {
                prop_assert!(crate::identity::is_account_id(&account));
            }
        }
    }
}
