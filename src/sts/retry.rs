//! When a call is tried again. The rules are botocore's, so that RetryAttempts and the final answer agree with
//! boto3's.
//!
//! The SDK's own strategy is not used: its retry quota is shared by the whole process, so one throttled caller
//! would use up the retries of all others. It does not retry on a 429, and it gives up before the deadline or
//! sleeps past it. Legacy mode is that of botocore 1.43 (`data/_retry.json`, `retryhandler.py`), standard mode
//! that of botocore 1.44 (`retries/standard.py`, `retries/special.py`, `retries/quota.py`).

use super::{StsFailure, StsResponse};
use std::time::Duration;

/// Which of botocore's rules apply (`AWS_RETRY_MODE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RetryMode {
    /// The default of boto3 until 1.43: five attempts.
    Legacy,
    /// The default since 1.44: three attempts, more error codes, `x-amz-retry-after`.
    Standard,
    /// The same as standard: the client-side rate limit of adaptive mode belongs to one boto3 client, and the
    /// Lambda function made a new client for each request.
    Adaptive,
}

/// A mode with its numbers.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// The mode.
    pub mode: RetryMode,
    /// The maximum number of attempts.
    pub max_attempts: u32,
    /// The longest wait before the second attempt. It doubles for each further attempt. In standard mode it
    /// applies to throttling, and a twentieth of it to other failures.
    pub backoff: Duration,
}

/// The outcome of one attempt.
pub(super) struct Attempt {
    pub outcome: Result<StsResponse, StsFailure>,
    /// The wait that STS wants (the header `x-amz-retry-after`, in milliseconds).
    pub retry_after: Option<Duration>,
}

/// The further attempts of one call.
pub(super) struct Retries {
    policy: RetryPolicy,
    /// The rest of botocore's retry quota. The quota belongs to one client, and the Lambda function made a new
    /// one for each request.
    quota: u32,
}

/// The longest wait between two attempts, for any number of attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// STS may make the wait longer by at most this time.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);

/// In standard mode the wait after throttling is this many times the wait after other failures: 1 s to 50 ms.
const THROTTLING_SCALE: u32 = 20;

const QUOTA: u32 = 500;
const COST: u32 = 14;
const THROTTLING_COST: u32 = 5;

struct Rules {
    statuses: &'static [u16],
    codes: &'static [&'static str],
    /// If set, codes count only with this status.
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
    statuses: &[429, 500, 502, 503, 504],
    codes: &["IDPCommunicationError", "RequestTimeout", "RequestTimeoutException"],
    status_of_codes: None,
};

/// The errors that standard mode treats as throttling.
const THROTTLING: Rules = Rules {
    statuses: &[429],
    codes: &[
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ],
    status_of_codes: None,
};

/// Whether a code means that the error is temporary: throttling or a passing fault.
pub(super) fn is_temporary(code: &str) -> bool {
    STANDARD.codes.contains(&code) || THROTTLING.codes.contains(&code)
}

/// Whether an answer with this status and code means that STS is throttling, in any mode.
pub(crate) fn is_throttling(status: u16, code: Option<&str>) -> bool {
    THROTTLING.know_answer(status, code.unwrap_or_default())
}

/// Parses the header `x-amz-retry-after`: milliseconds, as `int()` of Python reads them. Other values are
/// ignored.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    let digits = value.trim();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| Duration::from_millis(digits.parse().unwrap_or(u64::MAX)))
}

impl RetryMode {
    /// The number of attempts if `AWS_MAX_ATTEMPTS` is not set.
    #[must_use]
    pub fn default_max_attempts(self) -> u32 {
        match self {
            Self::Legacy => 5,
            Self::Standard | Self::Adaptive => 3,
        }
    }
}

impl RetryPolicy {
    pub(super) fn begin(self) -> Retries {
        Retries { policy: self, quota: QUOTA }
    }

    /// Whether boto3 puts `MaxAttemptsReached` into the result: in its standard mode, whatever the outcome of
    /// the last attempt (`MaxAttemptsChecker` in `retries/standard.py`).
    pub(super) fn max_attempts_reached(&self, attempts: u32) -> bool {
        self.mode != RetryMode::Legacy && attempts >= self.max_attempts
    }
}

impl Retries {
    /// The wait before the next attempt, after this many. `None` if no other attempt follows.
    pub(super) fn next(&mut self, attempts: u32, last: &Attempt) -> Option<Duration> {
        if attempts >= self.policy.max_attempts {
            return None;
        }
        match self.policy.mode {
            RetryMode::Legacy => {
                LEGACY.apply_to(&last.outcome).then(|| with_jitter(self.policy.backoff, attempts))
            }
            RetryMode::Standard | RetryMode::Adaptive => self.next_standard(attempts, last),
        }
    }

    fn next_standard(&mut self, attempts: u32, last: &Attempt) -> Option<Duration> {
        let is_throttled = THROTTLING.match_outcome(&last.outcome);
        if !is_throttled && !STANDARD.apply_to(&last.outcome) {
            return None;
        }
        let (cost, scale) = if is_throttled { (THROTTLING_COST, 1) } else { (COST, THROTTLING_SCALE) };
        self.quota = self.quota.checked_sub(cost)?;
        let wait = with_jitter(self.policy.backoff / scale, attempts);
        Some(last.retry_after.map_or(wait, |wanted| wait.max(wanted.min(wait + MAX_RETRY_AFTER))))
    }
}

/// Exponential with full jitter, as botocore does.
fn with_jitter(backoff: Duration, attempts: u32) -> Duration {
    let longest = backoff.saturating_mul(1 << (attempts - 1).min(16)).min(MAX_BACKOFF);
    longest.mul_f64(fastrand::f64())
}

impl Rules {
    fn apply_to(&self, outcome: &Result<StsResponse, StsFailure>) -> bool {
        match outcome {
            Ok(_) | Err(StsFailure::NotSts { .. }) => self.match_outcome(outcome),
            Err(StsFailure::Internal(_) | StsFailure::TooLong(_)) => false,
            Err(_) => true,
        }
    }

    /// Whether the rules contain an answer's status or code.
    fn match_outcome(&self, outcome: &Result<StsResponse, StsFailure>) -> bool {
        match outcome {
            Ok(StsResponse::Rejection(no)) => self.know_answer(no.status, &no.code),
            Err(StsFailure::NotSts { status, well_formed: true, code, .. }) => {
                self.know_answer(*status, code.as_deref().unwrap_or_default())
            }
            _ => false,
        }
    }

    fn know_answer(&self, status: u16, code: &str) -> bool {
        let code_counts = self.status_of_codes.is_none_or(|wanted| wanted == status);
        self.statuses.contains(&status) || (code_counts && self.codes.contains(&code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sts::{Endpoint, Rejection, Verdict};

    fn attempt(status: u16, code: &str, retry_after: Option<&str>) -> Attempt {
        let rejection = Rejection {
            code: code.to_owned(),
            message: None,
            status,
            request_id: None,
            verdict: Verdict::Indeterminate,
        };
        let retry_after = retry_after.and_then(super::retry_after);
        Attempt { outcome: Ok(StsResponse::Rejection(rejection)), retry_after }
    }

    fn policy(mode: RetryMode) -> RetryPolicy {
        RetryPolicy { mode, max_attempts: 1_000, backoff: Duration::from_secs(1) }
    }

    /// Samples of the wait before the next attempt, after this many.
    fn waits(mode: RetryMode, attempts: u32, last: &Attempt) -> Vec<Duration> {
        (0..200).map(|_| policy(mode).begin().next(attempts, last).unwrap()).collect()
    }

    #[test]
    fn a_wait_is_as_long_as_botocore_s() {
        let (throttling, fault) = (attempt(400, "Throttling", None), attempt(503, "503", None));
        for (mode, last, attempts, longest) in [
            (RetryMode::Legacy, &throttling, 1, 1_000),
            (RetryMode::Legacy, &fault, 1, 1_000),
            (RetryMode::Legacy, &fault, 3, 4_000),
            (RetryMode::Standard, &throttling, 1, 1_000),
            (RetryMode::Standard, &throttling, 9, 20_000),
            (RetryMode::Standard, &fault, 1, 50),
            (RetryMode::Standard, &fault, 3, 200),
            (RetryMode::Adaptive, &attempt(429, "Any", None), 2, 2_000),
        ] {
            let longest = Duration::from_millis(longest);
            let waits = waits(mode, attempts, last);
            assert!(waits.iter().all(|wait| *wait <= longest), "{longest:?}: {waits:?}");
            assert!(waits.iter().any(|wait| *wait > longest / 2), "{longest:?}: {waits:?}");
        }
    }

    #[test]
    fn sts_may_put_off_an_attempt_in_standard_mode() {
        let (jitter, five) = (Duration::from_millis(50), Duration::from_secs(5));
        for (value, least) in [
            ("3000", Duration::from_secs(3)),
            (" +3000\t", Duration::from_secs(3)),
            ("5000", five),
            ("3600000", five),
            ("99999999999999999999999999", five),
            ("0", Duration::ZERO),
            ("-1", Duration::ZERO),
            ("3.5", Duration::ZERO),
            ("3000, 3000", Duration::ZERO),
            ("", Duration::ZERO),
        ] {
            let last = attempt(503, "503", Some(value));
            let within = |wait: &Duration| (least..=least + jitter).contains(wait);
            assert!(waits(RetryMode::Standard, 1, &last).iter().all(within), "{value}");
            assert!(waits(RetryMode::Legacy, 1, &last).iter().all(|wait| *wait <= Duration::from_secs(1)));
        }
    }

    #[test]
    fn a_call_has_no_more_attempts_than_botocore_s_quota_pays_for() {
        let closed = StsFailure::Closed(Endpoint::new("http://sts.example"));
        for (last, mode, most) in [
            (attempt(503, "503", None), RetryMode::Standard, 35),
            (Attempt { outcome: Err(closed), retry_after: None }, RetryMode::Standard, 35),
            (attempt(400, "SlowDown", None), RetryMode::Adaptive, 100),
            (attempt(400, "Throttling", None), RetryMode::Legacy, 999),
        ] {
            let mut retries = policy(mode).begin();
            let count = (1..=1_000).take_while(|attempts| retries.next(*attempts, &last).is_some()).count();
            assert_eq!(count, most);
        }
    }
}
