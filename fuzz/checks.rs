//! Checks that hold for arbitrary bytes. The fuzz target of the same name runs each check on inputs that
//! libFuzzer generates, and tests/api runs it on the inputs in `corpus/NAME`.

use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use sts_verify::batch::entry::Item;
use sts_verify::batch::formats::{Format, read};
use sts_verify::config::{Command, parse_command_line};
use sts_verify::credentials::{Posted, ValidationError};
use sts_verify::proof::ProofFailure;
use sts_verify::proof::signed_request::{HeaderMember, IamLogin, SignedRequest, SignedRequestRules};
use sts_verify::proof::token::{AcceptedIssuers, TokenSettings, TokenVerifier};
use sts_verify::sts::{StsHosts, Transport};
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// Panics if a check fails for these bytes.
pub type Check = fn(&[u8]);

/// All checks, by the names of their targets.
pub const CHECKS: [(&str, Check); 5] = [
    ("list", list),
    ("verify_request", verify_request),
    ("presigned_url", presigned_url),
    ("iam_login", iam_login),
    ("web_identity_token", web_identity_token),
];

/// The longest text that consists of documented names and numbers.
const LONGEST_REFUSAL: usize = 140;

/// The audience of the inputs in `corpus/`.
const AUDIENCE: &str = "verify.example.com";

/// The time at which the inputs in `corpus/` are a minute old: 15 January 2027, 08:01 UTC.
const NOW: Duration = Duration::from_mins(30_000_001);

/// An issuer that cannot be reached.
const ISSUER: &str = "http://127.0.0.1:1";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is one")
});

static RULES: LazyLock<SignedRequestRules> = LazyLock::new(|| SignedRequestRules {
    hosts: RUNTIME.block_on(StsHosts::new(["us-east-1", "cn-north-1"].map(str::to_owned))),
    audiences: vec![AUDIENCE.to_owned()],
    max_age: Duration::from_mins(15),
});

static TOKENS: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let cli =
        parse_command_line(["sts-verify", "serve", "--endpoint-url-sts=http://127.0.0.1:1"].map(Into::into));
    let Ok(Some(Command::Serve(args))) = cli.map(|cli| cli.command) else {
        unreachable!("`serve` was asked for")
    };
    let transport =
        Transport::new(&args.sts_settings().expect("they are good")).expect("no certificates are needed");
    let settings = TokenSettings {
        audiences: vec![AUDIENCE.to_owned()],
        issuers: AcceptedIssuers::List(vec![ISSUER.to_owned()]),
        max_age: Duration::from_mins(15),
        default_partition: "aws".to_owned(),
        timeout: Duration::from_secs(1),
    };
    TokenVerifier::new(settings, transport)
});

fn now() -> SystemTime {
    UNIX_EPOCH + NOW
}

/// The parser of posted bodies does not panic, and an error text is too short to contain the input.
pub fn verify_request(body: &[u8]) {
    if let Err(error) = Posted::from_json(body) {
        assert!(error.to_string().len() <= LONGEST_REFUSAL);
    }
}

/// A presigned URL, or a token that contains one, is either refused or rebuilt from allowed bytes.
pub fn presigned_url(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    check_request(SignedRequest::from_url(text, "presigned_url"));
    check_request(SignedRequest::from_token(text, "token"));
}

/// The same for a login, here from the members of a JSON object.
pub fn iam_login(json: &[u8]) {
    let login: Value = serde_json::from_slice(json).unwrap_or_default();
    let text = |name: &str| login[name].as_str();
    let object = login["iam_request_headers"].is_object().then(|| login["iam_request_headers"].to_string());
    let headers = match &object {
        Some(object) => Some(HeaderMember::Object(object)),
        None => text("iam_request_headers").map(HeaderMember::Text),
    };
    let (method, url) = (text("iam_http_request_method"), text("iam_request_url"));
    check_request(SignedRequest::from_iam_login(IamLogin {
        method,
        url,
        body: text("iam_request_body"),
        headers,
    }));
}

/// An unsigned token is never accepted, and an error text is too short to contain it.
pub fn web_identity_token(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let verified = async {
        let deadline = Instant::now() + Duration::from_secs(1);
        TOKENS.verify(text, "token", now(), deadline).await
    };
    match RUNTIME.block_on(verified) {
        Ok(_) => panic!("there is no key for it"),
        Err(error) => check_error(&error),
    }
}

fn check_request(request: Result<SignedRequest, ValidationError>) {
    let checked = request.map_err(ProofFailure::from).and_then(|request| request.check(&RULES, now()));
    let checked = match checked {
        Ok(checked) => checked,
        Err(error) => return check_error(&error),
    };
    let built = checked.build(AUDIENCE).expect("what was checked can be built");
    let uri = built.uri().to_string();
    assert!(uri.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?&=%".contains(&byte)), "{uri}");
    let host = uri.strip_prefix("https://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let domains = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn"];
    assert!(host.starts_with("sts") && domains.iter().any(|domain| host.ends_with(domain)), "{uri}");
    let post = built.method() == "POST";
    assert!(post || built.method() == "GET");
    assert_eq!(*built.body(), if post { "Action=GetCallerIdentity&Version=2011-06-15" } else { "" });
    assert!(built.headers().values().any(|value| value == AUDIENCE), "it is bound to us");
    for (name, value) in built.headers() {
        assert!(value.as_bytes().iter().all(|byte| byte.is_ascii_graphic() || *byte == b' '), "{name}");
    }
}

fn check_error(error: &ProofFailure) {
    assert!(error.to_string().len() <= LONGEST_REFUSAL, "{error}");
}

const FORMATS: [Format; 9] = [
    Format::Auto,
    Format::Json,
    Format::Ndjson,
    Format::Ini,
    Format::Env,
    Format::Csv,
    Format::Trufflehog,
    Format::Betterleaks,
    Format::Kingfisher,
];

/// No reader panics, each item has an existing line, and an error text is too short to contain the input.
pub fn list(input: &[u8]) {
    let lines = u32::try_from(input.split(|byte| matches!(byte, b'\n' | b'\r')).count()).unwrap();
    for format in FORMATS {
        let _ = read(0, input, format, &mut |item| {
            let place = match item {
                Item::Ignored => return ControlFlow::Continue(()),
                Item::Entry(place, _) => place,
                Item::Unreadable(place, reason) => {
                    assert!(reason.to_string().len() <= LONGEST_REFUSAL);
                    place
                }
            };
            // In UTF-16, the number of line ends can differ from the number of bytes with their values.
            assert!(
                (1..=lines).contains(&place.line)
                    || input.starts_with(b"\xff\xfe")
                    || input.starts_with(b"\xfe\xff")
            );
            ControlFlow::Continue(())
        });
    }
}
