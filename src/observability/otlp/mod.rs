//! Exports traces to a collector over OTLP. Off unless OpenTelemetry's variables configure it.
//!
//! Spans wait in a bounded queue, and a separate thread sends them in batches: a collector that is slow, silent
//! or gone costs spans, but no request waits for it.

mod client;
mod watch;

use crate::config::{OtelSettings, Sampling};
use crate::observability::trace::{self, Origin};
use crate::tls::{ClientTls, Trust};
use client::Client;
use opentelemetry::trace::{SpanId, SpanKind, TraceId, TracerProvider as _};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{ResourceDetector as _, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, SdkTracer,
    SdkTracerProvider, ShouldSample as _,
};
use std::time::Duration;
use tokio::time::timeout;
use tracing::warn;
use watch::MonitoredExporter;

/// The time limit for the last spans when the process stops. With the delay and the draining before it, the
/// total is below the 30 s after which Kubernetes and ECS kill the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The exporter of traces to a collector.
#[derive(Debug)]
pub struct Exporter {
    /// Owns the queue and its thread.
    provider: SdkTracerProvider,
    /// Makes the spans.
    tracer: SdkTracer,
    /// Which requests are recorded.
    sampling: Sampling,
    /// The scheme of this service's URLs.
    scheme: &'static str,
    /// The CA certificates for connections to the collector.
    tls: ClientTls,
}

impl Exporter {
    /// Creates the exporter that OpenTelemetry's variables configure. Reads the CA certificates; nothing is
    /// sent yet. `scheme` is that of the listener.
    ///
    /// # Errors
    ///
    /// One line, naming the variable that is wrong.
    pub fn new(settings: &OtelSettings, scheme: &'static str) -> Result<Self, String> {
        let bundle = settings.ca_bundle.clone();
        let (variable, bundle) = bundle.map_or_else(
            || ("OTEL_EXPORTER_OTLP_CERTIFICATE".to_owned(), None),
            |(variable, file)| (variable, Some(file)),
        );
        let is_needed = settings.endpoint.starts_with("https:");
        let trust = Trust { variable, bundle, is_needed, protocol: Some(b"http/1.1") };
        let tls = ClientTls::read(trust).map_err(|error| error.to_string())?;
        let client = Client::new(settings, tls.clone());
        let provider = provider(settings, client)?;
        let scope = InstrumentationScope::builder("sts-verify").with_version(env!("CARGO_PKG_VERSION"));
        let tracer = provider.tracer_with_scope(scope.build());
        Ok(Self { provider, tracer, sampling: settings.sampling, scheme, tls })
    }

    /// The CA certificates for connections to the collector.
    #[must_use]
    pub fn tls(&self) -> &ClientTls {
        &self.tls
    }

    pub(crate) fn tracer(&self) -> &SdkTracer {
        &self.tracer
    }

    pub(crate) fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Whether a request is recorded: by its caller's decision, if that counts, and else by its trace id, so
    /// that all services make the same decision.
    pub(crate) fn wants(&self, origin: &Origin) -> bool {
        let decided = origin.sampled.filter(|_| self.sampling.parent_based);
        decided.unwrap_or_else(|| {
            let sampler = Sampler::TraceIdRatioBased(self.sampling.ratio);
            let result = sampler.should_sample(None, origin.trace_id, "", &SpanKind::Server, &[], &[]);
            result.decision == SamplingDecision::RecordAndSample
        })
    }

    /// Sends the remaining spans, within a time limit. No span is exported after it.
    pub async fn flush(&self) {
        let provider = self.provider.clone();
        let flushing = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_TIMEOUT));
        // All threads for blocking calls may be in use, for example by name look-ups that hang.
        if !matches!(timeout(FLUSH_TIMEOUT, flushing).await, Ok(Ok(Ok(())))) {
            warn!("the last traces could not be delivered in time");
        }
    }
}

/// Creates the queue of spans and its thread.
fn provider(settings: &OtelSettings, client: Client) -> Result<SdkTracerProvider, String> {
    let attributes = settings.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let sdk = TelemetryResourceDetector.detect();
    let sdk = sdk.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let resource = Resource::builder_empty().with_attributes(sdk.chain(attributes)).build();
    let posts = SpanExporter::builder()
        .with_http()
        .with_endpoint(&settings.endpoint)
        .with_timeout(settings.timeout)
        .with_http_client(client)
        .build()
        .map_err(|_| "OTEL_EXPORTER_OTLP_ENDPOINT: cannot be used")?;
    let batches = BatchSpanProcessor::builder(MonitoredExporter::new(posts));
    Ok(SdkTracerProvider::builder()
        // Its defaults are the OTEL_BSP_* variables, which were checked before.
        .with_span_processor(batches.build())
        // Whether a request gets spans is decided before there is one: see `wants`.
        .with_sampler(Sampler::AlwaysOn)
        .with_id_generator(Ids::default())
        .with_resource(resource)
        .build())
}

/// A span without a parent begins no new trace: its request already has one, which is in the log.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        trace::current_id().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}
