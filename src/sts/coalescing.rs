//! The same question, asked by several callers at once or again soon after, is put to STS once.
//!
//! Callers who post the same credentials for the same region while STS is being asked share that one call. If the
//! caller who began it leaves, one of those who wait asks anew. By default an answer is forgotten as soon as all who
//! waited have it; an operator can have two kinds kept for a while ([`CachePolicy`]): valid, and `ExpiredToken`.
//!
//! Questions are cached apart by an HMAC-SHA256 (RFC 2104) of all values under a key that is made at start and never
//! leaves this process. No credential is kept, and who reads this memory cannot try secrets against what is.

use crate::credentials::Credentials;
use crate::sts::{CallOutcome, Identity, Rejection, StsFailure, StsResponse};
use hmac::{HmacReset, KeyInit as _, Mac as _};
use moka::Expiry;
use moka::future::Cache;
use secrecy::ExposeSecret as _;
use sha2::Sha256;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// What one entry of the cache stands for in memory. A longer one counts for as many as it would take.
const ENTRY_BYTES: usize = 1024;

/// The one rejection that no later answer can take back.
const EXPIRED: &str = "ExpiredToken";

/// How long answers are kept; zero is not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// For valid credentials.
    pub valid: Duration,
    /// For a session that is over.
    pub expired: Duration,
    /// How many answers, of 1 KiB each.
    pub entries: usize,
}

impl CachePolicy {
    /// All that is not named here may be otherwise in a moment: a key just made is unknown for some seconds, a wrong
    /// secret is put right, throttling ends.
    fn time_for(&self, outcome: &Result<StsResponse, StsFailure>) -> Duration {
        match outcome {
            Ok(StsResponse::Identity(_)) => self.valid,
            Ok(StsResponse::Rejection(no)) if no.code == EXPIRED => self.expired,
            _ => Duration::ZERO,
        }
    }
}

/// An answer and since when there is one. Holds an identity perhaps, credentials never.
pub(crate) struct CachedOutcome {
    pub asked: CallOutcome,
    at: Instant,
    keep: Duration,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Source {
    /// STS was asked for this caller.
    #[default]
    Sts,
    /// STS was being asked already, for another caller.
    InFlight,
    /// It was kept for `age` seconds and will be for another `ttl`.
    Cache { age: u64, ttl: u64 },
}

impl Source {
    /// The word in logs and metrics; none for an answer that was this caller's alone.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Sts => None,
            Self::InFlight => Some("in_flight"),
            Self::Cache { .. } => Some("cache"),
        }
    }
}

/// What stands for a question: nobody can tell the credentials from it.
type QuestionId = [u8; 32];

/// The questions being asked, and the answers kept.
pub(crate) struct Coalescer {
    /// HMAC with its key already taken in: a question costs a copy of this state and its own blocks.
    mac: HmacReset<Sha256>,
    keep: CachePolicy,
    answers: Cache<QuestionId, Arc<CachedOutcome>>,
}

impl Coalescer {
    /// Makes the key.
    ///
    /// # Errors
    ///
    /// What the system says when it has no randomness.
    pub(crate) fn new(keep: CachePolicy) -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0; 64]);
        getrandom::fill(key.as_mut())?;
        let answers = Cache::builder()
            .max_capacity(keep.entries.saturating_mul(ENTRY_BYTES) as u64)
            .weigher(|_, cached: &Arc<CachedOutcome>| {
                cached.bytes().max(ENTRY_BYTES).try_into().unwrap_or(u32::MAX)
            })
            .expire_after(ByKind)
            .build();
        Ok(Self { mac: HmacReset::new((&*key).into()), keep, answers })
    }

    /// The answer to a question: a kept one, that of a call under way, or that of `call`, which is then what others
    /// wait for.
    pub(crate) async fn ask(
        &self,
        region: &str,
        credentials: &Credentials,
        call: impl AsyncFnOnce() -> CallOutcome,
    ) -> (Arc<CachedOutcome>, Source) {
        let began = Instant::now();
        let mut asked_here = false;
        // In a box, since moka holds several futures that would each hold this one, and made in there: a future that is
        // moved into another takes its place twice.
        let call = Box::pin(async {
            asked_here = true;
            let asked = call().await;
            let keep = self.keep.time_for(&asked.outcome);
            let cached = CachedOutcome { asked, at: Instant::now(), keep };
            // What moka calls an error is handed to all who wait, and then forgotten.
            if keep.is_zero() { Err(cached) } else { Ok(Arc::new(cached)) }
        });
        let entry = self.answers.entry(self.id(region, credentials)).or_try_insert_with(call).await;
        let cached = entry.map_or_else(|cached| cached, moka::Entry::into_value);
        let source = match cached.at.checked_duration_since(began) {
            _ if asked_here => Source::Sts,
            Some(_) => Source::InFlight,
            None => cached.kept_source(),
        };
        (cached, source)
    }

    /// Each value goes in behind its length, so that no two questions are the same text. An absent token is an empty
    /// one, as it is for AWS.
    fn id(&self, region: &str, credentials: &Credentials) -> QuestionId {
        let mut mac = self.mac.clone();
        let token = credentials.session_token().map_or("", |token| token.expose_secret());
        let secret = credentials.secret_access_key().expose_secret();
        for value in [region, credentials.access_key_id(), secret, token] {
            mac.update(&(value.len() as u64).to_be_bytes());
            mac.update(value.as_bytes());
        }
        // In place, since it is wiped in place: `finalize` would leave a copy with the end of the token on the stack.
        mac.finalize_reset().into_bytes().into()
    }
}

impl CachedOutcome {
    fn kept_source(&self) -> Source {
        let age = self.at.elapsed();
        Source::Cache { age: age.as_secs(), ttl: self.keep.saturating_sub(age).as_secs() }
    }

    /// About how much memory this holds: the texts, and a little for each.
    fn bytes(&self) -> usize {
        let text = |text: &str| text.len() + 32;
        let optional = |value: &Option<String>| value.as_deref().map_or(0, text);
        match &self.asked.outcome {
            Ok(StsResponse::Identity(Identity { user_id, account, arn, request_id, headers, status: _ })) => {
                let headers = headers.iter().map(|(name, value)| text(name) + text(value));
                text(user_id) + text(account) + text(arn) + optional(request_id) + headers.sum::<usize>()
            }
            Ok(StsResponse::Rejection(Rejection { code, message, request_id, status: _ })) => {
                text(code) + optional(message) + optional(request_id)
            }
            Err(_) => 0,
        }
    }
}

/// Each answer lives as long as its kind may.
struct ByKind;

impl Expiry<QuestionId, Arc<CachedOutcome>> for ByKind {
    fn expire_after_create(
        &self,
        _: &QuestionId,
        cached: &Arc<CachedOutcome>,
        _: Instant,
    ) -> Option<Duration> {
        Some(cached.keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::VerifyRequest;
    use serde_json::json;

    fn credentials(access_key: &str, secret: &str, token: &str) -> Credentials {
        let body =
            json!({"AccessKeyId": access_key, "SecretAccessKey": secret, "SessionToken": token}).to_string();
        VerifyRequest::from_json(body.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}")).credentials
    }

    fn coalescer(entries: usize) -> Coalescer {
        let minute = Duration::from_mins(1);
        Coalescer::new(CachePolicy { valid: minute, expired: minute, entries }).unwrap()
    }

    fn identity(headers: usize) -> CallOutcome {
        let text = "123456789012".to_owned();
        let identity = Identity {
            user_id: text.clone(),
            account: text.clone(),
            arn: text.clone(),
            request_id: None,
            status: 200,
            headers: vec![(text.clone(), text); headers],
        };
        CallOutcome { outcome: Ok(StsResponse::Identity(identity)), retries: 0, max_attempts_reached: false }
    }

    #[test]
    fn values_that_run_into_each_other_are_other_questions() {
        let coalescer = coalescer(1);
        let ids = [
            coalescer.id("us-east-1", &credentials("AKIAIOSFODNN7EXAMPLE", "secret", "token")),
            coalescer.id("us-east-1", &credentials("AKIAIOSFODNN7EXAMPLEs", "ecret", "token")),
            coalescer.id("us-east-1", &credentials("AKIAIOSFODNN7EXAMPLE", "secrett", "oken")),
            coalescer.id("us-east-1", &credentials("AKIAIOSFODNN7EXAMPLE", "secrettoken", "")),
            coalescer.id("us-east-1A", &credentials("KIAIOSFODNN7EXAMPLE", "secret", "token")),
        ];
        for (n, id) in ids.iter().enumerate() {
            assert!(!ids[..n].contains(id), "{n}");
        }
    }

    #[test]
    fn the_key_is_another_in_each_process() {
        let question = credentials("AKIAIOSFODNN7EXAMPLE", "secret", "");
        assert_ne!(coalescer(1).id("us-east-1", &question), coalescer(1).id("us-east-1", &question));
    }

    #[tokio::test]
    async fn no_more_answers_are_kept_than_the_operator_allows() {
        // An answer with 100 headers takes some 11 KiB, and counts for as much.
        for (headers, at_most) in [(0, 50), (100, 5)] {
            let coalescer = coalescer(50);
            for n in 0..2_000 {
                let question = credentials(&format!("AKIAIOSFODNN7EXAMPLE{n}"), "secret", "");
                coalescer.ask("us-east-1", &question, async || identity(headers)).await;
            }
            coalescer.answers.run_pending_tasks().await;
            let kept = coalescer.answers.entry_count();
            assert!((1..=at_most).contains(&kept), "{kept}");
            assert!(coalescer.answers.weighted_size() <= 50 * ENTRY_BYTES as u64);
        }
    }
}
