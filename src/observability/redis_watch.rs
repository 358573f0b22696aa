//! Counts and logs the failures of Redis: once per minute for each kind while they last.

use super::log_throttle::LogThrottle;
use crate::store::{Operation, RedisFailure};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tracing::warn;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

/// Counts and logs the failures of Redis.
#[derive(Default)]
pub(crate) struct RedisWatch {
    errors: Family<OperationLabels, Counter>,
    connect: LogThrottle,
    take: LogThrottle,
    undo: LogThrottle,
    rate_limit: LogThrottle,
}

impl RedisWatch {
    pub(super) fn new() -> Self {
        let watch = Self::default();
        // A failure that never occurred is 0, not absent, because alerts compare with it.
        for operation in Operation::ALL {
            let _ = watch.counter(operation);
        }
        watch
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let errors = "Commands to Redis that failed, and connections that could not be made or were lost";
        registry.register("sts_verify_redis_errors", errors, self.errors.clone());
    }

    fn counter(&self, operation: Operation) -> Counter {
        self.errors.get_or_create_owned(&OperationLabels { operation: operation.as_str() })
    }

    /// Records a failure.
    pub(crate) fn failed(&self, operation: Operation, failure: &RedisFailure) {
        self.counter(operation).inc();
        let (throttle, consequence) = match operation {
            Operation::Connect => (&self.connect, "no connection to Redis"),
            Operation::Take => (
                &self.take,
                "Redis cannot be reached to check whether a proof was used: such proofs are rejected with 503",
            ),
            Operation::GiveBack => {
                (&self.undo, "Redis cannot be reached to record that a proof was not used: it counts as used")
            }
            Operation::RateLimit => {
                (&self.rate_limit, "Redis cannot count callers' requests: this replica counts by itself")
            }
        };
        throttle.say(|| warn!(operation = operation.as_str(), reason = %failure, "{consequence}"));
    }
}
