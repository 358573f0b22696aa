//! How a proof is sent: the header, method and path, and that nothing else is used.

use super::*;
use crate::helpers::{body_of, header};
use crate::raw::Client;
use crate::stub::{Stub, identity};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test]
async fn the_own_header_comes_before_authorization_and_an_empty_one_is_absent() {
    let (app, _) = gates_with_sandbox(ALL, &[]).await;
    let (good, bad) = (eks(USER), signer(USER).signed(-1000).eks_token());
    let bearer = |proof: &str| format!("Bearer {proof}");
    for (headers, status) in [
        (vec![(PROOF, good.clone())], 200),
        (vec![("authorization", bearer(&good))], 200),
        (vec![("authorization", format!("bearer   {good}"))], 200),
        (vec![(PROOF, good.clone()), ("authorization", bearer(&bad))], 200),
        (vec![(PROOF, good.clone()), ("authorization", "Basic dTpw".to_owned())], 200),
        (vec![(PROOF, bad.clone()), ("authorization", bearer(&good))], 401),
        (vec![(PROOF, String::new()), ("authorization", bearer(&good))], 200),
        (vec![(PROOF, "  ".to_owned()), ("authorization", bearer(&good))], 200),
        (vec![(PROOF, String::new())], 401),
        (vec![("authorization", good.clone())], 401),
        (vec![("authorization", format!("Basic {good}"))], 401),
        // A repeated header is 401, even if both values are equal.
        (vec![(PROOF, good.clone()), (PROOF, good.clone())], 401),
        (vec![(PROOF, good.clone()), (PROOF, String::new())], 401),
        (vec![("authorization", bearer(&good)), ("authorization", bearer(&good))], 401),
        // Other spellings are different headers.
        (vec![("x_sts_verify_proof", good.clone())], 401),
        (vec![("x-api-key", good.clone())], 401),
    ] {
        let request = headers.iter().fold(request(&app, Method::GET, "/auth/p"), |request, (name, value)| {
            request.header(*name, value)
        });
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        assert_eq!(said(request.send().await.unwrap()).await.0, status, "{names:?}");
    }
}

#[tokio::test]
async fn any_method_is_answered_and_no_body_is_read() {
    let (app, _) = gates_with_sandbox(ALL, &[]).await;
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let method: Method = method.parse().unwrap();
        let with = request(&app, method.clone(), "/auth/p").header(PROOF, eks(USER)).body("x".repeat(1000));
        assert_eq!(said(with.send().await.unwrap()).await, wanted(200, ""), "{method}");
        let without = request(&app, method.clone(), "/auth/p").send().await.unwrap();
        assert_eq!(without.headers()["www-authenticate"], "Bearer realm=\"sts-verify\"", "{method}");
        assert_eq!(said(without).await.0, 401, "{method}");
    }
    // The gate does not wait for a body that would be too long for /verify, or that never arrives.
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /auth/p HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n{PROOF}: {}\r\n\r\n",
        eks(USER)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 15];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_preflight_opens_no_gate_and_has_no_cors_headers() {
    let (app, _) = gates_with_sandbox(ALL, &["--cors-origins=*"]).await;
    for path in ["/auth/p", "/auth/p/", "/auth/p/x", "/auth", "/auth/", "/auth//p", "/auth/q"] {
        let preflight = request(&app, Method::OPTIONS, path)
            .header("origin", "https://evil.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization");
        let status = said(preflight.send().await.unwrap()).await.0;
        assert_eq!(status, if path.starts_with("/auth/p") { 401 } else { 404 }, "{path}");
        let simple = request(&app, Method::GET, path).header("origin", "https://evil.example");
        assert_ne!(said(simple.send().await.unwrap()).await.0, 200, "{path}");
    }
}

#[tokio::test]
async fn any_path_below_a_policy_is_its_gate() {
    let (app, _) = gates_with_sandbox(ALL, &[]).await;
    for path in [
        "/auth/p",
        "/auth/p?x=y",
        "/auth/p/",
        "/auth/p//",
        "/auth/p/reports/2026?x=/auth/q",
        "/auth/p//x",
        "/auth/p/%ff",
        "/auth/p/%2e%2e/q",
        "/auth/p/%2F..%2Fq",
        "/auth/p/auth/q",
        "/auth/p/verify",
    ] {
        assert_eq!(raw(&app, path, &eks(USER)).await, "HTTP/1.1 200 OK", "{path}");
        assert_eq!(raw(&app, path, "").await, "HTTP/1.1 401 Unauthorized", "{path}");
    }
    for path in ["/auth/%70", "/auth/%ff", "/auth/p%2f", "/auth/q/../p", "/auth/./p", "/auth/p;x", "/AUTH/p"]
    {
        assert_eq!(raw(&app, path, &eks(USER)).await, "HTTP/1.1 404 Not Found", "{path}");
    }
}

/// The first line of the answer to a raw target, which a client would normalise.
async fn raw(app: &App, target: &str, proof: &str) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{PROOF}: {proof}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_head_that_is_rejected_gets_all_headers_too() {
    let (app, _) = gates_with_sandbox(ALL, &[]).await;
    for (lines, status) in [
        ("Host: a\r\nHost: b\r\n", 400),
        ("Host: a\r\nno colon\r\n", 400),
        ("Host: a\r\nContent-Length: nine\r\n", 400),
        ("Host: a\r\nTransfer-Encoding: gzip\r\n", 400),
        (&format!("Host: a\r\nX: {}\r\n", "x".repeat(40_000)), 431),
        (&format!("Host: a\r\n{}", "a: b\r\n".repeat(101)), 431),
    ] {
        let answer =
            Client::send(app.address, format!("GET /auth/p HTTP/1.1\r\n{lines}\r\n")).await.answer().await;
        assert_eq!(answer.status, status, "{answer:?}");
        for name in HEADERS {
            assert!(answer.head.contains(&format!("\r\n{name}: \r\n")), "{name}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn credentials_are_never_accepted() {
    let stub = Stub::always(identity()).await;
    let app = gates_asking(&stub.url, ALL, &[]).await;
    let user = caller(USER);
    let pair = format!("{}:{}", user.access_key_id, user.secret_access_key);
    let body = request(&app, Method::POST, "/auth/p").json(&body_of(user)).send().await.unwrap();
    assert_eq!(said(body).await, wanted(401, "Unauthorized"));
    for value in [pair.clone(), body_of(user).to_string(), user.secret_access_key.clone()] {
        assert_eq!(said(ask(&app, "/auth/p", &value).await).await, wanted(401, "InvalidParameter"));
    }
    let basic = request(&app, Method::GET, "/auth/p");
    let basic = basic.basic_auth(&user.access_key_id, Some(&user.secret_access_key));
    assert_eq!(said(basic.send().await.unwrap()).await, wanted(401, "Unauthorized"));
    // Vault's form cannot be sent in a header.
    let login = signer(USER).login().to_string();
    assert_eq!(said(ask(&app, "/auth/p", &login).await).await, wanted(401, "InvalidParameter"));
    assert_eq!(stub.count(), 0);
}

#[tokio::test]
async fn no_part_of_what_is_presented_is_repeated() {
    let (app, _) = gates_with_sandbox(ALL, &[]).await;
    let proof = "k8s-aws-v1.THE-SECRET-PROOF!";
    for header_name in [PROOF, "authorization"] {
        let value = if header_name == PROOF { proof.to_owned() } else { format!("Bearer {proof}") };
        let response = request(&app, Method::GET, "/auth/p").header(header_name, value).send().await.unwrap();
        assert_eq!(header(&response, "content-type"), Some("application/json"));
        let headers = format!("{:?}", response.headers());
        let body = response.text().await.unwrap();
        assert!(!headers.contains("SECRET") && !body.contains("SECRET"), "{headers} {body}");
    }
}
