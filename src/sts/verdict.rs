//! What an answer of STS means for the credentials.

use super::document::ErrorElement;

/// The three possible statements about credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// STS named their owner.
    Valid,
    /// STS says that these credentials are not valid.
    Invalid,
    /// It could not be found out whether the credentials are valid.
    Indeterminate,
}

impl Verdict {
    /// The word in the `x-sts-verdict` header, in logs and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Indeterminate => "indeterminate",
        }
    }

    /// The verdict for an error.
    pub(super) fn of(status: u16, error: &ErrorElement) -> Self {
        let answer = (error.code.as_str(), error.message.as_deref().unwrap_or_default());
        let is_invalid = error.is_of_sts && INVALID_STATUSES.contains(&status) && INVALID.contains(&answer);
        if is_invalid { Self::Invalid } else { Self::Indeterminate }
    }
}

/// The errors that are about the credentials and nothing else: code and message, as recorded from STS.
///
/// `InvalidClientTokenId` without the full stop is also returned for a key that the region or partition does
/// not know, which may be valid elsewhere; `SignatureDoesNotMatch` is also returned for a skewed clock and for
/// a wrong region. Every error that is not in this list is indeterminate.
const INVALID: [(&str, &str); 3] = [
    ("InvalidClientTokenId", "The security token included in the request is invalid."),
    ("ExpiredToken", "The security token included in the request is expired"),
    (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.",
    ),
];

/// The statuses with which STS rejects a key. With another status the error is from something between this
/// program and STS.
const INVALID_STATUSES: [u16; 2] = [400, 403];
