//! `sts-verify`: are these AWS credentials valid, and whose are they?
//!
//! A caller posts an access key ID, a secret access key and a session token to `POST /verify`. The service
//! calls AWS STS with exactly these and answers who they belong to, or the error that STS returned. The way of
//! a request:
//!
//! ```text
//! request ─▶ server          connections: their limits, heads, time, TLS
//!         ─▶ http/router     request id · access log · CORS · panic guard
//!         ─▶ http/routes     JSON ─▶ Posted (credentials); after a ValidationError STS is not called
//!         ─▶ http/sts_call   a permit for a request in flight; same calls are coalesced (sts/coalescing)
//!         ─▶ sts             one client per region, credentials per call ─▶ StsResponse or StsFailure
//!         ─▶ http            StsResponse ─▶ the function's body, or {exception, error_code, error_message}
//! lambda  ─▶ http/routes     the Lambda interface: unwraps an event, wraps the envelope
//! ```
//!
//! `sts` and `credentials` know no HTTP status of ours and no axum; `http` knows no type of the SDK.
//! ARCHITECTURE.md describes all rooms.

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
