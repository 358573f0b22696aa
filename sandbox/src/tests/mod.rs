//! The sandbox as its clients meet it: requests signed as an SDK signs them, put through every stage.
//!
//! The helper below signs with the sandbox's own code; what anchors it are AWS's vectors in [`super::sigv4`] and the
//! requests in [`checks`] that botocore signed.

mod answers;
mod checks;
mod wire;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use time::{Duration, OffsetDateTime, macros::datetime};

use super::{
    Caller,
    answer::Answer,
    claim::basic,
    request::Received,
    respond::Sandbox,
    sigv4::{ALGORITHM, Scope, Signed, signature},
    table::find,
};

/// The time of every test.
const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);
const BODY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const USER: &str = "AKIASBXUSER00EXAMPLE";
const ROLE: &str = "ASIASBXROLE00EXAMPLE";

/// A request about to be signed; a test changes what it is about.
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
}

impl Ask {
    /// As the caller of a row asks.
    fn of(key: &str) -> Self {
        let caller = row(key);
        let [date, service, terminal] = ["20261123", "sts", "aws4_request"].map(str::to_owned);
        Self {
            key: key.to_owned(),
            secret: caller.secret_access_key.to_owned(),
            token: caller.session_token.map(str::to_owned),
            scope: Scope { date, region: caller.region.to_owned(), service, terminal },
            late: Duration::ZERO,
            action: BODY.to_owned(),
            accept: None,
        }
    }

    /// As the caller of a row asks now, by the clock of the machine.
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
        let mut headers = vec![("host", "127.0.0.1:8090"), ("x-amz-date", &timestamp)];
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
        let mut request = received(Method::GET, &query.finish(), &[("host", "127.0.0.1:8090")], "");
        let signed = Signed { timestamp: &timestamp, scope: &self.scope, headers: "host", presigned: true };
        let signature = signature(&request, signed, &self.secret);
        request.query = format!("{}&X-Amz-Signature={signature}", request.query);
        request
    }
}

fn row(key: &str) -> &'static Caller {
    find(key).expect("a row of the table")
}

fn received(method: Method, query: &str, headers: &[(&'static str, &str)], body: &str) -> Received {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value")))
        .collect();
    let body = Bytes::copy_from_slice(body.as_bytes());
    Received { method, path: "/".to_owned(), query: query.to_owned(), headers, body }
}

/// What a new sandbox answers at [`NOW`].
fn answer(request: Received) -> Answer {
    Sandbox::default().respond(request, NOW).answer.expect("an answer")
}

/// Status, code and message of a refusal in XML.
fn refused(request: Received) -> (u16, String, String) {
    let answer = answer(request);
    let text = |tag: &str| {
        let (_, rest) = answer.body.split_once(&format!("<{tag}>")).expect(tag);
        rest.split_once("</").expect(tag).0.to_owned()
    };
    (answer.status.as_u16(), text("Code"), text("Message"))
}
