//! The client of one region's STS: its endpoint, and the GetCallerIdentity request, signed with the caller's
//! credentials.
//!
//! The endpoint rules are the AWS SDK's own (aws-sdk-sts), and so is the signature (aws-sigv4), except that
//! [`super::signature`] writes the canonical request. The SDK's client for operations is not used: nothing else
//! that it does for a call (retries, a clock learnt from answers, identity caches, a response parser) is wanted
//! here, it makes more copies of the secrets, and it takes twice the time (`docs/performance.md` has the
//! figures). The SDK's connector is not used either, because the total number of its connections cannot be
//! limited ([`super::pool`]).

use super::call::{SignedCall, StsCall};
use super::fair_semaphore::Permit;
use super::pool::{Body, Connection, Pool};
use super::reply::Reply;
use super::retry::Attempt;
use super::signature::{SERVICE, Signer};
use super::transport::{Route, Transport};
use super::{Endpoint, SetupError, StsFailure, StsResponse, StsSettings};
use crate::credentials::Credentials;
use aws_credential_types::Credentials as SigningCredentials;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Endpoint as SdkEndpoint, Params, ResolveEndpoint as _};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use http::header::{CONTENT_TYPE, HOST, HeaderName, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use secrecy::ExposeSecret as _;
use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

/// The body of a GetCallerIdentity request. It is the same for every caller.
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";

/// The content type of [`BODY`].
const FORM: &str = "application/x-www-form-urlencoded";

/// The user agent that AWS sees, also in CloudTrail.
const USER_AGENT_VALUE: &str = concat!("sts-verify/", env!("CARGO_PKG_VERSION"));

/// The client for the STS of one region.
pub struct StsClient {
    name: Arc<str>,
    /// The number of the host that calls are sent to. Regions with the same endpoint share its connections.
    pub(super) host: usize,
    /// The number under which calls with credentials take permits: all hosts of one region share that region's
    /// permits.
    pub(super) permits: usize,
    /// The URL that calls are sent to.
    endpoint: Endpoint,
    /// The route to the endpoint.
    route: Route,
    /// The request that each call copies and signs.
    template: Request<Body>,
    /// The region in the signature.
    signed_for: String,
    /// Signs the request. `None` if the endpoint's URL has a form that only aws-sigv4 can write in a signature.
    signer: Option<Signer>,
}

impl StsClient {
    /// Resolves the endpoint's URL and the region to sign for, by the SDK's rules.
    pub(super) async fn new(
        name: &str,
        settings: &StsSettings,
        transport: &Transport,
    ) -> Result<Self, SetupError> {
        let none = || SetupError::no_endpoint(name, settings);
        let resolved = resolve_endpoint(name, settings).await?;
        let endpoint = Endpoint::new(resolved.url());
        let uri: Uri = endpoint.as_str().parse().map_err(|_| none())?;
        let route = transport.route(uri.clone());
        let signed_for = signing_region(&resolved).unwrap_or(name).to_owned();
        let path_and_query = uri.path_and_query().map_or_else(String::new, ToString::to_string);
        let template = template(uri, &route).ok_or_else(none)?;
        let host = template.headers().get(HOST).and_then(|host| host.to_str().ok());
        let signer = host.and_then(|host| Signer::new(&signed_for, host, &path_and_query, FORM, BODY));
        Ok(Self { name: name.into(), host: 0, permits: 0, template, route, endpoint, signed_for, signer })
    }

    /// The region's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The URL that calls are sent to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The error of an attempt that got no answer in time.
    pub(crate) fn timed_out(&self) -> StsFailure {
        StsFailure::ReadTimeout(self.endpoint.clone())
    }

    /// Makes one attempt.
    pub(super) async fn attempt(&self, pool: &Arc<Pool>, permit: &Permit, call: &StsCall) -> Attempt {
        let reply = self.reply(pool, permit, call).await;
        let retry_after = reply.as_ref().ok().and_then(|(reply, _)| reply.retry_after());
        let outcome = reply.and_then(|(reply, connection)| {
            let outcome = reply.read(&self.endpoint, call.secrets());
            // STS remembers for some seconds on which connection it rejected a key, and what failed once may
            // fail again. So a connection is kept only after an answer with an identity.
            if let Ok(StsResponse::Identity(_)) = outcome {
                pool.keep(connection);
            }
            outcome
        });
        Attempt { outcome, retry_after }
    }

    /// Sends a call and reads the whole reply.
    async fn reply(
        &self,
        pool: &Arc<Pool>,
        permit: &Permit,
        call: &StsCall,
    ) -> Result<(Reply, Connection), StsFailure> {
        let mut unsent = None;
        loop {
            let connected = pool.connection(permit, self.host, &self.route).await;
            let mut connection =
                connected.map_err(|error| StsFailure::from_connect(&error, &self.endpoint))?;
            let request = match unsent.take() {
                Some(request) => request,
                None => {
                    self.request(call).map_err(|_| StsFailure::Internal("the request could not be signed"))?
                }
            };
            match connection.send(request).await {
                Ok(response) => {
                    let reply = Reply::receive(response).await;
                    let reply = reply.map_err(|error| StsFailure::from_hyper(&error, &self.endpoint))?;
                    return Ok((reply, connection));
                }
                // STS closed the connection while it was idle, so no attempt was made.
                Err(mut error) if connection.is_reused && error.message().is_some() => {
                    unsent = error.take_message();
                }
                Err(error) => return Err(StsFailure::from_hyper(error.error(), &self.endpoint)),
            }
        }
    }

    /// The HTTP request for a call. The text of an error may repeat the secrets.
    fn request(&self, call: &StsCall) -> Result<Request<Body>, Box<dyn Error + Send + Sync>> {
        match call {
            StsCall::Credentials(credentials) => self.signed(credentials),
            StsCall::Signed(call) => self.forwarded(call),
        }
    }

    /// The HTTP request for a call that the caller signed for one of the region's hosts. Its `Host` header is
    /// the signed one, whatever the endpoint.
    fn forwarded(&self, call: &SignedCall) -> Result<Request<Body>, Box<dyn Error + Send + Sync>> {
        let (mut head, body) = call.request.clone().into_parts();
        let query = head.uri.query().map_or(String::new(), |query| format!("?{query}"));
        let path = self.template.uri().path().trim_end_matches('/');
        let mut target = self.template.uri().clone().into_parts();
        target.path_and_query = Some(format!("{path}/{query}").try_into()?);
        head.uri = Uri::from_parts(target)?;
        for (name, value) in self.template.headers() {
            // Headers that the caller signed are there already.
            if name != CONTENT_TYPE && !head.headers.contains_key(name) {
                head.headers.insert(name, value.clone());
            }
        }
        Ok(Request::from_parts(head, Full::from(body)))
    }

    /// A signed copy of the request. The text of an error may repeat the credentials.
    fn signed(&self, credentials: &Credentials) -> Result<Request<Body>, Box<dyn Error + Send + Sync>> {
        if let Some(signer) = &self.signer {
            let mut request = self.template.clone();
            signer.sign(credentials, SystemTime::now(), request.headers_mut())?;
            return Ok(request);
        }
        let identity = signing_credentials(credentials).into();
        let params = SigningParams::builder()
            .identity(&identity)
            .region(&self.signed_for)
            .name(SERVICE)
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let headers = [(CONTENT_TYPE.as_str(), FORM)].into_iter();
        let body = SignableBody::Bytes(BODY.as_bytes());
        let signable = SignableRequest::new("POST", self.endpoint.as_str(), headers, body)?;
        let (signature, _) = sign(signable, &params)?.into_parts();
        let mut request = self.template.clone();
        for header in signature.into_parts().0 {
            let mut value = HeaderValue::try_from(header.value())?;
            value.set_sensitive(true);
            request.headers_mut().insert(HeaderName::from_static(header.name()), value);
        }
        Ok(request)
    }
}

/// The unsigned request for an endpoint, in the form that its route needs.
fn template(endpoint: Uri, route: &Route) -> Option<Request<Body>> {
    let mut template = request_over(Method::POST, endpoint, route, Full::from(BODY))?;
    template.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    Some(template)
}

/// A request for a URL, in the form that its route needs.
pub(super) fn request_over(method: Method, url: Uri, route: &Route, body: Body) -> Option<Request<Body>> {
    let is_default_port = url.port_u16()
        == match url.scheme_str() {
            Some("http") => Some(80),
            _ => Some(443),
        };
    let authority = url.authority()?;
    let host = if is_default_port { authority.host() } else { authority.as_str() };
    let request = Request::builder().method(method).header(HOST, host).header(USER_AGENT, USER_AGENT_VALUE);
    let mut request = request.body(body).ok()?;
    *request.uri_mut() = match route {
        Route::Forward { authorization, .. } => {
            if let Some(authorization) = authorization {
                request.headers_mut().insert(PROXY_AUTHORIZATION, authorization.clone());
            }
            url
        }
        Route::Direct(_) | Route::Tunnel { .. } => url.path_and_query()?.clone().into(),
    };
    Some(request)
}

/// The endpoint that the SDK's rules give for a region.
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

/// The region that an endpoint requires in the signature, if it is not the client's own. The global endpoint
/// requires one.
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
