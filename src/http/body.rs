//! Reads the bodies of requests within bounds of length, time and memory.
//!
//! hyper gives out a body as views of its read buffers: a chunk of one byte keeps a buffer of kibibytes. So what comes is
//! copied at once into one buffer of the body's own, which grows as bytes come, never by what a client announces, and
//! wipes what it leaves behind.

use crate::http::error::ApiError;
use crate::observability::metrics::BodyFigures;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use http_body_util::BodyExt as _;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// The first size of a body's buffer: most credentials fit.
const FIRST: usize = 2 * 1024;

/// A body that takes no more than this may use all of the budget, larger ones three quarters of it: who fills it with large
/// bodies keeps nobody from posting credentials.
const SMALL: usize = 8 * 1024;

/// How many bytes all bodies may take together.
pub(crate) struct BodyBudget {
    most: usize,
    most_for_large: usize,
    used: AtomicUsize,
    figures: BodyFigures,
}

impl BodyBudget {
    /// `largest` is what the largest body may take: there is room for one at least.
    pub(crate) fn new(most: usize, largest: usize, figures: BodyFigures) -> Arc<Self> {
        let most_for_large = (most - most / 4).max(largest);
        Arc::new(Self { most, most_for_large, used: AtomicUsize::new(0), figures })
    }

    /// Takes so many bytes more for a body that has `total` then.
    fn take(&self, more: usize, total: usize) -> Result<(), ApiError> {
        let most = if total <= SMALL { self.most } else { self.most_for_large };
        let taken = |used: usize| used.checked_add(more).filter(|used| *used <= most);
        if self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_err() {
            self.figures.shed.inc();
            return Err(ApiError::BodiesOverloaded);
        }
        self.figures.memory.inc_by(more.try_into().unwrap_or(i64::MAX));
        Ok(())
    }

    fn give_back(&self, taken: usize) {
        self.used.fetch_sub(taken, Ordering::Relaxed);
        self.figures.memory.dec_by(taken.try_into().unwrap_or(i64::MAX));
    }
}

/// The bytes of a body. They are wiped, and their share of the budget is given back, when this is dropped.
pub(crate) struct BodyBytes {
    bytes: Zeroizing<Vec<u8>>,
    /// Where the room for `bytes` was taken from, and how much.
    share: Option<(Arc<BodyBudget>, usize)>,
}

impl BodyBytes {
    /// Appends what has come, if the body then has `limit` bytes at most.
    fn append(&mut self, data: &[u8], limit: usize) -> Result<(), ApiError> {
        let length = self.bytes.len() + data.len();
        if length > limit {
            return Err(ApiError::TooLarge);
        }
        let capacity = self.bytes.capacity();
        if length > capacity {
            self.grow(length.max(2 * capacity).max(FIRST).min(limit))?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Removes this many bytes at the beginning.
    pub(crate) fn remove_first(&mut self, count: usize) {
        self.bytes.drain(..count);
    }

    /// Moves into a larger buffer and wipes the old one. `Vec` would leave the bytes where they were.
    fn grow(&mut self, capacity: usize) -> Result<(), ApiError> {
        if let Some((budget, taken)) = &mut self.share {
            budget.take(capacity - *taken, capacity)?;
            *taken = capacity;
        }
        let mut grown = Zeroizing::new(Vec::with_capacity(capacity));
        grown.extend_from_slice(&self.bytes);
        self.bytes = grown;
        Ok(())
    }
}

/// Bytes that were made out of a body that has been read: they are in no budget.
impl From<Zeroizing<Vec<u8>>> for BodyBytes {
    fn from(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self { bytes, share: None }
    }
}

impl Deref for BodyBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for BodyBytes {
    fn drop(&mut self) {
        if let Some((budget, taken)) = &self.share {
            budget.give_back(*taken);
        }
    }
}

/// What bodies are held to.
#[derive(Clone)]
pub(crate) struct BodyReader {
    limit: usize,
    timeout: Duration,
    budget: Arc<BodyBudget>,
}

impl BodyReader {
    /// A reader of bodies of `limit` bytes at most, which have to come within `timeout`.
    pub(crate) fn new(limit: usize, timeout: Duration, budget: Arc<BodyBudget>) -> Self {
        Self { limit, timeout, budget }
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// When the body is too large, which is known before anything is read if its length was announced (no 100 Continue
    /// is sent then), when it does not come in time or breaks off, and when all bodies together take what they may.
    pub(crate) async fn read(&self, request: Request) -> Result<BodyBytes, ApiError> {
        let body = request.into_body();
        if body.size_hint().lower() > self.limit as u64 {
            return Err(ApiError::TooLarge);
        }
        timeout(self.timeout, self.collect(body)).await.unwrap_or(Err(ApiError::BodyTimeout))
    }

    async fn collect(&self, mut body: Body) -> Result<BodyBytes, ApiError> {
        let mut read = BodyBytes { bytes: Zeroizing::default(), share: Some((self.budget.clone(), 0)) };
        while let Some(frame) = body.frame().await {
            // Trailers are passed over.
            if let Ok(data) = frame.map_err(|_| ApiError::BodyCutOff)?.into_data() {
                read.append(&data, self.limit)?;
            }
        }
        Ok(read)
    }
}
