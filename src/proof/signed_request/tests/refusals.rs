//! The proofs that are rejected, and their error codes: the rows of docs/proofs.md.

use super::*;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;

#[tokio::test]
async fn text_that_is_not_a_signed_request_is_malformed() {
    let good = url_with(&[]);
    for url in [
        "",
        "sts.us-east-1.amazonaws.com",
        "https://",
        &format!("{good}%"),
        &format!("{good}%2"),
        &format!("{good} "),
        &format!("{good}\n"),
        &format!("{good}&X-Amz-Date={DATE}"),
        &format!("{good}&X%2DAmz%2DDate={DATE}"),
        &format!("{good}&x-amz-date={DATE}"),
        &format!("{good}&a=%00"),
        &format!("{good}&a=%c3%a9"),
        &format!("{good}&a={}", "x".repeat(8_192)),
    ] {
        assert_eq!(code_of_url(url).await, "InvalidParameter", "{url}");
    }
    let encoded = BASE64_URL_SAFE_NO_PAD.encode(&good);
    for token in [
        "",
        "k8s-aws-v1.",
        &encoded,
        &format!("k8s-aws-v2.{encoded}"),
        &format!("k8s-aws-v1.{encoded}="),
        &format!("k8s-aws-v1.{encoded}+/"),
        &format!("k8s-aws-v1.{encoded}\n"),
        &format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(b"https://\xff")),
        &format!("k8s-aws-v1.{}", "A".repeat(12_288)),
    ] {
        assert_eq!(code(SignedRequest::from_token(token, "token")).await, "InvalidParameter", "{token}");
    }
}

#[tokio::test]
async fn a_login_that_cannot_be_read_is_malformed_and_missing_members_are_named() {
    let (url, body) = (BASE64_STANDARD.encode("https://sts.amazonaws.com/"), BASE64_STANDARD.encode(BODY));
    let json = Value::Object(login_headers()).to_string();
    let good = IamLogin {
        method: Some("POST"),
        url: Some(&url),
        body: Some(&body),
        headers: Some(HeaderMember::Object(&json)),
    };
    assert_eq!(code(SignedRequest::from_iam_login(good)).await, "ok");
    let many = Value::Object((0..33).map(|n| (format!("h{n}"), json!(""))).collect()).to_string();
    for (login, expected) in [
        (IamLogin { method: None, ..good }, "MissingParameter"),
        (IamLogin { method: Some(""), ..good }, "MissingParameter"),
        (IamLogin { method: Some("P\nOST"), ..good }, "InvalidParameter"),
        (IamLogin { method: Some("PÖST"), ..good }, "InvalidParameter"),
        (IamLogin { url: None, ..good }, "MissingParameter"),
        (IamLogin { body: Some(""), ..good }, "MissingParameter"),
        (IamLogin { headers: None, ..good }, "MissingParameter"),
        (IamLogin { headers: Some(HeaderMember::Text("")), ..good }, "MissingParameter"),
        (IamLogin { url: Some("https://sts.amazonaws.com/"), ..good }, "InvalidParameter"),
        (
            IamLogin { url: Some(url.trim_end_matches('=')), ..good },
            if url.ends_with('=') { "InvalidParameter" } else { "ok" },
        ),
        (IamLogin { body: Some("!"), ..good }, "InvalidParameter"),
        (IamLogin { headers: Some(HeaderMember::Text("{")), ..good }, "InvalidParameter"),
        (IamLogin { headers: Some(HeaderMember::Text("e30")), ..good }, "InvalidParameter"),
        (IamLogin { headers: Some(HeaderMember::Object("[]")), ..good }, "InvalidParameter"),
        (
            IamLogin { headers: Some(HeaderMember::Object(r#"{"a":"1","a":"1"}"#)), ..good },
            "InvalidParameter",
        ),
        (
            IamLogin { headers: Some(HeaderMember::Object(r#"{"a":"1","A":"1"}"#)), ..good },
            "InvalidParameter",
        ),
        (IamLogin { headers: Some(HeaderMember::Object(r#"{"a":["1","2"]}"#)), ..good }, "InvalidParameter"),
        (IamLogin { headers: Some(HeaderMember::Object(r#"{"a":[["1"]]}"#)), ..good }, "InvalidParameter"),
        (IamLogin { headers: Some(HeaderMember::Object(r#"{"a":null}"#)), ..good }, "InvalidParameter"),
        (IamLogin { headers: Some(HeaderMember::Object(r#"{"a b":"1"}"#)), ..good }, "InvalidParameter"),
        (IamLogin { headers: Some(HeaderMember::Object(r#"{"":"1"}"#)), ..good }, "InvalidParameter"),
        (
            IamLogin { headers: Some(HeaderMember::Object("{\"a\":\"x\\r\\nb: c\"}")), ..good },
            "InvalidParameter",
        ),
        (IamLogin { headers: Some(HeaderMember::Object(&many)), ..good }, "InvalidParameter"),
    ] {
        assert_eq!(code(SignedRequest::from_iam_login(login)).await, expected);
    }
}

#[tokio::test]
async fn hosts_that_do_not_belong_to_sts_are_rejected() {
    let url = |authority: &str| url_with(&[]).replace("sts.us-east-1.amazonaws.com", authority);
    for authority in [
        "evil.example",
        "sts.us-east-1.amazonaws.com.evil.example",
        "evil.sts.us-east-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com:443",
        "user@sts.us-east-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com@evil.example",
        "STS.us-east-1.amazonaws.com",
        "sts%2eus-east-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com.",
        "sts.cn-north-1.amazonaws.com.cn",
        "sts.us-gov-west-1.amazonaws.com",
        "ec2.us-east-1.amazonaws.com",
        "127.0.0.1",
    ] {
        assert_eq!(code_of_url(&url(authority)).await, "EndpointNotAllowed", "{authority}");
    }
    for authority in ["sts.eu-central-1.amazonaws.com", "sts-fips.us-west-2.amazonaws.com"] {
        assert_eq!(code_of_url(&url(authority)).await, "RegionNotAllowed", "{authority}");
    }
    assert_eq!(code_of_url(&url("sts.eu-west-1.amazonaws.com")).await, "RegionMismatch");
}

#[tokio::test]
async fn requests_other_than_get_caller_identity_are_rejected() {
    let good = url_with(&[]);
    for url in [
        good.replace("https:", "http:"),
        good.replace("com/?", "com//?"),
        good.replace("com/?", "com/x?"),
        good.replace("com/?", "com/%2e?"),
        format!("{good}#"),
        good.split('?').next().unwrap_or_default().to_owned(),
        format!("{good}&"),
        format!("{good}&RoleArn=x"),
        format!("{good}&X-Amz-Security-Token=a+b"),
        good.replace("X-Amz-Date", "X%2DAmz-Date"),
        good.replace("X-Amz-Date", "x-amz-date"),
        good.replace("&X-Amz-Expires=60", ""),
        good.replace("Action=GetCallerIdentity&", ""),
        url_with(&[("Action", "AssumeRole")]),
        url_with(&[("Version", "2011-06-16")]),
        url_with(&[("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256")]),
        url_with(&[("X-Amz-Expires", "0")]),
        url_with(&[("X-Amz-Expires", "901")]),
        url_with(&[("X-Amz-Expires", "000901")]),
        url_with(&[("X-Amz-Expires", "-1")]),
        url_with(&[("X-Amz-Expires", "%2060")]),
        url_with(&[("X-Amz-Expires", "")]),
        url_with(&[("X-Amz-Date", "20270115T0800Z")]),
        url_with(&[("X-Amz-Date", "20270115T080060Z")]),
        url_with(&[("X-Amz-Date", "20270116T000000Z")]),
        url_with(&[("X-Amz-Signature", &SIGNATURE.to_uppercase())]),
        url_with(&[("X-Amz-Signature", "0")]),
        url_with(&[("X-Amz-Security-Token", "")]),
        url_with(&[("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")]),
        url_with(&[("X-Amz-Credential", "AKIAIOSFODNN7EXAMPLE%2F20270115%2Fus-east-1%2Fs3%2Faws4_request")]),
        url_with(&[(
            "X-Amz-Credential",
            "AKIAIOSFODNN7EXAMPLE%2F20270115%2Fus-east-1%2Fsts%2Faws4_request%2F",
        )]),
        url_with(&[("X-Amz-Credential", "AKIA%2F20270115%2Fus-east-1%2Fsts%2Faws4_request")]),
        url_with(&[("X-Amz-SignedHeaders", "x-k8s-aws-id")]),
        url_with(&[("X-Amz-SignedHeaders", "x-k8s-aws-id%3Bhost")]),
        url_with(&[("X-Amz-SignedHeaders", "host%3Bhost%3Bx-k8s-aws-id")]),
        url_with(&[("X-Amz-SignedHeaders", "Host%3Bx-k8s-aws-id")]),
        url_with(&[("X-Amz-SignedHeaders", "accept%3Bhost%3Bx-k8s-aws-id")]),
        url_with(&[("X-Amz-SignedHeaders", "host%3Bx-amz-date%3Bx-k8s-aws-id")]),
    ] {
        assert_eq!(code_of_url(&url).await, "RequestNotAllowed", "{url}");
    }
}

#[tokio::test]
async fn a_login_with_another_request_is_rejected() {
    let changed = |change: &dyn Fn(&mut Login)| {
        let mut login = Login::good();
        change(&mut login);
        login.read()
    };
    let authorization = |from: &str, to: &str| {
        let text = login_headers()["Authorization"][0].as_str().unwrap().replace(from, to);
        Login::good().with(&[("Authorization", json!(text))]).read()
    };
    for (n, login) in [
        changed(&|login| login.method = "PUT".to_owned()),
        changed(&|login| login.method = "post".to_owned()),
        changed(&|login| login.body = BODY.replace("GetCallerIdentity", "AssumeRole")),
        changed(&|login| login.body.push('&')),
        changed(&|login| login.url.push_str("?Action=GetCallerIdentity")),
        changed(&|login| login.url.push('?')),
        Login::good().with(&[("Authorization", Value::Null)]).read(),
        Login::good().with(&[("X-Amz-Date", Value::Null)]).read(),
        Login::good().with(&[("Content-Type", json!("application/json"))]).read(),
        Login::good().with(&[("Content-Type", json!("application/x-www-form-urlencoded; x=y"))]).read(),
        Login::good().with(&[("Content-Length", json!("42"))]).read(),
        Login::good().with(&[("Content-Length", Value::Null)]).read(),
        Login::good().with(&[("Host", json!("evil.example"))]).read(),
        authorization("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256  X=y,"),
        authorization("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256  "),
        authorization(", SignedHeaders=", ",  SignedHeaders="),
        authorization(", SignedHeaders=", " , SignedHeaders="),
        authorization("Credential=", "credential="),
        authorization(", Signature=", ", Signature=0, Signature="),
        authorization("x-amz-security-token;", ""),
        authorization("x-amz-date;", ""),
        authorization("content-type;host", "content-type;cookie;host"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(code(login).await, "RequestNotAllowed", "{n}");
    }
    let entity =
        Login::good().with(&[("X-Consul-Iam-Getentity-Url", json!("https://iam.amazonaws.com"))]).read();
    assert_eq!(code(entity).await, "RequestNotAllowed");
    let other_region = authorization("us-east-1", "eu-west-1");
    assert_eq!(code(other_region).await, "RegionMismatch");
}

#[tokio::test]
async fn a_proof_for_another_service_is_rejected() {
    for names in ["host", "host%3Bx-k8s-aws-id%3Bx-sts-verify-audience"] {
        assert_eq!(
            code_of_url(&url_with(&[("X-Amz-SignedHeaders", names)])).await,
            "AudienceMismatch",
            "{names}"
        );
    }
    let binding = "X-Vault-Aws-Iam-Server-Id";
    for value in [
        Value::Null,
        json!(""),
        json!("elsewhere.example.com"),
        json!("VERIFY.example.com"),
        json!("verify.example.com "),
    ] {
        assert_eq!(
            code(Login::good().with(&[(binding, value.clone())]).read()).await,
            "AudienceMismatch",
            "{value}"
        );
    }
    // The header is there, but not signed.
    let text =
        login_headers()["Authorization"][0].as_str().unwrap().replace(";x-vault-aws-iam-server-id", "");
    assert_eq!(code(Login::good().with(&[("Authorization", json!(text))]).read()).await, "AudienceMismatch");
}

#[tokio::test]
async fn old_and_early_signatures_are_rejected() {
    let rules = rules().await;
    let request =
        SignedRequest::from_url(&url_with(&[]), "presigned_url").unwrap_or_else(|error| panic!("{error}"));
    let at = |seconds: u64| request.check(&rules, UNIX_EPOCH + Duration::from_secs(seconds)).err();
    assert_eq!(at(SIGNED_AT + 900), None);
    assert_eq!(at(SIGNED_AT + 901), Some(ProofError::Expired.into()));
    assert_eq!(at(SIGNED_AT - 300), None);
    assert_eq!(at(SIGNED_AT - 301), Some(ProofError::NotYetValid.into()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_url_is_rejected_or_built_anew_from_allowed_characters(at in 0_usize..400, with in "\\PC{0,4}", length in 0_usize..4) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let good = url_with(&[("X-Amz-Security-Token", "a%2Fb")]);
        let (at, end) = (at.min(good.len()), (at + length).min(good.len()));
        let url = format!("{}{with}{}", &good[..at.min(end)], &good[end..]);
        if let Ok(request) = SignedRequest::from_url(&url, "presigned_url")
            && let Ok(checked) = request.check(&runtime.block_on(rules()), now())
        {
            let built = checked.build(AUDIENCE).unwrap();
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?&=%".contains(&byte);
            prop_assert!(built.uri().to_string().bytes().all(allowed));
            prop_assert!(built.uri().host().is_some_and(|host| host.ends_with(".amazonaws.com") || host.ends_with(".api.aws")));
        }
    }
}
