//! When a call is tried again: botocore's rules, so that RetryAttempts and the final answer agree with boto3's.
//!
//! The SDK's own strategy is not used: its retry quota is one bucket for the whole process, so that one caller's
//! throttling would take the retries from all others, it knows no 429, and it gives up while the deadline still
//! has room or sleeps past it. The tables are those of botocore 1.43: `data/_retry.json` for the legacy mode,
//! `retries/standard.py` and `retries/special.py` for the standard mode.

use super::{StsFailure, StsResponse};
use std::time::Duration;

/// Which of botocore's rules apply (`AWS_RETRY_MODE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RetryMode {
    /// boto3's default: five attempts.
    Legacy,
    /// Three attempts, more error codes.
    Standard,
    /// As standard: the client-side rate limit that adaptive adds belongs to one boto3 client, and the function made
    /// a new one for each request.
    Adaptive,
}

/// A mode with its numbers.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The mode.
    pub mode: RetryMode,
    /// How many attempts in all.
    pub max_attempts: u32,
    /// The longest wait before the second attempt; it doubles for each further one.
    pub backoff: Duration,
}

/// The longest wait between two attempts, whatever their number (botocore's standard mode).
const MAX_BACKOFF: Duration = Duration::from_secs(20);

struct Rules {
    statuses: &'static [u16],
    codes: &'static [&'static str],
    /// The only status at which a code counts.
    status_of_codes: Option<u16>,
}

const LEGACY: Rules = Rules {
    statuses: &[429, 500, 502, 503, 504, 509],
    codes: &[
        "IDPCommunicationError",
        "ProvisionedThroughputExceededException",
        "RequestThrottledException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
    ],
    status_of_codes: Some(400),
};

const STANDARD: Rules = Rules {
    statuses: &[500, 502, 503, 504],
    codes: &[
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "IDPCommunicationError",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ],
    status_of_codes: None,
};

/// Whether a code says "not now": throttled, or a fault that passes.
pub(super) fn is_temporary(code: &str) -> bool {
    STANDARD.codes.contains(&code)
}

impl RetryMode {
    /// How many attempts a mode makes when `AWS_MAX_ATTEMPTS` does not say.
    #[must_use]
    pub fn default_max_attempts(self) -> u32 {
        match self {
            Self::Legacy => 5,
            Self::Standard | Self::Adaptive => 3,
        }
    }

    fn rules(self) -> &'static Rules {
        match self {
            Self::Legacy => &LEGACY,
            Self::Standard | Self::Adaptive => &STANDARD,
        }
    }
}

impl RetryPolicy {
    /// Whether an attempt's outcome calls for another attempt, and there is one left.
    pub(super) fn wants_another(&self, attempts: u32, outcome: &Result<StsResponse, StsFailure>) -> bool {
        attempts < self.max_attempts && self.mode.rules().apply_to(outcome)
    }

    /// Whether boto3 puts `MaxAttemptsReached` into the result: in its standard mode, whatever the last attempt came
    /// to (`MaxAttemptsChecker` in `retries/standard.py`).
    pub(super) fn max_attempts_reached(&self, attempts: u32) -> bool {
        self.mode != RetryMode::Legacy && attempts >= self.max_attempts
    }

    /// How long to wait after so many attempts: exponential with full jitter, as botocore does.
    pub(super) fn backoff(&self, attempts: u32) -> Duration {
        let longest = self.backoff.saturating_mul(1 << (attempts - 1).min(16)).min(MAX_BACKOFF);
        longest.mul_f64(fastrand::f64())
    }
}

impl Rules {
    fn apply_to(&self, outcome: &Result<StsResponse, StsFailure>) -> bool {
        match outcome {
            Ok(StsResponse::Identity(_)) | Err(StsFailure::Internal(_)) => false,
            Ok(StsResponse::Rejection(no)) => {
                let code_counts = self.status_of_codes.is_none_or(|status| status == no.status);
                self.statuses.contains(&no.status) || (code_counts && self.codes.contains(&no.code.as_str()))
            }
            Err(StsFailure::NotSts { status, well_formed, .. }) => {
                *well_formed && self.statuses.contains(status)
            }
            Err(_) => true,
        }
    }
}
