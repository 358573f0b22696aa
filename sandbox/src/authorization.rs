//! Parses the signature of a request: the access key ID, the signing time, and the scope. This is the first of
//! STS's checks, that of the form.
//!
//! STS reads the Authorization header or, for a presigned URL, the query. Its messages show how its parser
//! works: it cuts the header at the first space, then the rest at commas and spaces, and expects an equals sign
//! in every piece. Every recorded message follows from that, so this parser is built in the same way.

use http::header;
use time::{
    OffsetDateTime, PrimitiveDateTime,
    format_description::{BorrowedFormatItem, well_known::Rfc2822},
    macros::format_description,
};

use crate::{
    error::StsError,
    request::Received,
    sigv4::{ALGORITHM, SIGNATURE_PARAMETER, Scope, Signed},
};

/// `20220127T001427Z`, ISO 8601's basic format.
const BASIC: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

/// The session token: a header, or a parameter of a presigned URL.
const TOKEN: &str = "X-Amz-Security-Token";
/// The signing time, also in either place.
const DATE: &str = "X-Amz-Date";

/// The well-formed signature of a request. Nothing in it is verified yet.
#[derive(Debug, Clone)]
pub(crate) struct Authorization {
    pub access_key_id: String,
    pub scope: Scope,
    /// The signing time according to the client.
    pub signed_at: OffsetDateTime,
    pub session_token: Option<String>,
    pub signature: String,
    timestamp: String,
    signed_headers: String,
    presigned: bool,
}

impl Authorization {
    /// Reads the Authorization header, or else the query.
    pub fn read(request: &Received) -> Result<Self, StsError> {
        if let Some(authorization) = request.header(header::AUTHORIZATION) {
            return Self::from_header(request, authorization.trim());
        }
        if request.query.contains("X-Amz-") {
            Self::from_query(request)
        } else {
            Err(StsError::missing_authentication_token())
        }
    }

    /// The parts of the request that the signature covers.
    pub fn signed(&self) -> Signed<'_> {
        Signed {
            timestamp: &self.timestamp,
            scope: &self.scope,
            headers: &self.signed_headers,
            presigned: self.presigned,
        }
    }

    fn from_header(request: &Received, authorization: &str) -> Result<Self, StsError> {
        let (algorithm, rest) = authorization.split_once([' ', '\t']).unwrap_or((authorization, ""));
        let (mut credential, mut signature, mut signed_headers) = (None, None, None);
        for piece in rest.split([',', ' ', '\t']).filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').ok_or_else(|| no_equals_sign(piece, authorization))?;
            match name {
                "Credential" => credential = Some(value),
                "Signature" => signature = Some(value),
                "SignedHeaders" => signed_headers = Some(value),
                _ => {}
            }
        }
        let date = request.header(DATE).or_else(|| request.header(header::DATE));
        let (Some(credential), Some(signature), Some(signed_headers), Some(date)) =
            (credential, signature, signed_headers, &date)
        else {
            let given = [credential.is_some(), signature.is_some(), signed_headers.is_some(), date.is_some()];
            return Err(incomplete_header(given, authorization));
        };
        let token = request.header(TOKEN);
        Self::new(algorithm, credential, date, Parts { signature, signed_headers, token, presigned: false })
    }

    fn from_query(request: &Received) -> Result<Self, StsError> {
        let names = ["X-Amz-Algorithm", "X-Amz-Credential", SIGNATURE_PARAMETER, "X-Amz-SignedHeaders", DATE];
        let values = names.map(|name| request.query_parameter(name));
        let [Some(algorithm), Some(credential), Some(signature), Some(signed_headers), Some(date)] = &values
        else {
            let missing = names.iter().zip(&values).filter(|(_, value)| value.is_none());
            let sentences =
                missing.map(|(name, _)| format!("AWS query-string parameters must include '{name}'. "));
            let message = format!("{}Re-examine the query-string parameters.", sentences.collect::<String>());
            return Err(StsError::incomplete_signature(message));
        };
        let token = request.query_parameter(TOKEN).or_else(|| request.header(TOKEN));
        Self::new(algorithm, credential, date, Parts { signature, signed_headers, token, presigned: true })
    }

    fn new(algorithm: &str, credential: &str, date: &str, parts: Parts<'_>) -> Result<Self, StsError> {
        if algorithm != ALGORITHM {
            let message = format!("Unsupported AWS 'algorithm': '{algorithm}'.");
            return Err(StsError::incomplete_signature(message));
        }
        let [key, day, region, service, terminal] = credential.split('/').collect::<Vec<_>>()[..] else {
            return Err(StsError::incomplete_signature(format!(
                "Credential must have exactly 5 slash-delimited elements, \
                 e.g. keyid/date/region/service/term, got '{credential}'"
            )));
        };
        let signed_at = read_time(date)?;
        if !parts.signed_headers.split(';').any(|name| name == "host") {
            let message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
            return Err(StsError::signature_does_not_match(message.to_owned()));
        }
        Ok(Self {
            access_key_id: key.to_owned(),
            scope: Scope {
                date: day.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
                terminal: terminal.to_owned(),
            },
            timestamp: basic(signed_at),
            signed_at,
            session_token: parts.token,
            signature: parts.signature.to_owned(),
            signed_headers: parts.signed_headers.to_owned(),
            presigned: parts.presigned,
        })
    }
}

/// The parts as they were received.
struct Parts<'a> {
    signature: &'a str,
    signed_headers: &'a str,
    token: Option<String>,
    presigned: bool,
}

/// A time in the format of STS's messages.
pub(crate) fn basic(time: OffsetDateTime) -> String {
    time.format(BASIC).unwrap_or_default()
}

/// `X-Amz-Date` is always in the basic format; a plain `Date` may also have HTTP's own format.
fn read_time(text: &str) -> Result<OffsetDateTime, StsError> {
    PrimitiveDateTime::parse(text, BASIC)
        .map(PrimitiveDateTime::assume_utc)
        .or_else(|_| OffsetDateTime::parse(text, &Rfc2822))
        .map_err(|_| {
            StsError::incomplete_signature(format!(
                "Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ))
        })
}

/// STS repeats the whole header here, including the signature. That is why the service checks an access key ID
/// before it signs with it.
fn no_equals_sign(piece: &str, authorization: &str) -> StsError {
    StsError::incomplete_signature(format!(
        "'{piece}' not a valid key=value pair (missing equal-sign) in Authorization header: '{authorization}'."
    ))
}

fn incomplete_header(given: [bool; 4], authorization: &str) -> StsError {
    let sentences = [
        "Authorization header requires 'Credential' parameter. ",
        "Authorization header requires 'Signature' parameter. ",
        "Authorization header requires 'SignedHeaders' parameter. ",
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
    ];
    let missing: String =
        sentences.into_iter().zip(given).filter(|(_, given)| !given).map(|(text, _)| text).collect();
    StsError::incomplete_signature(format!("{missing}Authorization={authorization}"))
}
