//! Compares the list of regions with the SDK's own partition data, which is private in the SDK.

use crate::helpers::{App, body_of, caller, expected, summary};
use serde_json::{Value, json};
use std::process::Command;
use sts_sandbox::{Caller, Sandbox};
use sts_verify::sts::partitions::{PARTITIONS, all_regions, partition_of};

/// The source of `endpoint_lib.rs` of the aws-sdk-sts that this was built with.
fn sdk_source() -> String {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--locked", "--filter-platform=host-tuple"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let sdk = packages.iter().find(|package| package["name"] == "aws-sdk-sts").unwrap();
    let manifest = sdk["manifest_path"].as_str().unwrap();
    std::fs::read_to_string(manifest.replace("Cargo.toml", "src/endpoint_lib.rs")).unwrap()
}

#[test]
fn the_regions_are_those_of_the_sdks_partition_data() {
    let source = sdk_source();
    let start = source.find("{\\\"partitions\\\"").unwrap();
    let end = start + source[start..].find("\")").unwrap();
    let data = source[start..end].replace("\\\"", "\"").replace("\\\\", "\\");
    let data: Value = serde_json::from_str(&data).unwrap();
    let theirs: Vec<(String, String, Vec<String>)> = data["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|partition| {
            let regions = partition["regions"].as_object().unwrap().keys();
            let mut places: Vec<String> =
                regions.filter(|name| !name.ends_with("-global")).cloned().collect();
            places.sort();
            // The form: a choice of prefixes, a word and a number.
            let form = partition["regionRegex"].as_str().unwrap().replace(['(', ')', '\\'], "");
            (partition["id"].as_str().unwrap().to_owned(), form, places)
        })
        .collect();
    let ours: Vec<(String, String, Vec<String>)> = PARTITIONS
        .iter()
        .map(|partition| {
            let form = format!("^{}-w+-d+$", partition.prefixes.join("|"));
            let places = partition.regions.iter().map(|&name| name.to_owned()).collect();
            (partition.name.to_owned(), form, places)
        })
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn a_region_belongs_to_one_partition() {
    for region in all_regions() {
        assert!(partition_of(region).is_some());
        assert_eq!(all_regions().filter(|other| *other == region).count(), 1, "{region}");
    }
    assert_eq!(partition_of("cn-north-1"), Some("aws-cn"));
    assert_eq!(partition_of("aws-global"), None);
}

/// The sandbox has no list of regions: it uses the form of their names.
#[tokio::test]
async fn the_sandbox_knows_the_partition_of_every_region() {
    let callers = all_regions().map(|region| Caller::user("123456789012", region).in_region(region));
    let sandbox = Sandbox::builder().callers(callers).start().await.unwrap();
    let app = App::asking(sandbox.url(), &["--allowed-regions=*"]).await;
    for caller in sandbox.callers() {
        assert!(caller.arn().starts_with(&format!("arn:{}:", partition_of(&caller.region).unwrap())));
        assert_eq!(
            summary(app.verify(&body_of(caller)).await).await,
            expected(200, "valid", ""),
            "{caller:?}"
        );
    }
}

#[test]
fn a_region_that_the_list_lacks_belongs_to_the_partition_of_its_form() {
    for (region, partition) in [
        ("me-west-1", "aws"),
        ("sa-west-1", "aws"),
        ("us-gov-south-12", "aws-us-gov"),
        ("cn-south-1", "aws-cn"),
        ("eusc-de-west-1", "aws-eusc"),
        ("us-isob-west-9", "aws-iso-b"),
    ] {
        assert!(!all_regions().any(|known| known == region), "{region}");
        assert_eq!(partition_of(region), Some(partition), "{region}");
    }
    for name in
        ["", "us", "us-east", "us-east-", "us-east-x", "us--1", "-east-1", "local", "xx-east-1", "aws-global"]
    {
        assert_eq!(partition_of(name), None, "{name}");
    }
}

#[tokio::test]
async fn regions_that_the_list_lacks_can_be_allowed() {
    let app = App::with_sandbox(&["--region=me-west-1"]).await;
    let mut body = body_of(caller("AKIASBXUSER00EXAMPLE"));
    body["region"] = json!("me-west-1");
    let answer: Value = app.verify(&body).await.json().await.unwrap();
    // Of the key's partition, and not activated; a name that is no region's is answered SignatureDoesNotMatch.
    assert_eq!(answer["error_code"], "InvalidClientTokenId");
}
