//! Asks STS who some credentials belong to. The only module that uses the AWS SDK.
//!
//! [`StsClientFactory`] knows one endpoint per region, asked over one shared connection pool. Each call is signed with the
//! caller's own credentials and there are no others: nothing of the host's (environment, files, instance role) can ever be
//! verified by mistake. What came back is read by botocore's rules (`reply`), and tried again when botocore would (`retry`).
//!
//! This module knows no HTTP status of ours: it says [`StsResponse`] (STS answered) or [`StsFailure`] (nobody knows).

mod client;
pub mod coalescing;
mod failure;
mod fetch;
mod hosts;
mod own_certificate;
pub mod partitions;
mod proxy;
mod reply;
mod retry;
mod transport;
mod waiters;

pub use client::StsClient;
pub use failure::{ConnectFailure, Endpoint, StsFailure};
pub(crate) use fetch::{get_json, not_a_document};
pub use hosts::{StsHost, StsHosts};
pub use proxy::{Proxies, Proxy, Via};
pub use retry::{RetryMode, RetryPolicy};
pub use transport::{SetupError, Transport};
pub use waiters::{Waiter, Waiters, WantsRetries};

use crate::credentials::{Credentials, RequestedRegion};
use partitions::partition_of;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

/// How STS is reached and how long it is waited for. The doc of each setting is in [`crate::config`].
#[derive(Debug, Clone)]
pub struct StsSettings {
    /// The region that is asked when a request names none.
    pub region: String,
    /// The regions a request may name.
    pub allowed_regions: Vec<String>,
    /// An endpoint instead of AWS's own, for every region.
    pub endpoint_url: Option<String>,
    /// Ask the FIPS 140 endpoints.
    pub use_fips: bool,
    /// Ask the endpoints that have IPv6 addresses too.
    pub use_dual_stack: bool,
    /// Ask sts.amazonaws.com for the regions that boto3 asks there in its `legacy` setting.
    pub use_global_endpoint: bool,
    /// The CA certificates to trust instead of the system's.
    pub ca_bundle: Option<CaBundle>,
    /// The proxies for the way to STS.
    pub proxies: Proxies,
    /// How many connections may be in use at once.
    pub max_connections: usize,
    /// How long a TCP and TLS handshake may take.
    pub connect_timeout: Duration,
    /// How long one attempt may take, from first byte to last.
    pub attempt_timeout: Duration,
    /// How long all attempts and the waits between them may take.
    pub deadline: Duration,
    /// When and how often a call is tried again.
    pub retry: RetryPolicy,
}

/// A PEM file of CA certificates.
#[derive(Debug, Clone)]
pub struct CaBundle {
    /// The setting that names it, for messages.
    pub name: String,
    /// The file.
    pub file: std::path::PathBuf,
}

/// What STS said.
#[derive(Debug, Clone)]
pub enum StsResponse {
    /// The credentials are good, and this is whose they are.
    Identity(Identity),
    /// STS said no, or that it cannot say; [`Rejection::verdict`] tells which.
    Rejection(Rejection),
}

/// The caller's identity with what boto3 tells about the answer it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The unique id of the user, role session, federated user or account.
    pub user_id: String,
    /// The account's twelve digits.
    pub account: String,
    /// The ARN.
    pub arn: String,
    /// The request id inside the XML, as boto3 takes it; absent when there is no such element, empty when it is.
    pub request_id: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Its headers in the order received, names in lower case, doubled ones joined.
    pub headers: Vec<(String, String)>,
}

/// An error that STS answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The error code as STS spells it, or the HTTP status when the answer had no readable body (botocore's rule).
    pub code: String,
    /// STS's message, with any part of the secret values taken out. `None` for an empty element, as in boto3.
    pub message: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// STS's request id, for a support case.
    pub request_id: Option<String>,
}

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
}

/// The answers that are about the credentials and about nothing else: a code, and how its message begins.
///
/// `SignatureDoesNotMatch` also stands for a skewed clock and a wrong region, which say nothing about the secret.
/// Everything that is not in this list is indeterminate, whatever it may turn out to be.
const INVALID: [(&str, &str); 3] = [
    ("InvalidClientTokenId", ""),
    ("ExpiredToken", ""),
    ("SignatureDoesNotMatch", "The request signature we calculated does not match"),
];

impl Rejection {
    /// What this answer says of the credentials.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let message = self.message.as_deref().unwrap_or_default();
        let invalid = INVALID.iter().any(|(code, start)| *code == self.code && message.starts_with(start));
        if invalid { Verdict::Invalid } else { Verdict::Indeterminate }
    }

    /// Whether the same question may be answered otherwise in a while: STS was throttling or failing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.status >= 500 || self.status == 429 || retry::is_temporary(&self.code)
    }
}

/// What came of asking.
#[derive(Debug, Clone)]
pub struct CallOutcome {
    /// STS's answer, or why there is none.
    pub outcome: Result<StsResponse, StsFailure>,
    /// How many attempts came before the last one.
    pub retries: u32,
    /// Whether boto3 would remark that there was no attempt left, as its newer modes do even of a success.
    pub max_attempts_reached: bool,
}

impl CallOutcome {
    /// There is no answer, for this reason.
    pub(crate) fn failed(failure: StsFailure) -> Self {
        Self { outcome: Err(failure), retries: 0, max_attempts_reached: false }
    }
}

/// The STS of every allowed region.
pub struct StsClientFactory {
    /// Made at start: a request only picks one.
    clients: HashMap<String, Arc<StsClient>>,
    /// The region asked when a request names none.
    default_region: String,
    /// One place for each connection. Who waits for one is given it in turn.
    connections: Semaphore,
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
        let mut clients = HashMap::new();
        for name in std::iter::once(&settings.region).chain(&settings.allowed_regions) {
            if !clients.contains_key(name) {
                clients.insert(name.clone(), Arc::new(StsClient::new(name, settings, transport).await?));
            }
        }
        Ok(Self {
            clients,
            default_region: settings.region.clone(),
            connections: Semaphore::new(settings.max_connections),
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
        for attempts in 1.. {
            let outcome = self.attempt(client, credentials).await;
            let again = self.retry.wants_another(attempts, &outcome);
            let max_attempts_reached = self.retry.max_attempts_reached(attempts);
            let outcome = CallOutcome { outcome, retries: attempts - 1, max_attempts_reached };
            let next = Instant::now() + self.retry.backoff(attempts);
            if !again || !waiters.want_another(next) {
                return outcome;
            }
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
    async fn attempt(
        &self,
        client: &StsClient,
        credentials: &Credentials,
    ) -> Result<StsResponse, StsFailure> {
        // The semaphore is never closed.
        let _connection = self.connections.acquire().await;
        // In a box of its own, so that a call that waits for a connection does not hold its memory.
        let attempt = Box::pin(client.attempt(credentials));
        timeout(self.attempt_timeout, attempt).await.unwrap_or_else(|_| Err(client.timed_out()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use crate::credentials::VerifyRequest;
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
        let _taken = sts.connections.acquire().await.unwrap();
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
