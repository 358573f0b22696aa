//! Says when traces are not delivered: once, and again only now and then while it lasts.

use opentelemetry_otlp::SpanExporter as Posts;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How often trouble that lasts is told.
const TOLD_EVERY: Duration = Duration::from_mins(5);

/// An exporter and what has become of its batches.
#[derive(Debug)]
pub(super) struct Watched {
    posts: Posts,
    trouble: Mutex<Option<Trouble>>,
}

/// Batches are being lost.
#[derive(Debug)]
struct Trouble {
    /// When the log was last told.
    told: Instant,
    /// How many spans were lost since the trouble began.
    lost: usize,
}

impl Watched {
    pub(super) fn new(posts: Posts) -> Self {
        Self { posts, trouble: Mutex::new(None) }
    }

    fn note(&self, spans: usize, result: &OTelSdkResult) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let Err(error) = result else {
            if let Some(Trouble { lost, .. }) = trouble.take() {
                info!(lost, "traces are delivered again");
            }
            return;
        };
        let before = trouble.as_ref().map_or(0, |trouble| trouble.lost);
        let lately = trouble.as_ref().map(|trouble| trouble.told).filter(|told| told.elapsed() < TOLD_EVERY);
        let lost = before + spans;
        if lately.is_none() {
            // The exporter's own words, which name a status at most.
            warn!(lost, reason = %error, "traces cannot be delivered");
        }
        *trouble = Some(Trouble { told: lately.unwrap_or_else(Instant::now), lost });
    }
}

impl SpanExporter for Watched {
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
