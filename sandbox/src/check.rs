//! The checks after that of the form, in STS's order: the clock, the scope, the key and its token, expiry, the
//! signature. The order is visible: a client with a slow clock and a wrong secret gets the error about its
//! clock.

use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

use crate::{
    authorization::{Authorization, basic},
    caller::{Behaviour, Caller},
    error::StsError,
    regions::{partition_of, works_in},
    request::Received,
    sigv4,
};

/// The maximum deviation of a client's clock. It applies to presigned URLs, too: STS ignores `X-Amz-Expires`.
const TOLERANCE: Duration = Duration::minutes(15);

/// Makes every check but that of the signature, at STS's time `now`. `caller` is the caller with the access key
/// ID; without one, the check of the key fails.
pub(crate) fn before_the_signature(
    authorization: &Authorization,
    caller: Option<&Caller>,
    now: OffsetDateTime,
) -> Result<(), StsError> {
    clock(authorization, now)?;
    scope(authorization)?;
    let caller = key(authorization, caller)?;
    if caller.behaviour == Behaviour::Expired { Err(StsError::expired()) } else { Ok(()) }
}

fn clock(authorization: &Authorization, now: OffsetDateTime) -> Result<(), StsError> {
    let (signed, sts) = (basic(authorization.signed_at), basic(now));
    let message = if authorization.signed_at < now - TOLERANCE {
        let earliest = basic(now - TOLERANCE);
        format!("Signature expired: {signed} is now earlier than {earliest} ({sts} - 15 min.)")
    } else if authorization.signed_at > now + TOLERANCE {
        let latest = basic(now + TOLERANCE);
        format!("Signature not yet current: {signed} is still later than {latest} ({sts} + 15 min.)")
    } else {
        return Ok(());
    };
    Err(StsError::signature_does_not_match(message))
}

/// STS concatenates the texts when several things are wrong, hence the space at the end of each. Only the text
/// about the region was recorded.
fn scope(authorization: &Authorization) -> Result<(), StsError> {
    let (scope, signed) = (&authorization.scope, basic(authorization.signed_at));
    let day = signed.get(..8).unwrap_or_default();
    let wrong = [
        (partition_of(&scope.region).is_none())
            .then(|| "Credential should be scoped to a valid region. ".to_owned()),
        (scope.service != "sts")
            .then(|| "Credential should be scoped to correct service: 'sts'. ".to_owned()),
        (scope.terminal != "aws4_request").then(|| {
            let terminal = &scope.terminal;
            format!("Credential should be scoped with a valid terminator: 'aws4_request', not '{terminal}'. ")
        }),
        (scope.date != day).then(|| {
            format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{}' != '{day}', from '{signed}'.",
                scope.date
            )
        }),
    ];
    let message: String = wrong.into_iter().flatten().collect();
    if message.is_empty() { Ok(()) } else { Err(StsError::signature_does_not_match(message)) }
}

/// Looks the key up in the region that is used, then compares its token.
fn key<'a>(authorization: &Authorization, caller: Option<&'a Caller>) -> Result<&'a Caller, StsError> {
    let caller = caller.ok_or(StsError::invalid_token())?;
    match caller.behaviour {
        Behaviour::Deleted => return Err(StsError::invalid_token()),
        Behaviour::UnknownInRegion => return Err(StsError::unknown_in_region()),
        _ if !works_in(&caller.region, &authorization.scope.region) => {
            return Err(StsError::unknown_in_region());
        }
        _ => {}
    }
    let same_token = match (&caller.session_token, &authorization.session_token) {
        (Some(issued), Some(sent)) => bool::from(issued.as_bytes().ct_eq(sent.as_bytes())),
        (None, None) => true,
        _ => false,
    };
    if same_token { Ok(caller) } else { Err(StsError::invalid_token()) }
}

/// Whether the holder of `secret_access_key` signed this request.
pub(crate) fn signature(
    request: &Received,
    authorization: &Authorization,
    secret_access_key: &str,
) -> Result<(), StsError> {
    let ours = sigv4::signature(request, authorization.signed(), secret_access_key);
    let same = bool::from(ours.as_bytes().ct_eq(authorization.signature.as_bytes()));
    if same { Ok(()) } else { Err(StsError::wrong_signature()) }
}
