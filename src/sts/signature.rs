//! Signs the GetCallerIdentity request. Everything in it except the credentials and the time is known at start.
//!
//! The signing key and the last step are aws-sigv4's, and a property test compares the result with aws-sigv4's
//! signature of the whole request. aws-sigv4 is not used for the canonical request, because it would build the
//! parts that never change (the URL and the headers in canonical form) for each call. This took a third of the
//! allocations of an answer, and made copies of the session token.

use crate::credentials::Credentials;
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use http::header::{AUTHORIZATION, InvalidHeaderValue};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::time::SystemTime;
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// The service that a signature is for.
pub(super) const SERVICE: &str = "sts";

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// Signs one POST.
pub(super) struct Signer {
    region: String,
    /// The canonical request up to the time.
    before_time: String,
    /// Its end: the digest of the body.
    body_digest: String,
}

impl Signer {
    /// Creates the signer for a POST of this body to this path of a host. `None` if the path differs from its
    /// canonical form, or has a query.
    pub fn new(region: &str, host: &str, path: &str, content_type: &str, body: &str) -> Option<Self> {
        let before_time = format!("POST\n{path}\n\ncontent-type:{content_type}\nhost:{host}\nx-amz-date:");
        let body_digest = hex::encode(Sha256::digest(body));
        is_canonical(path).then_some(Self { region: region.to_owned(), before_time, body_digest })
    }

    /// Adds the headers of the signature to a request. Credentials are printable and have no spaces, so a
    /// header's value is its own canonical form.
    pub fn sign(
        &self,
        credentials: &Credentials,
        at: SystemTime,
        headers: &mut HeaderMap,
    ) -> Result<(), InvalidHeaderValue> {
        let token = credentials.session_token().map(ExposeSecret::expose_secret);
        let time = written(at);
        // Joining allocates the exact length; formatting does not.
        let scope = [&time[..8], "/", &self.region, "/", SERVICE, "/aws4_request"].concat();
        let (token_header, signed_headers) = match token {
            Some(_) => ("x-amz-security-token:", "content-type;host;x-amz-date;x-amz-security-token"),
            None => ("", "content-type;host;x-amz-date"),
        };
        let token_length = token.map_or(0, str::len);
        let mut canonical =
            Zeroizing::new(String::with_capacity(self.before_time.len() + token_length + 192));
        canonical.push_str(&self.before_time);
        canonical.push_str(&time);
        canonical.push('\n');
        if let Some(token) = token {
            canonical.push_str(token_header);
            canonical.push_str(token);
            canonical.push('\n');
        }
        for part in ["\n", signed_headers, "\n", &self.body_digest] {
            canonical.push_str(part);
        }
        let mut digest = [0; 64];
        // The buffer has the length of a digest, so this does not fail.
        let _ = hex::encode_to_slice(Sha256::digest(canonical.as_bytes()), &mut digest);
        let to_sign =
            [b"AWS4-HMAC-SHA256\n", time.as_bytes(), b"\n", scope.as_bytes(), b"\n", &digest].concat();
        let key =
            generate_signing_key(credentials.secret_access_key().expose_secret(), at, &self.region, SERVICE);
        let signature = calculate_signature(key, &to_sign);
        let authorization = [
            "AWS4-HMAC-SHA256 Credential=",
            credentials.access_key_id(),
            "/",
            &scope,
            ", SignedHeaders=",
            signed_headers,
            ", Signature=",
            &signature,
        ]
        .concat();
        for (name, value) in [
            (DATE, Some(HeaderValue::try_from(time)?)),
            (AUTHORIZATION, Some(HeaderValue::try_from(authorization)?)),
            (TOKEN, token.map(HeaderValue::from_str).transpose()?),
        ] {
            if let Some(mut value) = value {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        Ok(())
    }
}

/// The time in the form `20261126T211500Z`.
fn written(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let (date, time) = (at.date(), at.time());
    let mut text = String::with_capacity(16);
    // Writing to a string does not fail.
    let _ = write!(
        text,
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    text
}

/// Whether a path is its own canonical form: nothing is escaped, and no segment is empty or consists of dots.
fn is_canonical(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return false };
    let is_plain = |segment: &str| {
        !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    segments.is_empty() || segments.split('/').all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::VerifyRequest;
    use aws_credential_types::Credentials as SigningCredentials;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4::SigningParams;
    use http::Request;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
    const FORM: &str = "application/x-www-form-urlencoded";

    /// The headers that aws-sigv4 adds.
    fn reference(
        url: &str,
        region: &str,
        id: &str,
        secret: &str,
        token: Option<&str>,
        at: SystemTime,
    ) -> HeaderMap {
        let identity = SigningCredentials::new(id, secret, token.map(str::to_owned), None, "test").into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(SERVICE)
            .time(at)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let headers = [("content-type", FORM)].into_iter();
        let body = SignableBody::Bytes(BODY.as_bytes());
        let signable = SignableRequest::new("POST", url, headers, body).unwrap();
        let mut request = Request::post(url).body(()).unwrap();
        sign(signable, &params).unwrap().into_parts().0.apply_to_request_http1x(&mut request);
        request.headers().clone()
    }

    proptest! {
        #[test]
        fn the_signature_is_that_of_aws_sigv4(
            id in "[A-Z0-9]{16,128}",
            secret in "[!-~]{1,128}",
            token in proptest::option::of("[!-~]{1,2000}"),
            region in "[a-z0-9-]{1,20}",
            path in "(/[a-zA-Z0-9_-]{1,9}){0,3}",
            port in proptest::option::of(1024_u16..),
            at in 0_u64..4_102_444_800,
        ) {
            let host = format!("sts.example{}", port.map_or(String::new(), |port| format!(":{port}")));
            let path = if path.is_empty() { "/" } else { &path };
            let at = UNIX_EPOCH + Duration::from_secs(at);
            let body = serde_json::json!({"AccessKeyId": id, "SecretAccessKey": secret, "SessionToken": token});
            let Ok(request) = VerifyRequest::from_json(body.to_string().as_bytes()) else { return Ok(()) };
            let mut headers = HeaderMap::new();
            let signer = Signer::new(&region, &host, path, FORM, BODY).unwrap();
            signer.sign(&request.credentials, at, &mut headers).unwrap();
            prop_assert!(headers.values().all(HeaderValue::is_sensitive));
            let url = format!("https://{host}{path}");
            prop_assert_eq!(headers, reference(&url, &region, &id, &secret, token.as_deref(), at));
        }
    }

    #[test]
    fn a_path_with_another_canonical_form_is_refused() {
        for path in
            ["", "a", "/a/", "//", "/a//b", "/a/../b", "/.", "/a%20b", "/a?b=c", "/a b", "/ä", "/?x=1"]
        {
            assert!(Signer::new("us-east-1", "host", path, FORM, BODY).is_none(), "{path}");
        }
    }
}
