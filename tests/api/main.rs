//! Tests of the service from the callers' side: the real router behind a real listener, and the real SDK. STS
//! is either the sandbox (which checks signatures) or a stub with any answer that a case needs. All traffic
//! is on loopback, on free ports.

// In a test, a panic is a failure.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod helpers;
mod raw;
mod stub;

mod answers;
mod authentication;
mod batch;
mod bodies;
mod body_form;
mod caching;
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
