//! Which issuers are accepted, and their keys: fetched when they are needed, kept, and fetched again when a key is missing
//! (step 3 of a token).

use super::super::{ProofError, ProofFailure};
use super::jwt::UnverifiedToken;
use super::keys::KeySet;
use crate::sts::{Endpoint, StsFailure, Transport, get_json, not_a_document};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{OwnedMutexGuard, Semaphore};
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
    asked: Arc<Semaphore>,
    /// What the time is.
    clock: fn() -> Instant,
}

/// One issuer.
#[derive(Default)]
struct Issuer {
    /// The keys that were read last, and when. Who finds them good enough waits for nobody.
    keys: RwLock<Option<(Arc<KeySet>, Instant)>>,
    /// Why the last reading failed, if it did, and when. Locked while the keys are read, so that all who need them anew wait for one
    /// reading.
    reading: Arc<tokio::sync::Mutex<LastFailure>>,
    /// For choosing whom to forget.
    used: Mutex<Option<Instant>>,
}

type LastFailure = Option<(ProofFailure, Instant)>;

/// Keys, and why no newer ones could be had.
struct Found {
    keys: Option<Arc<KeySet>>,
    failure: Option<ProofFailure>,
}

impl Issuers {
    pub fn new(transport: Transport, timeout: Duration) -> Self {
        Self::with_clock(transport, timeout, Instant::now)
    }

    pub(super) fn with_clock(transport: Transport, timeout: Duration, clock: fn() -> Instant) -> Self {
        Self {
            transport,
            timeout,
            known: Mutex::default(),
            asked: Arc::new(Semaphore::new(MAX_ASKED)),
            clock,
        }
    }

    /// Checks a token's signature with the keys of its issuer, which is an accepted one. Old keys confirm a token; that they do not says
    /// nothing while newer ones cannot be had.
    pub async fn verify(
        &self,
        issuer: &str,
        token: &UnverifiedToken<'_>,
        deadline: Instant,
    ) -> Result<(), ProofFailure> {
        let entry = self.entry(issuer);
        let mut failure = None;
        // Keys of the last ten minutes; then those of this moment, since a key may have been added, or have replaced another of
        // its ID.
        for max_age in [FRESH, ASKED_EVERY] {
            let found = self.keys(issuer, &entry, max_age, deadline).await?;
            if found.keys.is_some_and(|keys| keys.verifies(token)) {
                return Ok(());
            }
            failure = found.failure;
        }
        Err(failure.unwrap_or(ProofError::SignatureMismatch.into()))
    }

    /// The issuer's keys, read anew if those that are known are older than this.
    async fn keys(
        &self,
        issuer: &str,
        entry: &Arc<Issuer>,
        max_age: Duration,
        deadline: Instant,
    ) -> Result<Found, ProofFailure> {
        if let Some(keys) = entry.keys_of_last((self.clock)(), max_age) {
            return Ok(Found { keys: Some(keys), failure: None });
        }
        let out_of_time = |_| StsFailure::ReadTimeout(Endpoint::new(issuer));
        let reading = timeout_at(deadline, entry.reading.clone().lock_owned()).await.map_err(out_of_time)?;
        let now = (self.clock)();
        // Somebody else may have read them meanwhile.
        if let Some(keys) = entry.keys_of_last(now, max_age) {
            return Ok(Found { keys: Some(keys), failure: None });
        }
        let usable = entry.keys_of_last(now, USABLE);
        let kept = if usable.is_some() { ASKED_EVERY } else { FAILURE_KEPT };
        let recent = reading.as_ref().filter(|(_, at)| now.saturating_duration_since(*at) < kept);
        if let Some((failure, _)) = recent {
            return Ok(Found { keys: usable, failure: Some(failure.clone()) });
        }
        let Ok(permit) = self.asked.clone().try_acquire_owned() else {
            return Ok(Found { keys: usable, failure: Some(ProofFailure::Overloaded) });
        };
        // A task, since a caller who leaves must not end what others wait for, nor have the issuer asked again.
        let (transport, limit, clock) = (self.transport.clone(), self.timeout, self.clock);
        let (entry, name) = (entry.clone(), issuer.to_owned());
        let task = tokio::spawn(async move {
            let _permit = permit;
            entry.read_anew(reading, &transport, &name, limit, clock).await
        });
        let found = timeout_at(deadline, task).await.map_err(out_of_time)?;
        Ok(found.map_err(|_| StsFailure::Internal("the reading of an issuer's keys panicked"))?)
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
        let has_keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).is_some();
        let is_kept = has_keys || self.reading.try_lock().is_err();
        (is_kept, *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys, and keeps what came of it for those who wait for the lock.
    async fn read_anew(
        &self,
        mut reading: OwnedMutexGuard<LastFailure>,
        transport: &Transport,
        name: &str,
        limit: Duration,
        clock: fn() -> Instant,
    ) -> Found {
        let read = read_keys(transport, name, Instant::now() + limit).await;
        let now = clock();
        match read {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some((keys.clone(), now));
                *reading = None;
                Found { keys: Some(keys), failure: None }
            }
            Err(failure) => {
                let failure = ProofFailure::from(failure);
                *reading = Some((failure.clone(), now));
                Found { keys: self.keys_of_last(now, USABLE), failure: Some(failure) }
            }
        }
    }

    /// The keys, if they are not older than this.
    fn keys_of_last(&self, now: Instant, age: Duration) -> Option<Arc<KeySet>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let (keys, read) = keys.as_ref()?;
        (now.saturating_duration_since(*read) < age).then(|| keys.clone())
    }
}

/// Discovery, then the keys that it names, which have to be at the issuer's own host.
async fn read_keys(transport: &Transport, issuer: &str, deadline: Instant) -> Result<KeySet, StsFailure> {
    let none = || not_a_document(issuer);
    let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = get_json(transport, &discovery, deadline).await?;
    let document: Map<String, Value> = serde_json::from_slice(&document).map_err(|_| none())?;
    if document.get("issuer").is_some_and(|named| named.as_str() != Some(issuer)) {
        return Err(none());
    }
    let keys_url = document.get("jwks_uri").and_then(Value::as_str);
    // As it was parsed: what a parser passes over, such as a space before it, is not sent.
    let keys_url = keys_url
        .and_then(|text| Url::parse(text).ok())
        .filter(|url| is_same_origin(issuer, url))
        .ok_or_else(none)?;
    let document = get_json(transport, keys_url.as_str(), deadline).await?;
    KeySet::read(&document).ok_or_else(none)
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
    // A wildcard would match no issuer.
    let literal = !text.contains('*');
    bare && written_so && literal && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
}

/// Scheme, host and port.
fn is_same_origin(issuer: &str, url: &Url) -> bool {
    let own = Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == url.origin());
    own && url.username().is_empty() && url.password().is_none()
}
