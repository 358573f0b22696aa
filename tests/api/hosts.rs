//! The allowed host names, if the operator sets them. A page whose host name resolves to the service's
//! address sends that name.

use crate::helpers::{App, expected, header, metric, someone, summary};
use crate::stub::{Stub, identity};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LIST: &str = "--allowed-hosts=verify.example,*.a.example,b.example:8443";

#[tokio::test]
async fn a_request_for_another_host_is_refused_without_a_call_to_sts() {
    let stub = Stub::always(identity()).await;
    let app = App::asking(&stub.url, &[LIST]).await;
    let verify =
        |host: &str| app.client.post(app.url("/verify")).header("host", host).json(&someone()).send();
    for host in ["verify.example", "VERIFY.EXAMPLE:8080", "x.a.example", "b.example:8443"] {
        assert_eq!(summary(verify(host).await.unwrap()).await, expected(200, "valid", ""), "{host}");
    }
    let asked = stub.count();
    let itself = app.address.to_string();
    for host in ["evil.example", "a.example", "b.example:8080", "localhost", "127.0.0.1", itself.as_str()] {
        let response = verify(host).await.unwrap();
        assert_eq!(header(&response, "access-control-allow-origin"), Some("*"), "{host}");
        assert_eq!(summary(response).await, expected(421, "", "MisdirectedRequest"), "{host}");
    }
    assert_eq!(stub.count(), asked);
}

#[tokio::test]
async fn every_route_except_health_checks_the_host() {
    let app = App::with_sandbox(&[LIST]).await;
    for path in ["/livez", "/readyz", "/healthz", "/health"] {
        assert_eq!(app.get(path).await.status(), 200, "{path}");
    }
    for path in ["/verify", "/metrics", "/openapi.json", "/docs/", "/docs", "/nothing", "/livez/"] {
        assert_eq!(summary(app.get(path).await).await, expected(421, "", "MisdirectedRequest"), "{path}");
        let good = app.client.get(app.url(path)).header("host", "verify.example").send().await.unwrap();
        assert_ne!(good.status(), 421, "{path}");
    }
    let invoke = app.url("/2015-03-31/functions/f/invocations");
    let refused = app.client.post(&invoke).body("{}").send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "x-amzn-errortype")),
        (421, Some("MisdirectedRequest"))
    );
    assert_eq!(refused.json::<Value>().await.unwrap()["Type"], "User");
}

#[tokio::test]
async fn every_host_in_a_request_is_checked() {
    let app = App::with_sandbox(&[LIST]).await;
    for (head, status) in [
        ("GET /openapi.json HTTP/1.1\r\nHost: verify.example\r\n", 200),
        ("GET http://verify.example/openapi.json HTTP/1.1\r\nHost: verify.example\r\n", 200),
        ("GET http://evil.example/openapi.json HTTP/1.1\r\nHost: verify.example\r\n", 421),
        ("GET http://verify.example/openapi.json HTTP/1.1\r\nHost: evil.example\r\n", 421),
        ("GET /openapi.json HTTP/1.0\r\n", 421),
    ] {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(status.to_string().as_str()), "{head}");
    }
}

#[tokio::test]
async fn without_a_list_any_host_is_accepted() {
    let app = App::with_sandbox(&[]).await;
    let response = app.client.get(app.url("/metrics")).header("host", "any.example").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(metric(&app, "sts_verify_errors_total{code=\"MisdirectedRequest\"}").await, None);
}
