//! Replicas share the rate limit of a caller.

use super::server::{RedisProcess, until};
use crate::helpers::{header, someone, value_in};
use crate::program::Service;
use crate::stub::{Stub, identity};
use std::time::Duration;

const RATE: &str = "sts-verify:rate:";
const FAILED_AUTHENTICATION: &str = "sts-verify:failed-authentication:";
const NOT_COUNTED: &str = "sts_verify_redis_errors_total{operation=\"rate_limit\"}";

/// A replica with a limit in this Redis.
async fn replica(stub: &Stub, redis: &str, limit: &str) -> Service {
    let variables = [("STS_VERIFY_REDIS_URL", redis), ("STS_VERIFY_RATE_LIMIT", limit)];
    let replica = Service::asking(&stub.url, &variables).await;
    replica.program.message("connected to Redis").await;
    replica
}

async fn status(replica: &Service) -> u16 {
    replica.verify_someone().await.status().as_u16()
}

async fn metric(replica: &Service, series: &str) -> Option<f64> {
    value_in(&replica.get("/metrics").await.text().await.unwrap(), series)
}

/// Counts a caller's requests with this Redis user.
pub async fn count_as(url: &str) {
    let stub = Stub::always(identity()).await;
    let replica = replica(&stub, url, "1/h").await;
    assert_eq!((status(&replica).await, status(&replica).await), (200, 429));
    assert_eq!(metric(&replica, NOT_COUNTED).await, Some(0.0));
}

#[tokio::test]
async fn replicas_share_the_rate_limit_of_a_caller() {
    let redis = RedisProcess::start(&[]).await;
    let stub = Stub::always(identity()).await;
    let (one, other) = (replica(&stub, &redis.url(), "4/h").await, replica(&stub, &redis.url(), "4/h").await);
    let mut asking = Vec::new();
    for _ in 0..10 {
        for replica in [&one, &other] {
            asking.push(tokio::spawn(replica.request(&someone()).send()));
        }
    }
    let mut allowed = 0;
    for asked in asking {
        let response = asked.await.unwrap().unwrap();
        if response.status() == 200 {
            allowed += 1;
        } else {
            let wait: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
            assert!(wait > 600 && wait <= 900, "four an hour are one in 15 minutes: {wait}");
        }
    }
    assert_eq!(allowed, 4);
    // Other callers have their own limits, and Redis contains no names of callers.
    let left = Duration::from_millis(redis.ask(&["PTTL", &redis.key(RATE)]));
    assert!(left > Duration::from_mins(55) && left <= Duration::from_hours(1), "{left:?}");
    assert_eq!(metric(&one, NOT_COUNTED).await, Some(0.0));
}

/// Redis holds the time at which the caller's burst has refilled; changing it simulates the passing of time.
#[tokio::test]
async fn a_rate_limit_refills_and_a_clock_that_was_set_back_blocks_no_caller() {
    let redis = RedisProcess::start(&[]).await;
    let stub = Stub::always(identity()).await;
    let replica = replica(&stub, &redis.url(), "3/h").await;
    let statuses = async |count: usize| {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(status(&replica).await);
        }
        statuses
    };
    assert_eq!(statuses(5).await, [200, 200, 200, 429, 429]);
    let key = redis.key(RATE);
    let add = |minutes: i32| {
        let rested: f64 = redis.ask::<String>(&["GET", &key]).parse().unwrap();
        let moved = format!("{:.0}", rested + 60e6 * f64::from(minutes));
        assert_eq!(redis.ask::<String>(&["SET", &key, &moved, "KEEPTTL"]), "OK");
    };
    add(-21);
    assert_eq!(statuses(2).await, [200, 429], "one in 20 minutes");
    add(-41);
    assert_eq!(statuses(3).await, [200, 200, 429]);
    // After a long pause, it has no more than at first.
    add(-1_000);
    assert_eq!(statuses(4).await, [200, 200, 200, 429]);
    add(1_000);
    let response = replica.verify_someone().await;
    let wait: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
    assert!(wait <= 1200, "{wait}");
    assert_eq!(redis.ask::<u64>(&["DEL", &key]), 1);
    assert_eq!(statuses(4).await, [200, 200, 200, 429]);
}

#[tokio::test]
async fn a_rate_of_many_in_a_second_is_given_in_full() {
    let redis = RedisProcess::start(&[]).await;
    let stub = Stub::always(identity()).await;
    // An interval of a third of a microsecond's fractions, and a burst that is rounded at each step.
    let replica = replica(&stub, &redis.url(), "300007/h").await;
    for _ in 0..50 {
        assert_eq!(status(&replica).await, 200);
    }
    assert_eq!(metric(&replica, NOT_COUNTED).await, Some(0.0));
}

#[tokio::test]
async fn replicas_let_an_address_fail_to_authenticate_as_often_as_one() {
    let redis = RedisProcess::start(&[]).await;
    let url = redis.url();
    let digest = hex::encode([7; 32]);
    let variables = [("STS_VERIFY_REDIS_URL", url.as_str()), ("STS_VERIFY_API_KEYS", &digest)];
    let replicas = [Service::start(&variables).await, Service::start(&variables).await];
    for replica in &replicas {
        replica.program.message("connected to Redis").await;
    }
    let mut refused = 0;
    for turn in 0..80 {
        refused += usize::from(status(&replicas[turn % 2]).await == 401);
    }
    // And one more each second.
    assert!((60..75).contains(&refused), "{refused}");
    redis.key(FAILED_AUTHENTICATION);
}

#[tokio::test]
async fn without_redis_each_replica_counts_on_its_own_and_logs_it() {
    let mut redis = RedisProcess::start(&[]).await;
    let stub = Stub::always(identity()).await;
    let replica = replica(&stub, &redis.url(), "2/h").await;
    assert_eq!([status(&replica).await, status(&replica).await, status(&replica).await], [200, 200, 429]);
    redis.kill();
    assert_eq!([status(&replica).await, status(&replica).await, status(&replica).await], [200, 200, 429]);
    assert!(metric(&replica, NOT_COUNTED).await.unwrap() >= 3.0);
    let line = replica.program.line(|line| line.contains("this replica counts by itself")).await;
    assert!(line.contains("\"operation\":\"rate_limit\""), "{line}");
    redis.start_again().await;
    // It does not know the previous counts.
    until("requests to be counted in Redis", async || status(&replica).await == 200).await;
    assert_eq!([status(&replica).await, status(&replica).await], [200, 429]);
}
