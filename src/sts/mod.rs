//! Calls STS to find out who credentials belong to. The only module that uses the AWS SDK.
//!
//! [`StsClientFactory`] has one client per region, all over one connection pool. Each call is signed with the
//! caller's own credentials, and there are no others: credentials of the host (environment, files, instance
//! role) can never be verified by mistake. Replies are read (`reply`) and calls tried again (`retry`) by
//! botocore's rules.
//!
//! This module knows none of our HTTP statuses: it returns [`StsResponse`] (STS answered) or [`StsFailure`] (no
//! verdict).

mod call;
mod client;
pub mod coalescing;
mod document;
mod factory;
mod failure;
mod fair_semaphore;
mod fetch;
mod hosts;
pub mod partitions;
mod pool;
mod proxy;
mod reply;
mod retry;
mod signature;
mod stream;
mod transport;
mod verdict;
mod waiters;

pub use call::{SignedCall, StsCall};
pub use client::StsClient;
pub use factory::StsClientFactory;
pub use failure::{ConnectFailure, Endpoint, StsFailure};
pub(crate) use fetch::{get_json, not_a_document};
pub use hosts::{StsHost, StsHosts};
pub use proxy::{Proxies, Proxy, Via};
pub(crate) use retry::is_throttling;
pub use retry::{RetryMode, RetryPolicy};
pub use transport::{SetupError, Transport};
pub use verdict::Verdict;
pub use waiters::{Waiter, Waiters, WantsRetries};

use std::time::Duration;

/// How STS is reached and the time limits for its answers. [`crate::config`] documents each setting.
#[derive(Debug, Clone)]
pub struct StsSettings {
    /// The region for requests that name none.
    pub region: String,
    /// The regions that a request may name.
    pub allowed_regions: Vec<String>,
    /// An endpoint to use for every region instead of those of AWS.
    pub endpoint_url: Option<String>,
    /// Use the FIPS 140 endpoints.
    pub use_fips: bool,
    /// Use the endpoints that also have IPv6 addresses.
    pub use_dual_stack: bool,
    /// Use sts.amazonaws.com for the regions for which boto3 uses it in its `legacy` setting.
    pub use_global_endpoint: bool,
    /// The CA certificates to trust instead of the system's.
    pub ca_bundle: Option<CaBundle>,
    /// The proxies between this program and STS.
    pub proxies: Proxies,
    /// How many connections may be open at once, idle ones included.
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

/// The answer of STS.
#[derive(Debug, Clone)]
pub enum StsResponse {
    /// The credentials are valid and belong to this identity.
    Identity(Identity),
    /// STS rejected the call, or could not process it. The verdict says which.
    Rejection(Rejection),
}

/// The caller's identity, with what boto3 returns about the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The unique id of the user, role session, federated user or account.
    pub user_id: String,
    /// The account's twelve digits.
    pub account: String,
    /// The ARN.
    pub arn: String,
    /// The request id inside the XML, as boto3 takes it; absent when there is no such element, empty when it
    /// is.
    pub request_id: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Its headers in the order received, names in lower case, doubled ones joined.
    pub headers: Vec<(String, String)>,
}

/// An error that STS returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The error code in the spelling of STS, or the HTTP status when the answer had no readable body
    /// (botocore's rule).
    pub code: String,
    /// The message of STS, without any part of the secret values. `None` for an empty element, as in boto3.
    pub message: Option<String>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The request id of STS, for a support case.
    pub request_id: Option<String>,
    /// What this rejection means for the credentials.
    pub verdict: Verdict,
}

impl Rejection {
    /// Whether the same call may have another outcome later: STS was throttling or failing.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.status >= 500 || self.status == 429 || retry::is_temporary(&self.code)
    }
}

/// The outcome of a call to STS.
#[derive(Debug, Clone)]
pub struct CallOutcome {
    /// The answer of STS, or why there is none.
    pub outcome: Result<StsResponse, StsFailure>,
    /// How many attempts came before the last one.
    pub retries: u32,
    /// Whether boto3 would report that there was no attempt left. Its newer modes report this even for a
    /// success.
    pub max_attempts_reached: bool,
}

impl CallOutcome {
    /// The outcome of a call that failed for this reason.
    pub(crate) fn failed(failure: StsFailure) -> Self {
        Self { outcome: Err(failure), retries: 0, max_attempts_reached: false }
    }
}
