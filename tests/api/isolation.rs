//! One caller's trouble is not another's.

use crate::helpers::{ACCESS_KEY, App, SECRET_KEY, header};
use crate::stub::{Reply, Stub, http, identity, sts_error};
use serde_json::{Value, json};

/// A stub that throttles one access key and answers all others after one failure each.
async fn unfair_stub() -> Stub {
    Stub::start(|n, request| {
        if request.contains("Credential=AKIATHROTTLEDCALLER0/") {
            sts_error(400, "Throttling", "Rate exceeded")
        } else if n % 2 == 0 {
            http(503, &[], "")
        } else {
            identity()
        }
    })
    .await
}

#[tokio::test]
async fn a_throttled_caller_takes_no_attempts_from_others() {
    let stub = unfair_stub().await;
    let app = App::asking(&stub.url, &[]).await;
    for _ in 0..120 {
        app.verify(&json!({"AccessKeyId": "AKIATHROTTLEDCALLER0", "SecretAccessKey": SECRET_KEY})).await;
    }
    assert_eq!(stub.count(), 600, "each call had all of its five attempts");
    let response = app.verify_someone().await;
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["aws_res"]["ResponseMetadata"]["RetryAttempts"], 1, "{body}");
}

#[tokio::test]
async fn a_wrong_date_in_one_answer_does_not_sign_the_next_request() {
    let skewed = http(
        403,
        &[("Date", "Wed, 01 Jan 2020 00:00:00 GMT")],
        "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature not yet current: 20260112T194419Z \
         is still later than 20200101T001500Z (20200101T000000Z + 15 min.)</Message></Error></ErrorResponse>",
    );
    let stub = Stub::replies(vec![skewed, identity()]).await;
    let app = App::asking(&stub.url, &[]).await;
    assert_eq!(header(&app.verify_someone().await, "x-sts-verdict"), Some("indeterminate"));
    assert_eq!(stub.count(), 1, "a skewed clock is not tried again");
    app.verify_someone().await;
    let second = stub.requests().pop().unwrap().to_ascii_lowercase();
    assert!(second.contains("x-amz-date: 20"), "{second}");
    assert!(!second.contains("x-amz-date: 2020"), "{second}");
}

#[tokio::test]
async fn each_call_is_signed_with_its_own_credentials() {
    // Answers with the access key that signed the request.
    let stub = Stub::start(|_, request| {
        let start = request.find("Credential=").unwrap() + "Credential=".len();
        let access_key = request[start..].split('/').next().unwrap();
        let token = request.to_ascii_lowercase().contains("x-amz-security-token");
        let body = crate::stub::IDENTITY.replace("example-user", &format!("{access_key}/{token}"));
        http(200, &[], &body)
    })
    .await;
    let app = App::asking(&stub.url, &[]).await;
    let calls = (0..64).map(|n| {
        let app = &app;
        async move {
            let access_key = format!("{ACCESS_KEY}{n:04}");
            let token = (n % 2 == 0).then_some("a-token");
            let body =
                json!({"accessKeyId": access_key, "secretAccessKey": SECRET_KEY, "sessionToken": token});
            let answer: Value = app.verify(&body).await.json().await.unwrap();
            let expected = format!("arn:aws:iam::123456789012:user/{access_key}/{}", token.is_some());
            assert_eq!(answer["aws_res"]["Arn"], expected);
        }
    });
    futures_util::future::join_all(calls).await;
}

#[tokio::test]
async fn connections_to_sts_are_used_again() {
    let connections = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stub = Stub::always(identity()).await;
    let target = stub.url.strip_prefix("http://").unwrap().to_owned();
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((mut inbound, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut outbound = tokio::net::TcpStream::connect(&target).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut inbound, &mut outbound).await });
        }
    });
    let app = App::asking(&url, &["--allowed-regions=*"]).await;
    for region in ["us-east-1", "eu-west-1", "cn-north-1", "us-east-1"] {
        let body = json!({"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "region": region});
        assert_eq!(app.verify(&body).await.status(), 200);
    }
    assert_eq!(connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_caller_that_hangs_does_not_hold_up_others() {
    let stub = Stub::start(|_, request| {
        if request.contains("Credential=AKIAHANGSFOREVER0000/") { Reply::Silence } else { identity() }
    })
    .await;
    let app = App::asking(&stub.url, &[]).await;
    let hanging = json!({"AccessKeyId": "AKIAHANGSFOREVER0000", "SecretAccessKey": SECRET_KEY});
    let hung: Vec<_> =
        (0..20).map(|_| tokio::spawn(app.client.post(app.url("/verify")).json(&hanging).send())).collect();
    assert_eq!(app.verify_someone().await.status(), 200);
    assert!(hung.iter().all(|call| !call.is_finished()));
}
