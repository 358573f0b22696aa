//! `sts-verify check`: for the person who installs the service. Calls the STS of each allowed region once, the
//! way the service would, with made-up credentials, and reports what works and what does not.
//!
//! STS checks the clock, then the scope, then the key, as `sandbox/src/check.rs` does. So InvalidClientTokenId
//! is the expected answer: it shows that the host name, the route, TLS, the proxy and the clock are all right.
//!
//! `*` stands for the regions of every partition, and some partitions are isolated from the internet. So a
//! partition without a reachable region is skipped, unless the regions were named or it is the partition of the
//! default region.

use crate::credentials::VerifyRequest;
use crate::sts::partitions::partition_of;
use crate::sts::{
    CallOutcome, ConnectFailure, Rejection, SetupError, StsCall, StsClient, StsClientFactory, StsFailure,
    StsResponse, StsSettings, Transport, Via,
};
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// The example key of AWS, which belongs to nobody.
const NOBODY: &str = r#"{
    "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
}"#;

/// The calls of the check.
pub struct Check {
    sts: StsClientFactory,
    transport: Transport,
    /// The default region, whose partition is never skipped. `None` if the regions were named.
    home: Option<String>,
}

impl Check {
    /// Uses the service's own settings, but only one attempt. `all_regions`: the regions were not named.
    ///
    /// # Errors
    ///
    /// As at the start of the service.
    pub async fn new(mut settings: StsSettings, all_regions: bool) -> Result<Self, SetupError> {
        settings.retry.max_attempts = 1;
        let transport = Transport::new(&settings)?;
        let sts = StsClientFactory::new(&settings, &transport).await?;
        Ok(Self { sts, transport, home: all_regions.then_some(settings.region) })
    }

    /// Calls all regions at the same time and prints a line for each, ordered by name.
    ///
    /// # Errors
    ///
    /// A region has a problem, or a line cannot be printed.
    pub async fn run(
        self,
        print: impl Fn(&str) -> io::Result<()>,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let check = Arc::new(self);
        let mut calls = JoinSet::new();
        let regions = check.sts.clients();
        let width = regions.iter().map(|region| region.name().len()).max().unwrap_or_default();
        for (index, region) in regions.into_iter().enumerate() {
            let check = check.clone();
            calls.spawn(async move { (index, Finding::of(&check, region).await) });
        }
        let mut findings = calls.join_all().await;
        findings.sort_unstable_by_key(|(index, _)| *index);
        let findings: Vec<_> = findings.into_iter().map(|(_, finding)| finding).collect();
        let mut bad = 0;
        for finding in &findings {
            let counts = check.counts(finding, &findings);
            bad += usize::from(finding.problem.is_some() && counts);
            print(&finding.line(width, counts))?;
        }
        if bad == 0 {
            Ok(())
        } else {
            Err(format!("{bad} of {} regions are not good", findings.len()).into())
        }
    }

    /// Whether a problem with a region is a failure of the check.
    fn counts(&self, finding: &Finding, all: &[Finding]) -> bool {
        let Some(home) = &self.home else { return true };
        let partition = partition_of(finding.region.name());
        let of_partition = |other: &&Finding| partition_of(other.region.name()) == partition;
        partition == partition_of(home) || all.iter().filter(of_partition).any(Finding::was_reached)
    }
}

/// The result for one region.
struct Finding {
    region: Arc<StsClient>,
    via: Via,
    took: Duration,
    problem: Option<Problem>,
}

/// A problem, and its details.
struct Problem {
    what: &'static str,
    more: String,
    /// The connection to STS failed.
    connect: bool,
}

impl Finding {
    async fn of(check: &Check, region: Arc<StsClient>) -> Self {
        let via = check.transport.via(region.endpoint());
        let started = Instant::now();
        let problem = match nobody() {
            Some(nobody) => {
                let outcome = check.sts.call_alone(&region, &nobody).await;
                problem_of(outcome, matches!(via, Via::Proxy(_)))
            }
            None => Problem::new("this program", "it cannot make up credentials"),
        };
        Self { region, via, took: started.elapsed(), problem }
    }

    fn was_reached(&self) -> bool {
        self.problem.as_ref().is_none_or(|problem| !problem.connect)
    }

    fn line(&self, width: usize, counts: bool) -> String {
        let (region, endpoint) = (self.region.name(), self.region.endpoint());
        let way = match &self.via {
            Via::Direct => String::new(),
            Via::NoProxy => " directly (NO_PROXY)".to_owned(),
            Via::Proxy(proxy) => format!(" through the proxy {proxy}"),
        };
        match &self.problem {
            None => format!(
                "{region:width$}  good  {endpoint}{way}: name, route, {}clock ({} ms)",
                if endpoint.as_str().starts_with("https:") { "TLS, " } else { "" },
                self.took.as_millis()
            ),
            Some(Problem { what, more, .. }) if counts => {
                format!("{region:width$}  BAD   {endpoint}{way}: {what}: {more}")
            }
            Some(Problem { what, more, .. }) => {
                format!(
                    "{region:width$}  skip  {endpoint}{way}: no region of its partition can be reached: {what}: {more}"
                )
            }
        }
    }
}

impl Problem {
    #[expect(clippy::unnecessary_wraps, reason = "what is not good is an Option everywhere else")]
    fn new(what: &'static str, more: impl Into<String>) -> Option<Self> {
        Some(Self { what, more: more.into(), connect: false })
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same")]
    fn connect(what: &'static str, more: &str) -> Option<Self> {
        Some(Self { what, more: more.to_owned(), connect: true })
    }
}

fn nobody() -> Option<StsCall> {
    VerifyRequest::from_json(NOBODY.as_bytes()).ok().map(|request| StsCall::Credentials(request.credentials))
}

fn problem_of(call: CallOutcome, proxied: bool) -> Option<Problem> {
    match call.outcome {
        Ok(StsResponse::Rejection(rejection)) if rejection.code == "InvalidClientTokenId" => None,
        Ok(StsResponse::Rejection(rejection)) => Problem::new(cause_of(&rejection), message_of(&rejection)),
        Ok(StsResponse::Identity(_)) => {
            Problem::new("STS", "it accepts example credentials, so it is not the STS of AWS")
        }
        Err(failure) => explain(&failure, proxied),
    }
}

/// The likely cause of a rejection by STS, in the words of the check's output.
fn cause_of(rejection: &Rejection) -> &'static str {
    let message = rejection.message.as_deref().unwrap_or_default();
    match rejection.code.as_str() {
        "SignatureDoesNotMatch" if message.starts_with("Signature ") => "clock",
        "SignatureDoesNotMatch" if message.starts_with("Credential should be scoped") => "region",
        "RequestExpired" => "clock",
        "RegionDisabledException" => "region",
        "AccessDenied" => "policy of the VPC endpoint",
        "IncompleteSignature" | "MissingAuthenticationToken" | "SignatureDoesNotMatch" => {
            "something on the way changes requests"
        }
        _ => "STS",
    }
}

fn message_of(rejection: &Rejection) -> String {
    format!("{}: {}", rejection.code, rejection.message.as_deref().unwrap_or("no message"))
}

/// The cause of a failure. With a proxy, name and route are those of the proxy.
fn explain(failure: &StsFailure, proxied: bool) -> Option<Problem> {
    match failure {
        StsFailure::Unreachable(_, ConnectFailure::Name) if proxied => {
            Problem::new("proxy", "its name has no address")
        }
        StsFailure::Unreachable(_, ConnectFailure::Route) if proxied => {
            Problem::new("proxy", "no connection to it")
        }
        StsFailure::Unreachable(_, ConnectFailure::Name) => {
            Problem::connect("name", "the host has no address (DNS)")
        }
        StsFailure::Unreachable(_, ConnectFailure::Route) => {
            Problem::connect("route", "the connection is not accepted")
        }
        StsFailure::Unreachable(_, ConnectFailure::Proxy) => {
            Problem::connect("proxy", "it does not let the connection through")
        }
        StsFailure::Unreachable(_, ConnectFailure::Tls) => {
            Problem::connect("TLS", "no handshake; is the certificate's CA trusted here (AWS_CA_BUNDLE)?")
        }
        StsFailure::ConnectTimeout(_) => {
            Problem::connect("route", "no connection in time; is port 443 open on the way out?")
        }
        StsFailure::ReadTimeout(_) => Problem::new("STS", "connected, and no answer in time"),
        StsFailure::Closed(_) => Problem::new("STS", "the connection was closed without an answer"),
        StsFailure::NotSts { status, .. } => {
            Problem::new("something on the way", format!("what answered (status {status}) is not STS"))
        }
        StsFailure::TooLong(_) => Problem::new("something on the way", "what answered is not STS"),
        StsFailure::Internal(fault) => Problem::new("this program", *fault),
    }
}
