//! Simulates what is between a caller and STS: clocks that differ, and a network that changes requests.

use http::{HeaderValue, header::AUTHORIZATION};
use time::Duration;

use crate::{
    authorization::Authorization,
    caller::{Behaviour, Caller},
    request::Received,
    sigv4::SIGNATURE_PARAMETER,
};

/// How far STS's clock deviates from the true time for this caller.
pub(crate) fn clock_skew(caller: &Caller) -> Duration {
    match caller.behaviour {
        Behaviour::ClockAhead(by) => Duration::try_from(by).unwrap_or(Duration::MAX),
        Behaviour::ClockBehind(by) => -Duration::try_from(by).unwrap_or(Duration::MAX),
        _ => Duration::ZERO,
    }
}

/// The request as it arrives if something changes it in transit. `None` if nothing does.
pub(crate) fn changed(
    request: &Received,
    caller: &Caller,
    authorization: &Authorization,
) -> Option<Received> {
    let header = request.header(AUTHORIZATION).unwrap_or_default();
    let (query, region) = (&request.query, &authorization.scope.region);
    let (header, query) = match caller.behaviour {
        Behaviour::SignatureLost => (String::new(), String::new()),
        Behaviour::SignatureMangled => {
            let kept = query.split('&').filter(|pair| !pair.starts_with(SIGNATURE_PARAMETER));
            (header.replacen("Credential=", "Credential= ", 1), kept.collect::<Vec<_>>().join("&"))
        }
        Behaviour::OtherRegion => (
            header.replacen(&format!("/{region}/"), "/nowhere-1/", 1),
            query.replacen(&format!("%2F{region}%2F"), "%2Fnowhere-1%2F", 1),
        ),
        _ => return None,
    };
    let mut changed = Received { query, ..request.clone() };
    match HeaderValue::from_bytes(header.as_bytes()) {
        Ok(value) if !value.is_empty() => _ = changed.headers.insert(AUTHORIZATION, value),
        _ => _ = changed.headers.remove(AUTHORIZATION),
    }
    Some(changed)
}
