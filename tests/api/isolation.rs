//! One caller's failures do not affect another caller.

use crate::helpers::{ACCESS_KEY, App, SECRET_KEY, expected, header, metric, summary};
use crate::stub::{Reply, Stub, http, identity, sts_error};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A stub that throttles one access key ID, and answers every other after one failure.
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
    // Answers with the access key ID that signed the request.
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
async fn a_caller_that_hangs_does_not_delay_others() {
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

/// Different credentials for each number.
fn question(number: usize, region: &str) -> Value {
    let access_key = format!("{ACCESS_KEY}{number:04}");
    json!({"accessKeyId": access_key, "secretAccessKey": SECRET_KEY, "region": region})
}

/// Sends a request from an address, as the one proxy in front would forward it.
fn ask_from(app: &App, address: &str, question: &Value) -> JoinHandle<reqwest::Result<Response>> {
    let request = app.client.post(app.url("/verify")).header("x-forwarded-for", address);
    tokio::spawn(request.json(question).send())
}

/// An STS that does not answer in some regions, or for some callers.
async fn partly_silent(silent: &'static [&'static str]) -> Stub {
    Stub::start(
        |_, request| {
            if silent.iter().any(|text| request.contains(text)) { Reply::Silence } else { identity() }
        },
    )
    .await
}

async fn until_asked(stub: &Stub, count: usize) {
    while stub.count() < count {
        tokio::task::yield_now().await;
    }
}

const FULL: [&str; 4] =
    ["--max-in-flight=8", "--max-sts-connections=8", "--deadline=1h", "--attempt-timeout=1h"];

#[tokio::test]
async fn regions_that_do_not_answer_leave_room_for_the_others() {
    let stub = partly_silent(&["/eu-west-1/sts/", "/eu-west-2/sts/"]).await;
    let regions = "--allowed-regions=us-east-1,eu-west-1,eu-west-2";
    let app = App::asking(&stub.url, &[&FULL[..], &[regions, "--trusted-proxies=1"]].concat()).await;
    // With the same caller, and with different callers.
    for other_callers in [false, true] {
        let (before, mut silent) = (stub.count(), Vec::new());
        for n in 0..8 {
            let address = if other_callers { format!("198.51.100.{n}") } else { "192.0.2.1".to_owned() };
            let region = ["eu-west-1", "eu-west-2"][n % 2];
            silent.push(ask_from(&app, &address, &question(n, region)));
            until_asked(&stub, before + n + 1).await;
        }
        for n in 0..20 {
            let answer = ask_from(&app, "192.0.2.1", &question(100 + n, "us-east-1"));
            assert_eq!(summary(answer.await.unwrap().unwrap()).await, expected(200, "valid", ""), "{n}");
        }
        let going: Vec<_> = silent.iter().filter(|call| !call.is_finished()).collect();
        assert!(going.len() >= 7, "one at a time needs one permit: {}", going.len());
        for call in silent {
            if call.is_finished() {
                let refused = call.await.unwrap().unwrap();
                assert_eq!(header(&refused, "retry-after"), Some("1"));
                assert_eq!(summary(refused).await, expected(503, "", "Overloaded"));
            } else {
                call.abort();
            }
        }
        while metric(&app, "http_server_active_requests").await != Some(1.0) {}
    }
    assert_eq!(metric(&app, "sts_verify_shed_total").await, Some(2.0));
}

#[tokio::test]
async fn a_caller_that_asks_without_end_leaves_room_for_others() {
    let stub = partly_silent(&["Credential=AKIAIOSFODNN7EXAMPLE00"]).await;
    let app = App::asking(&stub.url, &[&FULL[..], &["--trusted-proxies=1"]].concat()).await;
    let greedy = |n: usize| ask_from(&app, "192.0.2.1", &question(n, "us-east-1"));
    let mut waiting: Vec<_> = (0..8).map(greedy).collect();
    until_asked(&stub, 8).await;
    for n in 0..20 {
        let refused = greedy(20 + n).await.unwrap().unwrap();
        assert_eq!(summary(refused).await, expected(503, "", "Overloaded"), "it has all that there is");
        let answer = ask_from(&app, &format!("198.51.100.{n}"), &question(100 + n, "us-east-1"));
        assert_eq!(summary(answer.await.unwrap().unwrap()).await, expected(200, "valid", ""), "{n}");
        // It takes back at once the permits that others got.
        waiting.push(greedy(40 + n));
        until_asked(&stub, 8 + 2 * (n + 1)).await;
    }
    assert_eq!(waiting.iter().filter(|call| !call.is_finished()).count(), 8);
}

#[tokio::test]
async fn one_caller_of_one_region_may_use_all_permits() {
    let stub = partly_silent(&["Credential="]).await;
    let app = App::asking(&stub.url, &FULL).await;
    let calls: Vec<_> = (0..8).map(|n| ask_from(&app, "192.0.2.1", &question(n, "us-east-1"))).collect();
    until_asked(&stub, 8).await;
    // Without trusted proxies, all requests come from one caller, even if they name another address.
    let refused = ask_from(&app, "198.51.100.1", &question(8, "us-east-1")).await.unwrap().unwrap();
    assert_eq!(summary(refused).await, expected(503, "", "Overloaded"));
    assert!(calls.iter().all(|call| !call.is_finished()));
}
