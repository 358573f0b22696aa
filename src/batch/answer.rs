//! The answer for an entry.

use crate::credentials::masked_access_key;
use crate::identity::{AccessKeyId, Canaries, KeyKind};

/// The verdict of a row: those of the service, and `skipped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// STS named the owner.
    Valid,
    /// STS says that the credentials are not valid.
    Invalid,
    /// It could not be found out.
    Indeterminate,
    /// STS was not called.
    Skipped,
}

impl Verdict {
    /// All verdicts, in the order of a summary.
    pub const ALL: [Self; 4] = [Self::Valid, Self::Invalid, Self::Indeterminate, Self::Skipped];

    /// The word in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Indeterminate => "indeterminate",
            Self::Skipped => "skipped",
        }
    }
}

impl From<crate::sts::Verdict> for Verdict {
    fn from(verdict: crate::sts::Verdict) -> Self {
        match verdict {
            crate::sts::Verdict::Valid => Self::Valid,
            crate::sts::Verdict::Invalid => Self::Invalid,
            crate::sts::Verdict::Indeterminate => Self::Indeterminate,
        }
    }
}

/// The result of verifying credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// The twelve digits of the owner's account.
    pub account: Option<String>,
    /// The owner's ARN.
    pub arn: Option<String>,
    /// The owner's unique ID.
    pub user_id: Option<String>,
    /// The error code, unless valid.
    pub error_code: Option<String>,
    /// What happened, for people.
    pub error_message: Option<String>,
    /// The region whose STS gave this answer.
    pub region: Option<String>,
    /// STS's request ID.
    pub request_id: Option<String>,
    /// The number of calls to STS.
    pub attempts: u32,
}

impl Answer {
    /// An answer without a call to STS, for this reason.
    #[must_use]
    pub fn skipped(code: &str, message: &str) -> Self {
        Self {
            verdict: Verdict::Skipped,
            account: None,
            arn: None,
            user_id: None,
            error_code: Some(code.to_owned()),
            error_message: Some(message.to_owned()),
            region: None,
            request_id: None,
            attempts: 0,
        }
    }
}

/// The information in an access key ID itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its first four and last four characters; `None` for a token, which has no key.
    pub masked: Option<String>,
    /// The kind of the key.
    pub kind: KeyKind,
    /// The account that the key was made in.
    pub account: Option<String>,
    /// Whether that account holds decoys.
    pub canary: bool,
}

impl KeyInfo {
    /// Reads the information in a well-formed access key ID.
    pub(super) fn of(access_key_id: &str, canaries: &Canaries) -> Self {
        let id = AccessKeyId::new(access_key_id);
        let account = id.account();
        let canary = account.as_deref().is_some_and(|account| canaries.contains(account));
        Self { masked: Some(masked_access_key(access_key_id)), kind: id.kind(), account, canary }
    }

    /// For a proof without a key.
    pub(super) fn none() -> Self {
        Self { masked: None, kind: KeyKind::Other, account: None, canary: false }
    }
}
