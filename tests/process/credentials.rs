//! Valid credentials are in every place where AWS tools look for them, and are never used.

use crate::helpers::{ACCESS_KEY, SECRET_KEY, body_of, caller, expected, someone, start_sandbox, summary};
use crate::program::{Scratch, Service};
use crate::stub::{Stub, http, identity};
use serde_json::json;
use std::path::Path;

/// The host's own credentials: the sandbox would return their identity.
const HOST: &str = "AKIASBXUSER00EXAMPLE";

/// The content of a credentials file of the host.
fn credentials_file(profile: &str) -> String {
    let host = caller(HOST);
    format!(
        "[{profile}]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        host.access_key_id, host.secret_access_key
    )
}

/// Starts a service in this environment, and posts no credentials, parts of the host's credentials, and other
/// credentials.
async fn never_uses_its_own(variables: &[(&str, &str)]) {
    let service = Service::asking(&start_sandbox().await, variables).await;
    let host = body_of(caller(HOST));
    assert_eq!(summary(service.verify(&host).await).await, expected(200, "valid", ""), "they are good");

    let nobody = [
        json!({}),
        json!({"stsAccessKey": "", "stsSecretKey": "", "stsSessionToken": ""}),
        json!({"stsAccessKey": null, "stsSecretKey": null, "stsSessionToken": null}),
        json!({"stsAccessKey": HOST}),
        json!({"stsAccessKey": HOST, "stsSecretKey": ""}),
        json!({"stsSecretKey": caller(HOST).secret_access_key}),
    ];
    for body in nobody {
        let answer = summary(service.verify(&body).await).await;
        assert_eq!(answer, expected(400, "", "MissingParameter"), "{body}");
    }
    let answer = summary(service.verify_someone().await).await;
    assert_eq!(answer, expected(400, "invalid", "InvalidClientTokenId"));
    let other_secret = json!({"stsAccessKey": HOST, "stsSecretKey": SECRET_KEY});
    let answer = summary(service.verify(&other_secret).await).await;
    assert_eq!(answer, expected(400, "invalid", "SignatureDoesNotMatch"));
}

#[tokio::test]
async fn good_credentials_in_the_environment_are_never_used() {
    let host = caller(HOST);
    never_uses_its_own(&[
        ("AWS_ACCESS_KEY_ID", &host.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &host.secret_access_key),
    ])
    .await;
}

#[tokio::test]
async fn good_credentials_in_the_home_directory_are_never_used() {
    let home = Scratch::new("home");
    home.file(".aws/credentials", &credentials_file("default"));
    home.file(".aws/config", "[default]\nregion = us-east-1\n");
    never_uses_its_own(&[("HOME", &home.path(""))]).await;
}

#[tokio::test]
async fn good_credentials_in_a_profile_are_never_used() {
    let files = Scratch::new("profile");
    let file = files.file("shared", &credentials_file("operator"));
    never_uses_its_own(&[("AWS_SHARED_CREDENTIALS_FILE", &file), ("AWS_PROFILE", "operator")]).await;
}

#[tokio::test]
async fn a_profile_s_program_for_credentials_is_never_run() {
    let files = Scratch::new("process");
    let trace = files.path("was-run");
    let file = files.file("config", &format!("[default]\ncredential_process = touch {trace}\n"));
    never_uses_its_own(&[("AWS_CONFIG_FILE", &file)]).await;
    assert!(!Path::new(&trace).exists());
}

#[tokio::test]
async fn no_service_is_queried_for_the_host_s_credentials() {
    let recorder = Stub::always(http(200, &[], "{}")).await;
    let files = Scratch::new("metadata");
    let token = files.file("token", "a.b.c");
    never_uses_its_own(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/credentials", recorder.url)),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a-token"),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &recorder.url),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/host"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", &token),
        // Requests to STS for a role come here; the service's own calls go to its own endpoint.
        ("AWS_ENDPOINT_URL", &recorder.url),
    ])
    .await;
    assert_eq!(recorder.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn sts_sees_the_posted_credentials_and_no_others() {
    let stub = Stub::always(identity()).await;
    let host = caller(HOST);
    let service = Service::asking(
        &stub.url,
        &[
            ("AWS_ACCESS_KEY_ID", &host.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &host.secret_access_key),
            ("AWS_SESSION_TOKEN", "THE-HOST-S-OWN-SESSION-TOKEN"),
        ],
    )
    .await;
    for body in [json!({"stsAccessKey": ACCESS_KEY, "stsSecretKey": SECRET_KEY}), someone()] {
        assert_eq!(summary(service.verify(&body).await).await, expected(200, "valid", ""));
    }

    let [without_token, with_token] = stub.requests().try_into().unwrap();
    for request in [&without_token, &with_token] {
        assert!(request.contains(&format!("Credential={ACCESS_KEY}/")), "{request}");
        assert!(request.ends_with("Action=GetCallerIdentity&Version=2011-06-15"), "{request}");
        assert!(!request.contains(HOST) && !request.contains("THE-HOST-S"), "{request}");
    }
    assert!(!without_token.contains("x-amz-security-token"), "{without_token}");
    assert!(with_token.contains("x-amz-security-token"), "{with_token}");
}
