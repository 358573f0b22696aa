//! Signatures, verified without a sandbox.

use bytes::Bytes;
use http::{HeaderValue, Request, header};

use crate::{authorization::Authorization, check, error::StsError, request::Received};

/// Verifies that the holder of a secret access key signed this request: AWS Signature Version 4, in the Authorization
/// header or in the query of a presigned URL, over the headers that the signature names.
///
/// This is a second implementation, independent of the SDK's, for tests of programs that sign requests or take signed
/// requests. Neither the clock nor the scope are checked, and the body is hashed whatever `x-amz-content-sha256` says.
///
/// # Errors
///
/// What STS would answer: `MissingAuthenticationToken`, `IncompleteSignature` or `SignatureDoesNotMatch`.
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
        // As a client sends it: a request that has not been sent yet may have no Host.
        received.headers_mut().entry(header::HOST).or_insert(host);
    }
    let received = Received::from(received);
    let authorization = Authorization::read(&received)?;
    check::signature(&received, &authorization, secret_access_key)
}
