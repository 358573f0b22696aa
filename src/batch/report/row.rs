//! One entry's answer, in the order of its members.

use crate::batch::answer::{Answer, KeyInfo};
use crate::identity::CallerArn;
use serde::Serialize;

/// A row.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    /// Where the entry stands.
    pub source: &'a str,
    /// The access key ID's first four and last four characters; null for a token.
    pub access_key: Option<&'a str>,
    /// `valid`, `invalid`, `indeterminate` or `skipped`.
    pub verdict: &'static str,
    /// The owner's account.
    pub account: Option<&'a str>,
    /// The owner's ARN.
    pub arn: Option<&'a str>,
    /// The owner's unique ID.
    pub user_id: Option<&'a str>,
    /// The ARN in its parts; null for an ARN that is none of a caller's.
    pub principal: Option<Principal>,
    /// What the access key ID tells by itself.
    pub key: Key<'a>,
    /// The error code, unless valid.
    pub error_code: Option<&'a str>,
    /// What happened.
    pub error_message: Option<&'a str>,
    /// The region that was asked.
    pub region: Option<&'a str>,
    /// STS's request ID.
    pub request_id: Option<&'a str>,
    /// How often STS was asked.
    pub attempts: u32,
}

/// The parts of an ARN.
#[derive(Debug, Serialize)]
pub struct Principal {
    pub partition: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub path: Option<String>,
    pub name: Option<String>,
    pub session: Option<String>,
}

/// What an access key ID tells.
#[derive(Debug, Serialize)]
pub struct Key<'a> {
    pub kind: &'static str,
    pub account: Option<&'a str>,
    pub canary: bool,
}

impl<'a> Row<'a> {
    /// The row of an entry at a source.
    #[must_use]
    pub fn new(source: &'a str, key: &'a KeyInfo, answer: &'a Answer) -> Self {
        let arn = answer.arn.as_deref();
        Self {
            source,
            access_key: key.masked.as_deref(),
            verdict: answer.verdict.as_str(),
            account: answer.account.as_deref(),
            arn,
            user_id: answer.user_id.as_deref(),
            principal: arn.and_then(|arn| CallerArn::parse(arn).ok()).map(Principal::from),
            key: Key { kind: key.kind.as_str(), account: key.account.as_deref(), canary: key.canary },
            error_code: answer.error_code.as_deref(),
            error_message: answer.error_message.as_deref(),
            region: answer.region.as_deref(),
            request_id: answer.request_id.as_deref(),
            attempts: answer.attempts,
        }
    }
}

impl From<CallerArn> for Principal {
    fn from(arn: CallerArn) -> Self {
        let CallerArn { partition, kind, path, name, session, .. } = arn;
        Self { partition, kind: kind.caller_type(), path, name, session }
    }
}
