//! Asks STS about one question, once: the only place here that knows how STS is reached. When to ask again is the runner's.

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

/// The region that is asked for a partition, where nothing says otherwise: the one that its global services are in
/// (`implicitGlobalRegion` in the SDK's partition data).
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

/// Asks STS.
pub struct Asker {
    sts: StsClientFactory,
    /// One region of each partition that is asked in turn; empty where only that of the region is asked.
    partitions: Vec<Arc<StsClient>>,
    /// How often, and with which waits, what failed is asked again.
    pub(super) retry: RetryPolicy,
}

/// Why STS cannot be asked as the settings say.
#[derive(Debug, thiserror::Error)]
pub enum AskerError {
    /// The way to STS.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// There is no region to ask in a partition.
    #[error("--partitions: no region of {0} may be asked (STS_VERIFY_ALLOWED_REGIONS)")]
    NoRegion(&'static str),
}

/// What came of asking once.
pub(super) struct Attempt {
    pub(super) answer: Answer,
    pub(super) kind: AttemptKind,
}

/// What follows from an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttemptKind {
    /// STS knows the key, or says that it cannot be asked like this.
    Final,
    /// The key is unknown in this partition, with a dot at the end of STS's message or without.
    UnknownKey { dot: bool },
    /// STS throttles.
    Throttled,
    /// A failure that may pass.
    Failed,
    /// What was to be asked about cannot be read.
    Unreadable(ReadError),
}

impl Asker {
    /// Finds out how the regions are asked. Nothing is sent. `all`: no list of regions was given, and an entry may name any that
    /// has an endpoint.
    ///
    /// # Errors
    ///
    /// [`AskerError`] when STS cannot be asked as the settings say.
    pub async fn new(
        mut settings: StsSettings,
        all: bool,
        partitions: &[&'static str],
    ) -> Result<Self, AskerError> {
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

    /// Whom to ask about a request that was signed for this host; `None` when its region may not be asked.
    pub(super) fn client_of_host(&self, host: &str) -> Option<&Arc<StsClient>> {
        self.sts.client_of_host(host)
    }

    /// When a question that is asked now has to have its answer.
    pub(super) fn deadline(&self) -> Instant {
        self.sts.deadline()
    }

    /// Whom to ask for an entry, one after the other; `None` when its region may not be asked.
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

    /// Asks once. A panic on the way is an answer, too: nothing of a list may be lost.
    pub(super) async fn ask(&self, client: &StsClient, call: &StsCall, access_key_id: &str) -> Attempt {
        let asked = AssertUnwindSafe(self.sts.call_alone(client, call)).catch_unwind().await;
        let outcome = asked
            .map_or(Err(StsFailure::Internal("a panic while STS was asked")), |asked: CallOutcome| {
                asked.outcome
            });
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
        // STS repeats the key of a header that it cannot read.
        let mask = |text: String| match access_key_id {
            "" => text,
            id => text.replace(id, &masked_access_key(id)),
        };
        let error_message = answer.error_message.map(mask);
        let region = Some(client.name().to_string());
        Attempt { answer: Answer { error_message, region, ..answer }, kind }
    }
}

/// The partition that a client asks; empty for a region that is none of AWS's.
pub(super) fn partition(client: &StsClient) -> &'static str {
    partition_of(client.name()).unwrap_or_default()
}

/// With FIPS or dual stack some partitions have no endpoints.
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

/// The client that is asked for a partition: that of the default region where it is there, else the usual one, else any.
fn client_of(
    sts: &StsClientFactory,
    partition: &'static str,
    default_region: &str,
) -> Result<Arc<StsClient>, AskerError> {
    let usual = GLOBAL_REGIONS.iter().find(|(name, _)| *name == partition).map(|(_, region)| *region);
    let regions =
        PARTITIONS.iter().find(|known| known.name == partition).map_or(&[][..], |known| known.regions);
    let mut candidates = [default_region]
        .into_iter()
        .chain(usual)
        .chain(regions.iter().copied())
        .filter(|region| regions.contains(region));
    candidates.find_map(|region| sts.client(Some(region)).cloned()).ok_or(AskerError::NoRegion(partition))
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

/// There is no answer, for this reason.
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
        failure if may_pass(failure) => AttemptKind::Failed,
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

/// Whether the service would ask again.
fn may_pass(failure: &StsFailure) -> bool {
    match failure {
        StsFailure::Internal(_) | StsFailure::TooLong(_) => false,
        StsFailure::NotSts { status, well_formed, .. } => *well_formed && *status >= 500,
        _ => true,
    }
}

/// What is said of a key that several partitions were asked about, in that order.
///
/// Valid anywhere is valid. Where one could not say, nobody knows. Else the first counts in which the key is not merely unknown
/// without a dot, which says no more than that it may be good elsewhere.
pub(super) fn combine(heard: Vec<Attempt>) -> Answer {
    let says_nothing = |attempt: &Attempt| attempt.kind == AttemptKind::UnknownKey { dot: false };
    let rank = |attempt: &Attempt| match attempt.answer.verdict {
        Verdict::Valid => 0,
        Verdict::Indeterminate if !says_nothing(attempt) => 1,
        _ if !says_nothing(attempt) => 2,
        _ => 3,
    };
    // The first of the least rank.
    let told = heard.into_iter().min_by_key(rank);
    told.map_or_else(|| indeterminate(None, None), |attempt| attempt.answer)
}

impl Attempt {
    /// Whether the next partition is asked after this answer.
    pub(super) fn leaves_open(&self) -> bool {
        match self.kind {
            AttemptKind::UnknownKey { .. } => true,
            _ => self.answer.verdict == Verdict::Indeterminate,
        }
    }
}

#[cfg(test)]
mod tests;
