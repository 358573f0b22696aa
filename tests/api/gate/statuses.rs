//! Each row of the table of statuses, and the headers of every answer.

use super::*;
use crate::helpers::header;
use crate::proof_makers::{claims, es384, unsigned_token, web_identity_token};
use crate::stub::{EXPIRED, IDENTITY, Reply, Stub, UNKNOWN_KEY, http, identity, sts_error};
use sts_sandbox::{Caller, Sandbox};

#[tokio::test]
async fn who_may_pass_gets_200_an_empty_body_and_all_headers() {
    let (app, sandbox) = gates_with_sandbox(ALL, &[]).await;
    let user = "arn:aws:iam::123456789012:user/division_abc/subdivision_xyz/Zhang@example.com-CLI";
    let role = "arn:aws:sts::123456789012:assumed-role/SandboxRole/session-1";
    let token = async |key| web_identity_token(&sandbox, caller(key), &[AUDIENCE]).await;
    for (proof, expected) in [
        (eks(USER), ["123456789012", user, user, "AIDASBXUSER000EXAMPLE", "", "user", "aws", "", ""]),
        (
            signer(ROLE).url(),
            [
                "123456789012",
                "arn:aws:iam::123456789012:role/SandboxRole",
                role,
                "AROASBXROLE000EXAMPLE:session-1",
                "session-1",
                "role",
                "aws",
                "",
                "",
            ],
        ),
        (
            token(ROLE).await,
            [
                "123456789012",
                "arn:aws:iam::123456789012:role/service-role/SandboxRole",
                "arn:aws:iam::123456789012:role/service-role/SandboxRole",
                "",
                "",
                "role",
                "aws",
                "o-abc1234567",
                "o-abc1234567/r-ab12/ou-ab12-22222222/",
            ],
        ),
    ] {
        let response = ask(&app, "/auth/p", &proof).await;
        assert_all_headers(&response);
        assert_eq!(values(&response), expected);
        assert_eq!((response.status().as_u16(), header(&response, "cache-control")), (200, Some("no-store")));
        assert_eq!(response.bytes().await.unwrap().len(), 0);
    }
}

#[tokio::test]
async fn no_proof_or_one_that_is_not_good_is_401_with_a_challenge() {
    let (app, sandbox) = gates_with_sandbox(ALL, &[]).await;
    let none = request(&app, Method::GET, "/auth/p").send().await.unwrap();
    assert_eq!(header(&none, "www-authenticate"), Some("Bearer realm=\"sts-verify\""));
    assert_eq!(said(none).await, wanted(401, "Unauthorized"));
    let mut forged = signer(USER);
    forged.secret = "x".repeat(40);
    let other = web_identity_token(&sandbox, caller(USER), &["other.example.com"]).await;
    let long_ago = web_identity_token(&sandbox, caller("AKIASBXOLDJWTEXAMPLE"), &[AUDIENCE]).await;
    for (proof, code) in [
        ("garbage".to_owned(), "InvalidParameter"),
        ("k8s-aws-v1.***".to_owned(), "InvalidParameter"),
        (signer(USER).with_headers(&[]).eks_token(), "AudienceMismatch"),
        (signer(USER).bound_to("other.example.com").eks_token(), "SignatureDoesNotMatch"),
        (signer(USER).at_host("sts.evil.example").eks_token(), "EndpointNotAllowed"),
        (signer(USER).signed(-1000).eks_token(), "ProofExpired"),
        (signer(USER).signed(600).eks_token(), "ProofNotYetValid"),
        (forged.eks_token(), "SignatureDoesNotMatch"),
        (eks("ASIASBXEXPIREEXAMPLE"), "ExpiredToken"),
        (eks("AKIASBXDELETEEXAMPLE"), "InvalidClientTokenId"),
        (other, "AudienceMismatch"),
        (long_ago, "ProofExpired"),
    ] {
        let response = ask(&app, "/auth/p", &proof).await;
        let challenge = header(&response, "www-authenticate");
        assert_eq!(challenge, Some("Bearer realm=\"sts-verify\", error=\"invalid_token\""), "{code}");
        assert_eq!(header(&response, "retry-after"), None, "{code}");
        assert_eq!(said(response).await, wanted(401, code));
    }
}

#[tokio::test]
async fn a_good_proof_of_somebody_else_is_403_and_another_policy_404() {
    let policies = "[policy.p]\naccounts = [\"210987654321\"]\n";
    let (app, _) = gates_with_sandbox(policies, &[]).await;
    let response = ask(&app, "/auth/p", &eks(USER)).await;
    assert_eq!(header(&response, "www-authenticate"), None);
    assert_eq!(said(response).await, wanted(403, "Forbidden"));
    for path in
        ["/auth/q", "/auth/P", "/auth/p-admin", "/auth/p%20", "/auth/", "/auth", "/auth//p", "/auth//"]
    {
        assert_eq!(said(ask(&app, path, &eks(USER)).await).await, wanted(404, "NotFound"), "{path}");
    }
    let without = App::with_sandbox(&["--audience=a"]).await;
    assert_eq!(said(ask(&without, "/auth/p", &eks(USER)).await).await, wanted(404, "NotFound"));
}

#[tokio::test]
async fn another_host_is_421_with_all_headers() {
    let (app, _) = gates_with_sandbox(ALL, &["--allowed-hosts=gate.example"]).await;
    let ask =
        |host| request(&app, Method::GET, "/auth/p").header(PROOF, eks(USER)).header("host", host).send();
    assert_eq!(said(ask("evil.example").await.unwrap()).await, wanted(421, "MisdirectedRequest"));
    assert_eq!(said(ask("gate.example").await.unwrap()).await, wanted(200, ""));
}

#[tokio::test]
async fn what_cannot_be_found_out_is_503_with_retry_after() {
    let with = |old: &str, new: &str| {
        let body = IDENTITY.replace(old, new);
        assert_ne!(body, IDENTITY);
        http(200, &[("Content-Type", "text/xml")], &body)
    };
    let not_sts = |arn| with("arn:aws:iam::123456789012:user/example-user", arn);
    for (reply, code) in [
        (Reply::Close, "ConnectionClosedError"),
        (sts_error(500, "InternalFailure", "an error"), "InternalFailure"),
        (sts_error(400, "Throttling", "Rate exceeded"), "Throttling"),
        (sts_error(403, "AccessDenied", "no"), "AccessDenied"),
        (http(200, &[], "<html></html>"), "ResponseParserError"),
        // STS never returns such an ARN.
        (not_sts("arn:aws:iam::12345678901:user/ann"), "ResponseParserError"),
        (not_sts("arn:aws:iam::210987654321:user/ann"), "ResponseParserError"),
        (not_sts("arn:aws-cn:iam::123456789012:user/ann"), "ResponseParserError"),
        (not_sts("arn:aws:iam::123456789012:group/ops"), "ResponseParserError"),
        // It matches the session of a role, not the role.
        (not_sts("arn:aws:iam::123456789012:role/ops/Admin"), "ResponseParserError"),
        (not_sts("arn:aws:iam::123456789012:user/"), "ResponseParserError"),
        (not_sts("*"), "ResponseParserError"),
        (with("AIDAXXXXXXXXXXXXXXXXX", "AIDA root"), "ResponseParserError"),
    ] {
        let stub = Stub::always(reply).await;
        let app = gates_asking(&stub.url, ALL, &[]).await;
        let response = ask(&app, "/auth/p", &eks(USER)).await;
        assert_eq!(header(&response, "retry-after"), Some("5"), "{code}");
        assert_eq!(header(&response, "www-authenticate"), None, "{code}");
        assert_eq!(said(response).await, wanted(503, code));
    }
}

#[tokio::test]
async fn a_proof_without_a_verdict_can_be_used_again() {
    let odd = IDENTITY
        .replace("arn:aws:iam::123456789012:user/example-user", "arn:aws:iam::123456789012:group/ops");
    let odd = http(200, &[("Content-Type", "text/xml")], &odd);
    let stub = Stub::replies(vec![odd, identity()]).await;
    let app = gates_asking(&stub.url, &format!("{ALL}single_use = true\n"), &[]).await;
    let proof = eks(USER);
    for (status, code) in [(503, "ResponseParserError"), (200, ""), (401, "ProofReplayed")] {
        assert_eq!(said(ask(&app, "/auth/p", &proof).await).await, wanted(status, code));
    }
}

#[tokio::test]
async fn an_sts_that_is_down_is_503_and_its_refusals_are_401() {
    let stub = Stub::replies(vec![
        sts_error(403, "ExpiredToken", EXPIRED),
        sts_error(403, "InvalidClientTokenId", UNKNOWN_KEY),
        identity(),
    ])
    .await;
    let app = gates_asking(&stub.url, ALL, &[]).await;
    for (status, code) in [(401, "ExpiredToken"), (401, "InvalidClientTokenId"), (200, "")] {
        assert_eq!(said(ask(&app, "/auth/p", &eks(ROLE)).await).await, wanted(status, code));
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let app = gates_asking(&format!("http://{nobody}"), ALL, &[]).await;
    let response = ask(&app, "/auth/p", &eks(USER)).await;
    assert_eq!(header(&response, "retry-after"), Some("5"));
    assert_eq!(said(response).await, wanted(503, "EndpointConnectionError"));
}

#[tokio::test]
async fn an_issuer_whose_keys_cannot_be_had_is_503_and_another_issuer_401() {
    let issuer = Stub::always(Reply::Close).await;
    let app = gates_asking(&issuer.url, ALL, &[]).await;
    let token = |issuer: &str| unsigned_token(&es384(), &claims(issuer));
    let response = ask(&app, "/auth/p", &token(&issuer.url)).await;
    assert_eq!(header(&response, "retry-after"), Some("5"));
    assert_eq!(said(response).await, wanted(503, "ConnectionClosedError"));
    let response = ask(&app, "/auth/p", &token("https://issuer.example")).await;
    assert_eq!(said(response).await, wanted(401, "IssuerNotAllowed"));
}

#[tokio::test]
async fn what_cannot_be_told_in_a_header_is_refused_with_all_headers() {
    let odd = Caller::user("123456789012", "ann")
        .with_credentials(crate::helpers::ACCESS_KEY, crate::helpers::SECRET_KEY)
        .with_token_claim("org_id", "o-abc1234567\r\nx-sts-account: 210987654321");
    let sandbox = Sandbox::builder().caller(odd.clone()).start().await.unwrap();
    let url = sandbox.url().to_owned();
    tokio::spawn(sandbox.run_until(std::future::pending()));
    let app = gates_asking(&url, ALL, &[]).await;
    let token = web_identity_token(&url, &odd, &[AUDIENCE]).await;
    assert_eq!(said(ask(&app, "/auth/p", &token).await).await, wanted(401, "TokenNotAllowed"));
}
