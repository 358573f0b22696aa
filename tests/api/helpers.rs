//! Starts the service in this process, and sends requests to it.

use reqwest::Response;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use sts_sandbox::{Caller, Sandbox};
use sts_verify::callers::api_keys::ApiKeys;
use sts_verify::config::{Cli, Command, ServeArgs, parse_command_line};
use sts_verify::http::router::router;
use sts_verify::http::state::AppState;
use sts_verify::policy::{PoliciesFile, PolicyContext};
use sts_verify::proof::ProofVerifier;
use sts_verify::server::tls::Tls;
use sts_verify::server::{self, Stop};
use sts_verify::sts::{StsClientFactory, Transport};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Well-formed values that belong to no account.
pub const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUC";

/// A running service. It is stopped on drop.
pub struct App {
    pub address: SocketAddr,
    pub client: reqwest::Client,
    pub stop: Option<oneshot::Sender<Stop>>,
    pub served: JoinHandle<std::io::Result<()>>,
}

/// The settings from a command line, added to settings that make tests fast and independent of the
/// environment.
pub fn settings(flags: &[&str]) -> ServeArgs {
    let quick = [
        "sts-verify",
        "serve",
        "--listen=127.0.0.1:0",
        "--config-file=/dev/null",
        "--region=us-east-1",
        "--retry-mode=legacy",
        "--retry-backoff=1ms",
        "--stop-delay=0s",
        "--use-fips-endpoint=false",
        "--use-dualstack-endpoint=false",
    ];
    // The last value of a repeated setting counts.
    let name = |flag: &str| flag.split('=').next().unwrap().to_owned();
    let kept = quick.iter().filter(|flag| !flags.iter().any(|given| name(given) == name(flag)));
    let cli = parse_command_line(kept.chain(flags).map(Into::into)).expect("the settings are good");
    match cli {
        Cli { command: Some(Command::Serve(args)), .. } => *args,
        _ => unreachable!("`serve` was asked for"),
    }
}

impl App {
    /// A service that uses the STS at this URL.
    pub async fn asking(sts_url: &str, flags: &[&str]) -> Self {
        let endpoint = format!("--endpoint-url-sts={sts_url}");
        let flags: Vec<&str> = flags.iter().copied().chain([endpoint.as_str()]).collect();
        Self::start(&settings(&flags), false).await
    }

    /// A service with its own sandbox.
    pub async fn with_sandbox(flags: &[&str]) -> Self {
        let flags: Vec<&str> = flags.iter().copied().chain(["--allowed-regions=*"]).collect();
        Self::asking(&start_sandbox().await, &flags).await
    }

    pub async fn start(args: &ServeArgs, sandbox: bool) -> Self {
        let settings = args.sts_settings().expect("the settings are good");
        let transport = Transport::new(&settings).expect("there are CA certificates");
        let sts = StsClientFactory::new(&settings, &transport).await.expect("the regions have endpoints");
        let listener = std::net::TcpListener::bind(args.listen).unwrap();
        let address = listener.local_addr().unwrap();
        let api_keys =
            ApiKeys::from_settings(args.http.api_keys_file.as_deref(), None).expect("they are good");
        let sandbox_url =
            settings.endpoint_url.as_deref().filter(|_| sandbox).map(|url| url.trim_end_matches('/'));
        let proofs = args.http.proofs.settings(sandbox_url).expect("they go together");
        let proofs = ProofVerifier::new(proofs, &settings, &transport).await;
        let accept = proofs.settings().accept;
        let state = AppState::new(sts, proofs, &args.http).expect("the system has randomness");
        let policies = args.http.proofs.policies_file.as_deref().map(|path| {
            let context = PolicyContext { accept };
            Arc::new(PoliciesFile::read(path, context).unwrap_or_else(|error| panic!("{error}")))
        });
        let redis = args.store.server().expect("its CA certificates are good");
        let state = state.with_api_keys(api_keys.map(Arc::new)).with_redis(redis).with_policies(policies);
        let state = Arc::new(state);
        let routes = router(state.clone(), &args.http, sandbox);
        let files = args.http.tls_files().expect("they are given together");
        let tls = files.map(|(certificate, key)| Tls::read(certificate, key).expect("they are good"));
        let (stop, stopped) = oneshot::channel();
        let http = args.http.clone();
        let served = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or(Stop::Interrupt) };
            server::run(listener, tls, routes, state, &http, stopped).await
        });
        Self { address, client: reqwest::Client::new(), stop: Some(stop), served }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn verify(&self, body: &Value) -> Response {
        self.client.post(self.url("/verify")).json(body).send().await.unwrap()
    }

    /// Posts a body unchanged.
    pub async fn verify_text(&self, body: impl Into<reqwest::Body>) -> Response {
        let request = self.client.post(self.url("/verify")).header("content-type", "application/json");
        request.body(body).send().await.unwrap()
    }

    /// Posts well-formed credentials that are unknown to the sandbox.
    pub async fn verify_someone(&self) -> Response {
        self.verify(&someone()).await
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(self.url(path)).send().await.unwrap()
    }
}

/// The URL of a sandbox, started as `serve --sandbox` does; it runs as long as the test's runtime.
pub async fn start_sandbox() -> String {
    let sandbox = Sandbox::builder().callers(TABLE.clone()).remember_wrong_secrets().start().await.unwrap();
    let url = sandbox.url().to_owned();
    tokio::spawn(sandbox.run_until(std::future::pending()));
    url
}

static TABLE: LazyLock<Vec<Caller>> = LazyLock::new(sts_sandbox::table);

pub fn someone() -> Value {
    json!({"stsAccessKey": ACCESS_KEY, "stsSecretKey": SECRET_KEY, "stsSessionToken": TOKEN})
}

/// The sandbox's caller with this access key ID.
pub fn caller(access_key_id: &str) -> &'static Caller {
    TABLE
        .iter()
        .find(|caller| caller.access_key_id == access_key_id)
        .unwrap_or_else(|| panic!("the sandbox has no caller {access_key_id}"))
}

/// A body with the Lambda function's names for a caller of the sandbox.
pub fn body_of(caller: &Caller) -> Value {
    json!({
        "stsAccessKey": caller.access_key_id,
        "stsSecretKey": caller.secret_access_key,
        "stsSessionToken": caller.session_token,
        "region": caller.region,
    })
}

pub fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// Status, verdict header and error code of an answer.
pub async fn summary(response: Response) -> (u16, Option<String>, Option<String>) {
    let status = response.status().as_u16();
    let verdict = header(&response, "x-sts-verdict").map(str::to_owned);
    let body: Value = response.json().await.unwrap();
    (status, verdict, body["error_code"].as_str().map(str::to_owned))
}

/// The expected result of [`summary`].
pub fn expected(status: u16, verdict: &str, code: &str) -> (u16, Option<String>, Option<String>) {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (status, some(verdict), some(code))
}

/// The value of a metric at /metrics, named with its labels.
pub async fn metric(app: &App, series: &str) -> Option<f64> {
    value_in(&app.get("/metrics").await.text().await.unwrap(), series)
}

/// The value of a metric in the text of a scrape.
pub fn value_in(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
}
