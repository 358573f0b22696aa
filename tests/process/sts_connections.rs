//! The limit of connections to the STS of several regions, each with its own host, idle connections included.

use crate::helpers::{expected, someone, summary};
use crate::program::Service;
use crate::stub::{Reply, Stub, identity};
use crate::wire::{Authority, Server, tls, tunnel};
use serde_json::json;

const REGIONS: [&str; 6] = ["us-east-1", "us-east-2", "us-west-2", "eu-west-1", "eu-central-1", "ap-south-1"];

/// The maximum number of connections of the service.
const MOST: usize = 4;

/// The kernel's count of connections to a local port that are open or being opened.
fn open_to(port: &str) -> usize {
    let port = format!(":{:04X}", port.parse::<u16>().unwrap());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let is_open = |line: &&str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[2].ends_with(&port) && ["01", "02"].contains(&columns[3])
    };
    table.lines().skip(1).filter(is_open).count()
}

/// A service that reaches every region through a proxy, and the proxy's port.
async fn service(stub: &Stub, authority: &Authority) -> (Service, String, [Server; 2]) {
    let hosts = REGIONS.map(|region| format!("sts.{region}.amazonaws.com"));
    let front = tls(authority, &hosts.each_ref().map(String::as_str), &stub.url).await;
    let proxy = tunnel(&front.address).await;
    let (url, most) = (format!("http://{}", proxy.address), MOST.to_string());
    let regions = REGIONS.join(",");
    let variables = [
        ("HTTPS_PROXY", url.as_str()),
        ("AWS_CA_BUNDLE", authority.bundle.as_str()),
        ("STS_VERIFY_ALLOWED_REGIONS", regions.as_str()),
        ("STS_VERIFY_MAX_STS_CONNECTIONS", most.as_str()),
        ("AWS_MAX_ATTEMPTS", "1"),
        // Many handshakes at once, perhaps on a busy machine.
        ("STS_VERIFY_CONNECT_TIMEOUT", "20s"),
        ("STS_VERIFY_ATTEMPT_TIMEOUT", "20s"),
    ];
    let port = proxy.address.rsplit(':').next().unwrap().to_owned();
    (Service::start(&variables).await, port, [front, proxy])
}

/// A request for a region with unique credentials.
fn question(region: &str, number: usize) -> serde_json::Value {
    let mut body = someone();
    body["region"] = json!(region);
    body["stsAccessKey"] = json!(format!("AKIAIOSFODNN7EXAMPLE{number}"));
    body
}

#[tokio::test]
async fn the_connection_limit_applies_over_all_regions() {
    let (stub, authority) = (Stub::always(identity()).await, Authority::new("bounded"));
    let (service, port, _servers) = service(&stub, &authority).await;
    for round in 0..2 {
        let calls: Vec<_> = REGIONS
            .iter()
            .flat_map(|region| (0..3).map(move |n| question(region, round * 10 + n)))
            .map(|body| tokio::spawn(service.request(&body).send()))
            .collect();
        for call in calls {
            assert!(open_to(&port) <= MOST, "{} are open", open_to(&port));
            assert_eq!(summary(call.await.unwrap().unwrap()).await, expected(200, "valid", ""));
        }
        assert!((1..=MOST).contains(&open_to(&port)), "{} are kept", open_to(&port));
    }
    let before = stub.connections();
    for number in 0..10 {
        let answer = service.verify(&question(REGIONS[0], 100 + number)).await;
        assert_eq!(summary(answer).await, expected(200, "valid", ""));
    }
    assert!(stub.connections() <= before + 1, "a region that is asked alone keeps its connection");
}

#[tokio::test]
async fn a_region_that_does_not_answer_does_not_delay_another() {
    // The first region is that of the signature.
    let silent = format!("/{}/sts/", REGIONS[0]);
    let stub =
        Stub::start(move |_, request| if request.contains(&silent) { Reply::Silence } else { identity() })
            .await;
    let authority = Authority::new("silent-region");
    let (service, _, _servers) = service(&stub, &authority).await;
    let hung: Vec<_> =
        (0..40).map(|n| tokio::spawn(service.request(&question(REGIONS[0], n)).send())).collect();
    while stub.count() < MOST - 1 {
        tokio::task::yield_now().await;
    }
    // They are answered while calls to the first region hang and other requests wait for these.
    for number in 0..20 {
        let answer = service.verify(&question(REGIONS[1], 1_000 + number)).await;
        assert_eq!(summary(answer).await, expected(200, "valid", ""));
    }
    assert!(hung.iter().any(|call| !call.is_finished()));
}
