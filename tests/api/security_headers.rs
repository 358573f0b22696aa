//! The headers that make every answer safe in browsers and caches.
//!
//! They follow OWASP's advice for an API. These are omitted for a reason: X-Frame-Options (replaced by
//! frame-ancestors), Permissions-Policy (not relevant for JSON), Cross-Origin-Resource-Policy (CORS allows
//! any origin to read).

use crate::helpers::{App, header, someone};
use reqwest::{Method, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const EVERYWHERE: [(&str, &str); 3] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
];

fn assert_guarded(response: &Response, what: &str) {
    for (name, value) in EVERYWHERE {
        assert_eq!(header(response, name), Some(value), "{what}");
    }
    let policy = header(response, "content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}");
    assert_eq!(header(response, "strict-transport-security"), None, "{what}");
    assert_eq!(header(response, "server"), None, "{what}");
}

#[tokio::test]
async fn every_answer_has_them_errors_and_documents_too() {
    let app = App::with_sandbox(&["--max-body-bytes=1000"]).await;
    let long = " ".repeat(2000);
    for (method, path, body, status) in [
        ("POST", "/verify", someone().to_string(), 400),
        ("POST", "/verify", "{".to_owned(), 400),
        ("POST", "/verify", long, 413),
        ("POST", "/2015-03-31/functions/f/invocations", someone().to_string(), 200),
        ("POST", "/2015-03-31/functions/f/invocations", "{".to_owned(), 400),
        ("GET", "/verify", String::new(), 405),
        ("OPTIONS", "/verify", String::new(), 200),
        ("GET", "/nothing", String::new(), 404),
        ("GET", "/livez", String::new(), 200),
        ("GET", "/readyz", String::new(), 200),
        ("GET", "/metrics", String::new(), 200),
        ("GET", "/openapi.json", String::new(), 200),
        ("GET", "/docs/", String::new(), 200),
        ("GET", "/docs/swagger-ui.css", String::new(), 200),
        ("GET", "/docs/nothing", String::new(), 404),
    ] {
        let request = app.client.request(Method::from_bytes(method.as_bytes()).unwrap(), app.url(path));
        let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        assert_guarded(&response, path);
    }
    let text = app.client.post(app.url("/verify")).header("content-type", "text/plain").body("x");
    assert_guarded(&text.send().await.unwrap(), "415");
}

#[tokio::test]
async fn an_answer_to_a_body_that_did_not_come_has_them() {
    let app = App::with_sandbox(&["--read-timeout=300ms"]).await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head =
        "POST /verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    for (name, value) in EVERYWHERE {
        assert!(answer.contains(&format!("\r\n{name}: {value}\r\n")), "{answer}");
    }
}
