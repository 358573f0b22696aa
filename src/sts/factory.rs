//! The clients for all allowed regions, and the attempts of a call.

use super::call::StsCall;
use super::client::StsClient;
use super::failure::Endpoint;
use super::hosts::hosts_of;
use super::partitions::partition_of;
use super::pool::Pool;
use super::retry::{Attempt, RetryPolicy};
use super::transport::{SetupError, Transport};
use super::waiters::{Waiters, WantsRetries};
use super::{CallOutcome, StsSettings};
use crate::credentials::RequestedRegion;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout};

/// Has a client for the STS of every allowed region.
pub struct StsClientFactory {
    /// Made at the start. A request only picks one.
    clients: HashMap<String, Arc<StsClient>>,
    /// The clients by the hosts for which a caller may have signed. If the operator sets an endpoint, all of
    /// them use that endpoint.
    hosts: HashMap<String, Arc<StsClient>>,
    /// The region for requests that name none.
    default_region: String,
    /// The connections of all clients.
    pool: Arc<Pool>,
    /// When a call is tried again.
    retry: RetryPolicy,
    /// The time limit of one attempt.
    attempt_timeout: Duration,
    /// The time limit of a whole call.
    deadline: Duration,
}

impl StsClientFactory {
    /// Makes a client for each region. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SetupError`] when the CA certificates cannot be used or a region has no endpoint of the wanted kind.
    pub async fn new(settings: &StsSettings, transport: &Transport) -> Result<Self, SetupError> {
        let mut endpoints = Endpoints::default();
        let mut clients = HashMap::new();
        for name in std::iter::once(&settings.region).chain(&settings.allowed_regions) {
            if !clients.contains_key(name) {
                let mut client = StsClient::new(name, settings, transport).await?;
                client.host = endpoints.number(client.endpoint());
                client.permits = client.host;
                clients.insert(name.clone(), Arc::new(client));
            }
        }
        let regions = endpoints.0.len();
        let mut hosts = HashMap::new();
        for client in clients.values() {
            for host in hosts_of(client.name()).await {
                let of_host = client_of_host(&host, client, settings, transport, &mut endpoints).await?;
                hosts.insert(host, of_host);
            }
        }
        Ok(Self {
            pool: Pool::new(transport.clone(), settings.max_connections, regions),
            clients,
            hosts,
            default_region: settings.region.clone(),
            retry: settings.retry,
            attempt_timeout: settings.attempt_timeout,
            deadline: settings.deadline,
        })
    }

    /// The client for the host that a request was signed for, if the host belongs to an allowed region.
    #[must_use]
    pub fn client_of_host(&self, host: &str) -> Option<&Arc<StsClient>> {
        self.hosts.get(host)
    }

    /// The client for the region that a request names. `None` if the operator does not allow that region.
    #[must_use]
    pub fn client(&self, region: Option<&str>) -> Option<&Arc<StsClient>> {
        self.clients.get(region.unwrap_or(&self.default_region))
    }

    /// The client for a request. `None` if the operator does not allow the region.
    ///
    /// Hints come from the dump of an environment, which may contain any region. Hints that are no region's
    /// name are ignored (some S3-compatible stores use `auto`). If the hinted region is not allowed, the
    /// default region is used, but only if both are in one partition: other partitions do not know the
    /// credentials, even if they are valid.
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

    /// The clients of all allowed regions, ordered by name.
    #[must_use]
    pub fn clients(&self) -> Vec<Arc<StsClient>> {
        let mut all: Vec<_> = self.clients.values().cloned().collect();
        all.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        all
    }

    /// The deadline of a caller that arrives now.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        Instant::now() + self.deadline
    }

    /// Makes a call to the STS of a region for a single caller.
    pub async fn call_alone(&self, client: &StsClient, call: &StsCall) -> CallOutcome {
        let out_of_time = CallOutcome::failed(client.timed_out());
        let wants_retries: WantsRetries = Arc::new(|| true);
        let (waiters, waiter) = Waiters::first(self.deadline(), &wants_retries, out_of_time);
        let outcome = waiter.wait_for(self.call(client, call, &waiters)).await;
        outcome.unwrap_or_else(|| waiters.so_far())
    }

    /// Makes a call to the STS of a region. The call ends at the latest deadline of its callers, and no further
    /// attempt begins if none of them wants it.
    pub async fn call(&self, client: &StsClient, call: &StsCall, waiters: &Waiters) -> CallOutcome {
        tokio::select! {
            biased;
            outcome = self.attempts(client, call, waiters) => outcome,
            () = waiters.time_is_up() => waiters.so_far(),
        }
    }

    async fn attempts(&self, client: &StsClient, call: &StsCall, waiters: &Waiters) -> CallOutcome {
        let mut retries = self.retry.begin();
        for attempts in 1.. {
            let attempt = self.attempt(client, call).await;
            let wait = retries.next(attempts, &attempt);
            let max_attempts_reached = self.retry.max_attempts_reached(attempts);
            let outcome =
                CallOutcome { outcome: attempt.outcome, retries: attempts - 1, max_attempts_reached };
            let next = wait.map(|wait| Instant::now() + wait);
            let Some(next) = next.filter(|next| waiters.want_another(*next)) else { return outcome };
            waiters.set_so_far(outcome);
            tokio::time::sleep_until(next).await;
            // Callers may have left during the wait.
            if !waiters.want_another(next) {
                break;
            }
        }
        waiters.so_far()
    }

    /// Makes one attempt as soon as a connection is free.
    async fn attempt(&self, client: &StsClient, call: &StsCall) -> Attempt {
        let permit = self.pool.acquire(client.permits).await;
        // Boxed, so that a call that waits for a connection does not hold the memory of an attempt.
        let attempt = Box::pin(client.attempt(&self.pool, &permit, call));
        let out_of_time = |_| Attempt { outcome: Err(client.timed_out()), retry_after: None };
        timeout(self.attempt_timeout, attempt).await.unwrap_or_else(out_of_time)
    }
}

/// The client for requests that were signed for a host. It calls that host, or the operator's endpoint.
async fn client_of_host(
    host: &str,
    client: &Arc<StsClient>,
    settings: &StsSettings,
    transport: &Transport,
    endpoints: &mut Endpoints,
) -> Result<Arc<StsClient>, SetupError> {
    if settings.endpoint_url.is_some() {
        return Ok(client.clone());
    }
    let endpoint_url = Some(format!("https://{host}"));
    // The host determines everything, and the SDK's rules reject an endpoint together with these settings.
    let settings = StsSettings { endpoint_url, use_fips: false, use_dual_stack: false, ..settings.clone() };
    let mut of_host = StsClient::new(client.name(), &settings, transport).await?;
    of_host.host = endpoints.number(of_host.endpoint());
    of_host.permits = client.permits;
    Ok(Arc::new(of_host))
}

/// The endpoints by their numbers.
#[derive(Default)]
struct Endpoints(Vec<Endpoint>);

impl Endpoints {
    fn number(&mut self, endpoint: &Endpoint) -> usize {
        self.0.iter().position(|known| known == endpoint).unwrap_or_else(|| {
            self.0.push(endpoint.clone());
            self.0.len() - 1
        })
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

    /// Nothing listens there, so a call that gets a connection fails at once.
    const NOWHERE: &str = "http://127.0.0.1:1";

    async fn factory(max_attempts: u32) -> StsClientFactory {
        let settings = Cli::parse_from(["sts-verify"]).serve.sts.settings(false).unwrap();
        let retry = RetryPolicy { max_attempts, backoff: Duration::from_millis(1), ..settings.retry };
        let endpoint_url = Some(NOWHERE.to_owned());
        let settings = StsSettings { endpoint_url, max_connections: 1, retry, ..settings };
        StsClientFactory::new(&settings, &Transport::new(&settings).unwrap()).await.unwrap()
    }

    fn call() -> StsCall {
        let body = r#"{"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret"}"#;
        StsCall::Credentials(VerifyRequest::from_json(body.as_bytes()).unwrap().credentials)
    }

    #[tokio::test]
    async fn without_a_connection_before_the_deadline_the_outcome_is_a_timeout() {
        let mut sts = factory(1).await;
        let ask = async |sts: &StsClientFactory| {
            sts.call_alone(sts.client(None).unwrap(), &call()).await.outcome.unwrap_err()
        };
        assert!(matches!(ask(&sts).await, StsFailure::Unreachable(..)));
        sts.deadline = Duration::ZERO;
        let _taken = sts.pool.acquire(0).await;
        assert!(matches!(ask(&sts).await, StsFailure::ReadTimeout(_)));
    }

    #[tokio::test]
    async fn no_attempt_begins_that_no_caller_wants_and_the_last_outcome_is_kept() {
        let sts = factory(5).await;
        let client = sts.client(None).unwrap();
        // Callers are asked twice for each further attempt: before the wait and after it.
        for (wanted, retries) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (100, 4)] {
            let count = AtomicU32::new(0);
            let wants_retries: WantsRetries =
                Arc::new(move || count.fetch_add(1, Ordering::Relaxed) < wanted);
            let (waiters, waiter) = Waiters::first(
                sts.deadline(),
                &wants_retries,
                CallOutcome::failed(StsFailure::Internal("no attempt has ended")),
            );
            let outcome = waiter.wait_for(sts.call(client, &call(), &waiters)).await.unwrap();
            assert_eq!(outcome.retries, retries, "{wanted}");
            assert!(matches!(outcome.outcome, Err(StsFailure::Unreachable(..))), "{wanted}");
        }
    }
}
