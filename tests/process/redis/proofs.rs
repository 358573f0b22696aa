//! A proof is accepted once, whichever replica gets it.

use super::proxy::{Proxy, Way};
use super::server::{RedisProcess, store};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use sts_verify::proof::replay::ReplayError::{Replayed, Unavailable};

const PREFIX: &str = "sts-verify:used:";

fn in_a_minute() -> SystemTime {
    SystemTime::now() + Duration::from_mins(1)
}

fn id(number: u32) -> [u8; 32] {
    let mut id = [7; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}

#[tokio::test]
async fn a_proof_is_accepted_once_by_all_replicas_and_again_after_its_release() {
    let redis = RedisProcess::start(&[]).await;
    let (one, other) = (store(&redis.url()), store(&redis.url()));
    let claim = one.mark_used(&id(1), in_a_minute()).await.unwrap();
    assert_eq!(one.mark_used(&id(1), in_a_minute()).await.err(), Some(Replayed));
    assert_eq!(other.mark_used(&id(1), in_a_minute()).await.err(), Some(Replayed));
    claim.undo().await;
    // A caller that leaves does not release its proof.
    drop(other.mark_used(&id(1), in_a_minute()).await.unwrap());
    assert_eq!(one.mark_used(&id(1), in_a_minute()).await.err(), Some(Replayed));
    assert!(one.mark_used(&id(2), in_a_minute()).await.is_ok());
}

#[tokio::test]
async fn redis_holds_a_digest_and_a_nonce_for_as_long_as_the_proof_can_be_used_and_a_minute() {
    let redis = RedisProcess::start(&[]).await;
    let store = store(&redis.url());
    for (rest, number) in [(Duration::from_mins(15), 1), (Duration::ZERO, 2)] {
        drop(store.mark_used(&id(number), SystemTime::now() + rest).await.unwrap());
        let key = format!("{PREFIX}{}", hex::encode(id(number)));
        let left = Duration::from_millis(redis.ask(&["PTTL", &key]));
        let most = rest + Duration::from_mins(1);
        assert!(left <= most && left + Duration::from_secs(30) > most, "{left:?} {rest:?}");
        let value: String = redis.ask(&["GET", &key]);
        assert!(value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{value}");
    }
    assert_eq!(redis.ask::<u64>(&["DBSIZE"]), 2);
}

#[tokio::test]
async fn each_of_a_thousand_proofs_at_two_replicas_is_accepted_once() {
    let redis = RedisProcess::start(&[]).await;
    let (one, other) = (store(&redis.url()), store(&redis.url()));
    let mut taking = Vec::new();
    for number in 0..1_000 {
        for store in [one.clone(), other.clone()] {
            taking.push(tokio::spawn(
                async move { store.mark_used(&id(number), in_a_minute()).await.map(drop) },
            ));
        }
    }
    let mut taken = 0;
    for take in taking {
        match take.await.unwrap() {
            Ok(()) => taken += 1,
            Err(error) => assert_eq!(error, Replayed),
        }
    }
    assert_eq!(taken, 1_000);
    assert_eq!(redis.ask::<u64>(&["DBSIZE"]), 1_000);
}

#[tokio::test]
async fn a_later_use_by_another_replica_is_not_released() {
    let redis = RedisProcess::start(&[]).await;
    let store = store(&redis.url());
    let claim = store.mark_used(&id(1), in_a_minute()).await.unwrap();
    let key = redis.key(PREFIX);
    let _: String = redis.ask(&["SET", &key, "another's"]);
    claim.undo().await;
    assert_eq!(redis.ask::<String>(&["GET", &key]), "another's");
}

#[tokio::test]
async fn a_use_whose_answer_was_lost_is_recognised_by_its_nonce() {
    let redis = RedisProcess::start(&[]).await;
    let proxy = Proxy::before(redis.port).await;
    let store = store(&proxy.url());
    drop(store.mark_used(&id(0), in_a_minute()).await.unwrap());
    // Redis has executed the command, but the answer is lost.
    proxy.turn(Way::Lossy(1));
    let claim = store.mark_used(&id(1), in_a_minute()).await.unwrap();
    assert_eq!(proxy.connections.load(Ordering::Relaxed), 2, "the answer was lost");
    assert_eq!(store.mark_used(&id(1), in_a_minute()).await.err(), Some(Replayed));
    // The same with the answer that the proof was used before.
    proxy.turn(Way::Lossy(1));
    assert_eq!(store.mark_used(&id(1), in_a_minute()).await.err(), Some(Replayed));
    // The same when it is released.
    proxy.turn(Way::Lossy(1));
    claim.undo().await;
    assert!(store.mark_used(&id(1), in_a_minute()).await.is_ok());
    assert_eq!(proxy.connections.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn a_proof_of_unknown_use_counts_as_used() {
    let redis = RedisProcess::start(&[]).await;
    let proxy = Proxy::before(redis.port).await;
    let store = store(&proxy.url());
    drop(store.mark_used(&id(0), in_a_minute()).await.unwrap());
    // Loses the answers to the command, and to the first command of the next connection.
    proxy.turn(Way::Lossy(2));
    assert_eq!(store.mark_used(&id(1), in_a_minute()).await.err(), Some(Unavailable));
    assert_eq!(redis.ask::<u64>(&["DBSIZE"]), 2);
}

#[tokio::test]
async fn the_rights_that_the_documents_name_are_enough() {
    let redis = RedisProcess::start(&["--databases", "4"]).await;
    let documents = include_str!("../../../docs/scaling.md");
    let line =
        documents.lines().find_map(|line| line.trim().strip_prefix("ACL SETUSER ")).expect("it is there");
    let rights: Vec<&str> = line.split(' ').collect();
    let _: String = redis.ask(&[&["ACL", "SETUSER"], &rights[..]].concat());
    let (user, password) = (rights[0], rights.iter().find_map(|right| right.strip_prefix('>')).unwrap());
    let url = format!("redis://{user}:{password}@127.0.0.1:{}/3", redis.port);
    let store = store(&url);
    let claim = store.mark_used(&id(1), in_a_minute()).await.unwrap();
    assert_eq!(store.mark_used(&id(1), in_a_minute()).await.err(), Some(Replayed));
    claim.undo().await;
    assert!(store.mark_used(&id(1), in_a_minute()).await.is_ok());
    assert_eq!(redis.ask::<u64>(&["DBSIZE"]), 0, "it is in another database");
    super::limits::count_as(&url).await;
}
