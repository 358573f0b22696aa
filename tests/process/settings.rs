//! An invalid setting: exit code 64, one line that names the variable but not the value, and no listener.

use crate::help::invocations;
use crate::helpers::{caller, header};
use crate::program::{End, Program, Service, command, run};
use crate::stub::{Stub, identity};
use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;

/// A value that no setting accepts, and that no message contains by chance.
const NONSENSE: &str = "zqxj!";

/// The variables that libraries read, as far as an invalid value can be recognised.
pub const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// A value that has the right type but is not allowed.
const ODD_VALUES: &[(&str, &[&str])] = &[
    ("STS_VERIFY_LISTEN", &["localhost", "10.1.2.3", ":1", "127.0.0.1:99999", "example.com:80"]),
    ("STS_VERIFY_SANDBOX", &["2", "enabled"]),
    ("STS_VERIFY_LOG_FORMAT", &["yaml"]),
    ("AWS_REGION", &["US-EAST-1", "us-east-1.example.com", "-", "us east 1", "us-east-1,eu-west-1", "*"]),
    ("STS_VERIFY_ALLOWED_REGIONS", &["eu-west-2,", "us-east-1;eu-west-1", "us-*", "*,us-east-1"]),
    (
        "AWS_ENDPOINT_URL_STS",
        &["sts.example.net", "ftp://sts.example.com", "https://", "https://user:pass@sts.example.com"],
    ),
    ("AWS_ENDPOINT_URL", &["https://sts.example.com/?key=value", "https://sts.example.com/#part", "//sts"]),
    ("AWS_PROFILE", &["two words", "a\nb"]),
    ("AWS_CONFIG_FILE", &["/nowhere/at-all", "/"]),
    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", &["maybe"]),
    ("AWS_STS_REGIONAL_ENDPOINTS", &["global", "true"]),
    ("AWS_RETRY_MODE", &["never", "2"]),
    ("AWS_MAX_ATTEMPTS", &["0", "-1", "101", "1.5", "five"]),
    ("STS_VERIFY_RETRY_BACKOFF", &["1", "-1s", "2h", "soon", "0s"]),
    ("STS_VERIFY_MAX_STS_CONNECTIONS", &["0", "-1", "all"]),
    ("STS_VERIFY_CONNECT_TIMEOUT", &["0s", "0ms", "2", "61m"]),
    ("STS_VERIFY_ATTEMPT_TIMEOUT", &["0s", "5 parsecs"]),
    ("STS_VERIFY_DEADLINE", &["0s", "never"]),
    (
        "STS_VERIFY_CORS_ORIGINS",
        &[
            "a.example",
            "https://a.example/",
            "https://a.example/path",
            "https://a.example,*",
            "https://*.a.example",
            "https://*",
            "*.a.example",
            "https://A.example",
            "HTTPS://a.example",
            "https://a.example:443",
            "http://a.example:80",
            "https://a.example:0443",
            "https://a.example https://b.example",
            "https://a.example;https://b.example",
            "https://a;b.example",
            "https://a.example,",
            ",https://a.example",
            "https://a.example,,https://b.example",
            "https://operator@a.example",
            "https://ä.example",
            "http://127.1",
            "null",
            "'*'",
            "ws://a.example",
            "ftp://a.example",
            "chrome-extension://abcdefgh",
        ],
    ),
    ("STS_VERIFY_MAX_BODY_BYTES", &["0", "-1", "64k", "99999999999999999999"]),
    ("STS_VERIFY_MAX_IN_FLIGHT", &["0", "many"]),
    ("STS_VERIFY_READ_TIMEOUT", &["0s"]),
    ("STS_VERIFY_KEEP_ALIVE", &["0s"]),
    ("STS_VERIFY_STOP_DELAY", &["-5s", "2h"]),
    ("STS_VERIFY_DRAIN_TIMEOUT", &["20"]),
    ("STS_VERIFY_CACHE_VALID", &["61s", "2m", "-1s", "60"]),
    ("STS_VERIFY_CACHE_EXPIRED", &["601s", "11m", "600"]),
    ("STS_VERIFY_CACHE_ENTRIES", &["0", "-1", "10k"]),
    ("STS_VERIFY_RATE_LIMIT", &["10", "0/s", "-1/s", "10/d", "10/", "/s", "1000001/s", "1.5/s", "10 / s"]),
    ("STS_VERIFY_RATE_BURST", &["0", "-1", "1000001", "5"]),
    ("STS_VERIFY_MAX_CONNECTIONS", &["0", "-1", "8k", "unlimited"]),
    ("STS_VERIFY_TRUSTED_PROXIES", &["-1", "17", "10.0.0.0/8", "true"]),
];

/// Listeners without a fixed port, in case a setting is accepted that must be refused.
const FREE_PORTS: [(&str, &str); 2] =
    [("STS_VERIFY_LISTEN", "127.0.0.1:0"), ("STS_VERIFY_SANDBOX_LISTEN", "127.0.0.1:0")];

/// Runs the program with one more variable.
pub async fn run_with(arguments: &[&str], variable: &str, value: impl AsRef<OsStr>) -> End {
    Program::start(command(arguments, &FREE_PORTS).env(variable, value)).refusal().await
}

pub fn assert_refused(end: &End, name: &str) {
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{name}: {end:?}");
    assert!(end.stderr[0].contains(&format!(" {name}")), "{name}: {end:?}");
}

/// Short values occur in messages by chance, so only a quoted value counts.
fn assert_keeps_to_itself(end: &End, value: &str) {
    let quoted = [format!("'{value}'"), format!("\"{value}\""), format!("`{value}`")];
    let repeated = value.len() > 4 && end.stderr[0].contains(value);
    assert!(!repeated && !quoted.iter().any(|text| end.stderr[0].contains(text)), "{value}: {end:?}");
}

#[tokio::test]
async fn nonsense_in_any_variable_is_refused() {
    for (arguments, variables) in invocations() {
        for variable in &variables {
            let end = run_with(&arguments, variable, NONSENSE).await;
            assert_refused(&end, variable);
            assert_keeps_to_itself(&end, NONSENSE);
        }
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_in_any_variable() {
    let nonsense = OsStr::from_bytes(b"zqxj\xff");
    for (arguments, variables) in invocations() {
        for variable in &variables {
            let end = run_with(&arguments, variable, nonsense).await;
            assert_refused(&end, variable);
            assert!(!end.stderr[0].contains("zqxj"), "{end:?}");
        }
    }
}

#[tokio::test]
async fn invalid_values_are_refused() {
    for (variable, values) in ODD_VALUES {
        let usual = run_with(&[], variable, NONSENSE).await.stderr.concat();
        for value in *values {
            let end = run_with(&[], variable, value).await;
            assert_refused(&end, variable);
            // A message that is the same for every invalid value does not repeat this one, even if its
            // example is similar.
            if !usual.contains(value) {
                assert_keeps_to_itself(&end, value);
            }
        }
    }
}

#[tokio::test]
async fn origins_as_browsers_send_them_are_taken() {
    let origins = "https://a.example, http://localhost:3000,http://[::1]:3000,https://xn--4ca.example:8443,http://127.0.0.1";
    Service::with_arguments(&["serve", "--sandbox"], &[("STS_VERIFY_CORS_ORIGINS", origins)]).await;
}

#[tokio::test]
async fn an_unknown_log_level_is_refused() {
    for value in ["verbose", "debgu", "info,verbose", "sts_verify=loud", "trce"] {
        let end = run_with(&[], "STS_VERIFY_LOG", value).await;
        assert_refused(&end, "STS_VERIFY_LOG");
        assert_keeps_to_itself(&end, value);
    }
}

#[tokio::test]
async fn a_flag_with_nonsense_is_refused_like_its_variable() {
    for (arguments, variable) in [
        (&["--retry-mode=zqxj!"] as &[&str], "AWS_RETRY_MODE"),
        (&["serve", "--region=zqxj!"], "AWS_REGION"),
        (&["serve", "--stop-delay", "zqxj!"], "STS_VERIFY_STOP_DELAY"),
        (&["--sandbox=zqxj!"], "STS_VERIFY_SANDBOX"),
        (&["--ca-bundle=zqxj!"], "AWS_CA_BUNDLE"),
        (&["sandbox", "--listen=zqxj!"], "STS_VERIFY_SANDBOX_LISTEN"),
        (&["healthcheck", "--listen=zqxj!"], "STS_VERIFY_LISTEN"),
    ] {
        let end = run(arguments, &FREE_PORTS).await;
        assert_refused(&end, variable);
        assert_keeps_to_itself(&end, NONSENSE);
    }
}

#[tokio::test]
async fn an_unknown_flag_or_command_is_refused_in_one_line() {
    for arguments in [
        &["--zqxj"] as &[&str],
        &["--zqxj=a-secret"],
        &["-z"],
        &["a-secret"],
        &["serve", "a-secret"],
        &["sandbox", "--docs=a-secret"],
        &["healthcheck", "--sandbox"],
        &["--listen"],
        &["--listen=127.0.0.1:0", "--listen=127.0.0.1:0"],
        &["--listen=127.0.0.1:0", "sandbox"],
        &["openapi", "a-secret"],
    ] {
        let end = run(arguments, &FREE_PORTS).await;
        assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{arguments:?} {end:?}");
        assert!(!end.stderr[0].contains("a-secret"), "{end:?}");
    }
}

#[tokio::test]
async fn the_sandbox_is_refused_together_with_an_endpoint() {
    for variable in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
        let end = run(&["serve", "--sandbox"], &[(variable, "http://127.0.0.1:1")]).await;
        assert_refused(&end, "STS_VERIFY_SANDBOX");
        assert!(end.stderr[0].contains(variable), "{end:?}");
        let both = [("STS_VERIFY_SANDBOX", "true"), (variable, "http://127.0.0.1:1")];
        assert_refused(&run(&[], &both).await, "STS_VERIFY_SANDBOX");
    }
}

#[tokio::test]
async fn timeouts_that_contradict_each_other_are_refused() {
    let cases = [
        (("STS_VERIFY_ATTEMPT_TIMEOUT", "21s"), ("STS_VERIFY_DEADLINE", "20s")),
        (("STS_VERIFY_CONNECT_TIMEOUT", "6s"), ("STS_VERIFY_ATTEMPT_TIMEOUT", "5s")),
        (("STS_VERIFY_CONNECT_TIMEOUT", "3s"), ("STS_VERIFY_ATTEMPT_TIMEOUT", "2999ms")),
    ];
    for (longer, shorter) in cases {
        let end = run(&["--listen=127.0.0.1:0"], &[longer, shorter]).await;
        assert_refused(&end, longer.0);
        assert!(end.stderr[0].contains(shorter.0), "{end:?}");
    }
}

#[tokio::test]
async fn empty_variables_count_as_unset() {
    let stub = Stub::always(identity()).await;
    let endpoint = format!("--endpoint-url-sts={}", stub.url);
    let arguments = ["serve", "--listen=127.0.0.1:0", "--log-format=json", &endpoint];
    let (_, variables) = invocations().remove(0);
    let names = variables.iter().map(String::as_str).chain(PROXIES).chain(["NO_PROXY"]);
    let empty: Vec<_> = names.map(|name| (name, "")).collect();
    let service = Service::with_arguments(&arguments, &empty).await;
    let answer = service.verify_someone().await;
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "x-sts-sandbox"), None);
    assert!(stub.requests()[0].contains("/us-east-1/sts/"), "{}", stub.requests()[0]);
}

#[tokio::test]
async fn an_empty_listener_counts_as_unset() {
    // The default is a fixed port, so the invalid setting after it has to prevent the program from listening
    // on it.
    for (arguments, listener) in
        [(&[] as &[&str], "STS_VERIFY_LISTEN"), (&["sandbox"], "STS_VERIFY_SANDBOX_LISTEN")]
    {
        let end = run(arguments, &[(listener, ""), ("STS_VERIFY_LOG_FORMAT", NONSENSE)]).await;
        assert_refused(&end, "STS_VERIFY_LOG_FORMAT");
    }
}

#[tokio::test]
async fn a_port_in_use_is_reported_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let listen = [("STS_VERIFY_LISTEN", address.as_str()), ("STS_VERIFY_SANDBOX_LISTEN", address.as_str())];
    for arguments in [&["serve", "--sandbox"] as &[&str], &["sandbox"]] {
        let end = run(arguments, &listen).await;
        assert_eq!((end.code, end.stderr.len()), (Some(1), 1), "{end:?}");
        assert!(end.stderr[0].contains(&address), "{end:?}");
        let key = &caller("AKIASBXUSER00EXAMPLE").access_key_id;
        assert!(!end.stdout.iter().any(|line| line.contains(key)), "it printed a table: {end:?}");
    }
}
