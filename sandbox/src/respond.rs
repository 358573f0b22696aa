//! From a request to its answer: the stages in order, and the one place where a row's behaviour is acted on.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration as Wait,
};

use http::{HeaderValue, StatusCode, header::AUTHORIZATION};
use time::OffsetDateTime;
use tracing::info;

use super::{
    answer::{Answer, Format},
    check,
    claim::Claim,
    refusal::Refusal,
    request::Received,
    sigv4::SIGNATURE_PARAMETER,
    table::{self, Alteration, Caller, Identity, Reply},
};
use crate::sts::partitions::all_regions;

/// The only path that is not STS's: for whoever has to know that the sandbox is up, a container's health check say.
const HEALTH: &str = "/livez";

/// What the flaky row answers two times out of three.
const FAILED: Refusal =
    Refusal::fixed(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "An internal error occurred.");

/// The sandbox's only state.
#[derive(Debug, Default)]
pub(super) struct Sandbox {
    /// How often the flaky row was asked.
    flaky_calls: AtomicUsize,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) struct Outcome {
    /// How long to wait first.
    pub wait: Wait,
    /// `None`: close the connection without an answer.
    pub answer: Option<Answer>,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self { wait: Wait::ZERO, answer: Some(answer) }
    }
}

impl Sandbox {
    /// Decides on `request`, received at `now`, and logs a line.
    pub fn respond(&self, request: Received, now: OffsetDateTime) -> Outcome {
        if request.path == HEALTH {
            return Answer::alive().into();
        }
        let format = request.format();
        let claim = Claim::read(&request);
        let seen = Seen::of(claim.as_ref().ok());
        let outcome = match claim.and_then(|claim| admit(request, claim, now)) {
            Err(refusal) => Answer::refusal(format, &refusal).into(),
            Ok(caller) => self.reply(caller.behaviour.reply(), format, seen.region, now),
        };
        seen.log(outcome.answer.as_ref());
        outcome
    }

    /// What the caller of a well-signed request gets.
    fn reply(&self, reply: &Reply, format: Format, region: &str, now: OffsetDateTime) -> Outcome {
        let named = |identity: &Identity| Answer::identity(format, identity, region, now);
        match reply {
            Reply::Identity(identity) => named(identity).into(),
            Reply::Refusal(refusal) => Answer::refusal(format, refusal).into(),
            Reply::Flaky(identity) => match self.flaky_calls.fetch_add(1, Ordering::Relaxed) % 3 {
                2 => named(identity).into(),
                _ => Answer::refusal(format, &FAILED).into(),
            },
            Reply::Slow(wait, identity) => Outcome { wait: *wait, answer: Some(named(identity)) },
            Reply::Silence => Outcome { wait: Wait::MAX, answer: None },
            Reply::HangUp => Outcome { wait: Wait::ZERO, answer: None },
            Reply::EmptyUnavailable => Answer::empty_unavailable().into(),
            Reply::ProxyPage => Answer::proxy_page().into(),
            Reply::CutShort(identity) => named(identity).cut_short().into(),
        }
    }
}

/// Whether STS does for this request what it asks, and for whom.
fn admit(mut request: Received, mut claim: Claim, now: OffsetDateTime) -> Result<&'static Caller, Refusal> {
    let caller = table::find(&claim.access_key_id);
    if let Some(alteration) = caller.and_then(|caller| caller.behaviour.alteration()) {
        request = altered(request, alteration, &claim.scope.region);
        // The form is read again, so that the refusal is the one that the altered request really gets.
        claim = Claim::read(&request)?;
    }
    let now = now + caller.map(|caller| caller.behaviour.clock_ahead()).unwrap_or_default();
    let caller = check::in_order(&request, &claim, caller, now)?;
    action(&request)?;
    Ok(caller)
}

/// The request as it arrives when something on its way gets at it; `region` is the one that it was signed for.
fn altered(mut request: Received, alteration: Alteration, region: &str) -> Received {
    let header = request.header(AUTHORIZATION).unwrap_or_default();
    let query = &request.query;
    let (header, query) = match alteration {
        Alteration::Unsigned => (String::new(), String::new()),
        Alteration::Mangled => {
            let kept = query.split('&').filter(|pair| !pair.starts_with(SIGNATURE_PARAMETER));
            (header.replacen("Credential=", "Credential= ", 1), kept.collect::<Vec<_>>().join("&"))
        }
        Alteration::OtherRegion => (
            header.replacen(&format!("/{region}/"), "/nowhere-1/", 1),
            query.replacen(&format!("%2F{region}%2F"), "%2Fnowhere-1%2F", 1),
        ),
    };
    request.query = query;
    match HeaderValue::from_bytes(header.as_bytes()) {
        Ok(value) if !value.is_empty() => _ = request.headers.insert(AUTHORIZATION, value),
        _ => _ = request.headers.remove(AUTHORIZATION),
    }
    request
}

/// STS's other actions are not here, so they are refused as one that STS does not have.
fn action(request: &Received) -> Result<(), Refusal> {
    let action = request.parameter("Action").unwrap_or_default();
    let version = request.parameter("Version").unwrap_or_else(|| "NO_VERSION_SPECIFIED".to_owned());
    match (action.as_str(), version.as_str()) {
        ("GetCallerIdentity", "2011-06-15") => Ok(()),
        _ => Err(Refusal::invalid_action(&action, &version)),
    }
}

/// What of a request may be logged. A claim may hold anything, a secret in the place of the key included, so only a
/// key of the usual form is shown, by its ends, and only a region that AWS has. As the ends of the table's keys are all
/// the same, its line says what the row shows.
#[derive(Debug)]
struct Seen {
    access_key: String,
    region: &'static str,
    row: &'static str,
}

impl Seen {
    fn of(claim: Option<&Claim>) -> Self {
        let key = claim.map_or("", |claim| claim.access_key_id.as_str());
        let region = claim.and_then(|claim| all_regions().find(|region| *region == claim.scope.region));
        let row = table::find(key).map(|caller| caller.what);
        Self { access_key: masked(key), region: region.unwrap_or("-"), row: row.unwrap_or("-") }
    }

    fn log(&self, answer: Option<&Answer>) {
        let Self { access_key, region, row } = self;
        let (code, status) = answer.map_or(("(none)", 0), |answer| (answer.label, answer.status.as_u16()));
        info!(code, status, access_key, region, row, "sandbox answered");
    }
}

/// First four and last four characters.
fn masked(key: &str) -> String {
    let usual = key.len() == 20 && key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if usual { format!("{}…{}", &key[..4], &key[16..]) } else { "-".to_owned() }
}
