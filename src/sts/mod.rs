//! Asks STS who some credentials belong to. The only module that uses the AWS SDK.
//!
//! [`Sts`] knows one endpoint per region, asked over one shared connection pool. Each call is signed with the caller's own
//! credentials and there are no others: nothing of the host's (environment, files, instance role) can ever be verified by
//! mistake. What came back is read by botocore's rules (`reply`), and tried again when botocore would (`retry`).
//!
//! This module knows no HTTP status of ours: it says [`Answer`] (STS answered) or [`StsFailure`] (nobody knows).

mod client;
pub mod coalescing;
mod failure;
pub mod partitions;
mod reply;
mod retry;
mod transport;

pub use client::StsClient;
pub use failure::{ConnectFailure, Endpoint, StsFailure};
pub use retry::{RetryMode, RetryPolicy};
pub use transport::{SetupError, Transport};

use crate::credentials::Credentials;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

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
    /// A PEM file of the CA certificates to trust instead of the system's.
    pub ca_bundle: Option<std::path::PathBuf>,
    /// Whether HTTPS_PROXY and its like are heeded.
    pub proxy_from_environment: bool,
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
    pub fn client(&self, asked: Option<&str>) -> Option<&StsClient> {
        self.clients.get(asked.unwrap_or(&self.default_region)).map(AsRef::as_ref)
    }

    /// The regions that may be asked, in the order of their names.
    #[must_use]
    pub fn clients(&self) -> Vec<Arc<StsClient>> {
        let mut all: Vec<_> = self.clients.values().cloned().collect();
        all.sort_unstable_by(|one, other| one.name().cmp(other.name()));
        all
    }

    /// Asks the STS of a region whose credentials these are. The deadline counts from `since`: a caller may have waited
    /// for another's call before this one. No attempt after the first is begun once `may_retry` says no: nobody may be
    /// waiting for it.
    pub async fn ask(
        &self,
        region: &StsClient,
        credentials: &Credentials,
        since: Instant,
        may_retry: impl Fn() -> bool,
    ) -> CallOutcome {
        let deadline = since + self.deadline;
        let first = self.attempt(region, credentials, deadline).await;
        let mut outcome = first.unwrap_or_else(|| Err(region.timed_out()));
        let mut attempts = 1;
        while may_retry() && self.retry.wants_another(attempts, &outcome) {
            let wait = self.retry.backoff(attempts);
            if Instant::now() + wait >= deadline {
                break;
            }
            tokio::time::sleep(wait).await;
            if !may_retry() {
                break;
            }
            // What STS did say tells more than that time ran out while it was asked once more.
            let Some(further) = self.attempt(region, credentials, deadline).await else { break };
            outcome = further;
            attempts += 1;
        }
        let max_attempts_reached = self.retry.max_attempts_reached(attempts);
        CallOutcome { outcome, retries: attempts - 1, max_attempts_reached }
    }

    /// Asks once, when a connection is free; `None` when the deadline of the whole call ended it.
    async fn attempt(
        &self,
        region: &StsClient,
        credentials: &Credentials,
        deadline: Instant,
    ) -> Option<Result<StsResponse, StsFailure>> {
        let _connection = timeout_at(deadline, self.connections.acquire()).await.ok()?.ok()?;
        let own = Instant::now() + self.attempt_timeout;
        // In a box of its own, so that who waits for a connection holds no place for it.
        let attempt = Box::pin(region.attempt(credentials));
        match timeout_at(own.min(deadline), attempt).await {
            Ok(outcome) => Some(outcome),
            Err(_) if deadline < own => None,
            Err(_) => Some(Err(region.timed_out())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use crate::credentials::VerifyRequest;
    use clap::Parser as _;

    #[tokio::test]
    async fn who_has_no_connection_before_the_deadline_had_no_answer_in_time() {
        let settings = Cli::parse_from(["sts-verify"]).serve.sts.settings(false).unwrap();
        // Nobody listens there: whoever is let ask is told so.
        let url = Some("http://127.0.0.1:1".to_owned());
        let retry = RetryPolicy { max_attempts: 1, ..settings.retry };
        let settings = StsSettings { endpoint_url: url, max_connections: 1, retry, ..settings };
        let mut sts = StsClientFactory::new(&settings, &Transport::new(&settings).unwrap()).await.unwrap();
        let body = r#"{"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret"}"#;
        let credentials = VerifyRequest::from_json(body.as_bytes()).unwrap().credentials;
        let ask = async |sts: &StsClientFactory| {
            sts.ask(sts.client(None).unwrap(), &credentials, Instant::now(), || true)
                .await
                .outcome
                .unwrap_err()
        };
        assert!(matches!(ask(&sts).await, StsFailure::Unreachable(..)));
        sts.deadline = Duration::ZERO;
        let _taken = sts.connections.acquire().await.unwrap();
        assert!(matches!(ask(&sts).await, StsFailure::ReadTimeout(_)));
    }
}
