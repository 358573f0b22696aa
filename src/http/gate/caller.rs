//! The maker of a proof, with the values that a policy and the response headers need.

use super::headers::{
    ACCOUNT, ARN, ORG_ID, ORG_PATH, PARTITION, PRINCIPAL, PRINCIPAL_TYPE, SESSION_NAME, USER_ID,
};
use crate::http::error::ApiError;
use crate::identity::{CallerArn, PrincipalKind};
use crate::policy::Subject;
use crate::proof::token::VerifiedToken;
use crate::sts::Identity;
use crate::sts::partitions::partition_of;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};

/// The maker of a valid proof.
pub(crate) struct Caller {
    pub(crate) arn: CallerArn,
    user_id: String,
    org_id: Option<String>,
    org_paths: Vec<String>,
}

impl Caller {
    /// The caller that STS names. `None` if the identity is inconsistent: the account differs from that in the
    /// ARN, the partition is another, the kind is unknown, or the user ID is malformed.
    pub(crate) fn of_identity(identity: &Identity, region: &str) -> Option<Self> {
        let arn = CallerArn::parse(&identity.arn).ok()?;
        // STS names a role's session, never the role.
        let is_known = arn.kind != PrincipalKind::Role
            && arn.account == identity.account
            && partition_of(region) == Some(arn.partition.as_str())
            && is_printable(&identity.user_id);
        let user_id = identity.user_id.clone();
        is_known.then_some(Self { arn, user_id, org_id: None, org_paths: Vec::new() })
    }

    pub(crate) fn of_token(token: VerifiedToken) -> Self {
        let VerifiedToken { principal, org_id, org_paths, .. } = token;
        Self { arn: principal, user_id: String::new(), org_id, org_paths }
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject { arn: &self.arn, org_id: self.org_id.as_deref(), org_paths: &self.org_paths }
    }

    /// About how much memory the caller takes.
    pub(crate) fn bytes(&self) -> usize {
        3 * self.arn.to_string().len() + self.user_id.len() + 256
    }

    /// The response that lets the caller pass.
    pub(crate) fn response(&self) -> Response {
        let arn = &self.arn;
        let mut response = Response::new(Body::empty());
        for (name, value) in [
            (ACCOUNT, arn.account.as_str()),
            (PRINCIPAL, &arn.principal()),
            (ARN, &arn.to_string()),
            (USER_ID, &self.user_id),
            (SESSION_NAME, arn.session.as_deref().unwrap_or_default()),
            (PRINCIPAL_TYPE, arn.kind.principal_type()),
            (PARTITION, &arn.partition),
            (ORG_ID, self.org_id.as_deref().unwrap_or_default()),
            (ORG_PATH, &self.org_paths.join(",")),
        ] {
            // The upstream must get exactly the values that were verified.
            let Ok(value) = value_of(value) else { return ApiError::Internal.into_response() };
            let _: Option<HeaderValue> = response.headers_mut().insert(HeaderName::clone(&name), value);
        }
        response
    }
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn value_of(text: &str) -> Result<HeaderValue, ()> {
    if is_printable(text) { HeaderValue::from_str(text).map_err(|_| ()) } else { Err(()) }
}
