//! Checks the claims of a token: its audience, its times, and its principal (steps 4 and 5 of a token).

use super::super::ProofError;
use super::super::strict_json::{Json, Object};
use crate::identity::{CallerArn, is_account_id};
use std::slice;
use std::time::Duration;

/// The member that contains AWS's own claims.
const AWS_CLAIMS: &str = "https://sts.amazonaws.com/";

/// How far the issuer's clock may be ahead.
const CLOCK_LEEWAY: i64 = 60;

const NO_ORGANISATION: ProofError =
    ProofError::TokenNotAllowed("org_id must be an organisation's ID, and ou_path paths in one");

/// The values that a token must match.
pub(super) struct Expected<'a> {
    /// The names of this service.
    pub audiences: &'a [String],
    /// The maximum age of a token.
    pub max_age: Duration,
    /// The partition of the issuer.
    pub partition: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

/// The claims of a token that matches.
pub(super) struct Claims {
    pub account: String,
    pub principal: CallerArn,
    pub org_id: Option<String>,
    /// The account's position in its organisation. AWS's tokens have an array of paths.
    pub org_paths: Vec<String>,
    /// The value that CloudTrail calls `webIdentityTokenId`.
    pub token_id: String,
    /// The time at which the token expires, in seconds since 1970: by its own expiry time, or by the operator's
    /// maximum age.
    pub useful_until: i64,
}

impl Claims {
    pub fn read(claims: &Object<'_>, expected: &Expected<'_>) -> Result<Self, ProofError> {
        let audience = audience(claims).ok_or(ProofError::AudienceMismatch)?;
        if !expected.audiences.iter().any(|name| name == audience) {
            return Err(ProofError::AudienceMismatch);
        }
        let useful_until = check_times(claims, expected)?;
        let token_id = claims.text("jti").filter(|id| !id.is_empty());
        let token_id = token_id.ok_or(ProofError::TokenNotAllowed("jti must be a string"))?.to_owned();
        let aws = claims.get(AWS_CLAIMS).and_then(Json::as_object);
        let aws =
            aws.ok_or(ProofError::TokenNotAllowed("the claim https://sts.amazonaws.com/ must be an object"))?;
        let account = aws.text("aws_account").filter(|account| is_account_id(account));
        let account = account.ok_or(ProofError::TokenNotAllowed("aws_account must have twelve digits"))?;
        let principal = principal(claims, aws)?;
        if principal.account != account {
            return Err(ProofError::TokenNotAllowed("aws_account must be the account of the principal"));
        }
        if principal.partition != expected.partition {
            return Err(ProofError::TokenNotAllowed("the principal must be of the issuer's partition"));
        }
        Ok(Self {
            account: account.to_owned(),
            principal,
            org_id: org_id(aws.get("org_id"))?,
            org_paths: names(aws.get("ou_path"))?,
            token_id,
            useful_until,
        })
    }
}

/// The only audience of a token (RFC 7519, section 4.1.3: a string, or an array of strings).
fn audience<'a>(claims: &'a Object<'_>) -> Option<&'a str> {
    match claims.get("aud")? {
        Json::Text(name) => Some(name),
        Json::Array(names) => match &names[..] {
            [name] => name.as_text(),
            _ => None,
        },
        _ => None,
    }
}

/// Checks the times of a token. Returns when it expires.
fn check_times(claims: &Object<'_>, expected: &Expected<'_>) -> Result<i64, ProofError> {
    let seconds = |name| claims.get(name).and_then(whole_seconds);
    let (Some(expires), Some(issued)) = (seconds("exp"), seconds("iat")) else {
        return Err(ProofError::TokenNotAllowed("exp and iat must be whole numbers of seconds"));
    };
    // AWS's tokens have no `nbf`.
    let begins = seconds("nbf").unwrap_or(issued).max(issued);
    let max_age = i64::try_from(expected.max_age.as_secs()).unwrap_or(i64::MAX);
    let useful_until = expires.min(issued.saturating_add(max_age));
    if expected.now >= expires || expected.now > issued.saturating_add(max_age) {
        return Err(ProofError::Expired);
    }
    if begins > expected.now.saturating_add(CLOCK_LEEWAY) {
        return Err(ProofError::NotYetValid);
    }
    Ok(useful_until)
}

/// A whole number of any size: values beyond the range are clamped.
fn whole_seconds(value: &Json<'_>) -> Option<i64> {
    let Json::Number(number) = value else { return None };
    number.as_i64().or_else(|| number.as_u64().map(|_| i64::MAX))
}

/// The principal: `principal_id`, or else the subject if that is the ARN of an identity.
fn principal(claims: &Object<'_>, aws: &Object<'_>) -> Result<CallerArn, ProofError> {
    let none = ProofError::TokenNotAllowed("principal_id must be the ARN of a principal");
    let named = match (aws.get("principal_id"), aws.get("subject_mode")) {
        (Some(principal), _) => principal.as_text(),
        (None, None) => claims.text("sub"),
        (None, Some(mode)) if mode.as_text() == Some("AWSIdentity") => claims.text("sub"),
        (None, Some(_)) => None,
    };
    named.and_then(|arn| CallerArn::parse(arn).ok()).ok_or(none)
}

fn org_id(value: Option<&Json<'_>>) -> Result<Option<String>, ProofError> {
    if matches!(value, Some(Json::Array(_))) {
        return Err(NO_ORGANISATION);
    }
    Ok(names(value)?.pop())
}

/// A name, or several in an array. Null and an empty text are none. A gate puts them into one header, separated
/// by commas.
fn names(value: Option<&Json<'_>>) -> Result<Vec<String>, ProofError> {
    let values = match value {
        None | Some(Json::Null) => &[],
        Some(Json::Text(text)) if text.is_empty() => &[],
        Some(Json::Array(values)) => &values[..],
        Some(one) => slice::from_ref(one),
    };
    let is_name =
        |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    let name = |value: &Json<'_>| value.as_text().filter(is_name).map(str::to_owned);
    values.iter().map(name).collect::<Option<_>>().ok_or(NO_ORGANISATION)
}
