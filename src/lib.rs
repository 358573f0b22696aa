//! `sts-verify`: are these AWS credentials good, and whose are they?
//!
//! A caller posts an access key, a secret and a session token to `POST /verify`; the service asks AWS STS with exactly
//! these and answers who they belong to, or STS's own reason why not. The way of a request:
//!
//! ```text
//! request ─▶ server       connections: their limits, heads, time, TLS
//!         ─▶ app          request id · access log · CORS · panic guard
//!         ─▶ verify       JSON ─▶ Credentials (credentials); a refusal goes to error, STS is not asked
//!         ─▶ sharing      the same question is put to STS once
//!         ─▶ sts          one client per region, credentials per call ─▶ Answer or StsFailure
//!         ─▶ verify       Answer ─▶ the Lambda function's body
//!         ─▶ error        refusal, rejection or failure ─▶ status and {exception, error_code, error_message}
//! lambda  ─▶ verify       the Lambda's own interface: unwraps an event, wraps the envelope
//! ```
//!
//! `sts` and `credentials` know no HTTP status of ours and no axum; `verify` knows no type of the SDK.

pub mod batch;
pub mod callers;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod http;
pub mod identity;
mod observability;
pub mod policy;
pub mod proof;
pub mod server;
pub mod store;
pub mod sts;
mod tls;
