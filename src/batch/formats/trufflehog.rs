//! TruffleHog's report (`--json`): one finding per line. The values of an AWS key are in `SecretParts`, and in
//! releases without it in `RawV2` as `id:secret[:token]` (`pkg/output/json.go`, `pkg/detectors/aws`).

use super::fields::{Fields, parse_name, request};
use super::finding::{FoundKey, text};
use crate::credentials::Posted;
use serde_json::Value;

/// The detectors of AWS keys, of users and of sessions.
const DETECTORS: [&str; 2] = ["AWS", "AWSSessionKey"];

/// The key in a finding. `None` for a finding of another detector.
pub(super) fn read(finding: &Value) -> Option<Vec<FoundKey>> {
    let detector = text(finding, "detectorname")?;
    if !DETECTORS.iter().any(|name| name.eq_ignore_ascii_case(detector)) {
        return None;
    }
    Some(vec![parts(finding).unwrap_or_else(|| {
        let raw = text(finding, "rawv2").filter(|raw| !raw.is_empty()).or_else(|| text(finding, "raw"));
        let mut values = raw.unwrap_or_default().splitn(3, ':');
        request(values.next(), values.next(), values.next())
    })])
}

/// The key in `SecretParts`, if there is one.
fn parts(finding: &Value) -> Option<FoundKey> {
    let mut fields = Fields::default();
    for (name, value) in finding.get("SecretParts")?.as_object()? {
        if let (Some(name), Some(value)) = (parse_name(name), value.as_str()) {
            fields.put(name, value);
        }
    }
    if fields.is_empty() {
        return None;
    }
    match fields.into_posted() {
        Ok(Posted::Credentials(request)) => Some(Ok(request)),
        Ok(Posted::Proof(_)) => None,
        Err(reason) => Some(Err(reason)),
    }
}
