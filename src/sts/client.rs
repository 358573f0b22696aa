//! One region's STS client: an SDK client without credentials, to which each call brings its own.

use super::reply::{MAX_BODY_BYTES, Reply};
use super::{Answer, Endpoint, SetupError, StsFailure, StsSettings, Transport};
use crate::credentials::Credentials;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::invocation_id::InvocationIdInterceptor;
use aws_runtime::request_info::RequestInfoInterceptor;
use aws_runtime::service_clock_skew::ServiceClockSkewInterceptor;
use aws_runtime::user_agent::UserAgentInterceptor;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::endpoint::{
    DefaultResolver, Endpoint as SdkEndpoint, EndpointFuture, Params, ResolveEndpoint,
};
use aws_sdk_sts::config::{
    ConfigBag, IdentityCache, Intercept, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, BeforeSerializationInterceptorContextRef,
    BeforeTransmitInterceptorContextMut, Error, Output,
};
use aws_smithy_runtime_api::client::interceptors::{disable_interceptor, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::ser_de::{DeserializeResponse, SharedResponseDeserializer};
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use secrecy::ExposeSecret;
use std::sync::{Arc, Mutex, PoisonError};

/// What AWS sees, in CloudTrail too.
const USER_AGENT: &str = concat!("sts-verify/", env!("CARGO_PKG_VERSION"));

/// The STS of one region.
pub(super) struct RegionClient {
    /// Shares its connections with all others; holds no credentials.
    client: Client,
    /// The URL it asks, for messages.
    endpoint: Endpoint,
}

impl RegionClient {
    /// Makes the client and finds out which URL it will ask.
    pub(super) async fn new(
        region: &str,
        settings: &StsSettings,
        base: &SdkConfig,
    ) -> Result<Self, SetupError> {
        let resolved = resolve_endpoint(region, settings).await?;
        let endpoint = Endpoint::new(resolved.url());
        let config = base.to_builder().region(Region::new(region.to_owned())).build();
        let config = aws_sdk_sts::config::Builder::from(&config).endpoint_resolver(Resolved(resolved));
        Ok(Self { client: Client::from_conf(config.interceptor(Lean).build()), endpoint })
    }

    /// The URL it asks.
    pub(super) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// An attempt had no answer in time.
    pub(super) fn timed_out(&self) -> StsFailure {
        StsFailure::ReadTimeout(self.endpoint.clone())
    }

    /// Asks once.
    pub(super) async fn attempt(&self, credentials: &Credentials) -> Result<Answer, StsFailure> {
        let capture = Capture::default();
        let own = aws_sdk_sts::config::Builder::new().credentials_provider(sdk_credentials(credentials));
        let call = self.client.get_caller_identity().customize();
        let outcome = call.config_override(own).interceptor(capture.clone()).send().await;
        match (capture.take(), outcome) {
            (Some(reply), _) => reply.read(&self.endpoint, credentials),
            (None, Err(error)) => Err(StsFailure::from_sdk(&error, &self.endpoint)),
            (None, Ok(_)) => Err(StsFailure::Internal("the SDK answered without a reply")),
        }
    }
}

/// The SDK's settings for all regions, all from ours: no profile file is read, no credentials are looked for, no
/// instance is asked for its region.
pub(super) async fn sdk_config(settings: &StsSettings, transport: &Transport) -> SdkConfig {
    let no_profile = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "").build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .profile_files(no_profile)
        .no_credentials()
        .region(Region::new(settings.region.clone()))
        .http_client(transport.client())
        .use_fips(settings.use_fips)
        .use_dual_stack(settings.use_dual_stack)
        // A cache would keep callers' secrets.
        .identity_cache(IdentityCache::no_cache())
        // Tried again by our own rules: see `retry`.
        .retry_config(RetryConfig::disabled())
        // It learns the time from any answer and signs the next caller's request by it. boto3 has none.
        .disable_clock_skew_correction(true)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(settings.connect_timeout).build());
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    loader.load().await
}

/// What the SDK's rules give for a region.
async fn resolve_endpoint(region: &str, settings: &StsSettings) -> Result<SdkEndpoint, SetupError> {
    let none = |_| SetupError::NoEndpoint(region.to_owned());
    let params = Params::builder()
        .region(region)
        .use_fips(settings.use_fips)
        .use_dual_stack(settings.use_dual_stack)
        .set_endpoint(settings.endpoint_url.clone())
        .build()
        .map_err(|_| SetupError::NoEndpoint(region.to_owned()))?;
    DefaultResolver::new().resolve_endpoint(&params).await.map_err(none)
}

/// What was resolved at the start: it is the same for every call.
#[derive(Debug)]
struct Resolved(SdkEndpoint);

impl ResolveEndpoint for Resolved {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(self.0.clone()))
    }
}

/// Switches off what the SDK does for each call and STS has no use for: ids and counts of attempts (ours are not its
/// own), a clock that is not corrected, and a user agent put together anew each time.
#[derive(Debug)]
struct Lean;

#[dyn_dispatch_hint]
impl Intercept for Lean {
    fn name(&self) -> &'static str {
        "Lean"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let state = config.interceptor_state();
        state.store_put(disable_interceptor::<InvocationIdInterceptor>("attempts are counted here"));
        state.store_put(disable_interceptor::<RequestInfoInterceptor>("attempts are counted here"));
        state.store_put(disable_interceptor::<ServiceClockSkewInterceptor>("no skew is corrected"));
        state.store_put(disable_interceptor::<UserAgentInterceptor>("it is always the same"));
        Ok(())
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        context.request_mut().headers_mut().insert("user-agent", USER_AGENT);
        Ok(())
    }
}

fn sdk_credentials(credentials: &Credentials) -> aws_sdk_sts::config::Credentials {
    aws_sdk_sts::config::Credentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key().expose_secret(),
        credentials.session_token().map(|token| token.expose_secret().to_owned()),
        None,
        "sts-verify",
    )
}

/// Takes the raw reply, which the SDK does not give out on success, and bounds its length. Reading what it means is
/// left to [`Reply::read`]: the SDK's own reader is put aside.
#[derive(Debug, Default, Clone)]
struct Capture(Arc<Mutex<Option<Reply>>>);

impl Capture {
    fn take(&self) -> Option<Reply> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Capture {
    fn name(&self) -> &'static str {
        "Capture"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(SharedResponseDeserializer::new(self.clone()));
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, MAX_BODY_BYTES));
        Ok(())
    }
}

impl DeserializeResponse for Capture {
    fn deserialize_nonstreaming_with_config(
        &self,
        response: &HttpResponse,
        _: &ConfigBag,
    ) -> Result<Output, OrchestratorError<Error>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Reply::of(response);
        if response.status().is_server_error() {
            // An error lets the SDK close the connection: the next call may meet a host that is well.
            return Err(OrchestratorError::other("a fault of the server"));
        }
        Ok(Output::erase(GetCallerIdentityOutput::builder().build()))
    }
}
