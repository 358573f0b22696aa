//! Asks STS who some credentials belong to. The only module that uses the AWS SDK.
//!
//! [`StsClientFactory`] knows one endpoint per region, asked over one shared connection pool. Each call is signed with the
//! caller's own credentials and there are no others: nothing of the host's (environment, files, instance role) can ever be
//! verified by mistake. What came back is read by botocore's rules (`reply`), and tried again when botocore would (`retry`).
//!
//! This module knows no HTTP status of ours: it says [`StsResponse`] (STS answered) or [`StsFailure`] (nobody knows).

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

/// What STS said.
#[derive(Debug, Clone)]
pub enum StsResponse {
    /// The credentials are good, and this is whose they are.
    Identity(Identity),
    /// STS said no, or that it cannot say; its verdict tells which.
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
    /// What this says of the credentials.
    pub verdict: Verdict,
}

impl Rejection {
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
