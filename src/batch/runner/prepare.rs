//! Turns an entry into a request: its key, its fingerprint, and what has to be done for it.

use super::Runner;
use crate::batch::answer::{Answer, KeyInfo};
use crate::batch::entry::ReadError;
use crate::batch::known::Fingerprint;
use crate::batch::proofs::{invalid, read_error};
use crate::batch::steps::Steps;
use crate::credentials::{Posted, PostedProof, PostedText, VerifyRequest};
use crate::proof::signed_request::CheckedRequest;
use crate::proof::{ProofFailure, ProofKind, ProofVerifier, kind_of};
use crate::sts::StsCall;
use secrecy::ExposeSecret as _;
use std::time::SystemTime;

/// An entry that was read.
pub(super) struct Prepared {
    pub key: KeyInfo,
    pub id: Fingerprint,
    pub next: Next,
}

/// What has to be done for a request.
pub(super) enum Next {
    Do(Steps),
    /// Nothing: this is its answer.
    Answer(Answer),
}

impl Runner {
    pub(super) fn prepare(&self, posted: Posted) -> Result<Prepared, ReadError> {
        match posted {
            Posted::Credentials(request) => self.prepare_credentials(request),
            Posted::Proof(proof) => {
                let proofs = self.settings.proofs.as_ref().ok_or(ReadError::ProofNotAccepted)?;
                match proof {
                    PostedProof::Token(PostedText { ref text, .. })
                        if kind_of(&proof) == ProofKind::WebIdentityToken =>
                    {
                        let id = self.keys.of("token", [text.expose_secret()]).short();
                        self.prepared(KeyInfo::none(), id, || Ok(Next::Do(Steps::Token(proof))))
                    }
                    request => self.prepare_request(proofs, &request),
                }
            }
        }
    }

    fn prepare_credentials(&self, request: VerifyRequest) -> Result<Prepared, ReadError> {
        let VerifyRequest { credentials, region } = request;
        let key = KeyInfo::of(credentials.access_key_id(), &self.settings.canaries);
        // The region does not matter if the key is skipped.
        let sts = self.sts.as_ref().filter(|_| self.skipped(&key).is_none());
        let routes = sts.map(|sts| sts.routes(&region).ok_or(ReadError::Region));
        let clients = routes.transpose()?.unwrap_or_default();
        let first = clients.first().map_or("", |client| client.name());
        let [secret, token] = credentials.secrets();
        let id = self.keys.of("credentials", [first, credentials.access_key_id(), secret, token]).short();
        let access_key_id = credentials.access_key_id().to_owned();
        let call = StsCall::Credentials(credentials);
        self.prepared(key, id, || Ok(Next::Do(Steps::Partitions { call, clients, access_key_id })))
    }

    fn prepare_request(&self, proofs: &ProofVerifier, posted: &PostedProof) -> Result<Prepared, ReadError> {
        let access_key_id = ProofVerifier::access_key_of(posted);
        let key = |id: &String| KeyInfo::of(id, &self.settings.canaries);
        let key = access_key_id.as_ref().map_or_else(KeyInfo::none, key);
        match proofs.check_request(posted, SystemTime::now()) {
            Ok(request) => self.prepare_checked(key, access_key_id.unwrap_or_default(), &request),
            Err(ProofFailure::Invalid(error)) => {
                let id = self.keys.of("invalid proof", posted.texts()).short();
                self.prepared(key, id, || Ok(Next::Answer(invalid(error))))
            }
            Err(failure) => Err(read_error(&failure)),
        }
    }

    fn prepare_checked(
        &self,
        key: KeyInfo,
        access_key_id: String,
        request: &CheckedRequest,
    ) -> Result<Prepared, ReadError> {
        // This cannot fail: the values were checked when they were read.
        let calls = request.audiences().iter().filter_map(|audience| request.call(audience).ok());
        let calls: Vec<StsCall> = calls.collect();
        let values = calls.first().map_or(Vec::new(), |call| match call {
            StsCall::Signed(signed) => signed.values(),
            StsCall::Credentials(_) => Vec::new(),
        });
        let id = self.keys.of("signed request", values).short();
        self.prepared(key, id, || {
            let client = self.sts.as_ref().and_then(|sts| sts.client_of_host(request.host()));
            let client = client.ok_or(ReadError::Region)?.clone();
            Ok(Next::Do(Steps::Audiences { client, calls, access_key_id }))
        })
    }

    /// `next` is not called for a key that is skipped.
    fn prepared(
        &self,
        key: KeyInfo,
        id: Fingerprint,
        next: impl FnOnce() -> Result<Next, ReadError>,
    ) -> Result<Prepared, ReadError> {
        let next = self.skipped(&key).map_or_else(next, |answer| Ok(Next::Answer(answer)))?;
        Ok(Prepared { key, id, next })
    }

    /// The answer for a key that is skipped.
    fn skipped(&self, key: &KeyInfo) -> Option<Answer> {
        if key.canary && (self.sts.is_none() || !self.settings.ask_canaries) {
            return Some(Answer::skipped(
                "CanaryAccount",
                "The key's account is known to hold decoys. A call to STS would alert their owner.",
            ));
        }
        self.sts.is_none().then(|| Answer::skipped("Offline", "Nothing is sent with --offline."))
    }
}
