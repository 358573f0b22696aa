//! The names under which AWS tools give credentials, and which of these names count.
//!
//! Nothing here knows a format: the members of a JSON object, the columns of a CSV header, the keys of an INI section and
//! the variables of an environment are all names. [`Name::parse`] says which value a name stands for, and [`NameRule`]
//! which of the names that stand side by side count.

/// One value of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The access key id.
    AccessKey,
    /// The secret access key.
    SecretKey,
    /// The session token.
    SessionToken,
    /// The region whose STS is to be asked, as a caller of the service names it.
    Region,
    /// A hint at the region: the one that AWS's SDKs read.
    AwsRegion,
    /// A weaker hint: the one that boto3 and the AWS CLI read.
    AwsDefaultRegion,
}

/// A name in its folded form (lower case, without `_` and `-`), the value that it stands for, and how tools spell it. The
/// first spelling stands for those that no tool is known to use.
#[derive(Debug)]
pub struct KnownName {
    /// The folded form.
    pub folded: &'static str,
    /// What it stands for.
    pub field: Field,
    /// How tools spell it.
    pub spellings: &'static [&'static str],
}

const fn known(folded: &'static str, field: Field, spellings: &'static [&'static str]) -> KnownName {
    KnownName { folded, field, spellings }
}

/// Every name that is read wherever it stands. The first name of each value is the documented one.
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

/// The name that many other things have, too.
const TOKEN: &str = "token";

/// The service's own name for a region. It is read where the format says so, and only in this spelling: `REGION` in an
/// environment is something else.
static REGION: KnownName = known("region", Field::Region, &["region"]);

/// No folded name is longer, those of proofs included.
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

    /// What a name stands for, if it is one of ours. Bytes, since a name in JSON need not be Unicode.
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

    /// How a message calls it: as it was spelled if a tool spells it so, else by its usual spelling. Never by the input.
    #[must_use]
    pub fn spelling(self) -> &'static str {
        self.spelling
    }

    /// Whether two names differ in their spelling alone.
    #[must_use]
    pub fn is_same(self, other: Self) -> bool {
        self.known.folded == other.known.folded
    }

    /// Whether it says itself whose value it is: the names of other things have neither `aws` nor `sts` in them.
    fn is_qualified(self) -> bool {
        self.known.folded.starts_with("aws") || self.known.folded.starts_with("sts")
    }
}

/// Looks a name up by its folded form.
pub(super) fn fold_name<T>(name: &[u8], find: impl FnOnce(&[u8]) -> Option<T>) -> Option<T> {
    find(fold(name, &mut [0; LONGEST])?)
}

/// The name in lower case and without `_` and `-`, or `None` if that is longer than any name of ours.
fn fold<'a>(name: &[u8], buffer: &'a mut [u8; LONGEST]) -> Option<&'a [u8]> {
    let mut length = 0;
    for byte in name.iter().filter(|byte| !matches!(byte, b'_' | b'-')) {
        *buffer.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    Some(&buffer[..length])
}

/// Says which of the names that stand side by side (in one object, one CSV header, one section, one environment) count.
///
/// Where the access key id or the secret has a name with `aws` or `sts`, names without are passed over: an environment
/// holds a `TOKEN` and a `SECRET_KEY` of other things. `token` counts only beside an access key id.
#[derive(Debug, Clone, Copy)]
pub struct NameRule {
    qualified_only: bool,
    has_access_key: bool,
}

impl NameRule {
    /// The rule for names that stand side by side. Those without a value are not among them.
    pub fn new(names: impl IntoIterator<Item = Name>) -> Self {
        let mut rule = Self { qualified_only: false, has_access_key: false };
        for name in names {
            let is_access_key = name.field() == Field::AccessKey;
            rule.has_access_key |= is_access_key;
            rule.qualified_only |= name.is_qualified() && (is_access_key || name.field() == Field::SecretKey);
        }
        rule
    }

    /// Whether the value under a name is a token that stands without an access key ID: a proof, perhaps.
    #[must_use]
    pub fn is_lone_token(self, name: Name) -> bool {
        name.known.folded == TOKEN && !self.has_access_key && !self.qualified_only
    }

    /// Whether the value under one of these names is taken.
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
    fn a_name_is_folded_and_called_by_a_spelling_of_ours() {
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

    /// The names that count, of some that stand side by side.
    fn counting(names: &[&'static str]) -> Vec<&'static str> {
        let names: Vec<Name> = names.iter().filter_map(|name| Name::parse(name.as_bytes())).collect();
        let rule = NameRule::new(names.iter().copied());
        names.into_iter().filter(|name| rule.counts(*name)).map(Name::spelling).collect()
    }

    #[test]
    fn names_with_aws_or_sts_put_aside_those_without() {
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
