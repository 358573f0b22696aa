//! Sends requests at a steady rate, whether or not earlier ones have been answered, and prints the latencies.
//!
//!     open-loop sts|service URL RATE SECONDS
//!
//! `sts` signs a GetCallerIdentity and sends it to the STS at this URL; `service` posts the credentials to the
//! /verify there. Both use new credentials for each request, and both include the signing, or the creation of
//! the body, in the time. The output is one line of JSON: the numbers of sent and failed requests, and p50, p99
//! and maximum in microseconds.

use bytes::Bytes;
use floor::{Failure, Pool, pool, question};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

#[derive(Clone, Copy)]
enum Target {
    Sts,
    Service,
}

struct Credentials {
    id: String,
    secret: String,
    token: String,
}

impl Credentials {
    fn new() -> Self {
        let text =
            |length| -> String { std::iter::repeat_with(fastrand::alphanumeric).take(length).collect() };
        Self { id: format!("ASIA{}", text(16)), secret: text(40), token: text(400) }
    }
}

fn request(target: Target, url: &str, credentials: Credentials) -> Result<Request<Full<Bytes>>, Failure> {
    let Credentials { id, secret, token } = credentials;
    match target {
        Target::Sts => question(url, &id, &secret, Some(token)),
        Target::Service => {
            let body =
                json!({"stsAccessKey": id, "stsSecretKey": secret, "stsSessionToken": token}).to_string();
            Ok(Request::post(url).header(header::CONTENT_TYPE, "application/json").body(body.into())?)
        }
    }
}

/// The latency of one request, or `None` if it failed.
async fn ask(
    pool: &Pool,
    target: Target,
    url: &str,
    credentials: Credentials,
    started: Instant,
) -> Option<Duration> {
    let request = request(target, url, credentials).ok()?;
    let response = pool.request(request).await.ok()?;
    let good = response.status() == StatusCode::OK;
    response.into_body().collect().await.ok()?;
    good.then(|| started.elapsed())
}

/// A separate thread keeps the rate, because the runtime's timer has a resolution of only a millisecond.
fn run(target: Target, url: &str, rate: u32, seconds: u32) -> Result<Vec<Option<Duration>>, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (pool, url) = (pool(None)?, Arc::<str>::from(url));
    let (sender, results) = mpsc::channel();
    let (start, interval) = (Instant::now(), Duration::from_secs(1) / rate);
    for number in 0..rate * seconds {
        std::thread::sleep((start + interval * number).saturating_duration_since(Instant::now()));
        let (pool, url, sender, credentials) =
            (pool.clone(), url.clone(), sender.clone(), Credentials::new());
        let started = Instant::now();
        runtime.spawn(async move {
            // The receiver exists until all results have been received.
            let _ = sender.send(ask(&pool, target, &url, credentials, started).await);
        });
    }
    drop(sender);
    Ok(results.into_iter().collect())
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, url, rate, seconds] = &*arguments else {
        return Err("usage: open-loop sts|service URL RATE SECONDS".into());
    };
    let target = if target == "sts" { Target::Sts } else { Target::Service };
    let results = run(target, url, rate.parse()?, seconds.parse()?)?;
    let mut times: Vec<Duration> = results.iter().flatten().copied().collect();
    times.sort_unstable();
    let microseconds = |place: usize| times.get(place).map(|time| time.as_secs_f64() * 1e6);
    let at = |share: usize| microseconds((times.len() * share / 100).min(times.len().saturating_sub(1)));
    let failed = results.len() - times.len();
    println!(
        "{}",
        json!({"sent": results.len(), "failed": failed, "p50": at(50), "p99": at(99), "most": at(100)})
    );
    Ok(())
}
