//! The region of the call, if a request names a region or comes from an environment with one.

use crate::helpers::{ACCESS_KEY, App, SECRET_KEY, expected, summary};
use crate::stub::{Stub, identity};
use serde_json::{Value, json};
use sts_verify::credentials::{RequestedRegion, ValidationError, VerifyRequest};

fn region_of(more: &Value) -> Result<RequestedRegion, ValidationError> {
    let mut body = json!({"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Ok(VerifyRequest::from_json(body.to_string().as_bytes())?.region)
}

#[test]
fn the_regions_of_an_environment_are_hints_the_stronger_first() {
    let hints =
        |names: &[&str]| Ok(RequestedRegion::Hints(names.iter().map(|&name| name.to_owned()).collect()));
    for (more, expected) in [
        (json!({}), hints(&[])),
        (
            json!({"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "cn-north-1"}),
            hints(&["cn-north-1", "eu-west-1"]),
        ),
        (json!({"env": {"aws_default_region": "eu-west-1"}}), hints(&["eu-west-1"])),
        (json!({"AWS_REGION": "us east", "aws-region": "eu-west-1"}), hints(&["eu-west-1"])),
        (json!({"AWS_REGION": 1, "AWS_DEFAULT_REGION": ""}), hints(&[])),
        (json!({"AWS_REGION": null, "AWS_DEFAULT_REGION": ["eu-west-1"]}), hints(&[])),
        (json!({"AWS_REGION": "eu-west-1", "env": {"AWS_REGION": "eu-west-1"}}), hints(&["eu-west-1"])),
        (
            json!({"AWS_REGION": "eu-west-1", "env": {"aws_region": "eu-west-2"}}),
            Err(ValidationError::Duplicate("aws_region", "AWS_REGION")),
        ),
        (
            json!({"REGION": "emea", "Region": 5, "a": {"region": "US East"}, "AWS_REGION": "eu-west-1"}),
            hints(&["eu-west-1"]),
        ),
        (json!({"region": null, "AWS_REGION": "eu-west-1"}), hints(&["eu-west-1"])),
    ] {
        assert_eq!(region_of(&more), expected, "{more}");
    }
}

#[test]
fn a_region_that_is_named_counts_before_every_hint() {
    let named = Ok(RequestedRegion::Named("eu-west-1".to_owned()));
    for more in [
        json!({"region": "eu-west-1", "AWS_REGION": "cn-north-1"}),
        json!({"region": "eu-west-1", "AWS_REGION": "cn-north-1", "env": {"AWS_REGION": "us-east-1"}}),
    ] {
        assert_eq!(region_of(&more), named, "{more}");
    }
    for region in [json!(""), json!("us east"), json!(1), json!({"a": 1}), json!([])] {
        assert!(
            matches!(region_of(&json!({"region": region})), Err(ValidationError::Invalid("region", _))),
            "{region}"
        );
    }
    let doubled =
        r#"{"accessKey":"AKIAIOSFODNN7EXAMPLE","secretKey":"s","region":"eu-west-1","region":"eu-west-2"}"#;
    assert_eq!(
        VerifyRequest::from_json(doubled.as_bytes()).err(),
        Some(ValidationError::Duplicate("region", "region"))
    );
}

#[tokio::test]
async fn a_region_hint_is_used_if_allowed_and_never_for_another_partition() {
    let stub = Stub::always(identity()).await;
    let app =
        App::asking(&stub.url, &["--region=eu-central-1", "--allowed-regions=eu-west-1,cn-north-1"]).await;
    for (region, default_region, asked) in [
        ("eu-west-1", "cn-north-1", "eu-west-1"),
        ("cn-north-1", "eu-west-1", "cn-north-1"),
        ("us-west-2", "eu-west-1", "eu-central-1"),
        ("", "eu-west-1", "eu-west-1"),
        ("auto", "cn-north-1", "cn-north-1"),
        ("auto", "local", "eu-central-1"),
        ("us-gov-west-1", "eu-west-1", ""),
        ("cn-northwest-1", "", ""),
        ("", "us-iso-east-1", ""),
    ] {
        let body = json!({"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": region,
            "AWS_DEFAULT_REGION": default_region});
        let before = stub.count();
        let answer = app.verify(&body).await;
        if asked.is_empty() {
            assert_eq!(summary(answer).await, expected(400, "", "RegionNotAllowed"), "{body}");
            assert_eq!(stub.count(), before);
        } else {
            assert_eq!(answer.status(), 200, "{body}");
            let request = stub.requests().pop().unwrap();
            assert!(request.contains(&format!("/{asked}/sts/aws4_request")), "{body}: {request}");
        }
    }
}
