//! The profile of the AWS config file: its values apply if no flag or variable is set, and an invalid value
//! in it is an invalid setting. The credentials file is not opened.

use crate::helpers::{expected, summary};
use crate::program::{End, Scratch, Service, run};
use crate::stub::{Reply, Stub, http, http_bytes, identity};
use crate::wire::{Authority, tls};
use std::process::Command;

/// The region that the last request was signed for.
fn region(stub: &Stub) -> String {
    let request = stub.requests().pop().unwrap();
    request.split_once("Credential=").unwrap().1.split('/').nth(2).unwrap().to_owned()
}

async fn is_asked(variables: &[(&str, &str)]) {
    let service = Service::start(variables).await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""), "{variables:?}");
}

async fn refused(variables: &[(&str, &str)]) -> End {
    let end = run(&["--listen=127.0.0.1:0"], variables).await;
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{variables:?} {end:?}");
    end
}

#[tokio::test]
async fn region_and_endpoint_come_from_the_profile_that_is_named() {
    let (first, other) = (Stub::always(identity()).await, Stub::always(identity()).await);
    let files = Scratch::new("named-profile");
    let config = format!(
        "[default]\nregion = eu-west-1\nendpoint_url = {}\n\n[profile other]\nregion=eu-west-2\nendpoint_url={}\n",
        first.url, other.url
    );
    let file = files.file("home/.aws/config", &config);
    let home = files.path("home");
    let named = ("AWS_CONFIG_FILE", file.as_str());
    for place in [named, ("HOME", home.as_str())] {
        is_asked(&[place]).await;
        assert_eq!((region(&first).as_str(), other.count()), ("eu-west-1", 0));
        is_asked(&[place, ("AWS_PROFILE", "default"), ("AWS_DEFAULT_PROFILE", "other")]).await;
    }
    is_asked(&[("HOME", &home), ("AWS_CONFIG_FILE", "~/.aws/config")]).await;
    assert_eq!((first.count(), other.count()), (5, 0));
    is_asked(&[named, ("AWS_PROFILE", "other")]).await;
    is_asked(&[named, ("AWS_PROFILE", ""), ("AWS_DEFAULT_PROFILE", "other")]).await;
    assert_eq!((region(&other).as_str(), first.count(), other.count()), ("eu-west-2", 5, 2));
    let service =
        Service::with_arguments(&["serve", "--profile=other", &format!("--config-file={file}")], &[]).await;
    service.verify_someone().await;
    assert_eq!(other.count(), 3);
}

#[tokio::test]
async fn a_flag_overrides_a_variable_and_a_variable_overrides_the_profile() {
    let (profile, stub) = (Stub::always(identity()).await, Stub::always(identity()).await);
    let files = Scratch::new("precedence");
    let config = format!("[default]\nregion = eu-west-1\nendpoint_url = {}\nmax_attempts = 7\n", profile.url);
    let file = files.file("config", &config);
    let named = ("AWS_CONFIG_FILE", file.as_str());
    for variables in [
        [("AWS_REGION", "eu-west-2"), ("AWS_ENDPOINT_URL", &*stub.url)],
        [("AWS_DEFAULT_REGION", "eu-west-2"), ("AWS_ENDPOINT_URL_STS", &*stub.url)],
    ] {
        is_asked(&[&variables, &[named] as &[_]].concat()).await;
        assert_eq!((region(&stub).as_str(), profile.count()), ("eu-west-2", 0));
    }
    let flags = ["serve", "--region=eu-west-3", &format!("--endpoint-url={}", stub.url)];
    let variables = [named, ("AWS_REGION", "eu-west-2"), ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")];
    Service::with_arguments(&flags, &variables).await.verify_someone().await;
    assert_eq!((region(&stub).as_str(), profile.count()), ("eu-west-3", 0));
}

#[tokio::test]
async fn the_endpoint_of_the_services_section_takes_precedence() {
    let (of_sts, of_all) = (Stub::always(identity()).await, Stub::always(identity()).await);
    let files = Scratch::new("services");
    let config = format!(
        "[default]\r\nservices = here\r\nendpoint_url = {}\r\n\r\n[services here]\r\ns3 =\r\n  endpoint_url = http://127.0.0.1:1\r\nsts =\r\n  endpoint_url = {}/sts\r\n",
        of_all.url, of_sts.url
    );
    // With a byte order mark and CRLF, as editors on Windows save it.
    let file = files.file("config", &format!("\u{feff}{config}"));
    is_asked(&[("AWS_CONFIG_FILE", &file)]).await;
    assert!(of_sts.requests()[0].starts_with("POST /sts HTTP"), "{}", of_sts.requests()[0]);
    assert_eq!(of_all.count(), 0);
}

#[tokio::test]
async fn configured_endpoints_are_ignored_if_that_is_set() {
    let (configured, flag) = (Stub::always(identity()).await, Stub::always(identity()).await);
    let proxy = Stub::always(Reply::Last(http_bytes(403, &[], ""))).await;
    let (files, authority) = (Scratch::new("ignored"), Authority::new("ignored-ca"));
    let urls = format!("[default]\nendpoint_url = {}\n", configured.url);
    let (urls, ignoring) = (
        files.file("urls", &urls),
        files.file("ignoring", &format!("{urls}ignore_configured_endpoint_urls = true\n")),
    );
    let ignore = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    let variable = ("AWS_ENDPOINT_URL_STS", configured.url.as_str());
    let usual = [
        ("HTTPS_PROXY", proxy.url.as_str()),
        ("AWS_CA_BUNDLE", &authority.bundle),
        ("AWS_MAX_ATTEMPTS", "1"),
    ];
    let cases: [&[(&str, &str)]; 4] = [
        &[("AWS_CONFIG_FILE", &urls), ignore],
        &[("AWS_CONFIG_FILE", &ignoring)],
        &[("AWS_CONFIG_FILE", &ignoring), variable],
        &[variable, ignore],
    ];
    for (asked, variables) in cases.into_iter().enumerate() {
        let service = Service::start(&[&usual, variables].concat()).await;
        service.verify_someone().await;
        assert_eq!((configured.count(), proxy.count()), (0, asked + 1), "{variables:?}");
    }
    let arguments = ["serve", &format!("--endpoint-url-sts={}", flag.url)];
    Service::with_arguments(&arguments, &[ignore]).await.verify_someone().await;
    assert_eq!(flag.count(), 1);
    is_asked(&[variable, ("AWS_CONFIG_FILE", &ignoring), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false")])
        .await;
}

#[tokio::test]
async fn retries_are_those_of_the_profile() {
    let files = Scratch::new("retries");
    for (values, attempts) in [
        ("", 5),
        ("retry_mode = legacy", 5),
        ("retry_mode = standard", 3),
        ("retry_mode = Adaptive", 3),
        ("max_attempts = 2", 2),
        ("retry_mode = standard\nmax_attempts = 4", 4),
    ] {
        let stub = Stub::always(http(500, &[], "")).await;
        let file = files.file("config", &format!("[default]\nendpoint_url = {}\n{values}\n", stub.url));
        Service::start(&[("AWS_CONFIG_FILE", &file)]).await.verify_someone().await;
        assert_eq!(stub.count(), attempts, "{values}");
    }
}

#[tokio::test]
async fn the_profile_s_bundle_ranks_between_the_variables_of_aws_and_of_requests() {
    let (stub, good, bad) =
        (Stub::always(identity()).await, Authority::new("profile-good"), Authority::new("profile-bad"));
    let front = tls(&good, &["127.0.0.1"], &stub.url).await;
    let files = Scratch::new("profile-bundle");
    let config = |name: &str, bundle: &str| {
        files.file(name, &format!("[default]\nendpoint_url = https://{}\n{bundle}\n", front.address))
    };
    let of_good = config("good", &format!("ca_bundle = {}", good.bundle));
    let of_bad = config("bad", &format!("ca_bundle = {}", bad.bundle));
    let none = config("none", "");
    let (aws, requests) = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE");
    let cases: [(&str, &[(&str, &str)]); 5] = [
        (&of_good, &[]),
        (&of_good, &[(requests, &bad.bundle)]),
        (&of_bad, &[(aws, &good.bundle)]),
        (&none, &[(requests, &good.bundle)]),
        (&none, &[(aws, &good.bundle), (requests, &bad.bundle)]),
    ];
    for (file, variables) in cases {
        is_asked(&[&[("AWS_CONFIG_FILE", file)], variables].concat()).await;
    }
    let end = refused(&[("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")]).await;
    assert!(end.stderr[0].starts_with("sts-verify: REQUESTS_CA_BUNDLE: "), "{end:?}");
}

#[tokio::test]
async fn a_wrong_value_is_refused_by_the_name_of_profile_and_file() {
    let files = Scratch::new("wrong-values");
    for (key, value) in [
        ("region", "zqxj!"),
        ("endpoint_url", "zqxj.example"),
        ("endpoint_url", "https://operator:zqxj@sts.example.com"),
        ("ignore_configured_endpoint_urls", "zqxj"),
        ("use_fips_endpoint", "zqxj"),
        ("use_dualstack_endpoint", "zqxj"),
        ("sts_regional_endpoints", "zqxj"),
        ("retry_mode", "zqxj"),
        ("max_attempts", "0"),
        ("ca_bundle", "/nowhere/at-all.pem"),
    ] {
        let file =
            files.file("config", &format!("[default]\nregion = eu-west-1\n[profile one]\n{key} = {value}\n"));
        let end = refused(&[("AWS_CONFIG_FILE", &file), ("AWS_PROFILE", "one")]).await;
        for named in [&*file, "profile one", key] {
            assert!(end.stderr[0].contains(named), "{named}: {end:?}");
        }
        assert!(!end.stderr[0].contains("zqxj"), "{end:?}");
        // A value that is not used is not checked.
        Service::start(&[("AWS_CONFIG_FILE", &file)]).await;
    }
    let sections = "[default]\nservices = a\n[services a]\nsts =\n  endpoint_url = zqxj\n";
    let end = refused(&[("AWS_CONFIG_FILE", &files.file("services", sections))]).await;
    assert!(
        end.stderr[0].contains("profile default, endpoint_url: ") && !end.stderr[0].contains("zqxj"),
        "{end:?}"
    );
}

#[tokio::test]
async fn fips_of_the_profile_and_an_endpoint_of_a_variable_are_both_named() {
    let files = Scratch::new("fips-profile");
    let file = files.file("config", "[default]\nuse_fips_endpoint = true\n");
    let end = refused(&[("AWS_CONFIG_FILE", &file), ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]).await;
    for named in [&*file, "profile default, use_fips_endpoint: ", "AWS_ENDPOINT_URL"] {
        assert!(end.stderr[0].contains(named), "{named}: {end:?}");
    }
    // The sandbox does not use AWS settings.
    let endpoint =
        files.file("endpoint", "[default]\nendpoint_url = http://127.0.0.1:1\nuse_fips_endpoint = true\n");
    Service::with_arguments(&["serve", "--sandbox"], &[("AWS_CONFIG_FILE", &endpoint)]).await;
}

#[tokio::test]
async fn a_named_file_or_profile_has_to_exist() {
    let files = Scratch::new("named-and-missing");
    let good = files.file("good", "[default]\nregion = eu-west-1\n");
    let no_section = files.file("no-section", "region = eu-west-1\n");
    let no_sign = files.file("no-sign", "[default]\nregion eu-west-1 zqxj\n");
    let binary = files.path("binary");
    std::fs::write(&binary, b"[default]\nregion = \xff\n").unwrap();
    for (file, wanted) in [(no_section, "on line 1"), (no_sign, "on line 2"), (binary, "UTF-8")] {
        let end = refused(&[("AWS_CONFIG_FILE", &file)]).await;
        assert!(end.stderr[0].contains("AWS_CONFIG_FILE") && end.stderr[0].contains(wanted), "{end:?}");
        assert!(!end.stderr[0].contains("zqxj"), "{end:?}");
    }
    for file in [files.path("missing"), files.path("")] {
        let end = refused(&[("AWS_CONFIG_FILE", &file)]).await;
        assert!(end.stderr[0].starts_with("sts-verify: AWS_CONFIG_FILE: "), "{end:?}");
    }
    let end = refused(&[("AWS_CONFIG_FILE", &good), ("AWS_PROFILE", "zqxj")]).await;
    assert!(
        end.stderr[0].starts_with("sts-verify: AWS_PROFILE: ") && !end.stderr[0].contains("zqxj"),
        "{end:?}"
    );
    // The default file need not exist, and the profile may be in the credentials file.
    Service::start(&[("HOME", &files.path("no-home"))]).await;
    let credentials = files.file("credentials", "");
    let only_there = [("AWS_PROFILE", "zqxj"), ("AWS_SHARED_CREDENTIALS_FILE", credentials.as_str())];
    Service::start(&[only_there.as_slice(), &[("AWS_CONFIG_FILE", &good)]].concat()).await;
}

#[tokio::test]
async fn the_credentials_file_is_never_opened() {
    let stub = Stub::always(identity()).await;
    let files = Scratch::new("unopened");
    let config =
        format!("[default]\nendpoint_url = {}\n[profile other]\nendpoint_url = {}\n", stub.url, stub.url);
    files.file("home/.aws/config", &config);
    // Opening a pipe without a writer blocks forever.
    let (by_default, named) = (files.path("home/.aws/credentials"), files.path("pipe"));
    assert!(Command::new("mkfifo").args([&by_default, &named]).status().unwrap().success());
    let home = files.path("home");
    for variables in [
        &[] as &[(&str, &str)],
        &[("AWS_SHARED_CREDENTIALS_FILE", named.as_str())],
        &[("AWS_PROFILE", "other")],
        &[("AWS_PROFILE", "only-there"), ("AWS_ENDPOINT_URL", &stub.url)],
    ] {
        is_asked(&[&[("HOME", home.as_str())], variables].concat()).await;
    }
    assert_eq!(stub.count(), 4);
}
