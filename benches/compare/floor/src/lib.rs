//! Signs a GetCallerIdentity request by hand, and provides a pooled client to send it. Both programs here use
//! this.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use std::time::SystemTime;

/// Any error in a benchmark ends it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A client that keeps its connections.
pub type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

const FORM: &str = "application/x-www-form-urlencoded";
const ASK: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";

/// Trusts the certificates in this PEM file, or none.
pub fn pool(ca_file: Option<&str>) -> Result<Pool, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in ca_file.map(CertificateDer::pem_file_iter).transpose()?.into_iter().flatten() {
        roots.add(certificate?)?;
    }
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let https =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
    Ok(Client::builder(TokioExecutor::new()).build(https))
}

/// A GetCallerIdentity request with these credentials for the STS at this URL.
pub fn question(
    url: &str,
    id: &str,
    secret: &str,
    token: Option<String>,
) -> Result<Request<Full<Bytes>>, Failure> {
    let identity = Credentials::new(id, secret, token, None, "floor").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("sts")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let headers = [(header::CONTENT_TYPE.as_str(), FORM)];
    let signable = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(ASK))?;
    let (signature, _) = sign(signable, &parameters)?.into_parts();
    let ask = Full::new(Bytes::from_static(ASK));
    let mut request = Request::post(url).header(header::CONTENT_TYPE, FORM).body(ask)?;
    signature.apply_to_request_http1x(&mut request);
    Ok(request)
}
