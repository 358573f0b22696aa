//! What the handlers share.

use crate::callers::CallerLimit;
use crate::callers::api_keys::ApiKeys;
use crate::config::HttpArgs;
use crate::http::body::{BodyBudget, BodyReader};
use crate::observability::metrics::Metrics;
use crate::sts::StsClientFactory;
use crate::sts::coalescing::Coalescer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;

/// Cheap to clone: each request has one.
#[derive(Clone)]
pub struct AppState {
    /// The way to STS.
    pub(crate) sts: Arc<StsClientFactory>,
    /// What STS is being asked, and what of its answers is kept.
    pub(crate) coalescer: Arc<Coalescer>,
    /// How often each caller may ask, if that is limited.
    pub(crate) callers: Option<Arc<CallerLimit>>,
    /// Reads the bodies of requests.
    pub(crate) bodies: BodyReader,
    /// One place for each request that may wait for STS.
    pub(crate) in_flight: Arc<Semaphore>,
    /// Who may ask, when not everybody may.
    pub(crate) api_keys: Option<Arc<ApiKeys>>,
    /// The metrics of this process.
    pub(crate) metrics: Arc<Metrics>,
    /// Whether the process was told to stop.
    stopping: Arc<AtomicBool>,
}

impl AppState {
    /// The state of a service that asks this STS within these limits.
    ///
    /// # Errors
    ///
    /// When the system has no randomness for the key under which questions are told apart.
    pub fn new(sts: StsClientFactory, http: &HttpArgs) -> Result<Self, getrandom::Error> {
        let metrics: Arc<Metrics> = Arc::default();
        let (limit, memory) = (http.max_body_bytes, http.limits.max_body_memory);
        let budget = BodyBudget::new(memory, limit, metrics.bodies());
        Ok(Self {
            sts: Arc::new(sts),
            coalescer: Arc::new(Coalescer::new(http.limits.cache_policy())?),
            callers: http.limits.per_caller().map(|settings| Arc::new(CallerLimit::new(&settings))),
            bodies: BodyReader::new(limit, http.read_timeout, budget),
            in_flight: Arc::new(Semaphore::new(http.max_in_flight)),
            api_keys: None,
            metrics,
            stopping: Arc::new(AtomicBool::new(false)),
        })
    }

    /// The same for callers with one of these keys alone; `None` lets everybody ask.
    #[must_use]
    pub fn with_api_keys(self, api_keys: Option<Arc<ApiKeys>>) -> Self {
        Self { api_keys, ..self }
    }

    /// From now on /readyz says 503.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
