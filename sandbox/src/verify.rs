//! Verifies signatures without a sandbox.

use bytes::Bytes;
use http::{HeaderValue, Request, header};

use crate::{authorization::Authorization, check, error::StsError, request::Received};

/// Verifies that the holder of a secret access key signed this request: AWS Signature Version 4, in the
/// Authorization header or in the query of a presigned URL, over the headers that the signature names.
///
/// This implementation is independent of the SDK's. It is for tests of programs that sign requests or accept
/// signed requests. The clock and the scope are not checked, and the body is hashed whatever
/// `x-amz-content-sha256` contains.
///
/// # Errors
///
/// The error of STS: `MissingAuthenticationToken`, `IncompleteSignature` or `SignatureDoesNotMatch`.
pub fn verify_signature<B: AsRef<[u8]>>(
    request: &Request<B>,
    secret_access_key: &str,
) -> Result<(), StsError> {
    let mut received = Request::new(Bytes::copy_from_slice(request.body().as_ref()));
    *received.method_mut() = request.method().clone();
    *received.uri_mut() = request.uri().clone();
    *received.headers_mut() = request.headers().clone();
    if let Some(authority) = request.uri().authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        // As a client would send it: a request that was not sent yet may have no Host.
        received.headers_mut().entry(header::HOST).or_insert(host);
    }
    let received = Received::from(received);
    let authorization = Authorization::read(&received)?;
    check::signature(&received, &authorization, secret_access_key)
}
