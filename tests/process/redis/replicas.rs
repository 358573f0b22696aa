//! Two replicas and single use: proofs are posted to both at the same time, with Redis and without.

use super::server::RedisProcess;
use crate::helpers::{caller, start_sandbox};
use crate::program::Service;
use crate::proof_makers::{AUDIENCE, Signer};
use crate::stub::{Stub, sts_error};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

const PROOFS: u64 = 1_000;

/// This many are posted at once.
const AT_ONCE: usize = 50;

/// A replica that accepts each proof once.
async fn replica(sts: &str, redis: &str) -> Service {
    let variables = [
        ("STS_VERIFY_REDIS_URL", redis),
        ("STS_VERIFY_AUDIENCE", AUDIENCE),
        ("STS_VERIFY_SINGLE_USE", "true"),
    ];
    let replica = Service::asking(sts, &variables).await;
    replica.program.message("connected to Redis").await;
    replica
}

/// Different proofs of one caller: no two have the same time and lifetime.
fn proofs(count: u64) -> Vec<Value> {
    let signer = Signer::of(caller("AKIASBXUSER00EXAMPLE"));
    (0..count)
        .map(|number| {
            let mut signer = signer.clone();
            signer.time -= Duration::from_secs(number / 900);
            signer.expires = Duration::from_secs(1 + number % 900);
            json!({"presigned_url": signer.url()})
        })
        .collect()
}

/// Posts each proof to each replica at the same time. Counts the codes, and the proofs that were not accepted
/// exactly once.
async fn post(replicas: [&Service; 2], proofs: &[Value]) -> (HashMap<String, u64>, usize) {
    let (mut codes, mut not_once) = (HashMap::new(), 0);
    for some in proofs.chunks(AT_ONCE) {
        let asking =
            some.iter().map(|proof| replicas.map(|replica| tokio::spawn(replica.request(proof).send())));
        for pair in asking.collect::<Vec<_>>() {
            let mut accepted = 0;
            for asked in pair {
                let response = asked.await.unwrap().unwrap();
                accepted += usize::from(response.status() == 200);
                let body: Value = response.json().await.unwrap();
                let code = body["error_code"].as_str().unwrap_or("accepted").to_owned();
                *codes.entry(code).or_default() += 1;
            }
            not_once += usize::from(accepted != 1);
        }
    }
    (codes, not_once)
}

#[tokio::test]
async fn of_proofs_posted_to_two_replicas_at_once_each_is_accepted_exactly_once() {
    let (mut redis, sandbox) = (RedisProcess::start(&[]).await, start_sandbox().await);
    let (one, other) = (replica(&sandbox, &redis.url()).await, replica(&sandbox, &redis.url()).await);
    let (codes, not_once) = post([&one, &other], &proofs(PROOFS)).await;
    let expected =
        [("accepted", PROOFS), ("ProofReplayed", PROOFS)].map(|(code, count)| (code.to_owned(), count));
    assert_eq!((codes, not_once), (expected.into(), 0));
    redis.kill();
    let (codes, _) = post([&one, &other], &proofs(100)).await;
    assert_eq!(codes, HashMap::from([("ReplayStoreUnavailable".to_owned(), 200)]));
}

#[tokio::test]
async fn a_proof_without_a_verdict_can_be_posted_to_the_other_replica() {
    let redis = RedisProcess::start(&[]).await;
    let (throttling, sandbox) =
        (Stub::always(sts_error(400, "Throttling", "Rate exceeded")).await, start_sandbox().await);
    let (one, other) = (replica(&throttling.url, &redis.url()).await, replica(&sandbox, &redis.url()).await);
    let proof = &proofs(1)[0];
    let status = async |replica: &Service| replica.verify(proof).await.status().as_u16();
    assert_eq!(status(&one).await, 400);
    assert_eq!(status(&other).await, 200);
    assert_eq!(status(&one).await, 400);
    assert_eq!(throttling.count(), 5, "the attempts of the first request alone");
}
