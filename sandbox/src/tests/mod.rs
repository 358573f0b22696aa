//! The sandbox as its clients meet it: requests signed as an SDK signs them, put through every stage.
//!
//! The helper below signs with the sandbox's own code; what anchors it are AWS's vectors in [`crate::sigv4`]
//! and the requests in [`checks`] that botocore signed.

mod callers;
mod checks;
mod proofs;
mod responses;
mod settings;
mod table;
mod web_identity;
mod web_identity_errors;
mod wire;

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{
    Caller, Sandbox,
    authorization::basic,
    memory::WrongSecrets,
    request::Received,
    response::OutgoingResponse,
    sigv4::{ALGORITHM, Scope, Signed, signature},
    sts::{Outcome, Sts},
};

/// The time of every test.
const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
const URL: &str = "http://127.0.0.1:8090";
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const USER: &str = "AKIASBXUSER00EXAMPLE";
const ROLE: &str = "ASIASBXROLE00EXAMPLE";

/// A request that is about to be signed. Tests change its fields.
#[derive(Debug, Clone)]
struct Ask {
    key: String,
    secret: String,
    token: Option<String>,
    scope: Scope,
    /// How long after [`NOW`] the client believes it is.
    late: Duration,
    action: String,
    accept: Option<&'static str>,
    host: &'static str,
}

impl Ask {
    /// A request of the caller of a row.
    fn of(key: &str) -> Self {
        let caller = row(key);
        let [date, service, terminal] = ["20261123", "sts", "aws4_request"].map(str::to_owned);
        Self {
            key: key.to_owned(),
            secret: caller.secret_access_key,
            token: caller.session_token,
            scope: Scope { date, region: caller.region, service, terminal },
            late: Duration::ZERO,
            action: BODY.to_owned(),
            accept: None,
            host: "127.0.0.1:8090",
        }
    }

    /// The same, signed now, by the clock of the machine.
    fn now(key: &str) -> Self {
        let late = OffsetDateTime::now_utc() - NOW;
        let date = basic(NOW + late)[..8].to_owned();
        Self::of(key).with(|ask| (ask.late, ask.scope.date) = (late, date))
    }

    /// The same with something changed.
    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn credential(&self) -> String {
        let Scope { date, region, service, terminal } = &self.scope;
        format!("{}/{date}/{region}/{service}/{terminal}", self.key)
    }

    /// A POST with an Authorization header, as every SDK sends it.
    fn post(&self) -> Received {
        let timestamp = basic(NOW + self.late);
        let mut headers = vec![("host", self.host), ("x-amz-date", &timestamp)];
        headers.extend(self.token.as_deref().map(|token| ("x-amz-security-token", token)));
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        headers.extend(self.accept.map(|accept| ("accept", accept)));
        let mut request = received(Method::POST, "", &headers, &self.action);
        let signed = Signed { timestamp: &timestamp, scope: &self.scope, headers: &names, presigned: false };
        let signature = signature(&request, signed, &self.secret);
        let credential = self.credential();
        let value =
            format!("{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}");
        request.headers.insert("authorization", value.parse().expect("a header value"));
        request
    }

    /// A GET with everything in its query.
    fn presigned(&self) -> Received {
        let timestamp = basic(NOW + self.late);
        let mut query = form_urlencoded::Serializer::new(format!("{}&", self.action));
        query.append_pair("X-Amz-Algorithm", ALGORITHM).append_pair("X-Amz-Credential", &self.credential());
        query.append_pair("X-Amz-Date", &timestamp).append_pair("X-Amz-SignedHeaders", "host");
        if let Some(token) = &self.token {
            query.append_pair("X-Amz-Security-Token", token);
        }
        let mut request = received(Method::GET, &query.finish(), &[("host", self.host)], "");
        let signed = Signed { timestamp: &timestamp, scope: &self.scope, headers: "host", presigned: true };
        let signature = signature(&request, signed, &self.secret);
        request.query = format!("{}&X-Amz-Signature={signature}", request.query);
        request
    }
}

fn row(key: &str) -> Caller {
    crate::table().into_iter().find(|caller| caller.access_key_id == key).expect("a row of the table")
}

fn received(method: Method, query: &str, headers: &[(&'static str, &str)], body: &str) -> Received {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
        .collect();
    let body = Bytes::copy_from_slice(body.as_bytes());
    Received { method, path: "/".to_owned(), query: query.to_owned(), headers, body }
}

impl From<Received> for Request<Bytes> {
    fn from(received: Received) -> Self {
        let Received { method, path, query, headers, body } = received;
        let mut request = Self::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = format!("{path}?{query}").parse().expect("a URI");
        *request.headers_mut() = headers;
        request
    }
}

/// A new sandbox with the table's callers, at [`NOW`].
fn sts() -> Sts {
    let builder = Sandbox::builder().callers(crate::table());
    Sts::new(builder.clock(|| SystemTime::from(NOW)), URL.to_owned()).expect("the table is good")
}

impl Sts {
    /// Decides on a request over a connection of its own.
    fn ask(&self, request: Received) -> Outcome {
        self.respond(&WrongSecrets::default(), self.receive(request.into()))
    }
}

/// What a new sandbox answers at [`NOW`].
fn answer(request: Received) -> OutgoingResponse {
    sts().ask(request).response.expect("a response")
}

/// Status, code and message of an error in XML.
fn rejection(request: Received) -> (u16, String, String) {
    error_of(&answer(request))
}

fn error_of(response: &OutgoingResponse) -> (u16, String, String) {
    let text = |tag: &str| {
        let (_, rest) = response.body.split_once(&format!("<{tag}>")).expect(tag);
        rest.split_once("</").expect(tag).0.to_owned()
    };
    (response.status.as_u16(), text("Code"), text("Message"))
}
