//! The kinds of credentials and proofs that may be posted: the words of `STS_VERIFY_ACCEPT` and of a policy's
//! `accept`.

/// A kind of proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProofKind {
    /// A signed GetCallerIdentity request, in any of its forms.
    SignedRequest,
    /// The JWT of `sts:GetWebIdentityToken`.
    WebIdentityToken,
}

impl ProofKind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::SignedRequest, Self::WebIdentityToken];

    /// The word in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedRequest => "signed_request",
            Self::WebIdentityToken => "web_identity_token",
        }
    }
}

/// The kinds that may be posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accept {
    /// Access keys with their secrets.
    pub credentials: bool,
    /// [`ProofKind::SignedRequest`].
    pub signed_requests: bool,
    /// [`ProofKind::WebIdentityToken`].
    pub web_identity_tokens: bool,
}

impl Accept {
    /// Nothing.
    pub const NOTHING: Self = Self { credentials: false, signed_requests: false, web_identity_tokens: false };

    /// The words for all kinds, as an operator writes them.
    pub const WORDS: [&str; 3] = ["credentials", "signed-requests", "web-identity-tokens"];

    /// Adds the kind that a word names. Returns `false` if there is no such kind.
    #[must_use]
    pub fn add(&mut self, word: &str) -> bool {
        match word {
            "credentials" => self.credentials = true,
            "signed-requests" => self.signed_requests = true,
            "web-identity-tokens" => self.web_identity_tokens = true,
            _ => return false,
        }
        true
    }

    /// Whether proofs of a kind are accepted.
    #[must_use]
    pub fn proof(self, kind: ProofKind) -> bool {
        match kind {
            ProofKind::SignedRequest => self.signed_requests,
            ProofKind::WebIdentityToken => self.web_identity_tokens,
        }
    }

    /// The same without credentials, which a gate never accepts.
    #[must_use]
    pub fn proofs_alone(self) -> Self {
        Self { credentials: false, ..self }
    }

    /// Whether the other accepts everything that this accepts.
    #[must_use]
    pub fn within(self, other: Self) -> bool {
        (!self.credentials || other.credentials)
            && (!self.signed_requests || other.signed_requests)
            && (!self.web_identity_tokens || other.web_identity_tokens)
    }
}
