//! The state that all handlers share.

use crate::callers::api_keys::ApiKeys;
use crate::callers::{CallerLimit, InFlight, PerCaller};
use crate::config::{BatchArgs, CorsOrigins, HttpArgs};
use crate::http::body::{BodyBudget, BodyReader};
use crate::http::gate::GateCache;
use crate::observability::metrics::Metrics;
use crate::policy::PoliciesFile;
use crate::proof::ProofVerifier;
use crate::proof::replay::ReplayStore;
use crate::store::{Redis, RedisServer};
use crate::sts::StsClientFactory;
use crate::sts::coalescing::Coalescer;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The state as the router and the handlers have it: each request has a clone.
pub type SharedState = Arc<AppState>;

/// The state, made once.
pub struct AppState {
    /// The clients for STS.
    pub(crate) sts: Arc<StsClientFactory>,
    /// The calls in progress, and the cached outcomes.
    pub(crate) coalescer: Arc<Coalescer>,
    /// The rate limit of callers, if there is one.
    pub(crate) callers: Option<Arc<CallerLimit>>,
    /// The number of trusted proxies that append to X-Forwarded-For.
    pub(crate) trusted_proxies: usize,
    /// Reads the bodies of requests.
    pub(crate) bodies: BodyReader,
    /// One permit for each request that may wait for STS.
    pub(crate) in_flight: Arc<InFlight>,
    /// The limits of one batch.
    pub(crate) batch: BatchArgs,
    /// The maximum length of a request body, and of a line of a batch.
    pub(crate) max_body_bytes: usize,
    /// The API keys, if callers need one.
    pub(crate) api_keys: Option<Arc<ApiKeys>>,
    /// The limit on requests without a valid key from one address.
    pub(crate) failed_authentication: Arc<CallerLimit>,
    /// Which proofs may be posted, and how they are checked.
    pub(crate) proofs: Arc<ProofVerifier>,
    /// The policies of the gates, if there are gates.
    pub(crate) policies: Option<Arc<PoliciesFile>>,
    /// The cache of the gates.
    pub(crate) gate_cache: Arc<GateCache>,
    /// The used proofs.
    pub(crate) replay: ReplayStore,
    /// The origins whose pages may read responses.
    pub(crate) cors_origins: Arc<CorsOrigins>,
    /// The metrics of this process.
    pub(crate) metrics: Arc<Metrics>,
    /// Whether the process is stopping.
    stopping: AtomicBool,
}

impl AppState {
    /// The state of a service with these clients and limits.
    ///
    /// # Errors
    ///
    /// The system has no randomness for the secret of the call keys.
    pub fn new(
        sts: StsClientFactory,
        proofs: ProofVerifier,
        http: &HttpArgs,
    ) -> Result<Self, getrandom::Error> {
        let metrics = Arc::<Metrics>::default();
        let (limit, memory) = (http.max_body_bytes, http.limits.max_body_memory);
        let budget = BodyBudget::new(memory, limit, metrics.bodies());
        Ok(Self {
            sts: Arc::new(sts),
            coalescer: Arc::new(Coalescer::new(http.limits.cache_policy())?),
            callers: http.limits.per_caller().map(|settings| Arc::new(CallerLimit::new(&settings))),
            trusted_proxies: http.limits.trusted_proxies,
            bodies: BodyReader::new(limit, http.read_timeout, budget),
            in_flight: InFlight::new(http.max_in_flight),
            batch: http.batch,
            max_body_bytes: http.max_body_bytes,
            api_keys: None,
            failed_authentication: Arc::new(CallerLimit::new(&PerCaller::FAILED_AUTHENTICATION)),
            cors_origins: Arc::new(http.cors_origins.clone()),
            policies: None,
            gate_cache: Arc::new(GateCache::new(http.proofs.gate_cache, &proofs.settings().audiences)?),
            proofs: Arc::new(proofs),
            replay: ReplayStore::new(None, metrics.remembered_proofs()),
            metrics,
            stopping: AtomicBool::new(false),
        })
    }

    /// Restricts the service to callers with one of these keys. `None` accepts every caller.
    #[must_use]
    pub fn with_api_keys(self, api_keys: Option<Arc<ApiKeys>>) -> Self {
        Self { api_keys, ..self }
    }

    /// Keeps the state that replicas share in this Redis. Must be called within a Tokio runtime.
    #[must_use]
    pub fn with_redis(mut self, server: Option<RedisServer>) -> Self {
        let Some(server) = server else { return self };
        let watch = self.metrics.redis();
        let redis =
            Redis::start(server, Arc::new(move |operation, failure| watch.failed(operation, failure)));
        self.callers = self.callers.map(|limit| Arc::new(limit.shared(&redis, "sts-verify:rate:")));
        let failures = self.failed_authentication.shared(&redis, "sts-verify:failed-authentication:");
        self.failed_authentication = Arc::new(failures);
        self.replay = ReplayStore::new(Some(redis), self.metrics.remembered_proofs());
        self
    }

    /// Adds the gates.
    #[must_use]
    pub fn with_policies(self, policies: Option<Arc<PoliciesFile>>) -> Self {
        Self { policies, ..self }
    }

    /// The metrics of this process.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// Makes /readyz answer 503.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}
