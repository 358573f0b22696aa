//! Request heads that are rejected, by the parser or by the checks here.
//!
//! A rejected head becomes a request that matches no route, with the reason in its extensions. It passes
//! through the layers of every request, which log it, count it and add headers, and the router's fallback
//! answers it.

use crate::http::error::ApiError;
use crate::http::head_error::HeadError;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, Version};

/// Why the head of this request was rejected.
#[derive(Debug, Clone)]
struct RejectedHead(HeadError);

/// Checks a head that the parser accepted. Two programs may read different requests from a head that fails
/// these checks.
pub(crate) fn check(version: Version, headers: &HeaderMap) -> Result<(), HeadError> {
    let mut hosts = headers.get_all(HOST).iter();
    // RFC 9112, section 3.2. HTTP/1.0 requests need no Host.
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => is_host(host),
        (None, _) => version == Version::HTTP_10,
        (Some(_), Some(_)) => false,
    };
    if !host {
        return Err(HeadError::InvalidHost);
    }
    // RFC 9112, section 6.1: chunked is the only supported coding, and must be applied once.
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(HeadError::UnsupportedTransferEncoding),
    }
}

/// A name or an address, with an optional port (RFC 9110, section 7.2).
fn is_host(value: &HeaderValue) -> bool {
    let Ok(authority) = Authority::try_from(value.as_bytes()) else { return false };
    let text = authority.as_str();
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    let behind = text.strip_prefix(authority.host());
    behind.is_some_and(|rest| rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

/// Turns a request into one that the fallback answers with this error. The headers stay, because the layers
/// read some of them.
pub(crate) fn reject(mut request: Request, error: HeadError) -> Request {
    // The method must not be OPTIONS, which the CORS layer answers. Method and path of an invalid head are not
    // known.
    *request.method_mut() = Method::from_bytes(b"-").unwrap_or_default();
    let is_gate = request.uri().path().split('/').nth(1) == Some("auth");
    // A gate has a fallback of its own: all of its responses have its headers.
    *request.uri_mut() = Uri::from_static(if is_gate { "/auth/-" } else { "*" });
    *request.body_mut() = Body::empty();
    request.extensions_mut().insert(RejectedHead(error));
    request
}

/// Why the head of a request was rejected, if it was.
pub(crate) fn reason(request: &Request) -> Option<ApiError> {
    request.extensions().get().map(|RejectedHead(error)| ApiError::Head(*error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn check_lines(version: Version, lines: &[(HeaderName, &'static str)]) -> Result<(), HeadError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        check(version, &headers)
    }

    #[test]
    fn a_request_must_have_exactly_one_valid_host() {
        for host in ["a", "a.example", "a.example:8080", "192.0.2.1:1", "[::1]", "[2001:db8::1]:8080", "a:"] {
            assert_eq!(check_lines(Version::HTTP_11, &[(HOST, host)]), Ok(()), "{host}");
        }
        for host in
            ["", "a b", "user@a", "a/b", "a?b", "a#b", "a:b", "a:80:80", "[::1", "http://a", "a, b", "\"a\""]
        {
            assert_eq!(check_lines(Version::HTTP_11, &[(HOST, host)]), Err(HeadError::InvalidHost), "{host}");
        }
        assert_eq!(check_lines(Version::HTTP_11, &[]), Err(HeadError::InvalidHost));
        assert_eq!(check_lines(Version::HTTP_10, &[]), Ok(()));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            let twice = [(HOST, "a"), (HOST, "a")];
            assert_eq!(check_lines(version, &twice), Err(HeadError::InvalidHost), "{version:?}");
        }
    }

    #[test]
    fn the_only_transfer_coding_is_chunked_applied_once() {
        let coded = |codings: &[&'static str]| {
            let codings = codings.iter().map(|coding| (TRANSFER_ENCODING, *coding));
            check_lines(Version::HTTP_11, &[(HOST, "a")].into_iter().chain(codings).collect::<Vec<_>>())
        };
        for good in [&[] as &[_], &["chunked"], &["Chunked"], &["CHUNKED "]] {
            assert_eq!(coded(good), Ok(()), "{good:?}");
        }
        for bad in [
            &["gzip, chunked"] as &[_],
            &["chunked, chunked"],
            &["chunked", "chunked"],
            &["gzip", "chunked"],
            &["identity, chunked"],
            &[", chunked"],
            &["chunked,"],
            &["", "chunked"],
            &["chunked;q=1"],
            &["\"chunked\""],
        ] {
            assert_eq!(coded(bad), Err(HeadError::UnsupportedTransferEncoding), "{bad:?}");
        }
    }
}
