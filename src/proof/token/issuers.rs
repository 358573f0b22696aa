//! The keys of issuers: fetched on demand, cached, and fetched again when a key is missing (step 3 of a
//! token).

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
use url::Url;

/// The time after which keys are fetched again.
const FRESH: Duration = Duration::from_mins(10);
/// How long keys may be used if they cannot be fetched again.
const USABLE: Duration = Duration::from_hours(24);
/// The minimum time between two requests to an issuer, whatever tokens arrive.
const FETCH_INTERVAL: Duration = Duration::from_secs(10);
/// How long an issuer without known keys gets no request after a failure.
const FAILURE_TIME: Duration = Duration::from_mins(1);

/// The maximum number of issuers in the cache.
const MAX_ISSUERS: usize = 256;
/// The maximum number of issuers whose keys are fetched at the same time.
const MAX_FETCHES: usize = 16;

/// The keys of the issuers of the tokens so far.
pub(super) struct Issuers {
    transport: Transport,
    /// The time limit for reading an issuer's documents once.
    timeout: Duration,
    known: Mutex<HashMap<String, Arc<Issuer>>>,
    fetches: Arc<Semaphore>,
    /// The current time.
    clock: fn() -> Instant,
}

/// One issuer.
#[derive(Default)]
struct Issuer {
    /// The latest keys, and the time when they were read. Verification with fresh keys waits for nothing.
    keys: RwLock<Option<(Arc<KeySet>, Instant)>>,
    /// Why the last reading failed, if it did, and when. Locked while the keys are read, so that all who need
    /// new keys wait for one reading.
    reading: Arc<tokio::sync::Mutex<LastFailure>>,
    /// Determines which issuer is removed from the cache first.
    used: Mutex<Option<Instant>>,
}

type LastFailure = Option<(ProofFailure, Instant)>;

/// Keys, and why no newer ones could be read.
struct CurrentKeys {
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
            fetches: Arc::new(Semaphore::new(MAX_FETCHES)),
            clock,
        }
    }

    /// Checks a token's signature with the keys of its issuer, which must be an accepted one. If old keys
    /// match, the token is valid; if they do not match and newer keys cannot be read, the result is unknown.
    pub async fn verify(
        &self,
        issuer: &str,
        token: &UnverifiedToken<'_>,
        deadline: Instant,
    ) -> Result<(), ProofFailure> {
        let entry = self.entry(issuer);
        let mut failure = None;
        // First with keys of the last ten minutes, then with current ones, because a key may have been added,
        // or have replaced another one with the same ID.
        for max_age in [FRESH, FETCH_INTERVAL] {
            let current = self.keys(issuer, &entry, max_age, deadline).await?;
            if current.keys.is_some_and(|keys| keys.verifies(token)) {
                return Ok(());
            }
            failure = current.failure;
        }
        Err(failure.unwrap_or(ProofError::SignatureMismatch.into()))
    }

    /// The issuer's keys, read again if the known ones are older than this.
    async fn keys(
        &self,
        issuer: &str,
        entry: &Arc<Issuer>,
        max_age: Duration,
        deadline: Instant,
    ) -> Result<CurrentKeys, ProofFailure> {
        if let Some(keys) = entry.keys_newer_than((self.clock)(), max_age) {
            return Ok(CurrentKeys { keys: Some(keys), failure: None });
        }
        let out_of_time = |_| StsFailure::ReadTimeout(Endpoint::new(issuer));
        let reading = timeout_at(deadline, entry.reading.clone().lock_owned()).await.map_err(out_of_time)?;
        let now = (self.clock)();
        // Another task may have read them meanwhile.
        if let Some(keys) = entry.keys_newer_than(now, max_age) {
            return Ok(CurrentKeys { keys: Some(keys), failure: None });
        }
        let usable = entry.keys_newer_than(now, USABLE);
        let pause = if usable.is_some() { FETCH_INTERVAL } else { FAILURE_TIME };
        let recent = reading.as_ref().filter(|(_, at)| now.saturating_duration_since(*at) < pause);
        if let Some((failure, _)) = recent {
            return Ok(CurrentKeys { keys: usable, failure: Some(failure.clone()) });
        }
        let Ok(permit) = self.fetches.clone().try_acquire_owned() else {
            return Ok(CurrentKeys { keys: usable, failure: Some(ProofFailure::Overloaded) });
        };
        // A task, so that a caller who leaves does not end the reading for the others, nor causes another
        // request to the issuer.
        let (transport, limit, clock) = (self.transport.clone(), self.timeout, self.clock);
        let (entry, name) = (entry.clone(), issuer.to_owned());
        let task = tokio::spawn(async move {
            let _permit = permit;
            entry.read_anew(reading, &transport, &name, limit, clock).await
        });
        let current = timeout_at(deadline, task).await.map_err(out_of_time)?;
        Ok(current.map_err(|_| StsFailure::Internal("the reading of an issuer's keys panicked"))?)
    }

    /// The issuer's entry, created if there is none. If there are too many, one without keys is removed, or
    /// else the one that was used longest ago. So made-up issuers cannot remove one that has keys while others
    /// have none.
    fn entry(&self, issuer: &str) -> Arc<Issuer> {
        let now = (self.clock)();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains_key(issuer) && known.len() >= MAX_ISSUERS {
            let oldest = known.iter().min_by_key(|(_, entry)| entry.priority()).map(|(name, _)| name.clone());
            oldest.map(|name| known.remove(&name));
        }
        let entry = known.entry(issuer.to_owned()).or_default();
        *entry.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        entry.clone()
    }
}

impl Issuer {
    /// The entry with the lowest value is removed first. One whose keys are being fetched counts as one with
    /// keys.
    fn priority(&self) -> (bool, Option<Instant>) {
        let has_keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).is_some();
        let is_kept = has_keys || self.reading.try_lock().is_err();
        (is_kept, *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the keys, and stores the result for those who wait for the lock.
    async fn read_anew(
        &self,
        mut reading: OwnedMutexGuard<LastFailure>,
        transport: &Transport,
        name: &str,
        limit: Duration,
        clock: fn() -> Instant,
    ) -> CurrentKeys {
        let read = read_keys(transport, name, Instant::now() + limit).await;
        let now = clock();
        match read {
            Ok(keys) => {
                let keys = Arc::new(keys);
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Some((keys.clone(), now));
                *reading = None;
                CurrentKeys { keys: Some(keys), failure: None }
            }
            Err(failure) => {
                let failure = ProofFailure::from(failure);
                *reading = Some((failure.clone(), now));
                CurrentKeys { keys: self.keys_newer_than(now, USABLE), failure: Some(failure) }
            }
        }
    }

    /// The keys, if they are not older than this.
    fn keys_newer_than(&self, now: Instant, age: Duration) -> Option<Arc<KeySet>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let (keys, read) = keys.as_ref()?;
        (now.saturating_duration_since(*read) < age).then(|| keys.clone())
    }
}

/// Reads the discovery document, then the keys at the URL that it names, which must be on the issuer's own
/// host.
async fn read_keys(transport: &Transport, issuer: &str, deadline: Instant) -> Result<KeySet, StsFailure> {
    let none = || not_a_document(issuer);
    let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = get_json(transport, &discovery, deadline).await?;
    let document: Map<String, Value> = serde_json::from_slice(&document).map_err(|_| none())?;
    if document.get("issuer").is_some_and(|named| named.as_str() != Some(issuer)) {
        return Err(none());
    }
    let keys_url = document.get("jwks_uri").and_then(Value::as_str);
    // The parsed URL: characters that the parser ignores, such as a leading space, are not sent.
    let keys_url = keys_url
        .and_then(|text| Url::parse(text).ok())
        .filter(|url| is_same_origin(issuer, url))
        .ok_or_else(none)?;
    let document = get_json(transport, keys_url.as_str(), deadline).await?;
    KeySet::read(&document).ok_or_else(none)
}

/// Scheme, host and port.
fn is_same_origin(issuer: &str, url: &Url) -> bool {
    let own = Url::parse(issuer).is_ok_and(|issuer| issuer.origin() == url.origin());
    own && url.username().is_empty() && url.password().is_none()
}
