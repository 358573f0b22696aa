//! One GetCallerIdentity: signed here with a caller's credentials, or by the caller.

use crate::credentials::Credentials;
use http::Request;
use secrecy::{ExposeSecret as _, SecretString};

/// A GetCallerIdentity request. It holds secrets, so it has no `Debug`.
pub enum StsCall {
    /// Signed by this program.
    Credentials(Credentials),
    /// Signed by the caller.
    Signed(Box<SignedCall>),
}

/// A request that a caller signed. It is forwarded as it is to the STS of the host that it was signed for.
pub struct SignedCall {
    pub(super) request: Request<&'static str>,
    signature: SecretString,
    session_token: Option<SecretString>,
}

impl SignedCall {
    /// Takes a request's `Host`, its signature, and its session token if it has one.
    #[must_use]
    pub fn new(
        request: Request<&'static str>,
        signature: SecretString,
        session_token: Option<SecretString>,
    ) -> Self {
        Self { request, signature, session_token }
    }

    /// All values of the call: two calls with the same values are the same request to STS.
    pub(crate) fn values(&self) -> Vec<Vec<u8>> {
        let (uri, body) = (self.request.uri().to_string(), self.request.body().as_bytes());
        let mut values = vec![self.request.method().as_str().into(), uri.into_bytes(), body.to_vec()];
        for (name, value) in self.request.headers() {
            values.extend([name.as_str().as_bytes().to_vec(), value.as_bytes().to_vec()]);
        }
        values
    }
}

impl StsCall {
    /// The values that must not get into an answer or a log. The texts are empty where the call has fewer than
    /// two.
    pub(crate) fn secrets(&self) -> [&str; 2] {
        match self {
            Self::Credentials(credentials) => credentials.secrets(),
            Self::Signed(call) => {
                let token = call.session_token.as_ref().map_or("", |token| token.expose_secret());
                [call.signature.expose_secret(), token]
            }
        }
    }
}
