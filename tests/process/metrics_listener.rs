//! /metrics on a listener of its own, and there alone; of all other routes health alone is there, too.

use crate::helpers::{expected, header, summary};
use crate::program::{Service, address_of};
use crate::stub::{Stub, identity};

#[tokio::test]
async fn with_a_listener_of_their_own_figures_are_there_and_nowhere_else() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[("STS_VERIFY_METRICS_LISTEN", "127.0.0.1:0")]).await;
    let line = service.program.line(|line| address_of(line, "metrics listening").is_some()).await;
    let figures = format!("http://{}", address_of(&line, "metrics listening").unwrap());
    assert_eq!(service.verify_someone().await.status(), 200);
    assert_eq!(service.get("/metrics").await.status(), 404);

    let answer = service.client.get(format!("{figures}/metrics")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text().await.unwrap();
    assert!(text.contains("\nsts_verify_total{verdict=\"valid\",proof=\"credentials\"} 1\n"), "{text}");

    for path in ["/verify", "/docs/", "/openapi.json"] {
        let answer = service.client.get(format!("{figures}{path}")).send().await.unwrap();
        assert_eq!(summary(answer).await, expected(404, "", "NotFound"), "{path}");
    }
    let answer = service.client.post(format!("{figures}/metrics")).send().await.unwrap();
    assert_eq!(summary(answer).await, expected(405, "", "MethodNotAllowed"));
}
