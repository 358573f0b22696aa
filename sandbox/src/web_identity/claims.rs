//! The claims of a token, in AWS's order.

use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use uuid::Uuid;

use super::Parameters;
use crate::caller::Caller;

/// The claim that contains AWS's own members.
pub(super) const NAMESPACE: &str = "https://sts.amazonaws.com/";

/// RFC 3339 in whole seconds.
const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// The source of the claims.
pub(super) struct Source<'a> {
    pub caller: &'a Caller,
    pub parameters: &'a Parameters,
    pub issuer: &'a str,
    /// The region that was used.
    pub region: &'a str,
    pub session_ends: Option<OffsetDateTime>,
}

impl Source<'_> {
    /// One audience is a string, several are an array. The subject of a session is the role, with its path.
    pub fn claims(&self, issued: OffsetDateTime, expires: OffsetDateTime) -> Value {
        let audience = match &self.parameters.audiences[..] {
            [audience] => json!(audience),
            audiences => json!(audiences),
        };
        json!({
            "aud": audience,
            "sub": self.caller.principal_arn(),
            NAMESPACE: self.of_aws(),
            "iss": self.issuer,
            "exp": expires.unix_timestamp(),
            "iat": issued.unix_timestamp(),
            "jti": Uuid::new_v4().to_string(),
        })
    }

    fn of_aws(&self) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("aws_account".to_owned(), self.caller.account().into());
        if !self.parameters.tags.is_empty() {
            let tags = self.parameters.tags.iter().map(|(key, value)| (key.clone(), json!(value)));
            claims.insert("request_tags".to_owned(), tags.collect());
        }
        if let Some(end) = self.session_ends {
            claims.insert("original_session_exp".to_owned(), end.format(SECONDS).unwrap_or_default().into());
        }
        claims.insert("source_region".to_owned(), self.region.into());
        claims.insert("principal_id".to_owned(), self.caller.principal_arn().into());
        claims.extend(self.caller.token_claims.clone());
        claims
    }
}
