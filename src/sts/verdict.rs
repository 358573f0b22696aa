//! What an answer says of the credentials.

use super::document::ErrorElement;

/// The three things that can be said of credentials. Never one for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// STS named their owner.
    Valid,
    /// STS says that these credentials are no good.
    Invalid,
    /// Could not find out: nothing is known about the credentials.
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

    /// The verdict of an error.
    pub(super) fn of(status: u16, error: &ErrorElement) -> Self {
        let told = (error.code.as_str(), error.message.as_deref().unwrap_or_default());
        let is_invalid = error.is_of_sts && INVALID_STATUSES.contains(&status) && INVALID.contains(&told);
        if is_invalid { Self::Invalid } else { Self::Indeterminate }
    }
}

/// The answers that are about the credentials and about nothing else: code and message, as they were recorded.
///
/// `InvalidClientTokenId` without the dot at its end is said of a key that the region or partition does not know, and may
/// be good elsewhere; `SignatureDoesNotMatch` is also said of a skewed clock and of a wrong region.
/// Everything that is not in this list is indeterminate, whatever it may turn out to be.
const INVALID: [(&str, &str); 3] = [
    ("InvalidClientTokenId", "The security token included in the request is invalid."),
    ("ExpiredToken", "The security token included in the request is expired"),
    (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.",
    ),
];

/// The statuses with which STS refuses a key. With another one these words come from something in between.
const INVALID_STATUSES: [u16; 2] = [400, 403];
