//! `sts-verify check`: for the person who installs the service. Asks the STS of each allowed region once, the way the
//! service would, with credentials that belong to nobody, and says what is good on the way and what is not.
//!
//! STS looks at the clock, then at the scope, then at the key (`contract.md`'s order). So InvalidClientTokenId is the
//! good answer: it shows that the host's name, the route, TLS, the proxy and the clock are all right.

use crate::credentials::{Credentials, VerifyRequest};
use crate::sts::{
    CallOutcome, ConnectFailure, Endpoint, Rejection, SetupError, StsClient, StsClientFactory, StsFailure,
    StsResponse, StsSettings, Transport,
};
use hyper_util::client::proxy::matcher::Matcher;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// AWS's own example, which is nobody's key.
const NOBODY: &str = r#"{
    "AccessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
}"#;

/// The STS of the service's own settings, but asked once and no more.
///
/// # Errors
///
/// As at the start of the service.
pub async fn sts(mut settings: StsSettings) -> Result<StsClientFactory, SetupError> {
    settings.retry.max_attempts = 1;
    StsClientFactory::new(&settings, &Transport::new(&settings)?).await
}

/// Asks all regions at the same time and prints a line for each, in the order of their names.
///
/// # Errors
///
/// When something is not good, and when a line cannot be printed.
pub async fn run(
    sts: StsClientFactory,
    print: impl Fn(&str) -> io::Result<()>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let sts = Arc::new(sts);
    let mut asking = JoinSet::new();
    let regions = sts.clients();
    let width = regions.iter().map(|region| region.name().len()).max().unwrap_or_default();
    for (place, region) in regions.into_iter().enumerate() {
        let sts = sts.clone();
        asking.spawn(async move { (place, Finding::of(&sts, region).await) });
    }
    let mut findings = asking.join_all().await;
    findings.sort_unstable_by_key(|(place, _)| *place);
    for (_, finding) in &findings {
        print(&finding.line(width))?;
    }
    let bad = findings.iter().filter(|(_, finding)| finding.trouble.is_some()).count();
    if bad == 0 { Ok(()) } else { Err(format!("{bad} of {} regions are not good", findings.len()).into()) }
}

/// What came of one region.
struct Finding {
    region: Arc<StsClient>,
    proxy: Option<String>,
    took: Duration,
    trouble: Option<Problem>,
}

/// What is not good, and more about it.
struct Problem {
    what: &'static str,
    more: String,
}

impl Finding {
    async fn of(sts: &StsClientFactory, region: Arc<StsClient>) -> Self {
        let proxy = proxy_for(region.endpoint());
        let started = Instant::now();
        let trouble = match nobody() {
            Some(nobody) => trouble(
                sts.ask(&region, &nobody, tokio::time::Instant::now(), || true).await,
                proxy.is_some(),
            ),
            None => Problem::new("this program", "it cannot make up credentials"),
        };
        Self { region, proxy, took: started.elapsed(), trouble }
    }

    fn line(&self, width: usize) -> String {
        let Self { region, proxy, took, trouble } = self;
        let (region, endpoint) = (region.name(), region.endpoint());
        let way = proxy.as_ref().map(|proxy| format!(" through {proxy}")).unwrap_or_default();
        match trouble {
            None => format!(
                "{region:width$}  good  {endpoint}{way}: name, route, {}clock ({} ms)",
                if endpoint.to_string().starts_with("https:") { "TLS, " } else { "" },
                took.as_millis()
            ),
            Some(Problem { what, more }) => format!("{region:width$}  BAD   {endpoint}{way}: {what}: {more}"),
        }
    }
}

impl Problem {
    #[expect(clippy::unnecessary_wraps, reason = "what is not good is an Option everywhere else")]
    fn new(what: &'static str, more: impl Into<String>) -> Option<Self> {
        Some(Self { what, more: more.into() })
    }
}

fn nobody() -> Option<Credentials> {
    VerifyRequest::from_json(NOBODY.as_bytes()).ok().map(|question| question.credentials)
}

/// The proxy that the SDK's transport will use for this URL, without user and password.
fn proxy_for(endpoint: &Endpoint) -> Option<String> {
    let url = endpoint.to_string().parse().ok()?;
    let proxy = Matcher::from_env().intercept(&url)?;
    proxy.uri().authority().map(|authority| {
        let host_and_port = authority.as_str().rsplit('@').next().unwrap_or_default();
        format!("the proxy {host_and_port}")
    })
}

fn trouble(asked: CallOutcome, proxied: bool) -> Option<Problem> {
    match asked.outcome {
        Ok(StsResponse::Rejection(no)) if no.code == "InvalidClientTokenId" => None,
        Ok(StsResponse::Rejection(no)) => Problem::new(blame(&no), said(&no)),
        Ok(StsResponse::Identity(_)) => {
            Problem::new("STS", "it takes credentials that are nobody's; it cannot be AWS's")
        }
        Err(failure) => explain(&failure, proxied),
    }
}

/// What STS's answer says of this machine or of the way, going by the table in the README.
fn blame(no: &Rejection) -> &'static str {
    let message = no.message.as_deref().unwrap_or_default();
    match no.code.as_str() {
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

fn said(no: &Rejection) -> String {
    format!("{}: {}", no.code, no.message.as_deref().unwrap_or("no message"))
}

/// What to look at. Where a proxy is used, the first steps are those to the proxy.
fn explain(failure: &StsFailure, proxied: bool) -> Option<Problem> {
    match failure {
        StsFailure::Unreachable(_, ConnectFailure::Name) if proxied => {
            Problem::new("proxy", "its name has no address")
        }
        StsFailure::Unreachable(_, ConnectFailure::Route) if proxied => {
            Problem::new("proxy", "no connection to it")
        }
        StsFailure::Unreachable(_, ConnectFailure::Name) => {
            Problem::new("name", "the host has no address (DNS)")
        }
        StsFailure::Unreachable(_, ConnectFailure::Route) => {
            Problem::new("route", "nobody takes the connection")
        }
        StsFailure::Unreachable(_, ConnectFailure::Proxy) => {
            Problem::new("proxy", "it does not let the connection through")
        }
        StsFailure::Unreachable(_, ConnectFailure::Tls) => {
            Problem::new("TLS", "no handshake; is the certificate's CA trusted here (AWS_CA_BUNDLE)?")
        }
        StsFailure::ConnectTimeout(_) => {
            Problem::new("route", "no connection in time; is port 443 open on the way out?")
        }
        StsFailure::ReadTimeout(_) => Problem::new("STS", "connected, and no answer in time"),
        StsFailure::Closed(_) => Problem::new("STS", "the connection was closed without an answer"),
        StsFailure::NotSts { status, .. } => {
            Problem::new("something on the way", format!("what answered (status {status}) is not STS"))
        }
        StsFailure::Internal(fault) => Problem::new("this program", *fault),
    }
}
