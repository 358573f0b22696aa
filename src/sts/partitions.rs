//! The AWS regions and the partition each belongs to.
//!
//! The SDK resolves an endpoint for *any* name that looks like a region, so "every region that AWS has" needs a
//! list. This list is the partition data inside `aws-sdk-sts`, which keeps the data private; the test
//! `the_regions_are_those_of_the_sdks_partition_data` reads the SDK's source and fails when the two differ. The
//! pseudo regions (`aws-global` and others) are left out: they are names of endpoints, not regions. A region
//! that is newer than the list is recognised by the prefixes of its partition, as in the SDK.

/// A partition. Accounts, regions and credentials of one partition never work in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// The name in ARNs, such as `aws-cn`.
    pub name: &'static str,
    /// The prefixes of its regions' names. A word and a number follow, as in `us-east-1`.
    pub prefixes: &'static [&'static str],
    /// Its regions, in alphabetical order.
    pub regions: &'static [&'static str],
}

/// All partitions that the SDK knows.
pub const PARTITIONS: &[Partition] = &[
    Partition {
        name: "aws",
        prefixes: &["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"],
        regions: &[
            "af-south-1",
            "ap-east-1",
            "ap-east-2",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-northeast-3",
            "ap-south-1",
            "ap-south-2",
            "ap-southeast-1",
            "ap-southeast-2",
            "ap-southeast-3",
            "ap-southeast-4",
            "ap-southeast-5",
            "ap-southeast-6",
            "ap-southeast-7",
            "ca-central-1",
            "ca-west-1",
            "eu-central-1",
            "eu-central-2",
            "eu-north-1",
            "eu-south-1",
            "eu-south-2",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "il-central-1",
            "me-central-1",
            "me-south-1",
            "mx-central-1",
            "sa-east-1",
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
        ],
    },
    Partition { name: "aws-cn", prefixes: &["cn"], regions: &["cn-north-1", "cn-northwest-1"] },
    Partition { name: "aws-eusc", prefixes: &["eusc-de"], regions: &["eusc-de-east-1"] },
    Partition { name: "aws-iso", prefixes: &["us-iso"], regions: &["us-iso-east-1", "us-iso-west-1"] },
    Partition { name: "aws-iso-b", prefixes: &["us-isob"], regions: &["us-isob-east-1", "us-isob-west-1"] },
    Partition { name: "aws-iso-e", prefixes: &["eu-isoe"], regions: &["eu-isoe-west-1"] },
    Partition { name: "aws-iso-f", prefixes: &["us-isof"], regions: &["us-isof-east-1", "us-isof-south-1"] },
    Partition { name: "aws-us-gov", prefixes: &["us-gov"], regions: &["us-gov-east-1", "us-gov-west-1"] },
];

/// The partition of a region, by the list or by the prefix of the name. `None` if the name is not a region's.
#[must_use]
pub fn partition_of(region: &str) -> Option<&'static str> {
    let mut labels = region.rsplitn(3, '-');
    let (number, word, prefix) = (labels.next()?, labels.next()?, labels.next()?);
    let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let worded = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let of_form = |partition: &&Partition| partition.prefixes.contains(&prefix);
    PARTITIONS.iter().find(of_form).filter(|_| numbered && worded).map(|partition| partition.name)
}

/// All regions of all partitions.
pub fn all_regions() -> impl Iterator<Item = &'static str> {
    PARTITIONS.iter().flat_map(|partition| partition.regions.iter().copied())
}
