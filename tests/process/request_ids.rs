//! The request ID and the trace ID of a log line: what is kept of a client's, and what is replaced.

use crate::access_log::line_of;
use crate::helpers::{SECRET_KEY, someone};
use crate::program::Service;
use crate::stub::{Stub, identity};
use reqwest::RequestBuilder;

#[tokio::test]
async fn a_well_formed_request_id_is_kept() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let longest = "a".repeat(64);
    let usual = [
        "01JD5ZK3V4Q8R2N7MYCXW9TBPE",
        "01jd5zk3v4q8r2n7mycxw9tbpe",
        "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "order-01JD5ZK3V4Q8R2N7MYCXW9TBPE",
        "2peAKqTmVFz0GTh1zXJvn9AeQhy",
        "req_2peAKqTmVFz0GTh1zXJvn9AeQhy",
        "V1StGXR8_Z5jdHi6B-myT",
        "0123456789_-ABCDabcdE",
        // A UUID in base64 and in base62, a TypeID, a CUID, a CUID2 and an XID.
        "s9xW3p5QTiK7q-0vYbmEaA",
        "7N42dgm5tFLK9N8MT7fHC7",
        "user_2x4y6z8a0b1c2d3e4f5g6h7j8k",
        "cjld2cjxh0000qzrmn831i7rn",
        "tz4a98xxat96iws9zmbrgj3a",
        "9m4e2mr0ui3e8a215n4g",
    ];
    let plain =
        ["1", "Root=1-67891233-abcdef012345678912345678", "a_b.c:d-e", "order-AbCdEfGhIjK", longest.as_str()];
    for id in usual.into_iter().chain(plain) {
        let line = line_of(&service, service.get_with_id("/livez", id)).await;
        assert_eq!(line["request_id"], id);
    }
}

#[tokio::test]
async fn any_other_request_id_is_replaced() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let long = "a".repeat(200);
    // The second last has the length of a ULID but is not one; the last has more bits than a ULID can hold.
    let of_a_secret = [
        "wJalrXUtnFEM",
        "order-UmVhbFRva2Vu",
        "a.MPLEKEYEXAM==",
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLE-1",
        "1:AKIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLEabcdefg",
        "UmVhbFRva2VuUmVhbFRva2VuUmVhbFRva2VuUmVh",
        "AKIAIOSFODNN7EXAMPLEUU0000",
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    ];
    let odd = ["", "with spaces", "a%0ab", "a\tb", "<script>", "\"quoted\"", "ä", SECRET_KEY, long.as_str()];
    let mut seen = std::collections::HashSet::new();
    for id in odd.into_iter().chain(of_a_secret) {
        let line = line_of(&service, service.get_with_id("/livez", id)).await;
        let given = line["request_id"].as_str().unwrap().to_owned();
        assert_eq!(uuid::Uuid::parse_str(&given).map(|id| id.get_version_num()), Ok(4), "{id}");
        assert!(seen.insert(given), "no id comes twice");
    }
}

#[tokio::test]
async fn two_request_ids_are_not_both_logged() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let request = service.get_with_id("/livez", "one").header("x-request-id", "two");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers().get_all("x-request-id").iter().count(), 1);
}

#[tokio::test]
async fn the_log_line_has_the_trace_id_of_its_caller_or_a_new_one() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[]).await;
    let given = "4bf92f3577b34da6a3ce929d0e0e4736";
    let (good, bad) = (format!("00-{given}-00f067aa0ba902b7-01"), format!("00-{given}-0000000000000000-01"));
    let amazon = "Root=1-67891233-abcdef012345678912345678";
    for (name, value, expected) in [
        ("traceparent", good.as_str(), Some(given)),
        ("x-amzn-trace-id", amazon, Some("67891233abcdef012345678912345678")),
        ("traceparent", &bad, None),
        ("x-amzn-trace-id", "Root=1-67891233", None),
    ] {
        let line = line_of(&service, service.request(&someone()).header(name, value)).await;
        let id = line["trace_id"].as_str().unwrap();
        assert!(expected.map_or(id != given && id.len() == 32, |expected| id == expected), "{value}: {id}");
    }
}

#[tokio::test]
async fn the_text_log_line_has_the_trace_id_too() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[("STS_VERIFY_LOG_FORMAT", "text")]).await;
    service.get("/livez").await;
    let line = service.program.line(|line| line.contains(" INFO request ")).await;
    let (_, id) = line.rsplit_once(" trace_id=").expect("it has one");
    assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{line}");
    let started = service.program.line(|line| line.contains(" INFO listening ")).await;
    assert!(!started.contains("trace_id"), "{started}");
}

impl Service {
    fn get_with_id(&self, path: &str, id: &str) -> RequestBuilder {
        let id = reqwest::header::HeaderValue::from_bytes(id.as_bytes()).unwrap();
        self.client.get(self.url(path)).header("x-request-id", id)
    }
}
