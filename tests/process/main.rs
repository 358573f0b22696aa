//! Tests of the program from the operators' side: the real binary as a child process, with only the
//! environment that a case sets. All servers that it calls are on loopback, on free ports: the sandbox, or
//! stubs with the answers that a case needs.

// In a test, a panic is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod collector;
#[path = "../api/helpers.rs"]
#[allow(dead_code, reason = "shared with tests/api, which uses all of it")]
mod helpers;
mod program;
#[path = "../api/proof_makers.rs"]
#[allow(dead_code, reason = "shared with tests/api, which uses all of it")]
mod proof_makers;
#[path = "../api/stub.rs"]
#[allow(dead_code, reason = "shared with tests/api, which uses all of it")]
mod stub;
mod wire;

mod access_log;
mod access_log_codes;
mod api_keys;
mod batch;
mod certificates;
mod check;
mod credentials;
mod endpoints;
mod gates;
mod hardening;
mod healthcheck;
mod help;
mod limits;
mod memory;
mod metrics_listener;
mod otel_settings;
mod profile;
mod proofs;
mod proxies;
mod proxy_settings;
mod redis;
mod reload;
mod reload_trust;
mod request_ids;
mod sandbox;
mod secrets;
mod secrets_in_traces;
mod settings;
mod signals;
mod silent_dns;
mod smuggling;
mod stopping;
mod sts_connections;
mod tls;
mod tls_certificates;
mod tls_connections;
mod trace_export;
mod traces;
mod unread_log;
mod verify_answers;
mod verify_formats;
mod verify_mixed;
mod verify_outputs;
mod verify_partitions;
mod verify_program;
mod verify_proofs;
mod verify_resume;
mod verify_trouble;
