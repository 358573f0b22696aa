//! One entry's answer, with its members in the documented order.

use crate::batch::answer::{Answer, KeyInfo};
use crate::identity::CallerArn;
use serde::Serialize;

/// A row.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    /// The location of the entry.
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
    /// The parts of the ARN. Null if there is no ARN, or if it is not that of a caller.
    pub principal: Option<Principal>,
    /// The information in the access key ID itself.
    pub key: Key<'a>,
    /// The error code, unless valid.
    pub error_code: Option<&'a str>,
    /// What happened.
    pub error_message: Option<&'a str>,
    /// The region that was used.
    pub region: Option<&'a str>,
    /// STS's request ID.
    pub request_id: Option<&'a str>,
    /// The number of calls to STS.
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

/// The information in an access key ID.
#[derive(Debug, Serialize)]
pub struct Key<'a> {
    pub kind: &'static str,
    pub account: Option<&'a str>,
    pub canary: bool,
}

impl<'a> Row<'a> {
    /// The row for an entry at this location.
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
