//! AWS's variables: the STS endpoint, the region of the signature, and the number of attempts.

use crate::helpers::{expected, someone, summary};
use crate::program::{Service, run};
use crate::stub::{Stub, http, identity};
use serde_json::{Value, json};

/// The regions that requests were signed for.
fn signed_for(stub: &Stub) -> Vec<String> {
    let region = |request: &String| {
        let scope = request.split_once("Credential=").unwrap().1;
        scope.split('/').nth(2).unwrap().to_owned()
    };
    stub.requests().iter().map(region).collect()
}

fn someone_in(region: &str) -> Value {
    let mut body = someone();
    body["region"] = json!(region);
    body
}

#[tokio::test]
async fn the_endpoint_of_sts_overrides_the_endpoint_of_all_services() {
    let (own, all) = (Stub::always(identity()).await, Stub::always(identity()).await);
    let variables = [("AWS_ENDPOINT_URL_STS", own.url.as_str()), ("AWS_ENDPOINT_URL", all.url.as_str())];
    let service = Service::start(&variables).await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    assert_eq!((own.count(), all.count()), (1, 0));
}

#[tokio::test]
async fn either_endpoint_variable_is_enough() {
    for variable in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
        let stub = Stub::always(identity()).await;
        let service = Service::start(&[(variable, &stub.url)]).await;
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""), "{variable}");
        assert_eq!(stub.count(), 1, "{variable}");
    }
}

#[tokio::test]
async fn an_endpoint_s_path_is_asked_as_it_is() {
    let stub = Stub::always(identity()).await;
    for (path, asked) in [
        ("", "/"),
        ("/", "/"),
        ("/sts", "/sts"),
        ("/sts/", "/sts/"),
        ("/a/b%20c", "/a/b%20c"),
        ("//a", "//a"),
    ] {
        let service = Service::asking(&format!("{}{path}", stub.url), &[]).await;
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""), "{path}");
        let request = stub.requests().pop().unwrap();
        assert!(request.starts_with(&format!("POST {asked} HTTP/1.1\r\n")), "{path}: {request}");
    }
}

#[tokio::test]
async fn a_flag_overrides_its_variable() {
    let (flag, variable) = (Stub::always(identity()).await, Stub::always(identity()).await);
    let arguments = [&format!("--endpoint-url-sts={}", flag.url), "--region=eu-central-1"];
    let variables = [("AWS_ENDPOINT_URL_STS", variable.url.as_str()), ("AWS_REGION", "eu-west-1")];
    let service = Service::with_arguments(&arguments, &variables).await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    assert_eq!((signed_for(&flag), variable.count()), (vec!["eu-central-1".to_owned()], 0));
}

#[tokio::test]
async fn a_flag_overrides_the_variable_of_another_endpoint() {
    let (flag, variable) = (Stub::always(identity()).await, Stub::always(identity()).await);
    let arguments = [format!("--endpoint-url={}", flag.url)];
    let variables = [("AWS_ENDPOINT_URL_STS", variable.url.as_str())];
    for command in [&[] as &[&str], &["serve"]] {
        let arguments: Vec<_> = command.iter().copied().chain(arguments.iter().map(String::as_str)).collect();
        let service = Service::with_arguments(&arguments, &variables).await;
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    }
    assert_eq!((flag.count(), variable.count()), (2, 0));
}

#[tokio::test]
async fn aws_region_is_the_region_that_is_signed_for() {
    let stub = Stub::always(identity()).await;
    for variables in [
        &[] as &[_],
        &[("AWS_REGION", "eu-west-1")],
        &[("AWS_REGION", "cn-north-1")],
        &[("AWS_DEFAULT_REGION", "eu-west-2")],
        &[("AWS_DEFAULT_REGION", "eu-west-2"), ("AWS_REGION", "")],
        &[("AWS_DEFAULT_REGION", "nowhere!"), ("AWS_REGION", "eu-west-3")],
    ] {
        let service = Service::asking(&stub.url, variables).await;
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    }
    let regions = ["us-east-1", "eu-west-1", "cn-north-1", "eu-west-2", "eu-west-2", "eu-west-3"];
    assert_eq!(signed_for(&stub), regions);
}

#[tokio::test]
async fn a_request_may_name_the_region_of_the_settings_alone() {
    let stub = Stub::always(identity()).await;
    let service = Service::asking(&stub.url, &[("AWS_REGION", "eu-west-1")]).await;
    let answer = summary(service.verify(&someone_in("eu-west-1")).await).await;
    assert_eq!(answer, expected(200, "valid", ""));
    for region in ["us-east-1", "eu-west-2", "cn-north-1"] {
        let answer = summary(service.verify(&someone_in(region)).await).await;
        assert_eq!(answer, expected(400, "", "RegionNotAllowed"), "{region}");
    }
    assert_eq!(signed_for(&stub), ["eu-west-1"]);
}

#[tokio::test]
async fn a_request_may_name_the_regions_that_the_operator_allows() {
    let stub = Stub::always(identity()).await;
    let service =
        Service::asking(&stub.url, &[("STS_VERIFY_ALLOWED_REGIONS", "eu-west-1, us-gov-west-1")]).await;
    for region in ["eu-west-1", "us-gov-west-1", "us-east-1"] {
        let answer = summary(service.verify(&someone_in(region)).await).await;
        assert_eq!(answer, expected(200, "valid", ""), "{region}");
    }
    let answer = summary(service.verify(&someone_in("eu-west-2")).await).await;
    assert_eq!(answer, expected(400, "", "RegionNotAllowed"));
    assert_eq!(signed_for(&stub), ["eu-west-1", "us-gov-west-1", "us-east-1"]);
}

#[tokio::test]
async fn the_retry_variables_set_the_number_of_attempts() {
    let cases: [(&[(&str, &str)], usize); 5] = [
        (&[], 5),
        (&[("AWS_RETRY_MODE", "standard")], 3),
        (&[("AWS_RETRY_MODE", "Adaptive")], 3),
        (&[("AWS_MAX_ATTEMPTS", "2")], 2),
        (&[("AWS_RETRY_MODE", "standard"), ("AWS_MAX_ATTEMPTS", "1")], 1),
    ];
    for (variables, attempts) in cases {
        let stub = Stub::always(http(500, &[], "")).await;
        let service = Service::asking(&stub.url, variables).await;
        let answer = summary(service.verify_someone().await).await;
        assert_eq!(answer, expected(400, "indeterminate", "500"), "{variables:?}");
        assert_eq!(stub.count(), attempts, "{variables:?}");
    }
}

/// Features that only AWS has are not available with another endpoint.
const ONLY_FOR_AWS: [(&str, &str); 2] = [
    ("AWS_USE_FIPS_ENDPOINT", "--use-fips-endpoint"),
    ("AWS_USE_DUALSTACK_ENDPOINT", "--use-dualstack-endpoint"),
];

#[tokio::test]
async fn a_variant_of_aws_s_endpoints_is_refused_with_a_custom_endpoint() {
    for (variable, flag) in ONLY_FOR_AWS {
        for endpoint in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
            let end = run(&["serve"], &[(variable, "true"), (endpoint, "http://127.0.0.1:1")]).await;
            assert_eq!((end.code, end.stderr.len()), (Some(64), 1), "{end:?}");
            assert!(end.stderr[0].starts_with(&format!("sts-verify: {variable}: ")), "{end:?}");
            assert!(end.stderr[0].contains(endpoint) && !end.stderr[0].contains("AWS_REGION"), "{end:?}");
        }
        for arguments in
            [&["serve", "--sandbox"] as &[&str], &["serve", "--sandbox", &format!("{flag}=true")]]
        {
            let end = run(arguments, &[(variable, "true"), ("STS_VERIFY_LISTEN", "127.0.0.1:0")]).await;
            assert_eq!((end.code, end.stderr.len()), (Some(64), 1), "{end:?}");
            assert!(end.stderr[0].starts_with(&format!("sts-verify: {variable}: ")), "{end:?}");
            assert!(end.stderr[0].contains("sandbox") && !end.stderr[0].contains("AWS_REGION"), "{end:?}");
        }
        // A feature that is switched off is not a contradiction.
        Service::with_arguments(&["serve", "--sandbox"], &[(variable, "false")]).await;
    }
}
