//! Tells proofs in place of credentials by the members that the README names. What is in them is checked where they are asked
//! about.

use crate::batch::entry::ProofText;
use serde_json::Value;
use zeroize::Zeroizing;

/// Members that hold a proof whatever their value is.
const MEMBERS: [&str; 4] = ["presigned_url", "presignedUrl", "WebIdentityToken", "iam_request_url"];

/// How many levels below the top objects are looked into, as for credentials.
const DEEPEST: usize = 3;

/// Whether a JSON object holds a proof; it holds no credentials.
pub(super) fn is_one(text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|value| is_in(&value, 0))
}

fn is_in(value: &Value, depth: usize) -> bool {
    let Some(object) = value.as_object().filter(|_| depth <= DEEPEST) else { return false };
    object.iter().any(|(name, value)| {
        let is_token = name.eq_ignore_ascii_case("token") && value.is_string();
        is_token || MEMBERS.contains(&name.as_str()) || is_in(value, depth + 1)
    })
}

/// Keeps the object for its check.
pub(super) fn keep(text: &str) -> ProofText {
    ProofText(Zeroizing::new(text.to_owned()))
}
