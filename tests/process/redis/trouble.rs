//! Redis is unreachable, stopped, slow, full, or replaced: a proof is refused within a bounded time, and
//! proofs are accepted again when Redis works again.

use super::proxy::{Proxy, Way};
use super::server::{RedisProcess, store, until};
use crate::program::{PATIENCE, Scratch};
use crate::wire::Authority;
use prometheus_client::metrics::gauge::Gauge;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use sts_verify::proof::replay::ReplayError::{self, Unavailable};
use sts_verify::proof::replay::ReplayStore;
use sts_verify::store::{OnFailure, Operation, Redis, RedisFailure, RedisServer, RedisUrl};
use tokio::time::timeout;

/// Uses a proof that was not used before.
async fn take(store: &ReplayStore) -> Result<(), ReplayError> {
    let mut id = [0; 32];
    getrandom::fill(&mut id).unwrap();
    let taken = store.mark_used(&id, SystemTime::now() + Duration::from_mins(1));
    timeout(PATIENCE, taken).await.expect("it is answered in any case").map(drop)
}

async fn until_it_takes(store: &ReplayStore) {
    until("a proof to be taken", async || take(store).await.is_ok()).await;
}

async fn until_it_refuses(store: &ReplayStore) {
    until("a proof to be refused", async || take(store).await == Err(Unavailable)).await;
}

#[tokio::test]
async fn a_redis_that_is_killed_is_found_again() {
    let mut redis = RedisProcess::start(&[]).await;
    let store = store(&redis.url());
    for _ in 0..3 {
        assert_eq!(take(&store).await, Ok(()));
        redis.kill();
        for _ in 0..100 {
            assert_eq!(take(&store).await, Err(Unavailable));
        }
        redis.start_again().await;
        until_it_takes(&store).await;
    }
}

#[tokio::test]
async fn a_stopped_redis_is_waited_for_only_for_a_limited_time() {
    let redis = RedisProcess::start(&[]).await;
    let store = store(&redis.url());
    assert_eq!(take(&store).await, Ok(()));
    redis.signal("STOP");
    // The kernel still accepts connections for it.
    for _ in 0..100 {
        assert_eq!(take(&store).await, Err(Unavailable));
    }
    redis.signal("CONT");
    until_it_takes(&store).await;
}

#[tokio::test]
async fn a_slow_redis_counts_as_unreachable() {
    let redis = RedisProcess::start(&[]).await;
    let proxy = Proxy::before(redis.port).await;
    let store = store(&proxy.url());
    assert_eq!(take(&store).await, Ok(()));
    proxy.turn(Way::Slow);
    for _ in 0..100 {
        assert_eq!(take(&store).await, Err(Unavailable));
    }
    proxy.turn(Way::Open);
    until_it_takes(&store).await;
}

#[tokio::test]
async fn a_connection_that_redis_closes_causes_no_refusal() {
    let redis = RedisProcess::start(&[]).await;
    let store = store(&redis.url());
    for _ in 0..20 {
        assert_eq!(take(&store).await, Ok(()));
        assert_eq!(redis.ask::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]), 1);
    }
}

#[tokio::test]
async fn a_proof_that_redis_refuses_to_store_is_not_accepted() {
    let redis = RedisProcess::start(&[]).await;
    let store = store(&redis.url());
    let ok = |command: &[&str]| assert_eq!(redis.ask::<String>(command), "OK");
    assert_eq!(take(&store).await, Ok(()));
    // Full, with noeviction as documented.
    ok(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(take(&store).await, Err(Unavailable));
    ok(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(take(&store).await, Ok(()), "the connection is still good");
    // A primary that has become a replica.
    ok(&["REPLICAOF", "127.0.0.1", "1"]);
    until_it_refuses(&store).await;
    assert_eq!(take(&store).await, Err(Unavailable));
    ok(&["REPLICAOF", "NO", "ONE"]);
    until_it_takes(&store).await;
}

#[tokio::test]
async fn after_a_failover_the_new_primary_is_found_though_the_old_one_goes_on() {
    let first = RedisProcess::start(&[]).await;
    let second = RedisProcess::start(&[]).await;
    let proxy = Proxy::before(first.port).await;
    let store = store(&proxy.url());
    assert_eq!(take(&store).await, Ok(()));
    assert_eq!(first.ask::<String>(&["REPLICAOF", "127.0.0.1", "1"]), "OK");
    until_it_refuses(&store).await;
    proxy.lead_to(second.port);
    until_it_takes(&store).await;
    assert_eq!(second.ask::<u64>(&["DBSIZE"]), 1);
}

/// A store, and the failures that it reports.
fn watched(url: &str, bundle: Option<&str>) -> (ReplayStore, Arc<Mutex<Vec<RedisFailure>>>) {
    let failures = Arc::<Mutex<Vec<RedisFailure>>>::default();
    let told = failures.clone();
    let on_failure: OnFailure = Arc::new(move |operation, failure| {
        if operation == Operation::Connect {
            told.lock().unwrap().push(failure.clone());
        }
    });
    let server = RedisServer::new(RedisUrl::parse(url).unwrap(), bundle.map(Path::new)).unwrap();
    let redis = Redis::start(server, on_failure);
    (ReplayStore::new(Some(redis), Gauge::default()), failures)
}

/// The first failure to connect.
async fn failure(url: &str, bundle: Option<&str>) -> RedisFailure {
    let (store, failures) = watched(url, bundle);
    until("a failure", async || !failures.lock().unwrap().is_empty()).await;
    assert_eq!(take(&store).await, Err(Unavailable));
    failures.lock().unwrap()[0].clone()
}

#[tokio::test]
async fn tls_is_used_only_with_a_server_that_the_bundle_trusts() {
    let authority = Authority::new("redis-ca");
    let redis = RedisProcess::with_tls(&authority, &["localhost"]).await;
    let bundle = Some(authority.bundle.as_str());
    let (store, _) = watched(&format!("rediss://localhost:{}", redis.port), bundle);
    until_it_takes(&store).await;
    let other = Authority::new("redis-other-ca");
    for (host, bundle, reason) in [
        ("localhost", other.bundle.as_str(), "invalid peer certificate"),
        ("127.0.0.1", authority.bundle.as_str(), "not valid for name"),
    ] {
        let failure = failure(&format!("rediss://{host}:{}", redis.port), Some(bundle)).await;
        assert!(matches!(&failure, RedisFailure::Unreachable(words) if words.contains(reason)), "{failure}");
    }
    let plain = failure(&format!("redis://localhost:{}", redis.port), None).await;
    assert!(matches!(plain, RedisFailure::Lost | RedisFailure::Unexpected), "{plain}");
}

#[tokio::test]
async fn a_wrong_password_differs_from_other_failures_and_a_right_one_is_sufficient() {
    let redis = RedisProcess::start(&["--requirepass", "s3cret/word"]).await;
    let with = |user: &str| format!("redis://{user}127.0.0.1:{}", redis.port);
    let (store, _) = watched(&with(":s3cret%2Fword@"), None);
    until_it_takes(&store).await;
    for user in [":other@", "nobody:s3cret%2Fword@"] {
        assert_eq!(failure(&with(user), None).await, RedisFailure::NotAuthenticated, "{user}");
    }
    assert_eq!(failure(&with(""), None).await, RedisFailure::Refused("NOAUTH".to_owned()));
}

#[tokio::test]
async fn the_first_proof_waits_for_the_first_connection() {
    let redis = RedisProcess::start(&[]).await;
    for _ in 0..20 {
        assert_eq!(take(&store(&redis.url())).await, Ok(()));
    }
}

#[tokio::test]
async fn an_unreadable_bundle_is_reported_before_anything_is_sent() {
    let files = Scratch::new("redis-bundles");
    let url = RedisUrl::parse("rediss://localhost").unwrap();
    for bundle in [files.path("none.pem"), files.file("empty.pem", ""), files.file("no.pem", "no PEM")] {
        assert!(RedisServer::new(url.clone(), Some(Path::new(&bundle))).is_err(), "{bundle}");
    }
}
