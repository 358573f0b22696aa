//! Logs when traces are not delivered: once, and then every five minutes while it lasts.

use opentelemetry_otlp::SpanExporter as Posts;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How often a continuing outage is logged.
const LOG_INTERVAL: Duration = Duration::from_mins(5);

/// An exporter, with the state of its delivery.
#[derive(Debug)]
pub(super) struct MonitoredExporter {
    posts: Posts,
    outage: Mutex<Option<Outage>>,
}

/// Batches are being lost.
#[derive(Debug)]
struct Outage {
    /// When the outage was last logged.
    logged: Instant,
    /// The number of lost spans since the outage began.
    lost: usize,
}

impl MonitoredExporter {
    pub(super) fn new(posts: Posts) -> Self {
        Self { posts, outage: Mutex::new(None) }
    }

    fn note(&self, spans: usize, result: &OTelSdkResult) {
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = result else {
            if let Some(Outage { lost, .. }) = outage.take() {
                info!(lost, "traces are delivered again");
            }
            return;
        };
        let before = outage.as_ref().map_or(0, |outage| outage.lost);
        let lately =
            outage.as_ref().map(|outage| outage.logged).filter(|logged| logged.elapsed() < LOG_INTERVAL);
        let lost = before + spans;
        if lately.is_none() {
            // The exporter's own text, which contains at most a status.
            warn!(lost, reason = %error, "traces cannot be delivered");
        }
        *outage = Some(Outage { logged: lately.unwrap_or_else(Instant::now), lost });
    }
}

impl SpanExporter for MonitoredExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.posts.export(batch).await;
        self.note(spans, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.posts.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.posts.set_resource(resource);
    }
}
