//! Reads request bodies within limits of length, time and memory.
//!
//! hyper returns a body as views of its read buffers, so a chunk of one byte keeps a buffer of several KiB. So
//! the bytes are copied at once into a buffer of the body's own. The buffer grows with the bytes that arrive,
//! not by the announced length, and wipes the memory that it leaves.

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

/// The first size of a body's buffer. Most credentials fit.
const FIRST: usize = 2 * 1024;

/// Bodies up to this size may use all of the budget, larger ones only three quarters of it, so that a client
/// that sends large bodies cannot keep others from posting credentials.
const SMALL: usize = 8 * 1024;

/// The memory that all bodies may take together.
pub(crate) struct BodyBudget {
    most: usize,
    most_for_large: usize,
    used: AtomicUsize,
    figures: BodyFigures,
}

impl BodyBudget {
    /// `largest` is the maximum size of a body: the budget has room for at least one.
    pub(crate) fn new(most: usize, largest: usize, figures: BodyFigures) -> Arc<Self> {
        let most_for_large = (most - most / 4).max(largest);
        Arc::new(Self { most, most_for_large, used: AtomicUsize::new(0), figures })
    }

    /// Takes `more` bytes for a body that then has `total` bytes.
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

/// The bytes of a body. On drop they are wiped, and their share of the budget is given back.
pub(crate) struct BodyBytes {
    bytes: Zeroizing<Vec<u8>>,
    /// The budget that the buffer is counted in, and its share of it.
    share: Option<(Arc<BodyBudget>, usize)>,
}

impl BodyBytes {
    /// Appends the bytes that arrived, if the body then has at most `limit` bytes.
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

    /// Moves into a larger buffer and wipes the old one. `Vec` would leave the bytes in the old memory.
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

/// Bytes that were taken out of a body that was read. They are in no budget.
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

/// The limits for bodies.
#[derive(Clone)]
pub(crate) struct BodyReader {
    limit: usize,
    timeout: Duration,
    budget: Arc<BodyBudget>,
}

impl BodyReader {
    /// A reader of bodies of at most `limit` bytes, which must arrive within `timeout`.
    pub(crate) fn new(limit: usize, timeout: Duration, budget: Arc<BodyBudget>) -> Self {
        Self { limit, timeout, budget }
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// The body is too large, does not arrive in time, is cut off, or exceeds the memory for all bodies. If the
    /// announced length is too large, the error comes before anything is read, and no 100 Continue is sent.
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
            // Trailers are ignored.
            if let Ok(data) = frame.map_err(|_| ApiError::BodyCutOff)?.into_data() {
                read.append(&data, self.limit)?;
            }
        }
        Ok(read)
    }
}
