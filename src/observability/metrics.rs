//! The metrics for Prometheus.
//!
//! Names follow OpenTelemetry's semantic conventions where there are any. No label has a value that a caller
//! can choose: routes, methods, codes and regions come from lists, and other values are `other` or `unmatched`.

mod codes;
mod connections;
mod format;
mod labels;
mod process;

pub(crate) use codes::known_code;
pub(crate) use connections::{BodyFigures, ConnectionFigures, WaitedFor};
pub(crate) use format::Format;
pub use labels::ReloadedFile;

use super::{RedisWatch, logs};
use crate::sts::{StsFailure, StsResponse, Verdict};
use labels::{
    BuildLabels, CodeLabels, FileLabels, GateLabels, HttpLabels, SourceLabels, StsLabels, VerdictLabels, Word,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The bucket bounds of durations, in seconds: from a cached answer to the deadline.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 20.0];

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
    http: Family<HttpLabels, Histogram>,
    active: Gauge,
    verdicts: Family<VerdictLabels, Counter>,
    gates: Family<GateLabels, Counter>,
    sts: Family<StsLabels, Histogram>,
    codes: Family<CodeLabels, Counter>,
    retries: Counter,
    shed: Counter,
    unauthenticated: Counter,
    authentication_limited: Counter,
    reload_failures: Family<FileLabels, Counter>,
    files_loaded: Family<FileLabels, Gauge>,
    shared: Family<SourceLabels, Counter>,
    batch_lines: Counter,
    rate_limited: Counter,
    redis: Arc<RedisWatch>,
    remembered_proofs: Gauge,
    connections: ConnectionFigures,
    bodies: BodyFigures,
}

impl Default for Metrics {
    fn default() -> Self {
        let durations = || Histogram::new(SECONDS);
        let mut metrics = Self {
            registry: Registry::default(),
            http: Family::new_with_constructor(durations),
            active: Gauge::default(),
            verdicts: Family::default(),
            gates: Family::default(),
            sts: Family::new_with_constructor(durations),
            codes: Family::default(),
            retries: Counter::default(),
            shed: Counter::default(),
            unauthenticated: Counter::default(),
            authentication_limited: Counter::default(),
            reload_failures: Family::default(),
            files_loaded: Family::default(),
            shared: Family::default(),
            batch_lines: Counter::default(),
            rate_limited: Counter::default(),
            redis: Arc::new(RedisWatch::new()),
            remembered_proofs: Gauge::default(),
            connections: ConnectionFigures::default(),
            bodies: BodyFigures::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let http = "Time from a request's head to its answer, in seconds";
        registry.register("http_server_request_duration_seconds", http, self.http.clone());
        registry.register("http_server_active_requests", "Requests being answered", self.active.clone());
        registry.register("sts_verify", "Verdicts given", self.verdicts.clone());
        registry.register("sts_verify_gate", "Decisions of gates, by policy", self.gates.clone());
        let sts = "Time of a call to STS, all its attempts and the waits between them, in seconds";
        registry.register("sts_request_duration_seconds", sts, self.sts.clone());
        registry.register("sts_verify_errors", "Errors answered, by code", self.codes.clone());
        registry.register("sts_retries", "Attempts after a call's first", self.retries.clone());
        registry.register("sts_verify_shed", "Requests rejected because too many waited", self.shed.clone());
        let unauthenticated = "Requests rejected because they had no valid API key";
        registry.register("sts_verify_unauthenticated", unauthenticated, self.unauthenticated.clone());
        let limited = "Of these, requests answered 429: their address had sent too many without a valid key";
        registry.register("sts_verify_authentication_limited", limited, self.authentication_limited.clone());
        let reload = "Changed files that could not be loaded";
        registry.register("sts_verify_reload_failures", reload, self.reload_failures.clone());
        let loaded = "When a file was last loaded, in seconds since 1970";
        registry.register("sts_verify_file_loaded_timestamp_seconds", loaded, self.files_loaded.clone());
        let shared = "Answers without a call to STS of their own: another caller's call, or a cached answer";
        registry.register("sts_verify_shared", shared, self.shared.clone());
        registry.register("sts_verify_batch_lines", "Lines of batches answered", self.batch_lines.clone());
        let limited = "Requests rejected because their caller sent too many";
        registry.register("sts_verify_rate_limited", limited, self.rate_limited.clone());
        self.redis.register(registry);
        let remembered = "Used proofs in the store of this process";
        registry.register("sts_verify_replay_store_entries", remembered, self.remembered_proofs.clone());
        self.connections.register(registry);
        self.bodies.register(registry);
        // A gauge in both formats: readers of the older one do not know the type `info`.
        let builds: Family<BuildLabels, ConstGauge> = Family::new_with_constructor(|| ConstGauge::new(1));
        registry.register("build_info", "The running build", builds.clone());
        let _ = builds.get_or_create(&BuildLabels::THIS);
        let dropped = "Log lines that were not read in time or could not be written";
        registry.register("sts_verify_log_lines_dropped", dropped, logs::dropped_lines());
        registry.register_collector(Box::new(process::Process));
        // A verdict that never occurred is 0, not absent, because alerts compare with it.
        for verdict in [Verdict::Valid, Verdict::Invalid, Verdict::Indeterminate] {
            for proof in ["credentials", "signed_request", "web_identity_token"] {
                let _ = self.verdicts.get_or_create(&VerdictLabels { verdict: Word(verdict), proof });
            }
        }
        for source in ["in_flight", "cache"] {
            let _ = self.shared.get_or_create(&SourceLabels { source });
        }
    }

    /// Counts an answered line of a batch, with its error code if it has one.
    pub(crate) fn batch_line_answered(&self, code: Option<&str>) {
        self.batch_lines.inc();
        if let Some(code) = code {
            self.error_answered(code);
        }
    }

    /// Counts a request that has arrived.
    pub(crate) fn request_began(&self) {
        self.active.inc();
    }

    /// Counts a request that was answered, or whose client has left.
    pub(crate) fn request_ended(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        self.active.dec();
        let labels = HttpLabels {
            http_request_method: method,
            http_route: route.to_owned(),
            http_response_status_code: status.into(),
        };
        self.http.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Records a call to STS.
    pub(crate) fn record_sts_call(
        &self,
        region: &str,
        outcome: &Result<StsResponse, StsFailure>,
        retries: u32,
        took: Duration,
    ) {
        let labels = StsLabels { region: region.to_owned(), outcome: outcome_name(outcome) };
        self.sts.get_or_create(&labels).observe(took.as_secs_f64());
        self.retries.inc_by(retries.into());
    }

    /// Counts a verdict on credentials, or on a kind of proof.
    pub(crate) fn verdict_given(&self, verdict: Verdict, proof: &'static str) {
        self.verdicts.get_or_create(&VerdictLabels { verdict: Word(verdict), proof }).inc();
    }

    /// Counts a gate's decision: `allowed`, `denied`, `unauthenticated`, or `unknown`. The policy is one of the
    /// operator's.
    pub(crate) fn gate_decided(&self, policy: &str, decision: &'static str) {
        self.gates.get_or_create(&GateLabels { policy: policy.to_owned(), decision }).inc();
    }

    /// Counts an error response of any route.
    pub(crate) fn error_answered(&self, code: &str) {
        self.codes.get_or_create(&CodeLabels { code: known_code(code) }).inc();
    }

    /// Counts a request that was rejected because too many waited for STS.
    pub(crate) fn request_shed(&self) {
        self.shed.inc();
    }

    /// Counts a request that was rejected because it had no valid API key; `limited` if it got 429 because its
    /// address sent too many.
    pub(crate) fn unauthenticated(&self, limited: bool) {
        self.unauthenticated.inc();
        if limited {
            self.authentication_limited.inc();
        }
    }

    /// Records that a file was loaded. The count of failures is then 0, not absent, because alerts compare with
    /// it.
    pub(crate) fn file_loaded(&self, file: ReloadedFile) {
        let labels = FileLabels { file: file.as_str() };
        let _ = self.reload_failures.get_or_create(&labels);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.files_loaded.get_or_create(&labels).set(now.as_secs().try_into().unwrap_or(i64::MAX));
    }

    /// Counts a changed file that could not be loaded.
    pub(crate) fn reload_failed(&self, file: ReloadedFile) {
        self.reload_failures.get_or_create(&FileLabels { file: file.as_str() }).inc();
    }

    /// Counts a request that was rejected because its caller sent too many.
    pub(crate) fn caller_limited(&self) {
        self.rate_limited.inc();
    }

    /// Counts and logs the failures of Redis.
    pub(crate) fn redis(&self) -> Arc<RedisWatch> {
        self.redis.clone()
    }

    /// The number of used proofs in the store of this process.
    pub(crate) fn remembered_proofs(&self) -> Gauge {
        self.remembered_proofs.clone()
    }

    /// The metrics of the public listener.
    pub(crate) fn connections(&self) -> ConnectionFigures {
        self.connections.clone()
    }

    /// The metrics of the bodies being read.
    pub(crate) fn bodies(&self) -> BodyFigures {
        self.bodies.clone()
    }

    /// Counts an answer without a call to STS of its own, if `source` says so.
    pub(crate) fn answer_shared(&self, source: Option<&'static str>) {
        if let Some(source) = source {
            self.shared.get_or_create(&SourceLabels { source }).inc();
        }
    }

    /// The metrics as text for Prometheus.
    pub(crate) fn text(&self, format: Format) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        format.of_openmetrics(text)
    }
}

/// The outcome of a call to STS, in one word.
pub(crate) fn outcome_name(outcome: &Result<StsResponse, StsFailure>) -> &'static str {
    match outcome {
        Ok(StsResponse::Identity(_)) => "identity",
        Ok(StsResponse::Rejection(_)) => "rejection",
        Err(StsFailure::Unreachable(..)) => "unreachable",
        Err(StsFailure::Closed(_)) => "closed",
        Err(StsFailure::ConnectTimeout(_)) => "connect_timeout",
        Err(StsFailure::ReadTimeout(_)) => "read_timeout",
        Err(StsFailure::TooLong(_) | StsFailure::NotSts { .. }) => "not_sts",
        Err(StsFailure::Internal(_)) => "internal",
    }
}
