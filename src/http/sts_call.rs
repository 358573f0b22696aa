//! Calls STS for a request: within the limit on requests in flight, and shared with other requests that make
//! the same call.

use crate::http::context::RequestContext;
use crate::http::state::AppState;
use crate::observability::metrics::Metrics;
use crate::observability::spans::StsSpan;
use crate::sts::coalescing::{Lookup, Source};
use crate::sts::{CallOutcome, StsCall, StsClient, StsClientFactory, Waiters};
use std::sync::Arc;
use tokio::time::Instant;

/// A call for one caller.
pub(crate) struct CallersCall {
    pub call: StsCall,
    /// Whether other callers with the same call may share it.
    pub shared: bool,
    /// When the caller stops waiting.
    pub deadline: Instant,
}

/// Returns the outcome and where it comes from, or `None` when the request got no permit or lost it and must be
/// rejected. A request that waits for permits then tries again, with a new deadline.
pub(crate) async fn call_sts(
    app: &AppState,
    context: &RequestContext,
    client: &Arc<StsClient>,
    CallersCall { call, shared, mut deadline }: CallersCall,
) -> Option<(Arc<CallOutcome>, Source)> {
    let call = Arc::new(call);
    loop {
        let mut permit = if context.waits_for_permit {
            let permit = app.in_flight.wait_for_permit(client.name(), context.caller).await;
            deadline = app.sts.deadline();
            permit
        } else {
            let permit = app.in_flight.acquire(client.name(), context.caller);
            let Some(permit) = permit else {
                app.metrics.request_shed();
                return None;
            };
            permit
        };
        let pending = match look_up(app, context, client, &call, shared, deadline) {
            Lookup::Cached(outcome, source) => return Some((outcome, source)),
            Lookup::Call(pending) => pending,
        };
        let source = pending.source;
        context.record.update(|record| record.shared = source.name());
        tokio::select! {
            biased;
            outcome = pending.outcome() => return Some((outcome, source)),
            () = permit.revoked() => {
                if !context.waits_for_permit {
                    app.metrics.request_shed();
                    return None;
                }
            }
        }
    }
}

/// The cached outcome, or this request's share in the call.
fn look_up(
    app: &AppState,
    context: &RequestContext,
    client: &Arc<StsClient>,
    call: &Arc<StsCall>,
    shared: bool,
    deadline: Instant,
) -> Lookup {
    let keyed = app.coalescer.keyed(client.name(), call, shared);
    let out_of_time = CallOutcome::failed(client.timed_out());
    app.coalescer.join(keyed, deadline, &context.wants_retries, out_of_time, |waiters| {
        begin(app.sts.clone(), app.metrics.clone(), client.clone(), call.clone(), waiters)
    })
}

/// The call to STS, which all requests with the same call share.
fn begin(
    sts: Arc<StsClientFactory>,
    metrics: Arc<Metrics>,
    client: Arc<StsClient>,
    call: Arc<StsCall>,
    waiters: Arc<Waiters>,
) -> impl Future<Output = CallOutcome> + Send + 'static {
    // The span begins here and not in the future, which another request with another trace may poll first.
    let (span, began) = (StsSpan::begin(&client), Instant::now());
    async move {
        let outcome = sts.call(&client, &call, &waiters).await;
        span.end(&outcome);
        metrics.record_sts_call(client.name(), &outcome.outcome, outcome.retries, began.elapsed());
        outcome
    }
}
