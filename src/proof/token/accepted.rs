//! Which issuers of tokens are accepted, and which of them are AWS's.

use url::{Host, Url};

/// The hosts of AWS's issuers, and the partition of their accounts.
const AWS_ISSUERS: [(&str, &str); 2] =
    [(".tokens.sts.global.api.aws", "aws"), (".tokens.sts.global.api.amazonwebservices.com.cn", "aws-cn")];

/// The issuers that an operator accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptedIssuers {
    /// The issuers in this list.
    List(Vec<String>),
    /// Every issuer of AWS, of any account.
    Any,
}

/// The partition of an issuer of AWS, `https://<uuid>.tokens.sts.global.api.aws` or that of another partition.
/// `None` for other issuers.
#[must_use]
pub fn partition_of_issuer(issuer: &str) -> Option<&'static str> {
    let host = issuer.strip_prefix("https://")?;
    AWS_ISSUERS.iter().find_map(|(domain, partition)| {
        let id = host.strip_suffix(domain)?;
        is_uuid(id).then_some(*partition)
    })
}

/// A UUID in lower case, as in host names.
fn is_uuid(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match byte {
            b'-' => hyphens.contains(&index),
            b'0'..=b'9' | b'a'..=b'f' => !hyphens.contains(&index),
            _ => false,
        })
}

impl AcceptedIssuers {
    /// Parses the operator's setting: URLs separated by commas, or `*`.
    ///
    /// # Errors
    ///
    /// The expected form, for any other text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let issuers: Vec<String> = text.split(',').map(|issuer| issuer.trim().to_owned()).collect();
        let wanted = "must be * or URLs such as https://issuer.example (http for loopback alone), without query or user";
        if issuers.iter().all(|issuer| is_issuer_url(issuer)) { Ok(Self::List(issuers)) } else { Err(wanted) }
    }

    /// Whether an issuer is accepted. The comparison is byte by byte, because the address of the keys is built
    /// from it.
    #[must_use]
    pub fn accepts(&self, issuer: &str) -> bool {
        match self {
            Self::List(issuers) => issuers.iter().any(|known| known == issuer),
            Self::Any => partition_of_issuer(issuer).is_some(),
        }
    }
}

/// Whether keys may be read from a URL: over TLS, or on this machine.
fn is_issuer_url(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    // Without user, query and fragment, and in normalised form: a token's issuer is compared byte by byte.
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let written_so = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
    // A wildcard would match no issuer.
    let literal = !text.contains('*');
    bare && written_so && literal && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
}
