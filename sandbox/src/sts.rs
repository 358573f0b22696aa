//! From a request to its response: the stages in order, and the one place where a caller's behaviour is acted on.

use std::{
    borrow::Cow,
    collections::HashMap,
    io,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, header::AUTHORIZATION};
use time::OffsetDateTime;
use tracing::info;

use crate::{
    authorization::Authorization,
    builder::SandboxBuilder,
    caller::{Behaviour, Caller},
    check,
    error::StsError,
    memory::Refusals,
    regions::partition_of,
    request::Received,
    requests::Requests,
    response::{Format, OutgoingResponse},
    sigv4::SIGNATURE_PARAMETER,
    throttle::Throttle,
};

/// The only path that is not STS's: for whoever has to know that the sandbox is up, a container's health check say.
const HEALTH: &str = "/livez";

/// The stand-in: what every connection shares.
pub(crate) struct Sts {
    callers: Vec<Known>,
    /// Where in `callers` an access key id is.
    by_key: HashMap<String, usize>,
    remember_refusals: bool,
    throttle: Option<Throttle>,
    pub requests: Requests,
    clock: Box<dyn Fn() -> OffsetDateTime + Send + Sync>,
}

/// A caller, and how often it passed every check.
struct Known {
    caller: Caller,
    calls: AtomicUsize,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How long to wait first.
    pub wait: Duration,
    /// `None`: close the connection without a response.
    pub response: Option<OutgoingResponse>,
}

impl From<OutgoingResponse> for Outcome {
    fn from(response: OutgoingResponse) -> Self {
        Self { wait: Duration::ZERO, response: Some(response) }
    }
}

impl Sts {
    /// Takes the settings over.
    ///
    /// # Errors
    ///
    /// When two callers have the same access key id, or a caller's region has not the form of a region's name.
    pub fn new(settings: SandboxBuilder) -> io::Result<Self> {
        let invalid = |message| Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        let mut by_key = HashMap::new();
        for (index, caller) in settings.callers.iter().enumerate() {
            let key = &caller.access_key_id;
            if partition_of(&caller.region).is_none() {
                return invalid(format!("the region of the caller {key} is not one of AWS"));
            }
            if by_key.insert(key.clone(), index).is_some() {
                return invalid(format!("two callers have the access key id {key}"));
            }
        }
        let known = |caller| Known { caller, calls: AtomicUsize::new(0) };
        Ok(Self {
            callers: settings.callers.into_iter().map(known).collect(),
            by_key,
            remember_refusals: settings.remember_refusals,
            throttle: settings.throttle_above.map(Throttle::above),
            requests: Requests::keeping(settings.keep_requests),
            clock: settings.clock,
        })
    }

    pub fn callers(&self) -> impl Iterator<Item = &Caller> {
        self.callers.iter().map(|known| &known.caller)
    }

    /// Decides on a request over a connection on which `refusals` were remembered, and logs a line.
    pub fn respond(&self, refusals: &Refusals, request: Request<Bytes>) -> Outcome {
        self.requests.push(&request);
        let request = Received::from(request);
        if request.path == HEALTH {
            return OutgoingResponse::alive().into();
        }
        let (format, now) = (request.format(), (self.clock)());
        let authorization = Authorization::read(&request);
        let fields = LogFields::of(self, authorization.as_ref().ok());
        let outcome = match authorization.and_then(|it| self.admit(refusals, request, it, now)) {
            Err(error) => OutgoingResponse::error(format, &error).into(),
            Ok(known) => known.reply(format, &fields.region, now),
        };
        fields.log(outcome.response.as_ref());
        outcome
    }

    fn find(&self, access_key_id: &str) -> Option<&Known> {
        self.by_key.get(access_key_id).map(|index| &self.callers[*index])
    }

    /// Whether STS does for this request what it asks, and for whom.
    fn admit(
        &self,
        refusals: &Refusals,
        mut request: Received,
        mut authorization: Authorization,
        now: OffsetDateTime,
    ) -> Result<&Known, StsError> {
        if self.throttle.as_ref().is_some_and(|throttle| !throttle.admits(now)) {
            return Err(StsError::throttling());
        }
        let known = self.find(&authorization.access_key_id);
        if let Some(changed) = known.and_then(|it| on_the_way(&request, &it.caller, &authorization)) {
            request = changed;
            // The form is read again, so that the error is the one that the changed request really gets.
            authorization = Authorization::read(&request)?;
        }
        let caller = known.map(|known| &known.caller);
        let sts_time = now + caller.map(clock_skew).unwrap_or_default();
        check::before_the_signature(&authorization, caller, sts_time)?;
        let known = known.ok_or(StsError::invalid_token())?;
        let signed = check::signature(&request, &authorization, &known.caller.secret_access_key);
        if self.remember_refusals && refusals.refuse(&authorization.access_key_id, signed.is_err(), now) {
            return Err(StsError::wrong_signature());
        }
        signed?;
        action(&request)?;
        Ok(known)
    }
}

impl Known {
    /// What the caller of a request gets that passed every check.
    fn reply(&self, format: Format, region: &str, now: OffsetDateTime) -> Outcome {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed);
        let identity = self.caller.identity();
        let named = || OutgoingResponse::identity(format, &identity, region, now);
        match &self.caller.behaviour {
            Behaviour::Error(error) => OutgoingResponse::error(format, error).into(),
            Behaviour::FailsTwice if calls % 3 < 2 => {
                OutgoingResponse::error(format, &StsError::internal_failure()).into()
            }
            Behaviour::Slow(wait) => Outcome { wait: *wait, response: Some(named()) },
            Behaviour::Silent => Outcome { wait: Duration::MAX, response: None },
            Behaviour::HangUp => Outcome { wait: Duration::ZERO, response: None },
            Behaviour::EmptyUnavailable => OutgoingResponse::empty_unavailable().into(),
            Behaviour::ProxyPage => OutgoingResponse::proxy_page().into(),
            Behaviour::CutShort => named().cut_short().into(),
            // The behaviours that show earlier: a client may have got round them, say with a clock as wrong as STS's.
            _ => named().into(),
        }
    }
}

/// How far STS's clock is from the true time for this caller.
fn clock_skew(caller: &Caller) -> time::Duration {
    match caller.behaviour {
        Behaviour::ClockAhead(by) => time::Duration::try_from(by).unwrap_or(time::Duration::MAX),
        Behaviour::ClockBehind(by) => -time::Duration::try_from(by).unwrap_or(time::Duration::MAX),
        _ => time::Duration::ZERO,
    }
}

/// The request as it arrives when something on its way changes it; `None` where nothing does.
fn on_the_way(request: &Received, caller: &Caller, authorization: &Authorization) -> Option<Received> {
    let header = request.header(AUTHORIZATION).unwrap_or_default();
    let (query, region) = (&request.query, &authorization.scope.region);
    let (header, query) = match caller.behaviour {
        Behaviour::SignatureLost => (String::new(), String::new()),
        Behaviour::SignatureMangled => {
            let kept = query.split('&').filter(|pair| !pair.starts_with(SIGNATURE_PARAMETER));
            (header.replacen("Credential=", "Credential= ", 1), kept.collect::<Vec<_>>().join("&"))
        }
        Behaviour::OtherRegion => (
            header.replacen(&format!("/{region}/"), "/nowhere-1/", 1),
            query.replacen(&format!("%2F{region}%2F"), "%2Fnowhere-1%2F", 1),
        ),
        _ => return None,
    };
    let mut changed = Received { query, ..request.clone() };
    match HeaderValue::from_bytes(header.as_bytes()) {
        Ok(value) if !value.is_empty() => _ = changed.headers.insert(AUTHORIZATION, value),
        _ => _ = changed.headers.remove(AUTHORIZATION),
    }
    Some(changed)
}

/// STS's other actions are not here, so they are refused as one that STS does not have.
fn action(request: &Received) -> Result<(), StsError> {
    let action = request.parameter("Action").unwrap_or_default();
    let version = request.parameter("Version").unwrap_or_else(|| "NO_VERSION_SPECIFIED".to_owned());
    match (action.as_str(), version.as_str()) {
        ("GetCallerIdentity", "2011-06-15") => Ok(()),
        _ => Err(StsError::invalid_action(&action, &version)),
    }
}

/// What of a request may be logged. A request may hold anything, a secret in the place of the key included, so only a
/// key of the usual form is shown, by its ends, and only a region of the right form. As the ends of all keys may be the
/// same, the line has the caller's description.
#[derive(Debug)]
struct LogFields {
    access_key: String,
    region: Cow<'static, str>,
    caller: String,
}

impl LogFields {
    fn of(sts: &Sts, authorization: Option<&Authorization>) -> Self {
        let key = authorization.map_or("", |it| it.access_key_id.as_str());
        let region = authorization.map(|it| &it.scope.region).filter(|region| partition_of(region).is_some());
        let caller = sts.find(key).map_or("-", |known| known.caller.description.as_str());
        Self {
            access_key: masked(key),
            region: region.map_or(Cow::Borrowed("-"), |region| Cow::Owned(region.clone())),
            caller: caller.to_owned(),
        }
    }

    fn log(&self, response: Option<&OutgoingResponse>) {
        let Self { access_key, region, caller } = self;
        let code = response.map_or("(none)", |response| &response.label);
        let status = response.map_or(0, |response| response.status.as_u16());
        info!(code, status, access_key, %region, caller, "sandbox answered");
    }
}

/// First four and last four characters.
fn masked(key: &str) -> String {
    let usual = key.len() == 20 && key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if usual { format!("{}…{}", &key[..4], &key[16..]) } else { "-".to_owned() }
}
