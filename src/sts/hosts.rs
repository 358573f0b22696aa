//! Which hosts are those of STS, and of which region. Used for requests that a caller signed.
//!
//! Hosts are compared as a whole. The names are those that the SDK's rules give for each region (plain, FIPS,
//! dual stack, both), and the global endpoint, which belongs to us-east-1.

use super::partitions::{all_regions, partition_of};
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use std::collections::{HashMap, HashSet};

/// The endpoint of all regions of `aws` (<https://docs.aws.amazon.com/general/latest/gr/sts.html>).
const GLOBAL_HOST: &str = "sts.amazonaws.com";
const GLOBAL_REGION: &str = "us-east-1";

/// The hosts of STS, and which of their regions are allowed.
#[derive(Debug, Clone)]
pub struct StsHosts {
    /// From host to region.
    regions: HashMap<String, String>,
    allowed: HashSet<String>,
    /// The partitions of the allowed regions.
    partitions: HashSet<&'static str>,
}

/// How a host is classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StsHost<'a> {
    /// A host of STS in this region, which is allowed.
    Allowed(&'a str),
    /// A host of STS in a region that is not allowed, in a partition that has allowed regions.
    RegionNotAllowed,
    /// Not a host of STS, or one in a partition without allowed regions.
    Foreign,
}

impl StsHosts {
    /// Finds the hosts of all regions by the SDK's rules. Nothing is sent.
    pub async fn new(allowed: impl IntoIterator<Item = String>) -> Self {
        let allowed: HashSet<String> = allowed.into_iter().collect();
        let named: HashSet<String> =
            all_regions().map(str::to_owned).chain(allowed.iter().cloned()).collect();
        let mut regions = HashMap::new();
        for region in named {
            for host in hosts_of(&region).await {
                regions.insert(host, region.clone());
            }
        }
        let partitions = allowed.iter().filter_map(|region| partition_of(region)).collect();
        Self { regions, allowed, partitions }
    }

    /// Classifies a host. The comparison is case-sensitive and covers the whole name.
    #[must_use]
    pub fn get(&self, host: &str) -> StsHost<'_> {
        match self.regions.get(host) {
            Some(region) if self.allowed.contains(region) => StsHost::Allowed(region),
            Some(region) if partition_of(region).is_some_and(|name| self.partitions.contains(name)) => {
                StsHost::RegionNotAllowed
            }
            _ => StsHost::Foreign,
        }
    }
}

/// The hosts of a region: plain, FIPS, dual stack and both, as far as its partition has them, and the global
/// one if it belongs to the region.
pub(super) async fn hosts_of(region: &str) -> Vec<String> {
    let mut hosts = Vec::new();
    if partition_of(region).is_none() {
        // A pseudo region (`aws-global`): its host belongs to a real region.
        return hosts;
    }
    for (fips, dual_stack) in [(false, false), (true, false), (false, true), (true, true)] {
        hosts.extend(aws_host(region, fips, dual_stack).await);
    }
    hosts.extend((region == GLOBAL_REGION).then(|| GLOBAL_HOST.to_owned()));
    hosts
}

/// The host that the SDK's rules give, if any: not every partition has each kind.
async fn aws_host(region: &str, fips: bool, dual_stack: bool) -> Option<String> {
    let params = Params::builder().region(region).use_fips(fips).use_dual_stack(dual_stack).build().ok()?;
    let endpoint = DefaultResolver::new().resolve_endpoint(&params).await.ok()?;
    let host = endpoint.url().strip_prefix("https://")?.trim_end_matches('/');
    Some(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn hosts(allowed: &[&str]) -> StsHosts {
        StsHosts::new(allowed.iter().map(|&region| region.to_owned())).await
    }

    #[tokio::test]
    async fn a_region_has_its_hosts_of_every_kind() {
        let hosts = hosts(&["us-east-1", "eu-west-1", "cn-north-1", "us-gov-west-1"]).await;
        for (host, region) in [
            ("sts.amazonaws.com", "us-east-1"),
            ("sts.us-east-1.amazonaws.com", "us-east-1"),
            ("sts-fips.us-east-1.amazonaws.com", "us-east-1"),
            ("sts.us-east-1.api.aws", "us-east-1"),
            ("sts-fips.us-east-1.api.aws", "us-east-1"),
            ("sts.eu-west-1.amazonaws.com", "eu-west-1"),
            ("sts.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("sts.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"),
            ("sts.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ] {
            assert_eq!(hosts.get(host), StsHost::Allowed(region), "{host}");
        }
    }

    #[tokio::test]
    async fn a_region_that_is_not_allowed_differs_from_another_partition_and_from_another_host() {
        let hosts = hosts(&["eu-west-1"]).await;
        for host in ["sts.amazonaws.com", "sts.us-east-1.amazonaws.com", "sts.eu-central-1.api.aws"] {
            assert_eq!(hosts.get(host), StsHost::RegionNotAllowed, "{host}");
        }
        for host in [
            "sts.cn-north-1.amazonaws.com.cn",
            "sts.us-gov-west-1.amazonaws.com",
            "STS.eu-west-1.amazonaws.com",
            "sts.eu-west-1.amazonaws.com.",
            "sts.eu-west-1.amazonaws.com.evil.example",
            "evil.sts.eu-west-1.amazonaws.com",
            "sts.eu-west-1.amazonaws.com.cn",
            "ec2.eu-west-1.amazonaws.com",
            "",
        ] {
            assert_eq!(hosts.get(host), StsHost::Foreign, "{host}");
        }
    }
}
