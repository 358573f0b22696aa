//! The STS of every region that may be asked, and the attempts of a call.

use super::client::StsClient;
use super::partitions::partition_of;
use super::pool::Pool;
use super::retry::{Attempt, RetryPolicy};
use super::transport::{SetupError, Transport};
use super::waiters::{Waiters, WantsRetries};
use super::{CallOutcome, StsSettings};
use crate::credentials::{Credentials, RequestedRegion};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// The STS of every allowed region.
pub struct StsClientFactory {
    /// Made at start: a request only picks one.
    clients: HashMap<String, Arc<StsClient>>,
    /// The region asked when a request names none.
    default_region: String,
    /// The connections to all of them.
    pool: Arc<Pool>,
    /// When to try again.
    retry: RetryPolicy,
    /// The bound of one attempt.
    attempt_timeout: Duration,
    /// The bound of a whole call.
    deadline: Duration,
}

impl StsClientFactory {
    /// Finds out how the regions are asked. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when the CA certificates cannot be used or a region has no such endpoint.
    pub async fn new(settings: &StsSettings, transport: &Transport) -> Result<Self, SetupError> {
        let (mut clients, mut endpoints) = (HashMap::new(), Vec::new());
        for name in std::iter::once(&settings.region).chain(&settings.allowed_regions) {
            if !clients.contains_key(name) {
                let mut client = StsClient::new(name, settings, transport).await?;
                let known = endpoints.iter().position(|endpoint| endpoint == client.endpoint());
                client.host = known.unwrap_or(endpoints.len());
                if known.is_none() {
                    endpoints.push(client.endpoint().clone());
                }
                clients.insert(name.clone(), Arc::new(client));
            }
        }
        Ok(Self {
            pool: Pool::new(transport.clone(), settings.max_connections, endpoints.len()),
            clients,
            default_region: settings.region.clone(),
            retry: settings.retry,
            attempt_timeout: settings.attempt_timeout,
            deadline: settings.deadline,
        })
    }

    /// The region that will be asked for a request, or `None` if the operator does not allow the one it names.
    #[must_use]
    pub fn client(&self, asked: Option<&str>) -> Option<&Arc<StsClient>> {
        self.clients.get(asked.unwrap_or(&self.default_region))
    }

    /// The region that will be asked for a request, or `None` if the operator does not allow it.
    ///
    /// Hints come with the dump of an environment, whose region may be any. A name that is no region's is passed over (some
    /// stores that speak S3 have `auto`). Where the hinted region is not allowed the default one is asked, but only in its
    /// own partition: in another one the credentials are not known, however good they are.
    #[must_use]
    pub fn client_for(&self, region: &RequestedRegion) -> Option<&Arc<StsClient>> {
        let hints = match region {
            RequestedRegion::Named(name) => return self.client(Some(name)),
            RequestedRegion::Hints(hints) => hints,
        };
        let is_region = |name: &str| self.clients.contains_key(name) || partition_of(name).is_some();
        let Some(hint) = hints.iter().find(|hint| is_region(hint)) else { return self.client(None) };
        let same_partition = partition_of(hint) == partition_of(&self.default_region);
        self.client(Some(hint)).or_else(|| self.client(None).filter(|_| same_partition))
    }

    /// The regions that may be asked, in the order of their names.
    #[must_use]
    pub fn clients(&self) -> Vec<Arc<StsClient>> {
        let mut all: Vec<_> = self.clients.values().cloned().collect();
        all.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        all
    }

    /// The deadline of a caller who arrives now.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.deadline
    }

    /// Asks the STS of a region whose credentials these are, for a single caller.
    pub async fn ask_alone(&self, client: &StsClient, credentials: &Credentials) -> CallOutcome {
        let out_of_time = CallOutcome::failed(client.timed_out());
        let wants_retries: WantsRetries = Arc::new(|| true);
        let (waiters, waiter) = Waiters::first(self.deadline(), &wants_retries, out_of_time);
        let outcome = waiter.wait_for(self.ask(client, credentials, &waiters)).await;
        outcome.unwrap_or_else(|| waiters.so_far())
    }

    /// Asks the STS of a region whose credentials these are. The call ends at the latest deadline of its callers, and no
    /// attempt begins that none of them wants.
    pub async fn ask(&self, client: &StsClient, credentials: &Credentials, waiters: &Waiters) -> CallOutcome {
        tokio::select! {
            biased;
            outcome = self.attempts(client, credentials, waiters) => outcome,
            () = waiters.time_is_up() => waiters.so_far(),
        }
    }

    async fn attempts(
        &self,
        client: &StsClient,
        credentials: &Credentials,
        waiters: &Waiters,
    ) -> CallOutcome {
        let mut retries = self.retry.begin();
        for attempts in 1.. {
            let attempt = self.attempt(client, credentials).await;
            let wait = retries.next(attempts, &attempt);
            let max_attempts_reached = self.retry.max_attempts_reached(attempts);
            let outcome =
                CallOutcome { outcome: attempt.outcome, retries: attempts - 1, max_attempts_reached };
            let next = wait.map(|wait| Instant::now() + wait);
            let Some(next) = next.filter(|next| waiters.want_another(*next)) else { return outcome };
            waiters.set_so_far(outcome);
            tokio::time::sleep_until(next).await;
            // Callers may have left meanwhile.
            if !waiters.want_another(next) {
                break;
            }
        }
        waiters.so_far()
    }

    /// Asks once, when a connection is free.
    async fn attempt(&self, client: &StsClient, credentials: &Credentials) -> Attempt {
        let permit = self.pool.acquire(client.host).await;
        // In a box of its own, so that a call that waits for a connection does not hold its memory.
        let attempt = Box::pin(client.attempt(&self.pool, &permit, credentials));
        let out_of_time = |_| Attempt { outcome: Err(client.timed_out()), retry_after: None };
        timeout(self.attempt_timeout, attempt).await.unwrap_or_else(out_of_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use crate::credentials::VerifyRequest;
    use crate::sts::StsFailure;
    use clap::Parser as _;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Nobody listens there: whoever is let ask is told so.
    const NOWHERE: &str = "http://127.0.0.1:1";

    async fn factory(max_attempts: u32) -> StsClientFactory {
        let settings = Cli::parse_from(["sts-verify"]).serve.sts.settings(false).unwrap();
        let retry = RetryPolicy { max_attempts, backoff: Duration::from_millis(1), ..settings.retry };
        let endpoint_url = Some(NOWHERE.to_owned());
        let settings = StsSettings { endpoint_url, max_connections: 1, retry, ..settings };
        StsClientFactory::new(&settings, &Transport::new(&settings).unwrap()).await.unwrap()
    }

    fn credentials() -> Credentials {
        let body = r#"{"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret"}"#;
        VerifyRequest::from_json(body.as_bytes()).unwrap().credentials
    }

    #[tokio::test]
    async fn who_has_no_connection_before_the_deadline_had_no_answer_in_time() {
        let mut sts = factory(1).await;
        let ask = async |sts: &StsClientFactory| {
            sts.ask_alone(sts.client(None).unwrap(), &credentials()).await.outcome.unwrap_err()
        };
        assert!(matches!(ask(&sts).await, StsFailure::Unreachable(..)));
        sts.deadline = Duration::ZERO;
        let _taken = sts.pool.acquire(0).await;
        assert!(matches!(ask(&sts).await, StsFailure::ReadTimeout(_)));
    }

    #[tokio::test]
    async fn no_attempt_begins_that_nobody_wants_and_the_last_outcome_stands() {
        let sts = factory(5).await;
        let client = sts.client(None).unwrap();
        // Callers are asked twice for each attempt: before the wait for it, and after.
        for (wanted, retries) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (100, 4)] {
            let asked = AtomicU32::new(0);
            let wants_retries: WantsRetries =
                Arc::new(move || asked.fetch_add(1, Ordering::Relaxed) < wanted);
            let (waiters, waiter) = Waiters::first(
                sts.deadline(),
                &wants_retries,
                CallOutcome::failed(StsFailure::Internal("no attempt has ended")),
            );
            let outcome = waiter.wait_for(sts.ask(client, &credentials(), &waiters)).await.unwrap();
            assert_eq!(outcome.retries, retries, "{wanted}");
            assert!(matches!(outcome.outcome, Err(StsFailure::Unreachable(..))), "{wanted}");
        }
    }
}
