//! Vulnerabilities of similar gates, by the numbers of their advisories.

use super::*;

/// Caddy, GHSA-7r4p-vjf4-gxv4: `forward_auth` set a header only if the answer had it, and otherwise kept the
/// client's own. So every answer has all headers. tests/conformance tests the proxies' part.
#[tokio::test]
async fn ghsa_7r4p_vjf4_gxv4_no_header_is_missing_from_an_answer_so_that_a_clients_own_is_never_kept() {
    let (app, _) = gates_with_sandbox(ALL, &[]).await;
    let forged = |request: RequestBuilder| HEADERS.iter().fold(request, |r, name| r.header(*name, "forged"));
    for (path, proof, status) in
        [("/auth/p", eks(USER), 200), ("/auth/p", String::new(), 401), ("/auth/q", eks(USER), 404)]
    {
        let request = forged(request(&app, Method::GET, path)).header(PROOF, proof);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_all_headers(&response);
        assert!(values(&response).iter().all(|value| !value.contains("forged")));
    }
    // For an IAM user, headers without a value are empty.
    let response = ask(&app, "/auth/p", &eks(USER)).await;
    assert_eq!(values(&response)[4..], ["", "user", "aws", "", ""]);
}

/// The headers in which a proxy describes the client's request.
const FORWARDED: [&str; 8] = [
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-forwarded-method",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
];

/// Sends each header with values that would select another policy, or no check.
async fn decisions_with(app: &App, names: &[String]) {
    for name in names {
        for value in ["/auth/open", "/", "OPTIONS", "https", "127.0.0.1", "/livez"] {
            for (path, proof, status) in [
                ("/auth/p", String::new(), 401),
                ("/auth/closed", eks(USER), 403),
                ("/auth/p", eks(USER), 200),
                ("/auth/nobody", eks(USER), 404),
            ] {
                let request = request(app, Method::GET, path).header(name, value).header(PROOF, proof);
                assert_eq!(said(request.send().await.unwrap()).await.0, status, "{name}: {value}: {path}");
            }
        }
    }
}

const THREE: &str = "[policy.p]\naccounts = [\"123456789012\"]\n[policy.open]\naccounts = [\"123456789012\"]\n\
                     [policy.closed]\naccounts = [\"210987654321\"]\n";

/// Traefik, CVE-2026-35051: a client's own X-Forwarded-Prefix reached the authentication service, which used
/// it for the decision. The gate uses only the path of its own request.
#[tokio::test]
async fn cve_2026_35051_no_forwarded_header_of_a_client_changes_the_decision() {
    let (app, _) = gates_with_sandbox(THREE, &[]).await;
    decisions_with(&app, &FORWARDED.map(str::to_owned)).await;
}

/// Traefik, CVE-2026-39858: X_Forwarded_Proto and similar names bypassed the removal of X-Forwarded-Proto.
/// The gate treats each spelling as a different name.
#[tokio::test]
async fn cve_2026_39858_no_look_alike_of_a_header_changes_the_decision() {
    let (app, _) = gates_with_sandbox(THREE, &[]).await;
    let look_alikes: Vec<_> =
        FORWARDED.iter().flat_map(|name| [name.replace('-', "_"), name.replace('-', ".")]).collect();
    decisions_with(&app, &look_alikes).await;
    for name in ["x_sts_verify_proof", "x-sts_verify-proof", "x.sts.verify.proof", "http-authorization"] {
        let request = request(&app, Method::GET, "/auth/p").header(name, eks(USER));
        assert_eq!(said(request.send().await.unwrap()).await.0, 401, "{name}");
    }
}

/// The same for addresses: only the headers of trusted proxies are read.
#[tokio::test]
async fn cve_2026_39858_no_look_alike_chooses_the_address_that_is_counted() {
    let (app, _) = gates_with_sandbox(THREE, &["--rate-limit=1/h", "--trusted-proxies=1"]).await;
    for (number, status) in [(1, 200), (2, 429), (3, 429)] {
        let request = request(&app, Method::GET, "/auth/p")
            .header("x-forwarded-for", "198.51.100.7")
            .header("x_forwarded_for", format!("203.0.113.{number}"))
            .header("x.forwarded.for", format!("203.0.113.{number}"))
            .header(PROOF, eks(USER));
        assert_eq!(said(request.send().await.unwrap()).await.0, status);
    }
}
