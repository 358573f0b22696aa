//! Checks posted proofs: reads them, and verifies them as far as that needs no STS.

use super::signed_request::{CheckedRequest, HeaderMember, IamLogin, SignedRequest, SignedRequestRules};
use super::token::{AcceptedIssuers, TokenSettings, TokenVerifier, VerifiedToken};
use super::{Accept, ProofFailure, ProofKind};
use crate::credentials::{
    EKS_TOKEN_PREFIX, PostedHeaders, PostedLogin, PostedProof, PostedText, ValidationError,
};
use crate::sts::partitions::partition_of;
use crate::sts::{StsHosts, StsSettings, Transport};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The settings about proofs, checked against each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofSettings {
    /// The kinds that may be posted.
    pub accept: Accept,
    /// The names of this service.
    pub audiences: Vec<String>,
    /// The accepted issuers. `None` if tokens are not accepted.
    pub issuers: Option<AcceptedIssuers>,
    /// The maximum age of a proof.
    pub max_age: Duration,
    /// Whether a proof may be used only once.
    pub single_use: bool,
}

/// Checks proofs by an operator's settings.
pub struct ProofVerifier {
    settings: ProofSettings,
    requests: SignedRequestRules,
    /// `None` if tokens are not accepted.
    tokens: Option<TokenVerifier>,
}

/// A proof that is for this service.
pub enum CheckedProof {
    /// A signed request whose signature STS still has to check.
    SignedRequest(CheckedRequest),
    /// A token with a valid signature.
    Token(VerifiedToken),
}

impl ProofVerifier {
    /// A verifier by these settings. Nothing is sent.
    pub async fn new(settings: ProofSettings, sts: &StsSettings, transport: &Transport) -> Self {
        let regions = std::iter::once(&sts.region).chain(&sts.allowed_regions).cloned();
        let (audiences, max_age) = (settings.audiences.clone(), settings.max_age);
        let tokens = settings.issuers.clone().map(|issuers| {
            let settings = TokenSettings {
                audiences: audiences.clone(),
                issuers,
                max_age,
                default_partition: partition_of(&sts.region).unwrap_or("aws").to_owned(),
                timeout: sts.attempt_timeout,
            };
            TokenVerifier::new(settings, transport.clone())
        });
        let hosts = StsHosts::new(regions).await;
        Self { settings, requests: SignedRequestRules { hosts, audiences, max_age }, tokens }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &ProofSettings {
        &self.settings
    }

    /// Reads and checks a proof of an accepted kind.
    ///
    /// # Errors
    ///
    /// Why the proof is not valid, or why that cannot be found out.
    pub async fn check(
        &self,
        posted: &PostedProof,
        accept: Accept,
        now: SystemTime,
        deadline: Instant,
    ) -> Result<CheckedProof, ProofFailure> {
        if let PostedProof::Token(PostedText { member, text }) = posted
            && !is_token(text.expose_secret())
        {
            // It is of no kind, so it is malformed whatever kinds are accepted.
            return Err(ValidationError::Invalid(member, "must be an EKS token or a JWT").into());
        }
        if !accept.proof(kind_of(posted)) {
            return Err(ProofFailure::NotAccepted);
        }
        match posted {
            PostedProof::Token(PostedText { member, text })
                if kind_of(posted) == ProofKind::WebIdentityToken =>
            {
                self.check_token(text.expose_secret(), member, now, deadline).await
            }
            _ => self.check_request(posted, now).map(CheckedProof::SignedRequest),
        }
    }

    /// Reads and checks a signed request.
    ///
    /// # Errors
    ///
    /// Why the request is not valid.
    pub fn check_request(
        &self,
        posted: &PostedProof,
        now: SystemTime,
    ) -> Result<CheckedRequest, ProofFailure> {
        signed_request(posted)?.check(&self.requests, now)
    }

    /// The access key ID in a signed request's scope, whether the request is valid or not.
    #[must_use]
    pub fn access_key_of(posted: &PostedProof) -> Option<String> {
        signed_request(posted).ok()?.access_key_id()
    }

    async fn check_token(
        &self,
        token: &str,
        member: &'static str,
        now: SystemTime,
        deadline: Instant,
    ) -> Result<CheckedProof, ProofFailure> {
        let tokens = self.tokens.as_ref().ok_or(ProofFailure::NotAccepted)?;
        tokens.verify(token, member, now, deadline).await.map(CheckedProof::Token)
    }
}

fn signed_request(posted: &PostedProof) -> Result<SignedRequest, ValidationError> {
    match posted {
        PostedProof::Token(PostedText { member, text }) => {
            SignedRequest::from_token(text.expose_secret(), member)
        }
        PostedProof::PresignedUrl(PostedText { member, text }) => {
            SignedRequest::from_url(text.expose_secret(), member)
        }
        PostedProof::IamLogin(login) => SignedRequest::from_iam_login(members(login)),
    }
}

/// The kind of a proof, judged by its form.
#[must_use]
pub fn kind_of(posted: &PostedProof) -> ProofKind {
    match posted {
        PostedProof::Token(PostedText { text, .. })
            if !text.expose_secret().starts_with(EKS_TOKEN_PREFIX) =>
        {
            ProofKind::WebIdentityToken
        }
        _ => ProofKind::SignedRequest,
    }
}

/// Whether a text has the form of an EKS token, or the three parts of a JWT.
fn is_token(text: &str) -> bool {
    text.starts_with(EKS_TOKEN_PREFIX) || text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Reads a proof from a header: an EKS token, a JWT, or a presigned URL.
///
/// # Errors
///
/// [`ValidationError`] for any other text.
pub fn proof_in_header(text: &str, header: &'static str) -> Result<PostedProof, ValidationError> {
    let posted = |text: &str| PostedText { member: header, text: text.into() };
    match text {
        url if url.starts_with("https://") => Ok(PostedProof::PresignedUrl(posted(url))),
        token if is_token(token) => Ok(PostedProof::Token(posted(token))),
        _ => Err(ValidationError::Invalid(header, "must be an EKS token, a JWT or a presigned URL")),
    }
}

fn members(login: &PostedLogin) -> IamLogin<'_> {
    fn text(member: Option<&SecretString>) -> Option<&str> {
        member.map(SecretString::expose_secret)
    }
    IamLogin {
        method: text(login.method.as_ref()),
        url: text(login.url.as_ref()),
        body: text(login.body.as_ref()),
        headers: login.headers.as_ref().map(|headers| match headers {
            PostedHeaders::Text(text) => HeaderMember::Text(text.expose_secret()),
            PostedHeaders::Object(text) => HeaderMember::Object(text.expose_secret()),
        }),
    }
}
