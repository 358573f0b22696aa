//! What the handlers share.

use crate::callers::api_keys::ApiKeys;
use crate::callers::{CallerLimit, InFlight, PerCaller};
use crate::config::{CorsOrigins, HttpArgs};
use crate::http::body::{BodyBudget, BodyReader};
use crate::observability::metrics::Metrics;
use crate::sts::StsClientFactory;
use crate::sts::coalescing::Coalescer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Cheap to clone: each request has one.
#[derive(Clone)]
pub struct AppState {
    /// The way to STS.
    pub(crate) sts: Arc<StsClientFactory>,
    /// What STS is being asked, and what of its answers is kept.
    pub(crate) coalescer: Arc<Coalescer>,
    /// How often each caller may ask, if that is limited.
    pub(crate) callers: Option<Arc<CallerLimit>>,
    /// How many proxies in front append to X-Forwarded-For.
    pub(crate) trusted_proxies: usize,
    /// Reads the bodies of requests.
    pub(crate) bodies: BodyReader,
    /// One permit for each request that may wait for STS.
    pub(crate) in_flight: Arc<InFlight>,
    /// Who may ask, when not everybody may.
    pub(crate) api_keys: Option<Arc<ApiKeys>>,
    /// How often an address may come without a good key.
    pub(crate) failed_authentication: Arc<CallerLimit>,
    /// The origins whose pages may read answers.
    pub(crate) cors_origins: Arc<CorsOrigins>,
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
            trusted_proxies: http.limits.trusted_proxies,
            bodies: BodyReader::new(limit, http.read_timeout, budget),
            in_flight: InFlight::new(http.max_in_flight),
            api_keys: None,
            failed_authentication: Arc::new(CallerLimit::new(&PerCaller::FAILED_AUTHENTICATION)),
            cors_origins: Arc::new(http.cors_origins.clone()),
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
