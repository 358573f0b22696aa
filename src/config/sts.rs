//! The settings of calls to STS. Precedence: flags, variables, the profile of the AWS config file, defaults.

use super::environment::text;
use super::profile::{AwsProfile, Named};
use super::{Regions, parse, proxies};
use crate::sts::{CaBundle, Proxies, RetryMode, RetryPolicy, StsSettings};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// The region when none is set.
const DEFAULT_REGION: &str = "us-east-1";

/// The settings of calls to STS.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "STS")]
pub struct StsArgs {
    /// The profile of the AWS config file, for settings without a flag or a variable: region, `endpoint_url`
    /// (in a `services` section, too), `ignore_configured_endpoint_urls`, `use_fips_endpoint`,
    /// `use_dualstack_endpoint`, `sts_regional_endpoints`, `ca_bundle`, `retry_mode`, `max_attempts`.
    /// AWS_DEFAULT_PROFILE is read if this is not set [default: default]
    #[arg(long, env = "AWS_PROFILE", value_name = "NAME", value_parser = parse::profile_name)]
    pub profile: Option<String>,
    /// The AWS config file. The credentials file is never opened. The sandbox reads neither
    /// [default: ~/.aws/config]
    #[arg(long, env = "AWS_CONFIG_FILE", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// The region to use when a request names none. AWS_DEFAULT_REGION is read if this is not set [default:
    /// us-east-1]
    #[arg(long, env = "AWS_REGION", value_name = "REGION", value_parser = parse::region)]
    pub region: Option<String>,
    /// The regions that a request may name: a comma-separated list, or `*` for every region of AWS [default:
    /// the region above; with --sandbox: *]
    #[arg(long, env = "STS_VERIFY_ALLOWED_REGIONS", value_name = "REGIONS", value_parser = parse::regions)]
    pub allowed_regions: Option<Regions>,
    /// An endpoint to use instead of AWS's own, for every region, such as that of a VPC endpoint; its path is
    /// used as it is
    #[arg(long, env = "AWS_ENDPOINT_URL_STS", value_name = "URL", value_parser = parse::endpoint_url)]
    pub endpoint_url_sts: Option<String>,
    /// The same for all services; the one above takes precedence
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL", value_parser = parse::endpoint_url)]
    pub endpoint_url: Option<String>,
    /// Which of the two were set by flags.
    #[arg(skip)]
    pub(super) endpoint_flags: EndpointFlags,
    /// Ignore the endpoint URLs of variables and profile [default: false]
    #[arg(long, env = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub ignore_configured_endpoint_urls: Option<bool>,
    /// Use the FIPS 140 endpoints [default: false]
    #[arg(long, env = "AWS_USE_FIPS_ENDPOINT", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub use_fips_endpoint: Option<bool>,
    /// Use the endpoints that also have IPv6 addresses [default: false]
    #[arg(long, env = "AWS_USE_DUALSTACK_ENDPOINT", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub use_dualstack_endpoint: Option<bool>,
    /// Whether the regions that boto3 calls legacy use their own endpoints or sts.amazonaws.com [default:
    /// regional]
    #[arg(long, env = "AWS_STS_REGIONAL_ENDPOINTS", value_enum, ignore_case = true)]
    pub sts_regional_endpoints: Option<StsRegionalEndpoints>,
    /// A PEM file of the CA certificates to trust instead of the system's; reloaded when it changes.
    /// REQUESTS_CA_BUNDLE is read if neither this nor the profile has a value
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// boto3's rules for when to try again: legacy has those of botocore 1.43, standard those of 1.44; adaptive
    /// is the same as standard [default: legacy]
    #[arg(long, env = "AWS_RETRY_MODE", value_enum, ignore_case = true)]
    pub retry_mode: Option<RetryMode>,
    /// The maximum number of attempts, the first included [default: 5 in legacy mode, else 3]
    #[arg(long, env = "AWS_MAX_ATTEMPTS", value_name = "N", value_parser = parse::attempts)]
    pub max_attempts: Option<u32>,
    /// The longest wait before the second attempt; it doubles for each further one, up to 20s. In standard mode
    /// a twentieth of it applies if STS does not throttle
    #[arg(long, env = "STS_VERIFY_RETRY_BACKOFF", default_value = "1s", value_name = "TIME", value_parser = parse::duration)]
    pub retry_backoff: Duration,
    /// The maximum number of open connections to STS, over all regions and idle ones included; further requests
    /// in flight wait for one
    #[arg(long, env = "STS_VERIFY_MAX_STS_CONNECTIONS", default_value = "512", value_name = "N", value_parser = parse::count)]
    pub max_sts_connections: usize,
    /// How long the TCP and TLS handshakes may take
    #[arg(long, env = "STS_VERIFY_CONNECT_TIMEOUT", default_value = "2s", value_name = "TIME", value_parser = parse::duration)]
    pub connect_timeout: Duration,
    /// How long one attempt may take
    #[arg(long, env = "STS_VERIFY_ATTEMPT_TIMEOUT", default_value = "5s", value_name = "TIME", value_parser = parse::duration)]
    pub attempt_timeout: Duration,
    /// How long all attempts may take, with the waits between them; API Gateway gives up after 29s
    #[arg(long, env = "STS_VERIFY_DEADLINE", default_value = "20s", value_name = "TIME", value_parser = parse::duration)]
    pub deadline: Duration,
}

/// The endpoints of the regions that once shared one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StsRegionalEndpoints {
    /// Each region has its own.
    Regional,
    /// sts.amazonaws.com for the regions for which boto3 uses it.
    Legacy,
}

/// Which endpoint URLs were set by flags: these take precedence over all variables and are never ignored.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct EndpointFlags {
    pub(super) sts: bool,
    pub(super) all_services: bool,
}

impl StsArgs {
    /// The settings of the STS clients. `sandbox`: whether the service has a sandbox of its own.
    ///
    /// # Errors
    ///
    /// One line, naming the variable that is wrong, or the profile and its file.
    pub fn settings(&self, sandbox: bool) -> Result<StsSettings, String> {
        self.check_timeouts()?;
        // The sandbox does not call AWS.
        let (profile, proxies) = if sandbox {
            (AwsProfile::default(), Proxies::default())
        } else {
            let file = self.config_file.as_deref();
            (AwsProfile::read(file, self.profile.as_deref())?, proxies::from_environment()?)
        };
        let region = own_or("AWS_REGION", self.region.clone(), || profile.get("region", parse::region))?;
        let region = region.map_or(DEFAULT_REGION.to_owned(), |region| region.value);
        let endpoint = self.endpoint(&profile)?;
        if sandbox && endpoint.is_some() {
            return Err("STS_VERIFY_SANDBOX: the sandbox asks its own stand-in; \
                        unset AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL, or leave the sandbox off"
                .to_owned());
        }
        let every = if sandbox { Regions::All } else { Regions::List(Vec::new()) };
        Ok(StsSettings {
            region,
            allowed_regions: self.allowed_regions.as_ref().unwrap_or(&every).names(),
            use_fips: self.use_fips(&profile, endpoint.as_ref(), sandbox)?,
            use_dual_stack: self.use_dual_stack(&profile, endpoint.as_ref(), sandbox)?,
            use_global_endpoint: self.use_global_endpoint(&profile)?,
            endpoint_url: endpoint.map(|endpoint| endpoint.value),
            ca_bundle: self.ca_bundle(&profile)?,
            proxies,
            max_connections: self.max_sts_connections,
            connect_timeout: self.connect_timeout,
            attempt_timeout: self.attempt_timeout,
            deadline: self.deadline,
            retry: self.retry(&profile)?,
        })
    }

    fn check_timeouts(&self) -> Result<(), String> {
        if self.attempt_timeout > self.deadline {
            return Err("STS_VERIFY_ATTEMPT_TIMEOUT: must not be longer than STS_VERIFY_DEADLINE".to_owned());
        }
        if self.connect_timeout > self.attempt_timeout {
            return Err(
                "STS_VERIFY_CONNECT_TIMEOUT: must not be longer than STS_VERIFY_ATTEMPT_TIMEOUT".to_owned()
            );
        }
        Ok(())
    }

    /// The order of the SDKs: flags, variables, profile; in each of them the URL for STS before that for all
    /// services.
    fn endpoint(&self, profile: &AwsProfile) -> Result<Option<Named<String>>, String> {
        let given = [
            ("AWS_ENDPOINT_URL_STS", &self.endpoint_url_sts, self.endpoint_flags.sts),
            ("AWS_ENDPOINT_URL", &self.endpoint_url, self.endpoint_flags.all_services),
        ];
        let pick = |flag: bool| {
            let mut of_kind = given.iter().filter(|(.., is_flag)| *is_flag == flag);
            of_kind.find_map(|(name, url, _)| url.as_ref().map(|url| Named::new(name, url.clone())))
        };
        if let Some(flag) = pick(true) {
            return Ok(Some(flag));
        }
        let ignored =
            own_or("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", self.ignore_configured_endpoint_urls, || {
                profile.get("ignore_configured_endpoint_urls", parse::boolean)
            })?;
        match pick(false) {
            _ if ignored.is_some_and(|ignored| ignored.value) => Ok(None),
            Some(variable) => Ok(Some(variable)),
            None => profile.get_of_service("endpoint_url", parse::endpoint_url),
        }
    }

    fn use_fips(
        &self,
        profile: &AwsProfile,
        endpoint: Option<&Named<String>>,
        sandbox: bool,
    ) -> Result<bool, String> {
        let wanted = own_or("AWS_USE_FIPS_ENDPOINT", self.use_fips_endpoint, || {
            profile.get("use_fips_endpoint", parse::boolean)
        })?;
        only_for_aws(wanted, "FIPS", endpoint, sandbox)
    }

    fn use_dual_stack(
        &self,
        profile: &AwsProfile,
        endpoint: Option<&Named<String>>,
        sandbox: bool,
    ) -> Result<bool, String> {
        let wanted = own_or("AWS_USE_DUALSTACK_ENDPOINT", self.use_dualstack_endpoint, || {
            profile.get("use_dualstack_endpoint", parse::boolean)
        })?;
        only_for_aws(wanted, "dual-stack", endpoint, sandbox)
    }

    fn use_global_endpoint(&self, profile: &AwsProfile) -> Result<bool, String> {
        let wanted = own_or("AWS_STS_REGIONAL_ENDPOINTS", self.sts_regional_endpoints, || {
            profile.get("sts_regional_endpoints", parse::one_of)
        })?;
        Ok(wanted.is_some_and(|wanted| wanted.value == StsRegionalEndpoints::Legacy))
    }

    /// The order is botocore's.
    fn ca_bundle(&self, profile: &AwsProfile) -> Result<Option<CaBundle>, String> {
        let own = own_or("AWS_CA_BUNDLE", self.ca_bundle.clone(), || {
            profile.get("ca_bundle", |text| Ok(PathBuf::from(text)))
        })?;
        let bundle = match own {
            Some(own) => Some(own),
            None => text("REQUESTS_CA_BUNDLE")?.map(|file| Named::new("REQUESTS_CA_BUNDLE", file.into())),
        };
        Ok(bundle.map(|Named { name, value: file }| CaBundle { name, file }))
    }

    fn retry(&self, profile: &AwsProfile) -> Result<RetryPolicy, String> {
        let mode = own_or("AWS_RETRY_MODE", self.retry_mode, || profile.get("retry_mode", parse::one_of))?;
        let mode = mode.map_or(RetryMode::Legacy, |mode| mode.value);
        let attempts =
            own_or("AWS_MAX_ATTEMPTS", self.max_attempts, || profile.get("max_attempts", parse::attempts))?;
        let max_attempts = attempts.map_or(mode.default_max_attempts(), |attempts| attempts.value);
        Ok(RetryPolicy { mode, max_attempts, backoff: self.retry_backoff })
    }
}

/// The value of a flag or its variable, or else that of the profile.
fn own_or<T>(
    variable: &str,
    own: Option<T>,
    profile: impl FnOnce() -> Result<Option<Named<T>>, String>,
) -> Result<Option<Named<T>>, String> {
    own.map_or_else(profile, |value| Ok(Some(Named::new(variable, value))))
}

/// Rejects a kind of endpoint that only AWS has, for a custom endpoint or the sandbox.
fn only_for_aws(
    wanted: Option<Named<bool>>,
    kind: &str,
    endpoint: Option<&Named<String>>,
    sandbox: bool,
) -> Result<bool, String> {
    let Some(wanted) = wanted.filter(|wanted| wanted.value) else { return Ok(false) };
    match endpoint {
        _ if sandbox => Err(format!(
            "{}: the sandbox has no {kind} endpoint; unset it, or leave STS_VERIFY_SANDBOX off",
            wanted.name
        )),
        Some(endpoint) => Err(format!(
            "{}: {} names the endpoint, which has no {kind} variant; unset one of them",
            wanted.name, endpoint.name
        )),
        None => Ok(true),
    }
}
