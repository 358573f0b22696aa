//! The checks that come after the form, in STS's order: the clock, the scope, the key and its token, expiry, the
//! signature. The order shows: a client with a slow clock and a wrong secret hears of its clock.

use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

use super::{
    claim::{Claim, basic},
    refusal::Refusal,
    request::Received,
    sigv4,
    table::{Caller, Standing},
};
use crate::sts::partitions::partition_of;

/// How far a client's clock may be off. It holds for presigned URLs too: STS pays no heed to `X-Amz-Expires`.
const TOLERANCE: Duration = Duration::minutes(15);

/// The regions of `aws` that every account has. AWS has made each later one opt-in (from 2019 on), so this list is
/// closed; in the other partitions there are no opt-in regions.
const ALWAYS_ON: &[&str] = &[
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Runs every check on `request`, which claims `claim`, at the time `now` of the caller's row. `caller` is the row of
/// the claimed key, if there is one; what comes back is the same row, now known to have signed the request.
pub(super) fn in_order(
    request: &Received,
    claim: &Claim,
    caller: Option<&'static Caller>,
    now: OffsetDateTime,
) -> Result<&'static Caller, Refusal> {
    clock(claim, now)?;
    scope(claim)?;
    let caller = key(claim, caller)?;
    expiry(caller)?;
    signature(request, claim, caller)?;
    Ok(caller)
}

fn clock(claim: &Claim, now: OffsetDateTime) -> Result<(), Refusal> {
    let (signed, sts) = (basic(claim.signed_at), basic(now));
    let message = if claim.signed_at < now - TOLERANCE {
        let earliest = basic(now - TOLERANCE);
        format!("Signature expired: {signed} is now earlier than {earliest} ({sts} - 15 min.)")
    } else if claim.signed_at > now + TOLERANCE {
        let latest = basic(now + TOLERANCE);
        format!("Signature not yet current: {signed} is still later than {latest} ({sts} + 15 min.)")
    } else {
        return Ok(());
    };
    Err(Refusal::signature_does_not_match(message))
}

/// STS strings the texts together when several things are wrong, hence the blank at the end of each; only the one of
/// the region is recorded.
fn scope(claim: &Claim) -> Result<(), Refusal> {
    let (scope, signed) = (&claim.scope, basic(claim.signed_at));
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
    if message.is_empty() { Ok(()) } else { Err(Refusal::signature_does_not_match(message)) }
}

/// The key is looked up in the region that is asked, then its token is compared.
fn key(claim: &Claim, caller: Option<&'static Caller>) -> Result<&'static Caller, Refusal> {
    let caller = caller.ok_or(Refusal::invalid_token())?;
    match caller.behaviour.standing() {
        Standing::Deleted => return Err(Refusal::invalid_token()),
        Standing::Elsewhere => return Err(Refusal::unknown_in_region()),
        _ if !known_in(caller, &claim.scope.region) => return Err(Refusal::unknown_in_region()),
        Standing::Good | Standing::Expired => {}
    }
    let same_token = match (caller.session_token, &claim.session_token) {
        (Some(issued), Some(sent)) => bool::from(issued.as_bytes().ct_eq(sent.as_bytes())),
        (None, None) => true,
        _ => false,
    };
    if same_token { Ok(caller) } else { Err(Refusal::invalid_token()) }
}

/// A key works in its own region and in every region of its partition that needs no opting in.
fn known_in(caller: &Caller, region: &str) -> bool {
    let partition = partition_of(region);
    let always_on = partition != Some("aws") || ALWAYS_ON.contains(&region);
    partition == partition_of(caller.region) && (always_on || region == caller.region)
}

fn expiry(caller: &Caller) -> Result<(), Refusal> {
    if caller.behaviour.standing() == Standing::Expired { Err(Refusal::expired()) } else { Ok(()) }
}

fn signature(request: &Received, claim: &Claim, caller: &Caller) -> Result<(), Refusal> {
    let ours = sigv4::signature(request, claim.signed(), caller.secret_access_key);
    let same = bool::from(ours.as_bytes().ct_eq(claim.signature.as_bytes()));
    if same { Ok(()) } else { Err(Refusal::wrong_signature()) }
}
