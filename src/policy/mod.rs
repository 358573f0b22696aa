//! The policies of the gates: the policies file, and the decision about one principal.
//!
//! The file is TOML; docs/gates.md lists its members. [`Policies::from_toml`] checks the whole file, so that a
//! decision never fails.

mod file;
mod pattern;
mod watched;

pub use file::{PoliciesError, PolicyContext};
pub use pattern::{ArnPattern, PatternError};
pub use watched::{PoliciesFile, PoliciesFileError};

use crate::identity::{CallerArn, PrincipalKind};
use crate::proof::{Accept, ProofKind};
use std::collections::HashMap;
use wildmatch::WildMatch;

/// All policies by their names.
#[derive(Debug, Clone)]
pub struct Policies(HashMap<String, Policy>);

/// The principals that may pass one gate. A list that is present must match; one that is absent matches every
/// principal.
#[derive(Debug, Clone)]
pub struct Policy {
    accounts: Option<Vec<String>>,
    principals: Option<Vec<ArnPattern>>,
    org_ids: Option<Vec<String>>,
    org_paths: Option<Vec<WildMatch>>,
    accept: Accept,
    allow_root: bool,
    single_use: bool,
}

/// The principal of a valid proof, with the values that a policy uses.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The ARN from STS or from a token.
    pub arn: &'a CallerArn,
    /// The organisation, which only tokens contain.
    pub org_id: Option<&'a str>,
    /// The account's paths in the organisation, which only tokens contain.
    pub org_paths: &'a [String],
}

impl Policies {
    /// Reads a policies file.
    ///
    /// # Errors
    ///
    /// [`PoliciesError`] with the line of the first error.
    pub fn from_toml(text: &str, context: PolicyContext) -> Result<Self, PoliciesError> {
        file::read(text, context).map(Self)
    }

    /// The policy with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Policy> {
        self.0.get(name)
    }

    /// The number of policies.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the policies with a pattern that no signed request can match, in alphabetical order: the
    /// pattern has a role's path, which GetCallerIdentity leaves out.
    #[must_use]
    pub fn with_role_paths(&self) -> Vec<&str> {
        let unmatched = |policy: &Policy| {
            policy.accept.signed_requests && policy.principals.iter().flatten().any(ArnPattern::has_role_path)
        };
        let mut names: Vec<_> =
            self.0.iter().filter(|(_, policy)| unmatched(policy)).map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

impl Policy {
    /// Whether the gate accepts proofs of a kind.
    #[must_use]
    pub fn accepts(&self, kind: ProofKind) -> bool {
        self.accept.proof(kind)
    }

    /// The kinds of proofs that the gate accepts.
    #[must_use]
    pub fn accept(&self) -> Accept {
        self.accept
    }

    /// Whether a proof may be used only once at this gate.
    #[must_use]
    pub fn single_use(&self) -> bool {
        self.single_use
    }

    /// Whether a principal may pass.
    #[must_use]
    pub fn allows(&self, subject: &Subject<'_>) -> bool {
        let Subject { arn, org_id, org_paths } = *subject;
        let principal = arn.principal();
        let root_allowed = self.allow_root || arn.kind != PrincipalKind::Root;
        root_allowed
            && matches(self.accounts.as_ref(), |account| *account == arn.account)
            && matches(self.principals.as_ref(), |pattern| pattern.matches(&principal))
            && matches(self.org_ids.as_ref(), |id| Some(id.as_str()) == org_id)
            && matches(self.org_paths.as_ref(), |pattern| org_paths.iter().any(|path| pattern.matches(path)))
    }
}

fn matches<T>(list: Option<&Vec<T>>, entry: impl FnMut(&T) -> bool) -> bool {
    list.is_none_or(|list| list.iter().any(entry))
}

#[cfg(test)]
mod tests;
