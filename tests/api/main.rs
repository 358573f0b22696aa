//! The service as its callers meet it: the real router behind a real listener, the real SDK, and as STS either the
//! sandbox (which checks signatures) or a stub that says whatever a case needs. All over loopback, on free ports.

// In a test a panic is a finding.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod helpers;
mod raw;
mod stub;

mod answers;
mod authentication;
mod bodies;
mod callers;
mod connections;
mod departures;
mod early_answers;
mod failures;
mod heads;
mod http;
mod isolation;
mod lambda;
mod metrics;
mod openapi;
mod reader;
mod readme;
mod regions;
mod requests;
mod retries;
mod security_headers;
mod sharing;
mod stopping;
mod unread_answers;
