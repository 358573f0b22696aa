//! From an entry to a question: whose key it is about, what tells it from others, and what is to be done for it.

use super::Runner;
use crate::batch::answer::{Answer, KeyInfo};
use crate::batch::entry::{Question, ReadError};
use crate::batch::known::Fingerprint;
use crate::batch::proofs::{not_read, refused};
use crate::batch::steps::Steps;
use crate::credentials::{PostedProof, PostedText, VerifyRequest};
use crate::proof::signed_request::CheckedRequest;
use crate::proof::{ProofFailure, ProofKind, ProofVerifier, kind_of};
use crate::sts::StsCall;
use secrecy::ExposeSecret as _;
use std::time::SystemTime;

/// An entry that has been understood.
pub(super) struct Understood {
    pub key: KeyInfo,
    pub id: Fingerprint,
    pub next: Next,
}

/// What is to be done for a question.
pub(super) enum Next {
    Do(Steps),
    /// Nothing: this is its answer.
    Tell(Answer),
}

impl Runner {
    pub(super) fn understand(&self, question: Question) -> Result<Understood, ReadError> {
        match question {
            Question::Credentials(request) => self.understand_credentials(request),
            Question::Proof(proof) => {
                let proofs = self.settings.proofs.as_ref().ok_or(ReadError::ProofNotAccepted)?;
                match proof {
                    PostedProof::Token(PostedText { ref text, .. })
                        if kind_of(&proof) == ProofKind::WebIdentityToken =>
                    {
                        let id = self.ids.of("token", [text.expose_secret()]).short();
                        self.understood(KeyInfo::none(), id, || Ok(Next::Do(Steps::Token(proof))))
                    }
                    request => self.understand_request(proofs, &request),
                }
            }
        }
    }

    fn understand_credentials(&self, request: VerifyRequest) -> Result<Understood, ReadError> {
        let VerifyRequest { credentials, region } = request;
        let key = KeyInfo::of(credentials.access_key_id(), &self.settings.canaries);
        // The region of a key that is not asked about does not matter.
        let asker = self.asker.as_ref().filter(|_| self.skipped(&key).is_none());
        let routes = asker.map(|asker| asker.routes(&region).ok_or(ReadError::Region));
        let clients = routes.transpose()?.unwrap_or_default();
        let first = clients.first().map_or("", |client| client.name());
        let [secret, token] = credentials.secrets();
        let id = self.ids.of("credentials", [first, credentials.access_key_id(), secret, token]).short();
        let access_key_id = credentials.access_key_id().to_owned();
        let call = StsCall::Credentials(credentials);
        self.understood(key, id, || Ok(Next::Do(Steps::Partitions { call, clients, access_key_id })))
    }

    fn understand_request(
        &self,
        proofs: &ProofVerifier,
        posted: &PostedProof,
    ) -> Result<Understood, ReadError> {
        let access_key_id = ProofVerifier::access_key_of(posted);
        let key = |id: &String| KeyInfo::of(id, &self.settings.canaries);
        let key = access_key_id.as_ref().map_or_else(KeyInfo::none, key);
        match proofs.check_request(posted, SystemTime::now()) {
            Ok(request) => self.understand_checked(key, access_key_id.unwrap_or_default(), &request),
            Err(ProofFailure::Refused(error)) => {
                let id = self.ids.of("refused", posted.texts()).short();
                self.understood(key, id, || Ok(Next::Tell(refused(error))))
            }
            Err(failure) => Err(not_read(&failure)),
        }
    }

    fn understand_checked(
        &self,
        key: KeyInfo,
        access_key_id: String,
        request: &CheckedRequest,
    ) -> Result<Understood, ReadError> {
        // What was read can be sent.
        let calls = request.audiences().iter().filter_map(|audience| request.call(audience).ok());
        let calls: Vec<StsCall> = calls.collect();
        let values = calls.first().map_or(Vec::new(), |call| match call {
            StsCall::Signed(signed) => signed.values(),
            StsCall::Credentials(_) => Vec::new(),
        });
        let id = self.ids.of("signed request", values).short();
        self.understood(key, id, || {
            let client = self.asker.as_ref().and_then(|asker| asker.client_of_host(request.host()));
            let client = client.ok_or(ReadError::Region)?.clone();
            Ok(Next::Do(Steps::Audiences { client, calls, access_key_id }))
        })
    }

    /// The next is not looked at for a key that is not asked about.
    fn understood(
        &self,
        key: KeyInfo,
        id: Fingerprint,
        next: impl FnOnce() -> Result<Next, ReadError>,
    ) -> Result<Understood, ReadError> {
        let next = self.skipped(&key).map_or_else(next, |answer| Ok(Next::Tell(answer)))?;
        Ok(Understood { key, id, next })
    }

    /// The answer for a key that is not asked about.
    fn skipped(&self, key: &KeyInfo) -> Option<Answer> {
        if key.canary && (self.asker.is_none() || !self.settings.ask_canaries) {
            return Some(Answer::skipped(
                "CanaryAccount",
                "The key's account is known to hold decoys. To ask about it would alarm their owner.",
            ));
        }
        self.asker.is_none().then(|| Answer::skipped("Offline", "Nothing is asked with --offline."))
    }
}
