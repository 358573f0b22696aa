//! The remains of a secret in the program's memory after its answer is complete.

use crate::program::{PATIENCE, Service};
use crate::stub::{Reply, Stub, identity, sts_error};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Client, RequestBuilder};
use serde_json::json;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

/// The memory of the service, which is protected: only root (with CAP_SYS_PTRACE, which can be missing in a
/// container) can read it.
struct Memory {
    process: u32,
    bytes: File,
    /// The pages that are present (pagemap in proc(5)).
    pages: File,
}

impl Memory {
    /// `None` if the user who runs the tests may not read it.
    fn of(service: &Service) -> Option<Self> {
        let process = service.program.id();
        match File::open(format!("/proc/{process}/mem")) {
            Ok(bytes) => {
                let pages = File::open(format!("/proc/{process}/pagemap")).unwrap();
                Some(Self { process, bytes, pages })
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                eprintln!("not run: who runs the tests may not read the memory of the service");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The places of the secrets, as lines of /proc/PID/maps. Thread stacks are excluded: only the thread
    /// itself overwrites them later, as SECURITY.md explains.
    fn places_of(&self, secrets: &[Secret]) -> Vec<String> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.process)).unwrap();
        // There is nothing before the first one.
        let lines: Vec<&str> = std::iter::once("0-0 ----").chain(maps.lines()).collect();
        let written = lines.windows(2).filter(|pair| rights(pair[1]).starts_with("rw") && !is_stack(pair));
        written.flat_map(|pair| self.found_in(pair[1], secrets)).collect()
    }

    /// Only in the pages that are present: the allocator reserves far more memory than it uses.
    fn found_in(&self, line: &str, secrets: &[Secret]) -> Vec<String> {
        let page_size = procfs::page_size();
        let [start, end] = bounds(line).map(|address| address / page_size);
        let mut entries = vec![0; usize::try_from(end - start).unwrap() * 8];
        // A region may have been unmapped since it was listed.
        let read = self.pages.read_at(&mut entries, start * 8).unwrap_or_default();
        let there = |entry: &[u8]| entry[7] & 0b1100_0000 != 0;
        let pages = (start..end).zip(entries[..read].chunks_exact(8)).filter(|(_, entry)| there(entry));
        let mut found = Vec::new();
        let mut page = vec![0; usize::try_from(page_size).unwrap() + LONGEST];
        for (number, _) in pages {
            // With the start of the next one, because a secret may extend into it.
            let read = self.bytes.read_at(&mut page, number * page_size).unwrap_or_default();
            let starts =
                page[..read].windows(MARK.len()).enumerate().filter(|(_, here)| *here == MARK.as_bytes());
            for (at, _) in starts {
                let here = &page[at..read];
                let values = secrets.iter().flat_map(Secret::values);
                let known = values.filter(|(_, value)| here.starts_with(value.as_bytes()));
                found.extend(known.map(|(kind, _)| format!("{kind}: {line}")));
            }
        }
        found
    }
}

fn rights(line: &str) -> &str {
    line.split(' ').nth(1).unwrap()
}

/// The addresses of a region.
fn bounds(line: &str) -> [u64; 2] {
    let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
    [start, end].map(|address| u64::from_str_radix(address, 16).unwrap())
}

/// Whether the second of two regions is a thread's stack: two megabytes (tokio's and std's default) after one
/// inaccessible page.
fn is_stack(pair: &[&str]) -> bool {
    let [[guard, edge], [start, end]] = [bounds(pair[0]), bounds(pair[1])];
    let guarded = rights(pair[0]).starts_with("---") && edge == start && edge - guard == procfs::page_size();
    guarded && end - start == 2 * 1024 * 1024
}

/// The maximum length of a secret in these tests.
const LONGEST: usize = 512;

/// The prefix of every secret in these tests.
const MARK: &str = "zqxjSECRETzqxj";

/// Unique secrets for one request.
struct Secret {
    kind: &'static str,
    key: String,
    token: String,
}

impl Secret {
    fn new(kind: &'static str, number: usize) -> Self {
        // A slash, which has two forms in JSON.
        let key = format!("{MARK}/{number:04}/{}", "k".repeat(20));
        let token = format!("{MARK}+token/{number:04}/{}", "t".repeat(400));
        Self { kind, key, token }
    }

    fn values(&self) -> [(&'static str, &str); 2] {
        [(self.kind, &self.key), (self.kind, &self.token)]
    }

    fn body(&self) -> String {
        json!({"stsAccessKey": "AKIAIOSFODNN7EXAMPLE", "stsSecretKey": self.key, "stsSessionToken": self.token}).to_string()
    }
}

/// A way to post a secret: its name, and the request.
type Way = (&'static str, fn(&Client, &Service, &Secret) -> RequestBuilder);

const WAYS: [Way; 11] = [
    ("plain", |client, service, secret| post(client, service, "/verify", secret.body())),
    ("escaped", |client, service, secret| {
        post(client, service, "/verify", secret.body().replace('/', "\\u002f"))
    }),
    ("nested", |client, service, secret| {
        post(client, service, "/verify", format!("{{\"Credentials\":{}}}", secret.body()))
    }),
    ("doubled", |client, service, secret| {
        post(client, service, "/verify", format!("{{\"a\":{0},\"b\":{{\"c\":{0}}}}}", secret.body()))
    }),
    ("contradicted", |client, service, secret| {
        let more = json!({"AWS_SECRET_KEY": secret.token, "AWS_SECURITY_TOKEN": secret.key});
        post(client, service, "/verify", format!("{{\"a\":{},\"b\":{more}}}", secret.body()))
    }),
    ("passed over", |client, service, secret| {
        let more = json!({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "another",
            "SECRET_KEY": secret.key, "TOKEN": secret.token});
        post(client, service, "/verify", more.to_string())
    }),
    ("event", |client, service, secret| {
        post(client, service, INVOKE, json!({"body": secret.body()}).to_string())
    }),
    ("base64 event", |client, service, secret| {
        let body = BASE64_STANDARD.encode(secret.body());
        post(client, service, INVOKE, json!({"body": body, "isBase64Encoded": true}).to_string())
    }),
    ("closed at once", |client, service, secret| {
        post(client, service, "/verify", secret.body()).header("connection", "close")
    }),
    ("malformed", |client, service, secret| {
        post(client, service, "/verify", format!("{}{}", secret.body(), secret.key))
    }),
    ("too large", |client, service, secret| {
        post(client, service, "/verify", format!("{}{}", secret.body(), " ".repeat(70_000)))
    }),
];

const INVOKE: &str = "/2015-03-31/functions/verify/invocations";

fn post(client: &Client, service: &Service, path: &str, body: String) -> RequestBuilder {
    client.post(service.url(path)).header("content-type", "application/json").body(body)
}

/// An STS that closes each connection, because a kept connection holds the last token that was sent over it.
async fn sts() -> Stub {
    Stub::start(|number, _| {
        let answers = [
            identity(),
            sts_error(403, "SignatureDoesNotMatch", "no"),
            sts_error(500, "InternalFailure", "no"),
        ];
        match answers[number % answers.len()].clone() {
            Reply::Bytes(bytes) => Reply::Last(bytes),
            other => other,
        }
    })
    .await
}

#[tokio::test]
async fn no_secret_outlives_its_answer_and_its_connection() {
    let stub = sts().await;
    let service = Service::asking(&stub.url, &[("AWS_MAX_ATTEMPTS", "2")]).await;
    let Some(memory) = Memory::of(&service) else { return };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut secrets = Vec::new();
    for round in 0..20 {
        for (number, (kind, way)) in WAYS.iter().enumerate() {
            let secret = Secret::new(kind, round * WAYS.len() + number);
            let answer = way(&client, &service, &secret).send().await.unwrap();
            answer.bytes().await.unwrap();
            secrets.push(secret);
        }
    }
    drop(client);
    // Connections are closed asynchronously.
    let began = Instant::now();
    loop {
        let places = memory.places_of(&secrets);
        if places.is_empty() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{places:#?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_secret_in_the_memory_would_be_found() {
    let gate = crate::wire::Gate::start().await;
    let service = Service::asking(&gate.url, &[]).await;
    let Some(memory) = Memory::of(&service) else { return };
    let secrets = [Secret::new("in flight", 0)];
    let answer = tokio::spawn(post(&service.client, &service, "/verify", secrets[0].body()).send());
    gate.was_asked(1).await;
    let places = memory.places_of(&secrets);
    assert!(places.len() >= 2, "{places:?}");
    answer.abort();
}
