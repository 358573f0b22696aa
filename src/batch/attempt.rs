//! One attempt to verify an entry with STS: the only module here that knows how STS is reached. The runner
//! decides when to try again.

use super::answer::{Answer, Verdict};
use super::entry::ReadError;
use crate::credentials::{RequestedRegion, masked_access_key};
use crate::sts::partitions::{PARTITIONS, all_regions, partition_of};
use crate::sts::{
    CallOutcome, Identity, Rejection, RetryPolicy, SetupError, StsCall, StsClient, StsClientFactory,
    StsFailure, StsResponse, StsSettings, Transport, is_throttling,
};
use futures_util::FutureExt as _;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio::time::Instant;

/// The default region of each partition: the region of its global services (`implicitGlobalRegion` in the SDK's
/// partition data).
const GLOBAL_REGIONS: [(&str, &str); 8] = [
    ("aws", "us-east-1"),
    ("aws-cn", "cn-northwest-1"),
    ("aws-eusc", "eusc-de-east-1"),
    ("aws-iso", "us-iso-east-1"),
    ("aws-iso-b", "us-isob-east-1"),
    ("aws-iso-e", "eu-isoe-west-1"),
    ("aws-iso-f", "us-isof-south-1"),
    ("aws-us-gov", "us-gov-west-1"),
];

/// Makes the calls to STS.
pub struct StsPartitions {
    sts: StsClientFactory,
    /// One region for each partition that is tried in turn. Empty if only the partition of the default region
    /// is used.
    partitions: Vec<Arc<StsClient>>,
    /// How often, and after which waits, a failed call is tried again.
    pub(super) retry: RetryPolicy,
}

/// Why STS cannot be called with these settings.
#[derive(Debug, thiserror::Error)]
pub enum StsPartitionsError {
    /// STS cannot be reached with these settings.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// A partition has no allowed region.
    #[error("--partitions: no region of {0} is allowed (STS_VERIFY_ALLOWED_REGIONS)")]
    NoRegion(&'static str),
}

/// The outcome of one call.
pub(super) struct Attempt {
    pub(super) answer: Answer,
    pub(super) kind: AttemptKind,
}

/// What an attempt means for the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptKind {
    /// STS knows the key, or says that the call itself is wrong.
    Final,
    /// The key is unknown in this partition. STS's message ends with or without a full stop.
    UnknownKey { dot: bool },
    /// STS is throttling.
    Throttled,
    /// A failure that may be transient.
    Failed,
    /// The entry cannot be read.
    Unreadable(ReadError),
}

impl StsPartitions {
    /// Makes the clients for the regions. Nothing is sent. `all`: the operator gave no list of regions, so an
    /// entry may name any region that has an endpoint.
    ///
    /// # Errors
    ///
    /// [`StsPartitionsError`] when STS cannot be called with these settings.
    pub async fn new(
        mut settings: StsSettings,
        all: bool,
        partitions: &[&'static str],
    ) -> Result<Self, StsPartitionsError> {
        let retry = settings.retry;
        settings.retry.max_attempts = 1;
        let transport = Transport::new(&settings)?;
        if all {
            settings.allowed_regions = regions_with_endpoints(&settings, &transport).await;
        }
        let sts = StsClientFactory::new(&settings, &transport).await?;
        let distinct = partitions.iter().enumerate().filter(|(at, name)| !partitions[..*at].contains(name));
        let clients = distinct.map(|(_, partition)| client_of(&sts, partition, &settings.region));
        let partitions = clients.collect::<Result<_, _>>()?;
        Ok(Self { sts, partitions, retry })
    }

    /// The client for a request that was signed for this host. `None` if its region is not allowed.
    pub(super) fn client_of_host(&self, host: &str) -> Option<&Arc<StsClient>> {
        self.sts.client_of_host(host)
    }

    /// The deadline of a call that begins now.
    pub(super) fn deadline(&self) -> Instant {
        self.sts.deadline()
    }

    /// The clients to use for an entry, one after the other. `None` if its region is not allowed.
    pub(super) fn routes(&self, region: &RequestedRegion) -> Option<Vec<Arc<StsClient>>> {
        let first = self.sts.client_for(region)?;
        let own = match region {
            RequestedRegion::Named(_) => true,
            RequestedRegion::Hints(hints) => hints.iter().any(|hint| **hint == **first.name()),
        };
        if self.partitions.is_empty() {
            return Some(vec![first.clone()]);
        }
        let mut routes = Vec::with_capacity(self.partitions.len() + 1);
        routes.extend(own.then(|| first.clone()));
        let is_new = |client: &&Arc<StsClient>| !own || partition(client) != partition(first);
        routes.extend(self.partitions.iter().filter(is_new).cloned());
        Some(routes)
    }

    /// Makes one call. A panic becomes an answer, too, so that no entry is lost.
    pub(super) async fn attempt(&self, client: &StsClient, call: &StsCall, access_key_id: &str) -> Attempt {
        let outcome = AssertUnwindSafe(self.sts.call_alone(client, call)).catch_unwind().await;
        let outcome = outcome
            .map_or(Err(StsFailure::Internal("the call to STS panicked")), |call: CallOutcome| call.outcome);
        let (answer, kind) = match outcome {
            Ok(StsResponse::Identity(identity)) => (valid(identity), AttemptKind::Final),
            Ok(StsResponse::Rejection(rejection)) => {
                let kind = kind_of(&rejection);
                (rejected(rejection, kind), kind)
            }
            Err(failure) => {
                let Attempt { answer, kind } = failed(&failure);
                (answer, kind)
            }
        };
        // STS repeats the key of an invalid header.
        let mask = |text: String| match access_key_id {
            "" => text,
            id => text.replace(id, &masked_access_key(id)),
        };
        let error_message = answer.error_message.map(mask);
        let region = Some(client.name().to_string());
        Attempt { answer: Answer { error_message, region, ..answer }, kind }
    }
}

/// The partition of a client. Empty for a region that is not one of AWS.
pub(super) fn partition(client: &StsClient) -> &'static str {
    partition_of(client.name()).unwrap_or_default()
}

/// Some partitions have no endpoints with FIPS or dual stack.
async fn regions_with_endpoints(settings: &StsSettings, transport: &Transport) -> Vec<String> {
    let mut regions = Vec::new();
    for region in all_regions() {
        let one = StsSettings { region: region.to_owned(), allowed_regions: Vec::new(), ..settings.clone() };
        if StsClientFactory::new(&one, transport).await.is_ok() {
            regions.push(region.to_owned());
        }
    }
    regions
}

/// The client for a partition: that of the default region if it is there, else that of the partition's default
/// region, else any.
fn client_of(
    sts: &StsClientFactory,
    partition: &'static str,
    default_region: &str,
) -> Result<Arc<StsClient>, StsPartitionsError> {
    let default = GLOBAL_REGIONS.iter().find(|(name, _)| *name == partition).map(|(_, region)| *region);
    let regions =
        PARTITIONS.iter().find(|known| known.name == partition).map_or(&[][..], |known| known.regions);
    let mut candidates = [default_region]
        .into_iter()
        .chain(default)
        .chain(regions.iter().copied())
        .filter(|region| regions.contains(region));
    candidates
        .find_map(|region| sts.client(Some(region)).cloned())
        .ok_or(StsPartitionsError::NoRegion(partition))
}

fn valid(identity: Identity) -> Answer {
    Answer {
        verdict: Verdict::Valid,
        account: Some(identity.account),
        arn: Some(identity.arn),
        user_id: Some(identity.user_id),
        request_id: identity.request_id,
        ..indeterminate(None, None)
    }
}

fn rejected(rejection: Rejection, kind: AttemptKind) -> Answer {
    let verdict = match kind {
        AttemptKind::UnknownKey { dot: false } => Verdict::Indeterminate,
        _ => rejection.verdict.into(),
    };
    let Rejection { code, message, request_id, .. } = rejection;
    Answer { verdict, request_id, ..indeterminate(Some(code), message) }
}

/// The attempt for a failed call.
pub(super) fn failed(failure: &StsFailure) -> Attempt {
    let code = match failure {
        StsFailure::Unreachable(..) => "EndpointConnectionError",
        StsFailure::Closed(_) => "ConnectionClosedError",
        StsFailure::ConnectTimeout(_) => "ConnectTimeoutError",
        StsFailure::ReadTimeout(_) => "ReadTimeoutError",
        StsFailure::TooLong(_) | StsFailure::NotSts { .. } => "ResponseParserError",
        StsFailure::Internal(_) => "InternalError",
    };
    let answer = indeterminate(Some(code.to_owned()), Some(failure.to_string()));
    let kind = match failure {
        StsFailure::NotSts { status, code, .. } if is_throttling(*status, code.as_deref()) => {
            AttemptKind::Throttled
        }
        failure if is_transient(failure) => AttemptKind::Failed,
        _ => AttemptKind::Final,
    };
    Attempt { answer, kind }
}

fn indeterminate(error_code: Option<String>, error_message: Option<String>) -> Answer {
    Answer { verdict: Verdict::Indeterminate, error_code, error_message, ..Answer::skipped("", "") }
}

fn kind_of(rejection: &Rejection) -> AttemptKind {
    if rejection.code == "InvalidClientTokenId" {
        let message = rejection.message.as_deref().unwrap_or_default();
        return AttemptKind::UnknownKey { dot: message.trim_end().ends_with('.') };
    }
    if is_throttling(rejection.status, Some(&rejection.code)) {
        return AttemptKind::Throttled;
    }
    if rejection.is_transient() { AttemptKind::Failed } else { AttemptKind::Final }
}

/// Whether the service would try again.
fn is_transient(failure: &StsFailure) -> bool {
    match failure {
        StsFailure::Internal(_) | StsFailure::TooLong(_) => false,
        StsFailure::NotSts { status, well_formed, .. } => *well_formed && *status >= 500,
        _ => true,
    }
}

/// Combines the answers of several partitions for one key, in this order.
///
/// Valid in one partition is valid. If the answer of one is indeterminate, so is the result. Otherwise the
/// first answer counts that is more than "unknown key" without a full stop, which only says that the key may be
/// valid elsewhere.
pub(super) fn combine(attempts: Vec<Attempt>) -> Answer {
    let says_nothing = |attempt: &Attempt| attempt.kind == AttemptKind::UnknownKey { dot: false };
    let rank = |attempt: &Attempt| match attempt.answer.verdict {
        Verdict::Valid => 0,
        Verdict::Indeterminate if !says_nothing(attempt) => 1,
        _ if !says_nothing(attempt) => 2,
        _ => 3,
    };
    // The first one with the lowest rank.
    let best = attempts.into_iter().min_by_key(rank);
    best.map_or_else(|| indeterminate(None, None), |attempt| attempt.answer)
}

impl Attempt {
    /// Whether the next partition is tried after this answer.
    pub(super) fn needs_next(&self) -> bool {
        match self.kind {
            AttemptKind::UnknownKey { .. } => true,
            _ => self.answer.verdict == Verdict::Indeterminate,
        }
    }
}

#[cfg(test)]
mod tests;
