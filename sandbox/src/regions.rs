//! The properties of a region that follow from its name: its validity, its partition, and whether an account
//! must opt in to it.

/// The first part of a region's name, by partition: the alternatives of `regionRegex` in the partition data of
/// `aws-sdk-sts` 1.124. The other two parts are a word and a number, so no list of regions is needed.
const PARTITIONS: [(&str, &[&str]); 8] = [
    ("aws", &["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us"]),
    ("aws-cn", &["cn"]),
    ("aws-eusc", &["eusc-de"]),
    ("aws-iso", &["us-iso"]),
    ("aws-iso-b", &["us-isob"]),
    ("aws-iso-e", &["eu-isoe"]),
    ("aws-iso-f", &["us-isof"]),
    ("aws-us-gov", &["us-gov"]),
];

/// The regions of `aws` that every account has. AWS has made each later one opt-in (from 2019 on), so this list
/// is complete. The other partitions have no opt-in regions.
const ALWAYS_ON: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// The maximum lengths of the word and the number in a region's name. The SDK has no limit, but here a name may
/// be logged, and a long text from a client must not be.
const LONGEST: (usize, usize) = (16, 2);

/// The partition of a region, such as `aws-cn` for `cn-north-1`. `None` if the text does not have the form of a
/// region's name.
pub(crate) fn partition_of(region: &str) -> Option<&'static str> {
    let (rest, number) = region.rsplit_once('-')?;
    let (prefix, word) = rest.rsplit_once('-')?;
    let number_fits =
        (1..=LONGEST.1).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let word_fits =
        (1..=LONGEST.0).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let (partition, _) = PARTITIONS.iter().find(|(_, prefixes)| prefixes.contains(&prefix))?;
    (number_fits && word_fits).then_some(*partition)
}

/// Whether a key from the region `home` works in `region`: in its own region, and in every region of its
/// partition that needs no opt-in.
pub(crate) fn works_in(home: &str, region: &str) -> bool {
    let partition = partition_of(region);
    let always_on = partition != Some("aws") || ALWAYS_ON.contains(&region);
    partition.is_some() && partition == partition_of(home) && (always_on || region == home)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_s_partition_follows_from_its_prefix() {
        for (partition, regions) in [
            (
                "aws",
                &["us-east-1", "ap-southeast-7", "il-central-1", "mx-central-1", "me-west-1", "sa-west-1"][..],
            ),
            ("aws-cn", &["cn-north-1", "cn-northwest-1"]),
            ("aws-eusc", &["eusc-de-east-1"]),
            ("aws-iso", &["us-iso-east-1", "us-iso-west-1"]),
            ("aws-iso-b", &["us-isob-east-1", "us-isob-west-1"]),
            ("aws-iso-e", &["eu-isoe-west-1"]),
            ("aws-iso-f", &["us-isof-east-1", "us-isof-south-1"]),
            ("aws-us-gov", &["us-gov-east-1", "us-gov-west-1"]),
        ] {
            for region in regions {
                assert_eq!(partition_of(region), Some(partition), "{region}");
            }
        }
    }

    #[test]
    fn a_text_without_the_form_of_a_region_has_no_partition() {
        for text in [
            "",
            "-",
            "us-1",
            "us--1",
            "us-east",
            "us-east-",
            "us-east-x",
            "us-east-123",
            "us-EAST-1",
            "us-east1-1",
            "us-secret-east-1",
            "xx-east-1",
            "nowhere-1",
            "aws-global",
            "eusc-fr-east-1",
            "us-abcdefghijklmnopq-1",
            "us-east-1.evil",
        ] {
            assert!(partition_of(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_works_in_its_partition_except_in_opt_in_regions() {
        for (home, region, works) in [
            ("us-east-1", "us-east-1", true),
            ("us-east-1", "eu-west-3", true),
            ("us-east-1", "me-south-1", false),
            ("me-south-1", "me-south-1", true),
            ("me-south-1", "us-east-1", true),
            ("us-east-1", "cn-north-1", false),
            ("cn-north-1", "cn-northwest-1", true),
            ("nowhere", "nowhere", false),
        ] {
            assert_eq!(works_in(home, region), works, "{home} in {region}");
        }
    }
}
