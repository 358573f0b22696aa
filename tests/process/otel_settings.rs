//! OpenTelemetry's variables: an invalid value prevents the start, as with any other setting, if traces are
//! enabled.

use crate::program::{End, Scratch, Service, run};
use crate::stub::{Stub, identity};

/// A value that is invalid or not supported.
const WRONG: &[(&str, &[&str])] = &[
    ("OTEL_SDK_DISABLED", &["maybe"]),
    ("OTEL_TRACES_EXPORTER", &["console", "zipkin", "otlp,console"]),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        &["collector:4318", "grpc://collector", "http://a:b@collector", "http://c/?k=v"],
    ),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &["collector", "unix:/run/collector"]),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", &["grpc", "http/json", "thrift"]),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", &["grpc"]),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", &["gzip"]),
    ("OTEL_EXPORTER_OTLP_CLIENT_KEY", &["key.pem"]),
    ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", &["certificate.pem"]),
    ("OTEL_EXPORTER_OTLP_HEADERS", &["zqxj", "a b=zqxj", "=zqxj", "k=zqxj%0a", "k=zqxj%ff"]),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", &["zqxj"]),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", &["0", "10s", "-1", "3600001"]),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", &["soon"]),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", &["/nowhere/zqxj.pem", "/dev/null", "/dev/zero", "Cargo.toml"]),
    ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", &["/nowhere/zqxj.pem"]),
    ("OTEL_RESOURCE_ATTRIBUTES", &["zqxj", "=zqxj", "a=1,zqxj", "a=%ff"]),
    ("OTEL_TRACES_SAMPLER", &["sometimes", "xray", "jaeger_remote"]),
    ("OTEL_BSP_SCHEDULE_DELAY", &["0", "5s", "3600001"]),
    ("OTEL_BSP_MAX_QUEUE_SIZE", &["0", "many", "16385", "16777216", "18446744073709551616"]),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &["0", "2049", "4097"]),
    ("OTEL_BSP_EXPORT_TIMEOUT", &["0", "never", "3600001"]),
];

async fn start_with(variables: &[(&str, &str)]) -> End {
    let usual = [("STS_VERIFY_LISTEN", "127.0.0.1:0"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")];
    run(&["serve", "--sandbox"], &[usual.as_slice(), variables].concat()).await
}

fn assert_refused(end: &End, variable: &str) {
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{variable}: {end:?}");
    assert!(end.stderr[0].starts_with(&format!("sts-verify: {variable}: ")), "{end:?}");
    assert!(!end.stderr[0].contains("zqxj"), "{end:?}");
}

#[tokio::test]
async fn a_wrong_value_is_refused() {
    for (variable, values) in WRONG {
        for value in *values {
            assert_refused(&start_with(&[(variable, value)]).await, variable);
        }
    }
}

/// This many pairs, each with a different name.
fn pairs(count: usize, value: &str) -> String {
    (0..count).map(|number| format!("k{number}={value}")).collect::<Vec<_>>().join(",")
}

#[tokio::test]
async fn headers_and_attributes_are_bounded_in_number_and_size() {
    for variable in
        ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_RESOURCE_ATTRIBUTES"]
    {
        for value in [pairs(129, "v"), pairs(12_000, ""), pairs(2, &"v".repeat(8192))] {
            assert_refused(&start_with(&[(variable, &value)]).await, variable);
        }
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
        Service::with_arguments(&["serve", "--sandbox"], &[endpoint, (variable, &pairs(128, "v"))]).await;
    }
}

#[tokio::test]
async fn the_largest_queue_is_small() {
    let largest = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "16384"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096"),
    ];
    let service = Service::with_arguments(&["serve", "--sandbox"], &largest).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.program.id())).unwrap();
    let most =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")).unwrap();
    assert!(most.parse::<usize>().unwrap() < 100 * 1024, "{most} kB");
}

#[tokio::test]
async fn a_wrong_ratio_is_refused_where_it_counts() {
    for ratio in ["1.1", "-0.1", "NaN", "half"] {
        for sampler in ["traceidratio", "parentbased_traceidratio"] {
            let variables = [("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", ratio)];
            assert_refused(&start_with(&variables).await, "OTEL_TRACES_SAMPLER_ARG");
        }
    }
}

#[tokio::test]
async fn grpc_is_refused_and_the_alternative_is_named() {
    let end = start_with(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).await;
    assert!(end.stderr[0].contains("http/protobuf") && end.stderr[0].contains("4318"), "{end:?}");
}

#[tokio::test]
async fn https_without_any_certificate_is_refused() {
    let files = Scratch::new("otel-no-roots");
    let roots = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", &files.path(""))];
    let endpoint = [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1")];
    let end = start_with(&[roots.as_slice(), &endpoint].concat()).await;
    assert_refused(&end, "OTEL_EXPORTER_OTLP_CERTIFICATE");
}

#[tokio::test]
async fn settings_of_disabled_exporters_are_not_checked() {
    let stub = Stub::always(identity()).await;
    // An operator's injector sets these for every program, whether or not the program supports them.
    let others = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_PROPAGATORS", "b3"),
    ];
    let service = Service::asking(&stub.url, &others).await;
    assert_eq!(service.verify_someone().await.status(), 200);
    let disabled = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_SDK_DISABLED", "true")];
    let service = Service::asking(&stub.url, &[others.as_slice(), &disabled].concat()).await;
    assert_eq!(service.verify_someone().await.status(), 200);
}
