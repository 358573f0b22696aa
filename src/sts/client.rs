//! One region's STS: where it is, and the one question put to it, signed with the caller's credentials.
//!
//! The signature, the endpoint's rules and the connections are the AWS SDK's own (aws-sigv4, aws-sdk-sts,
//! aws-smithy-http-client). Its client for operations is not used: of all that it does for a call (retries, a clock learnt
//! from answers, caches of identities, a reader of answers) nothing is wanted here, it keeps more copies of the secrets,
//! and takes twice the time. `docs/performance.md` has the figures.

use super::reply::{MAX_BODY_BYTES, Reply};
use super::{Endpoint, SetupError, StsFailure, StsResponse, StsSettings, Transport};
use crate::credentials::Credentials;
use aws_credential_types::Credentials as SigningCredentials;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Endpoint as SdkEndpoint, Params, ResolveEndpoint as _};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::CaptureSmithyConnection;
use aws_smithy_runtime_api::client::http::HttpConnectorFuture;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http_body_util::{BodyExt as _, Limited};
use secrecy::ExposeSecret as _;
use std::sync::Arc;
use std::time::SystemTime;

/// The question. It is the same for everybody.
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// The service that a signature is for.
const SERVICE: &str = "sts";

/// What AWS sees, in CloudTrail too.
const OUR_NAME: &str = concat!("sts-verify/", env!("CARGO_PKG_VERSION"));

/// The STS of one region.
pub struct StsClient {
    name: Arc<str>,
    /// Shares its connections with all others.
    transport: Transport,
    /// The URL that is asked.
    endpoint: Endpoint,
    /// What is asked there, the same for everybody. Each call signs a copy.
    question: HttpRequest,
    /// The region that a signature is for.
    signed_for: String,
}

impl StsClient {
    /// Finds out which URL will be asked, by the SDK's rules, and for which region it wants a signature.
    pub(super) async fn new(
        name: &str,
        settings: &StsSettings,
        transport: &Transport,
    ) -> Result<Self, SetupError> {
        let resolved = resolve_endpoint(name, settings).await?;
        let endpoint = Endpoint::new(resolved.url());
        Ok(Self {
            name: name.into(),
            transport: transport.clone(),
            question: question(&endpoint).map_err(|_| SetupError::no_endpoint(name, settings))?,
            endpoint,
            signed_for: signing_region(&resolved).unwrap_or(name).to_owned(),
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The URL that is asked.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// An attempt had no answer in time.
    pub(crate) fn timed_out(&self) -> StsFailure {
        StsFailure::ReadTimeout(self.endpoint.clone())
    }

    /// Asks once.
    pub(super) async fn attempt(&self, credentials: &Credentials) -> Result<StsResponse, StsFailure> {
        let connection = CaptureSmithyConnection::new();
        let sent = self.send(credentials, &connection)?.await;
        let response = sent.map_err(|error| StsFailure::from_transport(&error, &self.endpoint))?;
        let status = response.status();
        if status.is_server_error() {
            // Not to be used again: the next call may meet a host that is well.
            if let Some(connection) = connection.get() {
                connection.poison();
            }
        }
        let headers = Reply::headers(response.headers());
        let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|error| StsFailure::from_body(&*error, status.as_u16(), &self.endpoint))?;
        Reply { status: status.as_u16(), headers, body: body.to_bytes() }.read(&self.endpoint, credentials)
    }

    /// Sends the question. The request is not kept while its answer is waited for.
    fn send(
        &self,
        credentials: &Credentials,
        connection: &CaptureSmithyConnection,
    ) -> Result<HttpConnectorFuture, StsFailure> {
        let mut request =
            self.signed(credentials).map_err(|_| StsFailure::Internal("the request could not be signed"))?;
        request.add_extension(connection.clone());
        Ok(self.transport.send(request))
    }

    /// The question with a signature. An error's text may repeat the credentials.
    fn signed(&self, credentials: &Credentials) -> Result<HttpRequest, BoxError> {
        let mut request = self.question.try_clone().ok_or("a body that cannot be sent twice")?;
        let identity = signing_credentials(credentials).into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.signed_for)
            .name(SERVICE)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = request.headers().iter();
        let body = SignableBody::Bytes(BODY.as_bytes());
        let signable = SignableRequest::new(request.method(), request.uri(), headers, body)?;
        let (signature, _) = sign(signable, &params)?.into_parts();
        for header in signature.into_parts().0 {
            request.headers_mut().try_insert(header.name(), header.value().to_owned())?;
        }
        Ok(request)
    }
}

/// What is asked at an endpoint, without a signature.
fn question(endpoint: &Endpoint) -> Result<HttpRequest, BoxError> {
    let request = http::Request::post(endpoint.as_str())
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(USER_AGENT, OUR_NAME)
        .body(SdkBody::from(BODY))?;
    Ok(request.try_into()?)
}

/// What the SDK's rules give for a region.
async fn resolve_endpoint(region: &str, settings: &StsSettings) -> Result<SdkEndpoint, SetupError> {
    let none = || SetupError::no_endpoint(region, settings);
    let params = Params::builder()
        .region(region)
        .use_fips(settings.use_fips)
        .use_dual_stack(settings.use_dual_stack)
        .use_global_endpoint(settings.use_global_endpoint)
        .set_endpoint(settings.endpoint_url.clone())
        .build()
        .map_err(|_| none())?;
    DefaultResolver::new().resolve_endpoint(&params).await.map_err(|_| none())
}

/// The region that an endpoint wants a signature for when it is another than its own: that of all the world does.
fn signing_region(endpoint: &SdkEndpoint) -> Option<&str> {
    endpoint.auth_schemes().iter().find_map(|scheme| scheme.get("signingRegion")?.as_string())
}

fn signing_credentials(credentials: &Credentials) -> SigningCredentials {
    SigningCredentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key().expose_secret(),
        credentials.session_token().map(|token| token.expose_secret().to_owned()),
        None,
        "sts-verify",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Cli;
    use clap::Parser as _;

    #[tokio::test]
    async fn a_signature_is_for_the_region_that_the_endpoint_wants() {
        let args = Cli::parse_from(["sts-verify"]).serve.sts;
        let settings = StsSettings { endpoint_url: None, ..args.settings(false).unwrap() };
        let transport = Transport::new(&settings).unwrap();
        for (region, host, signed_for) in [
            ("eu-west-1", "https://sts.eu-west-1.amazonaws.com/", "eu-west-1"),
            ("cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/", "cn-north-1"),
            ("aws-global", "https://sts.amazonaws.com/", "us-east-1"),
        ] {
            let client = StsClient::new(region, &settings, &transport).await.unwrap();
            assert_eq!((client.endpoint.as_str(), &*client.signed_for), (host, signed_for));
        }
    }
}
