//! Reads a signature from a query or a header: steps 5 and 6 of a signed request.

use super::url::{Parameter, UrlText};
use super::{Header, not_allowed};
use crate::credentials::is_access_key_id;
use crate::proof::{ProofError, ProofFailure};
use secrecy::SecretString;
use std::time::{Duration, SystemTime};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far the client's clock may be ahead.
const CLOCK_LEEWAY: Duration = Duration::from_mins(5);

/// STS's own limit. A larger `X-Amz-Expires` is rejected, although STS ignores the value.
const MAX_EXPIRES: u32 = 900;

/// The parameters of a presigned URL, ordered by name, which is the order in the request that is built. True
/// for those that are required.
const PARAMETERS: [(&str, bool); 11] = [
    ("Action", true),
    ("Version", true),
    ("X-Amz-Algorithm", true),
    ("X-Amz-Content-Sha256", false),
    ("X-Amz-Credential", true),
    ("X-Amz-Date", true),
    ("X-Amz-Expires", true),
    ("X-Amz-Security-Token", false),
    ("X-Amz-Signature", true),
    ("X-Amz-SignedHeaders", true),
    ("X-Amz-User-Agent", false),
];

/// SHA-256 of an empty body, in hexadecimal: that of a GET.
pub(super) const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The allowed parameters of a query.
pub(super) struct Parameters<'a>(Vec<Parameter<'a>>);

/// A signature with its scope. It has no `Debug`.
pub(super) struct Signature {
    access_key_id: String,
    region: String,
    /// Such as `20220127T001427Z`.
    timestamp: String,
    signed_at: SystemTime,
    pub signed_headers: Vec<String>,
    pub session_token: Option<SecretString>,
    value: SecretString,
    /// The parameters of a query that do not belong to the signature itself, with their values.
    pub others: Vec<(&'static str, String)>,
}

impl<'a> Parameters<'a> {
    /// Step 5: exactly these names, in this spelling. Duplicates were excluded when the URL was read.
    pub fn of(url: &UrlText<'a>) -> Result<Self, ProofError> {
        if url.query.is_some_and(|query| query.contains('+')) {
            return Err(not_allowed("its query has a plus sign, which parsers read in two ways"));
        }
        let parameters = url.parameters().map_err(|_| not_allowed("its query cannot be read"))?;
        if !parameters.iter().all(|one| PARAMETERS.iter().any(|(name, _)| one.name == *name)) {
            return Err(not_allowed("its query has a parameter that is not one of a GetCallerIdentity"));
        }
        Ok(Self(parameters))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|one| one.name == name).map(|one| one.value.as_str())
    }

    fn check(&self) -> Result<(), ProofError> {
        let missing = PARAMETERS.iter().any(|(name, needed)| *needed && self.get(name).is_none());
        if missing {
            return Err(not_allowed("its query lacks a parameter of a presigned GetCallerIdentity"));
        }
        let asks =
            self.get("Action") == Some("GetCallerIdentity") && self.get("Version") == Some("2011-06-15");
        if !asks {
            return Err(not_allowed("it is for another action or version"));
        }
        if self.get("X-Amz-Content-Sha256").is_some_and(|digest| digest != EMPTY_SHA256) {
            return Err(not_allowed("X-Amz-Content-Sha256 is not its body's"));
        }
        Ok(())
    }
}

impl Signature {
    /// The signature of a presigned URL.
    pub fn from_query(parameters: &Parameters<'_>) -> Result<Self, ProofFailure> {
        parameters.check()?;
        let get = |name| parameters.get(name).unwrap_or_default();
        if get("X-Amz-Algorithm") != ALGORITHM {
            return Err(not_allowed("its algorithm must be AWS4-HMAC-SHA256").into());
        }
        let expires = get("X-Amz-Expires");
        let in_digits = (1..=9).contains(&expires.len()) && expires.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = expires.parse().ok().filter(|_| in_digits);
        if !seconds.is_some_and(|seconds| (1..=MAX_EXPIRES).contains(&seconds)) {
            return Err(not_allowed("X-Amz-Expires must be 1 to 900").into());
        }
        let token = parameters.get("X-Amz-Security-Token");
        let mut others = vec![("X-Amz-Expires", expires.to_owned())];
        for name in ["X-Amz-Content-Sha256", "X-Amz-User-Agent"] {
            others.extend(parameters.get(name).map(|value| (name, value.to_owned())));
        }
        let parts = Parts {
            credential: get("X-Amz-Credential"),
            timestamp: get("X-Amz-Date"),
            signed_headers: get("X-Amz-SignedHeaders"),
            signature: get("X-Amz-Signature"),
        };
        parts.read(token, others)
    }

    /// The signature of a request with an `Authorization` header in exactly this form.
    pub fn from_headers(headers: &[Header]) -> Result<Self, ProofFailure> {
        let get = |name| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let authorization = get("authorization").ok_or(not_allowed("it has no Authorization"))?;
        let form = not_allowed("its Authorization is not of the form of Signature Version 4");
        let fields =
            authorization.strip_prefix(ALGORITHM).and_then(|rest| rest.strip_prefix(' ')).ok_or(form)?;
        let fields: Vec<&str> = fields.split(',').collect();
        let [credential, signed_headers, signature] = fields[..] else { return Err(form.into()) };
        let parts = Parts {
            credential: credential.strip_prefix("Credential=").ok_or(form)?,
            timestamp: get("x-amz-date").ok_or(not_allowed("it has no X-Amz-Date"))?,
            signed_headers: after_comma(signed_headers).strip_prefix("SignedHeaders=").ok_or(form)?,
            signature: after_comma(signature).strip_prefix("Signature=").ok_or(form)?,
        };
        parts.read(get("x-amz-security-token"), Vec::new())
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    /// `KEY/DATE/REGION/sts/aws4_request`.
    pub fn credential(&self) -> String {
        let date = self.timestamp.split('T').next().unwrap_or_default();
        format!("{}/{date}/{}/sts/aws4_request", self.access_key_id, self.region)
    }

    pub fn value(&self) -> &SecretString {
        &self.value
    }

    /// Checks that the signature is neither too old nor in the future. Returns the time at which it expires.
    pub fn check_time(&self, max_age: Duration, now: SystemTime) -> Result<SystemTime, ProofError> {
        let useful_until = self.signed_at + max_age;
        if useful_until < now {
            return Err(ProofError::Expired);
        }
        if self.signed_at > now + CLOCK_LEEWAY {
            return Err(ProofError::NotYetValid);
        }
        Ok(useful_until)
    }
}

/// The texts that both forms contain.
struct Parts<'a> {
    credential: &'a str,
    timestamp: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl Parts<'_> {
    /// Step 6: the algorithm, the scope, and the form of the values.
    fn read(
        self,
        token: Option<&str>,
        others: Vec<(&'static str, String)>,
    ) -> Result<Signature, ProofFailure> {
        let scope: Vec<&str> = self.credential.split('/').collect();
        let [key, date, region, "sts", "aws4_request"] = scope[..] else {
            return Err(not_allowed("its scope must be KEY/DATE/REGION/sts/aws4_request").into());
        };
        let signed_at =
            time_of(self.timestamp).ok_or(not_allowed("X-Amz-Date must be of the form 20220127T001427Z"))?;
        if !is_access_key_id(key) || self.timestamp.split('T').next() != Some(date) {
            return Err(not_allowed("its scope has no access key ID, or another day than X-Amz-Date").into());
        }
        let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if self.signature.len() != 64 || !self.signature.bytes().all(digits) {
            return Err(not_allowed("its signature must have 64 hexadecimal digits").into());
        }
        if token.is_some_and(|token| !is_token(token)) {
            return Err(not_allowed("its session token is malformed").into());
        }
        Ok(Signature {
            access_key_id: key.to_owned(),
            region: region.to_owned(),
            timestamp: self.timestamp.to_owned(),
            signed_at,
            signed_headers: self.signed_headers.split(';').map(str::to_owned).collect(),
            session_token: token.map(SecretString::from),
            value: self.signature.into(),
            others,
        })
    }
}

/// Some clients write no space after a comma.
fn after_comma(field: &str) -> &str {
    field.strip_prefix(' ').unwrap_or(field)
}

fn time_of(text: &str) -> Option<SystemTime> {
    const BASIC: &[BorrowedFormatItem<'_>] =
        format_description!("[year][month][day]T[hour][minute][second]Z");
    let exact = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit() || b"TZ".contains(&byte));
    let time: OffsetDateTime = PrimitiveDateTime::parse(text, BASIC).ok().filter(|_| exact)?.assume_utc();
    Some(time.into())
}

/// Whether a text has the form of a session token: printable ASCII without spaces, within the length limit.
fn is_token(text: &str) -> bool {
    (1..=16_384).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
