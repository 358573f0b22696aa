//! Asks STS for a request: within the limit on requests in flight, and together with other requests of the same question.

use crate::credentials::Credentials;
use crate::http::context::RequestContext;
use crate::http::state::AppState;
use crate::observability::metrics::Metrics;
use crate::observability::spans::StsSpan;
use crate::sts::coalescing::{Lookup, Source};
use crate::sts::{CallOutcome, StsClient, StsClientFactory, Waiters};
use std::sync::Arc;
use tokio::time::Instant;

/// The outcome, and where it comes from. `None` when the request got no permit or lost it, and has to be refused.
pub(crate) async fn ask(
    app: &AppState,
    context: &RequestContext,
    client: &Arc<StsClient>,
    credentials: Credentials,
) -> Option<(Arc<CallOutcome>, Source)> {
    let permit = app.in_flight.acquire(client.name(), context.caller);
    let Some(mut permit) = permit else {
        app.metrics.request_shed();
        return None;
    };
    let pending = match look_up(app, context, client, credentials) {
        Lookup::Kept(outcome, source) => return Some((outcome, source)),
        Lookup::Call(pending) => pending,
    };
    let source = pending.source;
    context.record.update(|record| record.shared = source.name());
    tokio::select! {
        biased;
        outcome = pending.outcome() => Some((outcome, source)),
        () = permit.revoked() => {
            app.metrics.request_shed();
            None
        }
    }
}

/// The kept answer, or this request's share in the call.
fn look_up(
    app: &AppState,
    context: &RequestContext,
    client: &Arc<StsClient>,
    credentials: Credentials,
) -> Lookup {
    let id = app.coalescer.id(client.name(), &credentials);
    let out_of_time = CallOutcome::failed(client.timed_out());
    app.coalescer.join(id, app.sts.deadline(), &context.wants_retries, out_of_time, |waiters| {
        call(app.sts.clone(), app.metrics.clone(), client.clone(), credentials, waiters)
    })
}

/// The call to STS, which all requests of the same question share.
fn call(
    sts: Arc<StsClientFactory>,
    metrics: Arc<Metrics>,
    client: Arc<StsClient>,
    credentials: Credentials,
    waiters: Arc<Waiters>,
) -> impl Future<Output = CallOutcome> + Send + 'static {
    // The span begins here and not in the future, which another request with another trace may poll first.
    let (span, asked_at) = (StsSpan::begin(&client), Instant::now());
    async move {
        let asked = sts.ask(&client, &credentials, &waiters).await;
        span.end(&asked);
        metrics.sts_asked(client.name(), &asked.outcome, asked.retries, asked_at.elapsed());
        asked
    }
}
