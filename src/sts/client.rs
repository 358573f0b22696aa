//! One region's STS client: an SDK client without credentials, to which each call brings its own.

use super::reply::{MAX_BODY_BYTES, Reply};
use super::{Answer, Endpoint, SetupError, StsFailure, StsSettings, Transport};
use crate::credentials::Credentials;
use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_sts::Client;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_sts::config::{
    ConfigBag, IdentityCache, Intercept, RuntimeComponents, StalledStreamProtectionConfig,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextMut, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;
use secrecy::ExposeSecret;
use std::sync::{Arc, Mutex, PoisonError};

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
        let endpoint = endpoint_of(region, settings).await?;
        let config = base.to_builder().region(Region::new(region.to_owned())).build();
        Ok(Self { client: Client::new(&config), endpoint })
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

/// The URL that the SDK's rules give for a region.
async fn endpoint_of(region: &str, settings: &StsSettings) -> Result<Endpoint, SetupError> {
    let none = |_| SetupError::NoEndpoint(region.to_owned());
    let params = Params::builder()
        .region(region)
        .use_fips(settings.use_fips)
        .use_dual_stack(settings.use_dual_stack)
        .set_endpoint(settings.endpoint_url.clone())
        .build()
        .map_err(|_| SetupError::NoEndpoint(region.to_owned()))?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.map_err(none)?;
    Ok(Endpoint::new(endpoint.url()))
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

/// Takes a copy of the raw reply, which the SDK does not give out on success, and bounds its length.
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

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let reply = context.response().and_then(Reply::of);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reply;
        Ok(())
    }
}
