//! Which issuers are accepted, and their keys: fetched when they are needed, kept, and fetched again when a key is missing
//! (step 3 of a token).

use super::super::{ProofError, ProofFailure};
use super::jwt::UnverifiedToken;
use super::keys::KeySet;
use crate::sts::{Endpoint, StsFailure, Transport, get_json, not_a_document};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

/// How long keys are used before they are fetched again.
const FRESH: Duration = Duration::from_mins(10);
/// How long keys serve when they cannot be fetched.
const USABLE: Duration = Duration::from_hours(24);
/// An issuer is not asked more often, whatever tokens come.
const ASKED_EVERY: Duration = Duration::from_secs(10);
/// How long an issuer without known keys is not asked after a failure.
const FAILURE_KEPT: Duration = Duration::from_mins(1);

/// How many issuers are kept.
const MAX_ISSUERS: usize = 256;
/// How many issuers are asked at the same time.
const MAX_ASKED: usize = 16;

/// Where AWS's issuers are, and the partition of their accounts.
const AWS_ISSUERS: [(&str, &str); 2] =
    [(".tokens.sts.global.api.aws", "aws"), (".tokens.sts.global.api.amazonwebservices.com.cn", "aws-cn")];

/// The issuers that an operator accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptedIssuers {
    /// These.
    List(Vec<String>),
    /// Every issuer of AWS: that of any account.
    Any,
}

/// The partition of an issuer of AWS's form, `https://<uuid>.tokens.sts.global.api.aws` or its like. `None` for another.
#[must_use]
pub fn partition_of_issuer(issuer: &str) -> Option<&'static str> {
    let host = issuer.strip_prefix("https://")?;
    AWS_ISSUERS.iter().find_map(|(domain, partition)| {
        let id = host.strip_suffix(domain)?;
        is_uuid(id).then_some(*partition)
    })
}

/// A UUID in lower case, as hosts have it.
fn is_uuid(text: &str) -> bool {
    let hyphens = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match byte {
            b'-' => hyphens.contains(&place),
            b'0'..=b'9' | b'a'..=b'f' => !hyphens.contains(&place),
            _ => false,
        })
}

impl AcceptedIssuers {
    /// Reads what an operator writes: URLs with commas between them, or `*`.
    ///
    /// # Errors
    ///
    /// What is wanted, for a text that is neither.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let issuers: Vec<String> = text.split(',').map(|issuer| issuer.trim().to_owned()).collect();
        let wanted = "must be * or URLs such as https://issuer.example (http for loopback alone), without query or user";
        if issuers.iter().all(|issuer| is_issuer_url(issuer)) { Ok(Self::List(issuers)) } else { Err(wanted) }
    }

    /// Whether an issuer is accepted, byte for byte: the address of its keys is built from it.
    #[must_use]
    pub fn accepts(&self, issuer: &str) -> bool {
        match self {
            Self::List(issuers) => issuers.iter().any(|known| known == issuer),
            Self::Any => partition_of_issuer(issuer).is_some(),
        }
    }
}

/// The keys of the issuers that tokens came from.
pub(super) struct Issuers {
    transport: Transport,
    /// The bound of one reading of an issuer's documents.
    timeout: Duration,
    known: Mutex<HashMap<String, Arc<Issuer>>>,
    asked: Semaphore,
    /// What the time is.
    clock: fn() -> Instant,
}

/// One issuer. Whoever needs its keys anew holds the lock while they are read, so that all others wait for one reading.
#[derive(Default)]
struct Issuer {
    state: tokio::sync::Mutex<State>,
    /// For choosing whom to forget.
    used: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct State {
    keys: Option<(Arc<KeySet>, Instant)>,
    /// The last reading that failed, with its reason.
    failure: Option<(StsFailure, Instant)>,
}

impl Issuers {
    pub fn new(transport: Transport, timeout: Duration) -> Self {
        Self::with_clock(transport, timeout, Instant::now)
    }

    pub(super) fn with_clock(transport: Transport, timeout: Duration, clock: fn() -> Instant) -> Self {
        Self { transport, timeout, known: Mutex::default(), asked: Semaphore::new(MAX_ASKED), clock }
    }

    /// Checks a token's signature with the keys of its issuer, which is an accepted one.
    pub async fn verify(
        &self,
        issuer: &str,
        token: &UnverifiedToken<'_>,
        deadline: Instant,
    ) -> Result<(), ProofFailure> {
        let entry = self.entry(issuer);
        // Keys of the last ten minutes; then those of this moment, since a key may have been added, or have replaced another of
        // its ID.
        for max_age in [FRESH, ASKED_EVERY] {
            if self.keys(issuer, &entry, max_age, deadline).await?.verifies(token) {
                return Ok(());
            }
        }
        Err(ProofError::SignatureMismatch.into())
    }

    /// The issuer's keys, read anew if those that are known are older than this.
    async fn keys(
        &self,
        issuer: &str,
        entry: &Issuer,
        max_age: Duration,
        deadline: Instant,
    ) -> Result<Arc<KeySet>, ProofFailure> {
        let out_of_time = |_| StsFailure::ReadTimeout(Endpoint::new(issuer));
        let mut state = timeout_at(deadline, entry.state.lock()).await.map_err(out_of_time)?;
        if let Some(keys) = state.keys_of_last((self.clock)(), max_age) {
            return Ok(keys);
        }
        if let Some(outcome) = state.kept_failure((self.clock)()) {
            return outcome.map_err(ProofFailure::from);
        }
        let Ok(_permit) = self.asked.try_acquire() else {
            return state.keys_of_last((self.clock)(), USABLE).ok_or(ProofFailure::Overloaded);
        };
        let own = Instant::now() + self.timeout;
        let read = self.read_keys(issuer, own.min(deadline)).await;
        let now = (self.clock)();
        match read {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *state = State { keys: Some((keys.clone(), now)), failure: None };
                Ok(keys)
            }
            // That the caller's own time is over says nothing about the issuer.
            Err(failure) if deadline < own && Instant::now() >= deadline => Err(failure.into()),
            Err(failure) => {
                state.failure = Some((failure.clone(), now));
                state.keys_of_last(now, USABLE).ok_or_else(|| failure.into())
            }
        }
    }

    /// Discovery, then the keys that it names, which have to be at the issuer's own host.
    async fn read_keys(&self, issuer: &str, deadline: Instant) -> Result<KeySet, StsFailure> {
        let none = || not_a_document(issuer);
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let document = get_json(&self.transport, &discovery, deadline).await?;
        let document: Map<String, Value> = serde_json::from_slice(&document).map_err(|_| none())?;
        if document.get("issuer").is_some_and(|named| named.as_str() != Some(issuer)) {
            return Err(none());
        }
        let keys_url = document.get("jwks_uri").and_then(Value::as_str).ok_or_else(none)?;
        if !is_same_origin(issuer, keys_url) {
            return Err(none());
        }
        let document = get_json(&self.transport, keys_url, deadline).await?;
        KeySet::read(&document).ok_or_else(none)
    }

    /// The issuer's entry, made if there is none. Where there are too many, one of those without keys goes, else the one that was
    /// used longest ago: whoever makes up issuers pushes out none that has keys while others have not.
    fn entry(&self, issuer: &str) -> Arc<Issuer> {
        let now = (self.clock)();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(issuer) && known.len() >= MAX_ISSUERS {
            let oldest = known.iter().min_by_key(|(_, entry)| entry.worth()).map(|(name, _)| name.clone());
            oldest.map(|name| known.remove(&name));
        }
        let entry = known.entry(issuer.to_owned()).or_default();
        *entry.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        entry.clone()
    }
}

impl Issuer {
    /// Less is forgotten first. One that is being asked counts as one that has keys.
    fn worth(&self) -> (bool, Option<Instant>) {
        let has_keys = self.state.try_lock().is_ok_and(|state| state.keys.is_none());
        (!has_keys, *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// The keys, if they are not older than this.
    fn keys_of_last(&self, now: Instant, age: Duration) -> Option<Arc<KeySet>> {
        let (keys, read) = self.keys.as_ref()?;
        (now.saturating_duration_since(*read) < age).then(|| keys.clone())
    }

    /// While a failure is remembered: the old keys, or the failure where there are none. `None` when the issuer is to be asked.
    fn kept_failure(&self, now: Instant) -> Option<Result<Arc<KeySet>, StsFailure>> {
        let (failure, at) = self.failure.as_ref()?;
        let usable = self.keys_of_last(now, USABLE);
        let kept = if usable.is_some() { ASKED_EVERY } else { FAILURE_KEPT };
        (now.saturating_duration_since(*at) < kept).then(|| usable.ok_or_else(|| failure.clone()))
    }
}

/// Whether keys may be read there: over TLS, or on this machine.
fn is_issuer_url(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    // Without user, query and fragment, and written as a URL is: a token names its issuer byte for byte.
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let written_so = url.as_str() == text || url.as_str().strip_suffix('/') == Some(text);
    bare && written_so && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
}

/// Scheme, host and port.
fn is_same_origin(issuer: &str, url: &str) -> bool {
    match (Url::parse(issuer), Url::parse(url)) {
        (Ok(issuer), Ok(url)) => {
            issuer.origin() == url.origin() && url.username().is_empty() && url.password().is_none()
        }
        _ => false,
    }
}
