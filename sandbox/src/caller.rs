//! The callers that the sandbox knows: their credentials, and their special behaviour.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{error::StsError, made_up, regions::partition_of};

/// An IAM principal that the sandbox knows, with made-up credentials.
///
/// The credentials are derived from the account and the name, so they are the same in every run. They look like
/// AWS's, belong to nobody, and end in `EXAMPLE` so that secret scanners ignore them.
///
/// ```
/// use sts_sandbox::Caller;
///
/// let ann = Caller::user("123456789012", "ops/ann").in_region("cn-north-1");
/// assert_eq!(ann.arn(), "arn:aws-cn:iam::123456789012:user/ops/ann");
/// assert!(ann.access_key_id.starts_with("AKIA"));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Caller {
    /// Twenty characters: `AKIA` (a long-term key) or `ASIA` (a session's key), then capital letters and
    /// digits.
    pub access_key_id: String,
    /// Forty characters, different for each caller.
    pub secret_access_key: String,
    /// The session token, if the key belongs to a session.
    pub session_token: Option<String>,
    /// The region to use. Every other region of its partition that needs no opt-in works, too.
    pub region: String,
    /// One line about the caller, for logs and for [`render_table`](crate::render_table).
    pub description: String,
    pub(crate) behaviour: Behaviour,
    /// Additional claims in the caller's web identity tokens.
    pub(crate) token_claims: Map<String, Value>,
    account: String,
    principal: Principal,
    /// The unique ID of a user or a role.
    unique_id: String,
}

/// The four kinds of principals that GetCallerIdentity names.
#[derive(Debug, Clone)]
enum Principal {
    User { path_and_name: String },
    Role { path_and_name: String, session: String },
    FederatedUser { name: String },
    Root,
}

/// The special behaviour of a caller. [`Caller::behaving`] sets it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Behaviour {
    /// None: STS names the caller.
    #[default]
    Normal,
    /// The signature is lost in transit, as when a proxy drops the Authorization header:
    /// `MissingAuthenticationToken`.
    SignatureLost,
    /// The Authorization header or the presigned URL is damaged in transit: `IncompleteSignature`.
    SignatureMangled,
    /// The scope names a region that AWS does not have: `SignatureDoesNotMatch`.
    OtherRegion,
    /// STS's clock is this much ahead of the true time. More than 15 minutes are `SignatureDoesNotMatch`.
    ClockAhead(Duration),
    /// STS's clock is this much behind the true time. More than 15 minutes are `SignatureDoesNotMatch`.
    ClockBehind(Duration),
    /// The key does not exist any more: `InvalidClientTokenId`.
    Deleted,
    /// The key exists, but not in the region that is used: `InvalidClientTokenId` without a full stop at the
    /// end.
    UnknownInRegion,
    /// The session has expired: `ExpiredToken`.
    Expired,
    /// A request that passes every check gets this error.
    Error(StsError),
    /// Two requests get an `InternalFailure`, the third succeeds, and so on.
    FailsTwice,
    /// The response is sent after this time.
    Slow(Duration),
    /// No response is sent, and the connection stays open.
    Silent,
    /// The connection is closed without a response.
    HangUp,
    /// Status 503 with an empty body, as from a load balancer.
    EmptyUnavailable,
    /// Status 200 with an HTML page, as from a proxy that wants its users to sign in.
    ProxyPage,
    /// Status 200 with XML that stops in the middle.
    CutShort,
    /// The account's issuer of web identity tokens is switched off: GetWebIdentityToken is
    /// `OutboundWebIdentityFederationDisabledException`.
    FederationDisabled,
    /// The web identity tokens that the caller gets have expired.
    TokensExpired,
}

impl Caller {
    /// An IAM user. The name may have a path before it: `ops/ann`.
    #[must_use]
    pub fn user(account: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(account.into(), Principal::User { path_and_name: name.into() })
    }

    /// A session of an assumed role. The role's name may have a path before it, which GetCallerIdentity leaves
    /// out.
    #[must_use]
    pub fn role(
        account: impl Into<String>,
        role: impl Into<String>,
        session_name: impl Into<String>,
    ) -> Self {
        let principal = Principal::Role { path_and_name: role.into(), session: session_name.into() };
        Self::new(account.into(), principal)
    }

    /// A federated user: a session of GetFederationToken.
    #[must_use]
    pub fn federated_user(account: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(account.into(), Principal::FederatedUser { name: name.into() })
    }

    /// The root user of an account.
    #[must_use]
    pub fn root(account: impl Into<String>) -> Self {
        Self::new(account.into(), Principal::Root)
    }

    fn new(account: String, principal: Principal) -> Self {
        let (kind, name, description) = match &principal {
            Principal::User { path_and_name } => ("AIDA", path_and_name.clone(), "an IAM user"),
            Principal::Role { path_and_name, session } => {
                ("AROA", format!("{path_and_name}/{session}"), "an assumed role")
            }
            Principal::FederatedUser { name } => ("", name.clone(), "a federated user"),
            Principal::Root => ("", String::new(), "the root user of an account"),
        };
        let seed = format!("{account}/{description}/{name}");
        let session = matches!(principal, Principal::Role { .. } | Principal::FederatedUser { .. });
        Self {
            access_key_id: made_up::access_key_id(if session { "ASIA" } else { "AKIA" }, &seed),
            secret_access_key: made_up::secret_access_key(&seed),
            session_token: session.then(|| made_up::session_token(&seed)),
            region: "us-east-1".to_owned(),
            description: description.to_owned(),
            behaviour: Behaviour::default(),
            token_claims: Map::new(),
            account,
            principal,
            unique_id: made_up::unique_id(kind, &seed),
        }
    }

    /// Sets the region to use, and with it the partition. The default is `us-east-1`.
    #[must_use]
    pub fn in_region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Sets the access key id and the secret access key.
    #[must_use]
    pub fn with_credentials(mut self, access_key_id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.access_key_id = access_key_id.into();
        self.secret_access_key = secret.into();
        self
    }

    /// Sets the session token.
    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<String>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    /// Sets the unique id of a user (`AIDA…`) or a role (`AROA…`), which is what its UserId begins with.
    #[must_use]
    pub fn with_unique_id(mut self, id: impl Into<String>) -> Self {
        self.unique_id = id.into();
        self
    }

    /// Sets the description.
    #[must_use]
    pub fn described_as(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets the special behaviour.
    #[must_use]
    pub fn behaving(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// Sets one of AWS's own claims in the caller's web identity tokens, such as `org_id`, `ou_path`,
    /// `principal_tags` or `lambda_source_function_arn`: a member of the claim `https://sts.amazonaws.com/`. A
    /// claim that the sandbox sets itself (`aws_account`, `source_region`, `principal_id` and others) is
    /// replaced.
    #[must_use]
    pub fn with_token_claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.token_claims.insert(name.into(), value.into());
        self
    }

    /// The ARN in the result of GetCallerIdentity.
    #[must_use]
    pub fn arn(&self) -> String {
        let (account, partition) = (&self.account, self.partition());
        match &self.principal {
            Principal::User { path_and_name } => {
                format!("arn:{partition}:iam::{account}:user/{path_and_name}")
            }
            Principal::Role { path_and_name, session } => {
                let name = path_and_name.rsplit('/').next().unwrap_or_default();
                format!("arn:{partition}:sts::{account}:assumed-role/{name}/{session}")
            }
            Principal::FederatedUser { name } => {
                format!("arn:{partition}:sts::{account}:federated-user/{name}")
            }
            Principal::Root => format!("arn:{partition}:iam::{account}:root"),
        }
    }

    /// The ARN in web identity tokens: for a session that of the role, with its path.
    #[must_use]
    pub fn principal_arn(&self) -> String {
        match &self.principal {
            Principal::Role { path_and_name, .. } => {
                format!("arn:{}:iam::{}:role/{path_and_name}", self.partition(), self.account)
            }
            _ => self.arn(),
        }
    }

    fn partition(&self) -> &'static str {
        partition_of(&self.region).unwrap_or("aws")
    }

    /// The UserId in the result of GetCallerIdentity.
    #[must_use]
    pub fn user_id(&self) -> String {
        match &self.principal {
            Principal::User { .. } => self.unique_id.clone(),
            Principal::Role { session, .. } => format!("{}:{session}", self.unique_id),
            Principal::FederatedUser { name } => format!("{}:{name}", self.account),
            Principal::Root => self.account.clone(),
        }
    }

    /// The account, twelve digits.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }
}
