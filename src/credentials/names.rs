//! The names that AWS tools use for credentials, and which of these names count.
//!
//! This module knows no format: the members of a JSON object, the columns of a CSV header, the keys of an INI
//! section and the variables of an environment are all names. [`Name::parse`] finds the value that a name
//! stands for, and [`NameRule`] decides which of several names count.

/// One value of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The access key ID.
    AccessKey,
    /// The secret access key.
    SecretKey,
    /// The session token.
    SessionToken,
    /// The region to use, as a caller of the service names it.
    Region,
    /// A region hint: the one that AWS's SDKs read.
    AwsRegion,
    /// A weaker region hint: the one that boto3 and the AWS CLI read.
    AwsDefaultRegion,
}

/// A name in its folded form (lower case, without `_` and `-`), the value that it stands for, and its spellings
/// in tools. Messages use the first spelling if no tool uses the given one.
#[derive(Debug)]
pub struct KnownName {
    /// The folded form.
    pub folded: &'static str,
    /// The value that it stands for.
    pub field: Field,
    /// The spellings that tools use.
    pub spellings: &'static [&'static str],
}

const fn known(folded: &'static str, field: Field, spellings: &'static [&'static str]) -> KnownName {
    KnownName { folded, field, spellings }
}

/// All names that are read everywhere. The first name of each value is the documented one.
pub static NAMES: [KnownName; 18] = [
    known("stsaccesskey", Field::AccessKey, &["stsAccessKey"]),
    known("accesskeyid", Field::AccessKey, &["AccessKeyId", "accessKeyId", "access_key_id"]),
    known("awsaccesskeyid", Field::AccessKey, &["AWS_ACCESS_KEY_ID", "aws_access_key_id"]),
    known("accesskey", Field::AccessKey, &["AccessKey", "accessKey", "access_key"]),
    known("awsaccesskey", Field::AccessKey, &["AWS_ACCESS_KEY", "AWSAccessKey", "aws_access_key"]),
    known("stssecretkey", Field::SecretKey, &["stsSecretKey"]),
    known("secretaccesskey", Field::SecretKey, &["SecretAccessKey", "secretAccessKey", "secret_access_key"]),
    known("awssecretaccesskey", Field::SecretKey, &["AWS_SECRET_ACCESS_KEY", "aws_secret_access_key"]),
    known("secretkey", Field::SecretKey, &["SecretKey", "secretKey", "secret_key"]),
    known("awssecretkey", Field::SecretKey, &["AWS_SECRET_KEY", "AWSSecretKey", "aws_secret_key"]),
    known("stssessiontoken", Field::SessionToken, &["stsSessionToken"]),
    known("sessiontoken", Field::SessionToken, &["SessionToken", "sessionToken", "session_token"]),
    known("awssessiontoken", Field::SessionToken, &["AWS_SESSION_TOKEN", "aws_session_token"]),
    known("securitytoken", Field::SessionToken, &["SecurityToken", "securityToken", "security_token"]),
    known("awssecuritytoken", Field::SessionToken, &["AWS_SECURITY_TOKEN", "aws_security_token"]),
    known(TOKEN, Field::SessionToken, &["Token", "token", "TOKEN"]),
    known("awsregion", Field::AwsRegion, &["AWS_REGION", "aws_region"]),
    known("awsdefaultregion", Field::AwsDefaultRegion, &["AWS_DEFAULT_REGION", "aws_default_region"]),
];

/// A name that is also used for many other things.
const TOKEN: &str = "token";

/// The service's own name for a region. It is read only in formats that have it, and only in this spelling:
/// `REGION` in an environment has another meaning.
static REGION: KnownName = known("region", Field::Region, &["region"]);

/// The length of the longest folded name, those of proofs included.
const LONGEST: usize = 20;

/// A name that stands for one of the values.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    known: &'static KnownName,
    spelling: &'static str,
}

impl Name {
    /// The service's own name for a region.
    pub const REGION: Self = Self { known: &REGION, spelling: "region" };

    /// The value that a name stands for, if it is a known name. Takes bytes, because a name in JSON need not be
    /// Unicode.
    #[must_use]
    pub fn parse(name: &[u8]) -> Option<Self> {
        let mut buffer = [0; LONGEST];
        let folded = fold(name, &mut buffer)?;
        let known = NAMES.iter().find(|known| known.folded.as_bytes() == folded)?;
        let spelling = known.spellings.iter().find(|spelling| spelling.as_bytes() == name);
        Some(Self { known, spelling: spelling.unwrap_or(&known.spellings[0]) })
    }

    /// The value that it stands for.
    #[must_use]
    pub fn field(self) -> Field {
        self.known.field
    }

    /// The name in messages: its spelling if a tool uses it, else its usual spelling. Never the input itself.
    #[must_use]
    pub fn spelling(self) -> &'static str {
        self.spelling
    }

    /// Whether two names differ only in their spelling.
    #[must_use]
    pub fn is_same(self, other: Self) -> bool {
        self.known.folded == other.known.folded
    }

    /// Whether the name itself says that it belongs to AWS: names of other things contain neither `aws` nor
    /// `sts`.
    fn is_qualified(self) -> bool {
        self.known.folded.starts_with("aws") || self.known.folded.starts_with("sts")
    }
}

/// Looks a name up by its folded form.
pub(super) fn fold_name<T>(name: &[u8], find: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    find(fold(name, &mut [0; LONGEST])?)
}

/// The name in lower case and without `_` and `-`. `None` if that is longer than any known name.
fn fold<'a>(name: &[u8], buffer: &'a mut [u8; LONGEST]) -> Option<&'a [u8]> {
    let mut length = 0;
    for byte in name.iter().filter(|byte| !matches!(byte, b'_' | b'-')) {
        *buffer.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    Some(&buffer[..length])
}

/// Decides which of the names in one object, CSV header, section or environment count.
///
/// If the access key ID or the secret has a name with `aws` or `sts`, other names without either are ignored:
/// an environment may contain a `TOKEN` and a `SECRET_KEY` of other things. `token` counts only beside an
/// access key ID.
#[derive(Debug, Clone, Copy)]
pub struct NameRule {
    qualified_only: bool,
    has_access_key: bool,
}

impl NameRule {
    /// The rule for these names. Names without a value must be left out.
    pub fn new(names: impl IntoIterator<Item = Name>) -> Self {
        let mut rule = Self { qualified_only: false, has_access_key: false };
        for name in names {
            let is_access_key = name.field() == Field::AccessKey;
            rule.has_access_key |= is_access_key;
            rule.qualified_only |= name.is_qualified() && (is_access_key || name.field() == Field::SecretKey);
        }
        rule
    }

    /// Whether the value is a token without an access key ID beside it, which may be a proof.
    #[must_use]
    pub fn is_lone_token(self, name: Name) -> bool {
        name.known.folded == TOKEN && !self.has_access_key && !self.qualified_only
    }

    /// Whether the value with this name counts.
    #[must_use]
    pub fn counts(self, name: Name) -> bool {
        if self.qualified_only {
            name.is_qualified()
        } else {
            self.has_access_key || name.known.folded != TOKEN
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_one_of_its_own_folded_name() {
        for known in &NAMES {
            assert!(known.folded.len() <= LONGEST, "{}", known.folded);
            for spelling in known.spellings {
                let name = Name::parse(spelling.as_bytes()).unwrap();
                assert_eq!((name.known.folded, name.spelling()), (known.folded, *spelling));
            }
        }
    }

    #[test]
    fn a_name_is_folded_and_has_one_of_the_known_spellings() {
        for (given, field, called) in [
            ("AWS-Access-Key-ID", Field::AccessKey, "AWS_ACCESS_KEY_ID"),
            ("__ACCESSKEY__", Field::AccessKey, "AccessKey"),
            ("aws_SecretKey", Field::SecretKey, "AWS_SECRET_KEY"),
            ("x", Field::SecretKey, ""),
            ("toKen", Field::SessionToken, "Token"),
            ("STS_SESSION_TOKEN", Field::SessionToken, "stsSessionToken"),
            ("AWSREGION", Field::AwsRegion, "AWS_REGION"),
            ("Access key ID", Field::AccessKey, ""),
            ("region", Field::Region, ""),
            ("to\u{212a}en", Field::SessionToken, ""),
            ("awssecretaccesskeys", Field::SecretKey, ""),
            ("", Field::AccessKey, ""),
        ] {
            let name = Name::parse(given.as_bytes());
            assert_eq!(name.map_or("", Name::spelling), called, "{given}");
            assert!(name.is_none_or(|name| name.field() == field), "{given}");
        }
    }

    /// The names that count among these.
    fn counting(names: &[&'static str]) -> Vec<&'static str> {
        let names: Vec<Name> = names.iter().filter_map(|name| Name::parse(name.as_bytes())).collect();
        let rule = NameRule::new(names.iter().copied());
        names.into_iter().filter(|name| rule.counts(*name)).map(Name::spelling).collect()
    }

    #[test]
    fn names_with_aws_or_sts_take_precedence_over_those_without() {
        for (names, expected) in [
            (
                &["AccessKeyId", "SecretAccessKey", "Token"][..],
                &["AccessKeyId", "SecretAccessKey", "Token"][..],
            ),
            (&["AWS_ACCESS_KEY_ID", "SECRET_KEY", "TOKEN", "session_token"], &["AWS_ACCESS_KEY_ID"]),
            (&["stsSecretKey", "access_key", "aws_security_token"], &["stsSecretKey", "aws_security_token"]),
            (
                &["access_key", "secret_key", "AWS_SESSION_TOKEN", "AWS_REGION"],
                &["access_key", "secret_key", "AWS_SESSION_TOKEN", "AWS_REGION"],
            ),
            (&["token"], &[]),
            (&["token", "secret_key", "session_token"], &["secret_key", "session_token"]),
        ] {
            assert_eq!(counting(names), expected, "{names:?}");
        }
    }
}
