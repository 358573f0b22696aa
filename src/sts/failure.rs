//! Why there is no answer from STS, in botocore's terms.

use super::stream::TooLong;
use super::transport::ConnectError;
use std::error::Error;
use std::sync::Arc;
use url::Url;

/// The URL of a region's STS, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Arc<str>);

impl Endpoint {
    /// The URL as it is called: the SDK's rules give AWS's own URLs without a path.
    pub(crate) fn new(url: &str) -> Self {
        Self(Url::parse(url).map_or_else(|_| url.into(), |url| String::from(url).into()))
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The step on the way to STS at which a connection failed. This is for the operator; callers do not see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFailure {
    /// The host's name has no address.
    Name,
    /// The address accepts no connection.
    Route,
    /// The TLS handshake failed, or the certificate is not trusted.
    Tls,
    /// The proxy does not open the connection.
    Proxy,
}

/// STS could not be called or did not answer. Nothing is known about the credentials.
///
/// The messages are those of botocore for the same event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StsFailure {
    /// No connection: no such host, connection refused, a failed TLS handshake, or a proxy that rejects the
    /// request.
    #[error("Could not connect to the endpoint URL: \"{0}\"")]
    Unreachable(Endpoint, ConnectFailure),
    /// The connection ended before an answer had come.
    #[error("Connection was closed before we received a valid response from endpoint URL: \"{0}\".")]
    Closed(Endpoint),
    /// No connection in time.
    #[error("Connect timeout on endpoint URL: \"{0}\"")]
    ConnectTimeout(Endpoint),
    /// No answer in time.
    #[error("Read timeout on endpoint URL: \"{0}\"")]
    ReadTimeout(Endpoint),
    /// An answer of more than 64 KiB, headers and body.
    #[error("The answer from endpoint URL \"{0}\" is longer than 64 KiB, and not one of STS's.")]
    TooLong(Endpoint),
    /// An answer that STS does not give: a proxy's page, a redirect, or a body that is cut off or empty.
    #[error("The answer from endpoint URL \"{endpoint}\" (HTTP status {status}) is not one of STS's.")]
    NotSts {
        /// Where it came from.
        endpoint: Endpoint,
        /// Its HTTP status.
        status: u16,
        /// Whether it was well-formed XML. botocore tries a 5xx again if it was, and gives up at once
        /// otherwise.
        well_formed: bool,
        /// The code of an error that has no message: botocore uses it, too.
        code: Option<String>,
    },
    /// A fault of this program. The text is for the log; a caller learns only that a fault happened.
    #[error("internal fault: {0}")]
    Internal(&'static str),
}

impl StsFailure {
    /// Classifies a failed connection.
    pub(super) fn from_connect(error: &ConnectError, endpoint: &Endpoint) -> Self {
        match error {
            ConnectError::Timeout => Self::ConnectTimeout(endpoint.clone()),
            ConnectError::Failed(failure) => Self::Unreachable(endpoint.clone(), *failure),
        }
    }

    /// Classifies a request that could not be sent, or an answer that could not be read to its end. Only the
    /// types of the errors in the chain are used: their texts can repeat the request.
    pub(super) fn from_hyper(error: &hyper::Error, endpoint: &Endpoint) -> Self {
        if find::<TooLong>(error).is_some() {
            Self::TooLong(endpoint.clone())
        } else if error.is_user() {
            Self::Internal("the request could not be sent")
        } else {
            Self::Closed(endpoint.clone())
        }
    }
}

impl ConnectFailure {
    /// The error types of hyper-util are private, so they are recognised by the constant part of their texts.
    /// `tests/process/check.rs` compares these with real failures. The texts are not passed on.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let starts = |text: &str| chain(error).any(|cause| cause.to_string().starts_with(text));
        // The innermost cause comes first: a tunnel also fails when the proxy's own name has no address. All
        // other errors are from the handshake, the last step.
        let causes = [
            (starts("dns error"), Self::Name),
            (starts("tcp connect error"), Self::Route),
            (find::<rustls::Error>(error).is_some(), Self::Tls),
            (starts("tunnel error"), Self::Proxy),
        ];
        causes.into_iter().find_map(|(is_it, step)| is_it.then_some(step)).unwrap_or(Self::Tls)
    }
}

/// The first error of a type in a chain of causes.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// An error and its causes. The source of an I/O error is the cause of the error inside it, which would skip
/// that error itself.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref().map(|held| held as &(dyn Error + 'static)),
        None => (*error).source(),
    })
}
