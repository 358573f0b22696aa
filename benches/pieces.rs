//! The cost of the parts of an answer: reading the credentials, calling STS, and everything around these.
//!
//! `cargo bench` prints each with its variation, and the change since the last run. STS is a server in this
//! process with a fixed answer, so "ask STS" includes the SDK, the signature, the parsing of the answer,
//! loopback and that server. `benches/compare/run` measures the whole from outside.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up has nothing to go on with")]

use axum::body::Body;
use criterion::{BatchSize, Criterion};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mimalloc::MiMalloc;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use sts_verify::config::{Command, ServeArgs, parse_command_line};
use sts_verify::credentials::VerifyRequest;
use sts_verify::http::router::router;
use sts_verify::http::state::AppState;
use sts_verify::proof::ProofVerifier;
use sts_verify::sts::{Proxies, StsCall, StsClientFactory, Transport};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;
use zeroizing_alloc::ZeroAlloc;

/// The same allocator as in the program, because it affects the figures.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<MiMalloc> = ZeroAlloc(MiMalloc);

const REGION: &str = "us-east-1";
const ANSWER: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <GetCallerIdentityResult>
    <Arn>arn:aws:sts::123456789012:assumed-role/bench-role/bench-session</Arn>
    <UserId>AROASBXBENCH00EXAMPLE:bench-session</UserId>
    <Account>123456789012</Account>
  </GetCallerIdentityResult>
  <ResponseMetadata>
    <RequestId>1020a616-1656-464c-9563-6690998cea47</RequestId>
  </ResponseMetadata>
</GetCallerIdentityResponse>
"#;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Runtime::new().unwrap();
    // Log lines are formatted as in the program, and discarded.
    tracing_subscriber::fmt().with_writer(std::io::sink).init();
    let args = settings(&runtime.block_on(canned_sts()));
    read_credentials(&mut criterion);
    ask_sts(&mut criterion, &runtime, &runtime.block_on(sts(&args)).0);
    answer(&mut criterion, &runtime, &args);
    criterion.final_summary();
}

/// A body with the Lambda function's names; each is different.
fn body() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let token = format!("IQoJb3JpZ2luX2Vj{number:0384}");
    format!(
        r#"{{"stsAccessKey":"ASIA{number:016}","stsSecretKey":"{number:040}","stsSessionToken":"{token}"}}"#
    )
}

/// The same in the AWS CLI's format.
fn body_of_the_cli() -> String {
    let inner = body().replace("stsAccessKey", "AccessKeyId").replace("stsSecretKey", "SecretAccessKey");
    format!(r#"{{"Credentials":{}}}"#, inner.replace("stsSessionToken", "SessionToken"))
}

fn read_credentials(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read credentials");
    for (spelling, body) in [("of the function", body()), ("of the AWS CLI", body_of_the_cli())] {
        group.bench_function(spelling, |bencher| {
            bencher.iter(|| VerifyRequest::from_json(body.as_bytes()).is_ok());
        });
    }
    group.finish();
}

fn ask_sts(criterion: &mut Criterion, runtime: &Runtime, sts: &StsClientFactory) {
    criterion.bench_function("ask STS", |bencher| {
        let call =
            || StsCall::Credentials(VerifyRequest::from_json(body().as_bytes()).ok().unwrap().credentials);
        let region = sts.client(Some(REGION)).unwrap();
        bencher.to_async(runtime).iter_batched(
            call,
            async |call| {
                let asked = sts.call_alone(region, &call).await;
                assert!(asked.outcome.is_ok());
            },
            BatchSize::SmallInput,
        );
    });
}

/// The router with all its layers: for a body that is refused without a call to STS, and for one that is
/// answered.
fn answer(criterion: &mut Criterion, runtime: &Runtime, args: &ServeArgs) {
    let (sts, proofs) = runtime.block_on(sts(args));
    let state = AppState::new(sts, proofs, &args.http).unwrap();
    let routes = router(Arc::new(state), &args.http, false);
    let mut group = criterion.benchmark_group("answer");
    let refused: fn() -> String = || "{}".to_owned();
    let good: fn() -> String = body;
    for (what, body, status) in
        [("a refusal", refused, StatusCode::BAD_REQUEST), ("an identity", good, StatusCode::OK)]
    {
        let request = || {
            let request = Request::post("/verify").header(header::CONTENT_TYPE, "application/json");
            request.body(Body::from(body())).unwrap()
        };
        group.bench_function(what, |bencher| {
            bencher.to_async(runtime).iter_batched(
                request,
                async |request| {
                    let response = routes.clone().oneshot(request).await.unwrap();
                    assert_eq!(response.status(), status);
                    response.into_body().collect().await.unwrap()
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// The program's default settings with that STS, without the machine's proxies.
fn settings(sts_url: &str) -> ServeArgs {
    let endpoint = format!("--endpoint-url-sts={sts_url}");
    let region = format!("--region={REGION}");
    let words = ["sts-verify", "serve", &region, &endpoint].map(Into::into);
    match parse_command_line(words).map(|cli| cli.command) {
        Ok(Some(Command::Serve(args))) => *args,
        _ => std::process::exit(1),
    }
}

async fn sts(args: &ServeArgs) -> (StsClientFactory, ProofVerifier) {
    let mut settings = args.sts_settings().unwrap();
    settings.proxies = Proxies::default();
    let transport = Transport::new(&settings).unwrap();
    let proofs = ProofVerifier::new(args.http.proofs.settings(None).unwrap(), &settings, &transport).await;
    (StsClientFactory::new(&settings, &transport).await.unwrap(), proofs)
}

/// Starts it on a free port, and returns its URL.
async fn canned_sts() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = service_fn(async |_| {
        let response = Response::builder()
            .header("x-amzn-requestid", "1020a616-1656-464c-9563-6690998cea47")
            .header(header::CONTENT_TYPE, "text/xml");
        Ok::<_, Infallible>(response.body(Full::new(ANSWER.as_bytes())).unwrap())
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    url
}
