//! Finds the proof in a request's headers.

use crate::credentials::{PostedProof, ValidationError};
use crate::proof::proof_in_header;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};

/// The header of the proof.
const PROOF: HeaderName = HeaderName::from_static("x-sts-verify-proof");

const PROOF_NAME: &str = "x-sts-verify-proof";
const AUTHORIZATION_NAME: &str = "Authorization";

/// The proof, from its own header or else from `Authorization: Bearer PROOF`. `None` if there is none: an empty
/// header counts as none, and so does an `Authorization` with another scheme.
pub(super) fn presented(headers: &HeaderMap) -> Result<Option<PostedProof>, ValidationError> {
    let own = only(headers, &PROOF, PROOF_NAME)?.map(str::trim).filter(|text| !text.is_empty());
    if let Some(text) = own {
        return proof_in_header(text, PROOF_NAME).map(Some);
    }
    let authorization = only(headers, &AUTHORIZATION, AUTHORIZATION_NAME)?.and_then(bearer);
    authorization.map(|text| proof_in_header(text, AUTHORIZATION_NAME)).transpose()
}

/// The value of a header that may occur only once.
fn only<'a>(
    headers: &'a HeaderMap,
    header: &HeaderName,
    name: &'static str,
) -> Result<Option<&'a str>, ValidationError> {
    let mut values = headers.get_all(header).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ValidationError::Invalid(name, "must not be there twice"));
    }
    value.to_str().map(Some).map_err(|_| ValidationError::Invalid(name, "must be printable ASCII"))
}

/// The text after `Bearer`, which is case-insensitive (RFC 9110, section 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, proof) = value.trim().split_once(' ')?;
    let proof = proof.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !proof.is_empty()).then_some(proof)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const TOKEN: &str = "k8s-aws-v1.aHR0cHM";

    fn found(headers: &[(&str, &[u8])]) -> Result<Option<&'static str>, String> {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value).unwrap())
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        let proof = presented(&map).map_err(|error| error.to_string())?;
        Ok(proof.map(|proof| match proof {
            PostedProof::Token(text) | PostedProof::PresignedUrl(text) => text.member,
            PostedProof::IamLogin(_) => "a login",
        }))
    }

    #[test]
    fn the_own_header_comes_before_authorization() {
        let bearer = format!("bEaReR  {TOKEN} ");
        let (own, other) = (("x-sts-verify-proof", TOKEN.as_bytes()), ("authorization", bearer.as_bytes()));
        let empty: (&str, &[u8]) = ("x-sts-verify-proof", b"");
        assert_eq!(found(&[own, other]), Ok(Some(PROOF_NAME)));
        assert_eq!(found(&[other]), Ok(Some(AUTHORIZATION_NAME)));
        assert_eq!(found(&[empty, other]), Ok(Some(AUTHORIZATION_NAME)));
        assert_eq!(found(&[("x-sts-verify-proof", b"https://sts.amazonaws.com/?a=b")]), Ok(Some(PROOF_NAME)));
        for nothing in
            [&[][..], &[empty], &[("authorization", b"Basic dTpw")], &[("authorization", b"Bearer ")]]
        {
            assert_eq!(found(nothing), Ok(None));
        }
    }

    #[test]
    fn a_repeated_header_or_an_invalid_proof_is_rejected_and_not_repeated() {
        let own = ("x-sts-verify-proof", TOKEN.as_bytes());
        let bearer: (&str, &[u8]) = ("authorization", b"Bearer a.b.c");
        for (headers, text) in [
            (&[own, own][..], "x-sts-verify-proof must not be there twice."),
            (&[own, ("x-sts-verify-proof", b"")], "x-sts-verify-proof must not be there twice."),
            (&[bearer, bearer], "Authorization must not be there twice."),
            (&[("x-sts-verify-proof", b"\xff")], "x-sts-verify-proof must be printable ASCII."),
            (
                &[("authorization", b"Bearer sv1_key")],
                "Authorization must be an EKS token, a JWT or a presigned URL.",
            ),
        ] {
            assert_eq!(found(headers), Err(text.to_owned()));
        }
    }
}
