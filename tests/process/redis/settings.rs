//! The settings of Redis, and the confidentiality of its password.

use super::server::{RedisProcess, until};
use crate::helpers::value_in;
use crate::program::{Scratch, Service, run};
use crate::stub::{Reply, Stub, identity};

const PASSWORD: &str = "k3Jv9QpZx7Tn2WdR5mLc8Yb1Hf6Gs4Au";
const CONNECT: &str = "sts_verify_redis_errors_total{operation=\"connect\"}";

#[tokio::test]
async fn a_bundle_without_tls_and_one_that_cannot_be_read_are_wrong_settings() {
    let files = Scratch::new("redis-settings");
    let (none, empty) = (files.path("none.pem"), files.file("empty.pem", ""));
    for (url, bundle) in [
        ("", none.as_str()),
        ("redis://localhost", &none),
        ("rediss://localhost", &none),
        ("rediss://localhost", &empty),
    ] {
        let variables = [("STS_VERIFY_REDIS_URL", url), ("STS_VERIFY_REDIS_CA_BUNDLE", bundle)];
        let end = run(&[], &variables).await;
        assert_eq!((end.code, end.stderr.len()), (Some(64), 1), "{end:?}");
        assert!(end.stderr[0].contains("STS_VERIFY_REDIS_CA_BUNDLE: "), "{end:?}");
    }
    let variables = [("STS_VERIFY_REDIS_URL", "rediss://localhost"), ("SSL_CERT_FILE", empty.as_str())];
    let variables = [&variables[..], &[("SSL_CERT_DIR", "/nowhere")]].concat();
    let end = run(&[], &[&variables[..], &[("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")]].concat()).await;
    assert_eq!(end.code, Some(64), "{end:?}");
    assert!(end.stderr[0].contains("STS_VERIFY_REDIS_CA_BUNDLE: no CA certificates were found"), "{end:?}");
}

/// Different servers at the address: none, a Redis with another password, one without AUTH that repeats what
/// it received, and one with another protocol.
#[tokio::test]
async fn an_unusable_redis_does_not_prevent_the_start_and_its_password_is_not_revealed() {
    let stub = Stub::always(identity()).await;
    let web = Stub::always(Reply::Last(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())).await;
    let mut places = vec![("127.0.0.1:1".to_owned(), "no connection can be made")];
    places.push((web.url.replace("http://", ""), ""));
    let wrong = RedisProcess::start(&["--requirepass", "another"]).await;
    let odd = RedisProcess::start(&["--rename-command", "AUTH", ""]).await;
    for redis in [&wrong, &odd] {
        places.push((format!("127.0.0.1:{}", redis.port), "user or password is wrong"));
    }
    for (place, reason) in places {
        let url = format!("redis://some-user:{PASSWORD}@{place}");
        let variables = [
            ("STS_VERIFY_REDIS_URL", url.as_str()),
            ("STS_VERIFY_RATE_LIMIT", "2/h"),
            ("STS_VERIFY_LOG", "trace"),
        ];
        let service = Service::asking(&stub.url, &variables).await;
        let line = service.program.line(|line| line.contains("no connection to Redis")).await;
        assert!(line.contains("WARN") && line.contains(reason), "{line}");
        assert_eq!(service.verify_someone().await.status(), 200);
        let metrics = async || service.get("/metrics").await.text().await.unwrap();
        until("a second attempt", async || value_in(&metrics().await, CONNECT) > Some(1.0)).await;
        let told = [metrics().await, service.get("/readyz").await.text().await.unwrap()].concat();
        let end = service.stop().await;
        assert_eq!(end.code, Some(0), "{end:?}");
        for text in [told, end.stdout.concat(), end.stderr.concat()] {
            assert!(!text.contains(&PASSWORD[..12]), "{place}: {text}");
        }
    }
}
