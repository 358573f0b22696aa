//! Turns a request into its response: the stages in order, and the only place that handles a caller's
//! behaviour.

use std::{
    collections::HashMap,
    io,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header::HOST};
use time::OffsetDateTime;

use crate::{
    authorization::Authorization,
    builder::SandboxBuilder,
    caller::{Behaviour, Caller},
    check,
    error::StsError,
    log_fields::LogFields,
    memory::WrongSecrets,
    on_the_way,
    regions::partition_of,
    request::Received,
    requests::Requests,
    response::{Format, OutgoingResponse},
    throttle::Throttle,
    web_identity::{Issuer, Parameters},
};

/// A path that STS does not have, for programs that check whether the sandbox is running, such as a container's
/// health check.
const HEALTH: &str = "/livez";

/// The host of the global endpoint.
const GLOBAL: &str = "sts.amazonaws.com";

/// The simulated STS, which all connections share.
pub(crate) struct Sts {
    callers: Vec<Known>,
    /// The index in `callers` of each access key ID.
    by_key: HashMap<String, usize>,
    remember_wrong_secrets: bool,
    throttle: Option<Throttle>,
    pub requests: Requests,
    pub issuer: Issuer,
    clock: Box<dyn Fn() -> OffsetDateTime + Send + Sync>,
}

/// A caller, and the number of its requests that passed every check.
struct Known {
    caller: Caller,
    calls: AtomicUsize,
}

/// The outcome of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The wait before the response.
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
    /// Takes the settings. The URL is the issuer of web identity tokens.
    ///
    /// # Errors
    ///
    /// Two callers have the same access key ID, or a caller's region does not have the form of a region's name.
    pub fn new(settings: SandboxBuilder, url: String) -> io::Result<Self> {
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
            remember_wrong_secrets: settings.remember_wrong_secrets,
            throttle: settings.throttle_above.map(Throttle::above),
            requests: Requests::keeping(settings.keep_requests),
            issuer: Issuer::new(url),
            clock: settings.clock,
        })
    }

    pub fn callers(&self) -> impl Iterator<Item = &Caller> {
        self.callers.iter().map(|known| &known.caller)
    }

    /// Receives a request, which is stored for tests.
    pub fn receive(&self, request: Request<Bytes>) -> Received {
        self.requests.push(&request);
        request.into()
    }

    /// Decides on a request over a connection on which `wrong_secrets` were remembered, and logs a line.
    pub fn respond(&self, wrong_secrets: &WrongSecrets, request: Received) -> Outcome {
        if request.path == HEALTH {
            return OutgoingResponse::alive().into();
        }
        let (format, now) = (request.format(), (self.clock)());
        if let Some(document) = self.issuer.document(&request.path).filter(|_| request.method == Method::GET)
        {
            return match document {
                Ok(document) => OutgoingResponse::document(&document).into(),
                Err(error) => OutgoingResponse::error(format, &error).into(),
            };
        }
        let authorization = Authorization::read(&request);
        let known = authorization.as_ref().ok().and_then(|it| self.find(&it.access_key_id));
        let fields = LogFields::of(authorization.as_ref().ok(), known.map(|known| &known.caller));
        let outcome = match authorization.and_then(|it| self.admit(wrong_secrets, request, it, now)) {
            Err(error) => OutgoingResponse::error(format, &error).into(),
            Ok(admitted) => self.reply(&admitted, format, now),
        };
        fields.log(outcome.response.as_ref());
        outcome
    }

    fn find(&self, access_key_id: &str) -> Option<&Known> {
        self.by_key.get(access_key_id).map(|index| &self.callers[*index])
    }

    /// Whether STS executes this request, and for which caller.
    fn admit(
        &self,
        wrong_secrets: &WrongSecrets,
        mut request: Received,
        mut authorization: Authorization,
        now: OffsetDateTime,
    ) -> Result<Admitted<'_>, StsError> {
        if self.throttle.as_ref().is_some_and(|throttle| !throttle.admits(now)) {
            return Err(StsError::throttling());
        }
        let known = self.find(&authorization.access_key_id);
        if let Some(changed) = known.and_then(|it| on_the_way::changed(&request, &it.caller, &authorization))
        {
            request = changed;
            // The form is read again, so that the error is that of the changed request.
            authorization = Authorization::read(&request)?;
        }
        let caller = known.map(|known| &known.caller);
        let sts_time = now + caller.map(on_the_way::clock_skew).unwrap_or_default();
        check::before_the_signature(&authorization, caller, sts_time)?;
        let known = known.ok_or(StsError::invalid_token())?;
        let signed = check::signature(&request, &authorization, &known.caller.secret_access_key);
        if self.remember_wrong_secrets
            && wrong_secrets.reject(&authorization.access_key_id, signed.is_err(), now)
        {
            return Err(StsError::wrong_signature());
        }
        signed?;
        Ok(Admitted { known, operation: Operation::of(&request)?, region: authorization.scope.region })
    }

    /// The response for a request that passed every check.
    fn reply(&self, admitted: &Admitted<'_>, format: Format, now: OffsetDateTime) -> Outcome {
        let Admitted { known, operation, region } = admitted;
        let calls = known.calls.fetch_add(1, Ordering::Relaxed);
        let error = |error: &StsError| OutgoingResponse::error(format, error);
        let caller = &known.caller;
        let result = || match operation {
            Operation::GetCallerIdentity => OutgoingResponse::identity(format, caller, region, now),
            Operation::GetWebIdentityToken(parameters) => {
                match self.issuer.token(caller, parameters, region, now) {
                    Ok(token) => OutgoingResponse::web_identity_token(format, &token, region, now),
                    Err(failure) => error(&failure),
                }
            }
        };
        match &caller.behaviour {
            Behaviour::Error(failure) => error(failure).into(),
            Behaviour::FailsTwice if calls % 3 < 2 => error(&StsError::internal_failure()).into(),
            Behaviour::Slow(wait) => Outcome { wait: *wait, response: Some(result()) },
            Behaviour::Silent => Outcome { wait: Duration::MAX, response: None },
            Behaviour::HangUp => Outcome { wait: Duration::ZERO, response: None },
            Behaviour::EmptyUnavailable => OutgoingResponse::empty_unavailable().into(),
            Behaviour::ProxyPage => OutgoingResponse::proxy_page().into(),
            Behaviour::CutShort => result().cut_short().into(),
            // Behaviours that take effect earlier. A client may have compensated them, for example with a clock
            // that is as wrong as STS's.
            _ => result().into(),
        }
    }
}

/// A request that passed every check.
struct Admitted<'a> {
    known: &'a Known,
    operation: Operation,
    /// The region that was used.
    region: String,
}

/// The operations that the sandbox has.
enum Operation {
    GetCallerIdentity,
    GetWebIdentityToken(Parameters),
}

impl Operation {
    /// STS's other operations do not exist here, and get the error of an unknown operation.
    fn of(request: &Received) -> Result<Self, StsError> {
        let action = request.parameter("Action").unwrap_or_default();
        let version = request.parameter("Version").unwrap_or_else(|| "NO_VERSION_SPECIFIED".to_owned());
        match (action.as_str(), version.as_str()) {
            ("GetCallerIdentity", "2011-06-15") => Ok(Self::GetCallerIdentity),
            ("GetWebIdentityToken", "2011-06-15") if request.header(HOST).as_deref() == Some(GLOBAL) => {
                Err(StsError::not_on_the_global_endpoint())
            }
            ("GetWebIdentityToken", "2011-06-15") => Parameters::read(request).map(Self::GetWebIdentityToken),
            _ => Err(StsError::invalid_action(&action, &version)),
        }
    }
}
