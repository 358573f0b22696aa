//! The service as its callers meet it: the real router behind a real listener, the real SDK, and as STS either the
//! sandbox (which checks signatures) or a stub that says whatever a case needs. All over loopback, on free ports.

// In a test a panic is a finding.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod helpers;
mod raw;
mod stub;

mod answers;
mod authentication;
mod batch;
mod bodies;
mod body_form;
mod callers;
mod connections;
mod departures;
mod docs;
mod documents;
mod early_answers;
mod echoes;
mod failures;
mod fuzz_corpus;
mod gate;
mod heads;
mod hosts;
mod http;
mod isolation;
mod lambda;
mod metrics;
mod openapi;
mod proof_makers;
mod proofs;
mod reader;

mod region_hints;
mod regions;
mod requests;
mod retries;
mod security_headers;
mod sharing;
mod spellings;
mod stopping;
mod sts_connections;
mod unread_answers;
mod verdicts;
