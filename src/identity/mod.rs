//! The information that AWS identifiers contain themselves: ARNs of callers, access key IDs, and the accounts
//! of decoys.
//!
//! Nothing here is secret, and nothing is sent.

mod access_key;
mod arn;
mod canaries;

pub use access_key::{AccessKeyId, KeyKind};
pub use arn::{ArnError, CallerArn, PrincipalKind};
pub use canaries::Canaries;

/// Whether a text is an AWS account ID: twelve digits.
#[must_use]
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
