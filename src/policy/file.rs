//! Parses the policies file, and reports errors with their line.

use super::{ArnPattern, Policy};
use crate::identity::is_account_id;
use crate::proof::Accept;
use serde::Deserialize;
use std::collections::HashMap;
use toml::Spanned;
use wildmatch::WildMatch;

/// The service's settings that a policy must fit.
#[derive(Debug, Clone, Copy)]
pub struct PolicyContext {
    /// The kinds that the service accepts (`STS_VERIFY_ACCEPT`).
    pub accept: Accept,
}

/// An error in a policies file, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct PoliciesError {
    /// The line, counted from 1.
    pub line: usize,
    /// The error.
    pub problem: String,
}

type List = Option<Spanned<Vec<Spanned<String>>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    policy: HashMap<Spanned<String>, Spanned<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    accounts: List,
    principals: List,
    org_ids: List,
    org_paths: List,
    accept: List,
    #[serde(default)]
    allow_root: bool,
    #[serde(default)]
    single_use: bool,
}

/// An error and its position in the text.
struct Mistake {
    offset: usize,
    problem: String,
}

pub(super) fn read(text: &str, context: PolicyContext) -> Result<HashMap<String, Policy>, PoliciesError> {
    let text = text.trim_start_matches('\u{feff}');
    check(text, context).map_err(|Mistake { offset, problem }| {
        let before = text.get(..offset).unwrap_or(text);
        PoliciesError { line: before.matches('\n').count() + 1, problem }
    })
}

fn check(text: &str, context: PolicyContext) -> Result<HashMap<String, Policy>, Mistake> {
    let file: File = toml::from_str(text).map_err(|error| Mistake {
        offset: error.span().map_or(0, |span| span.start),
        problem: error.message().replace('\n', " "),
    })?;
    if file.policy.is_empty() {
        return Err(Mistake {
            offset: 0,
            problem: "there is no policy; one begins with [policy.NAME]".to_owned(),
        });
    }
    let policies = file.policy.into_iter().map(|(name, entry)| {
        let at = name.span().start;
        let name = name.into_inner();
        if !is_name(&name) {
            return Err(mistake(at, "a policy's name must be 1 to 64 characters of A-Z, a-z, 0-9, - and _"));
        }
        let policy = entry.into_inner().check(at, &name, context)?;
        Ok((name, policy))
    });
    // The first error of the file, whatever the order of the map.
    let (policies, mistakes): (Vec<_>, Vec<_>) = policies.partition(Result::is_ok);
    match mistakes.into_iter().filter_map(Result::err).min_by_key(|mistake| mistake.offset) {
        Some(first) => Err(first),
        None => Ok(policies.into_iter().flatten().collect()),
    }
}

impl Entry {
    fn check(self, at: usize, name: &str, context: PolicyContext) -> Result<Policy, Mistake> {
        let accept = accepted(self.accept, context)?;
        let account = |text: &str| {
            is_account_id(text).then(|| text.to_owned()).ok_or("must be an account of twelve digits")
        };
        let org_id = |text: &str| {
            is_org_id(text)
                .then(|| text.to_owned())
                .ok_or("must be an organisation's ID, such as o-abc1234567")
        };
        let org_path = |text: &str| {
            let id = text.split('/').next().unwrap_or_default();
            let possible = text.bytes().all(|byte| byte.is_ascii_graphic()) && is_org_id(id);
            possible
                .then(|| WildMatch::new(text))
                .ok_or("must be a path such as o-abc1234567/r-ab12/ou-ab12-11111111/*")
        };
        let policy = Policy {
            accounts: entries("accounts", self.accounts, account)?,
            principals: entries("principals", self.principals, |text| {
                ArnPattern::parse(text).map_err(|error| error.to_string())
            })?,
            org_ids: entries("org_ids", self.org_ids, org_id)?,
            org_paths: entries("org_paths", self.org_paths, org_path)?,
            accept,
            allow_root: self.allow_root,
            single_use: self.single_use,
        };
        policy.bounded(name).map_err(|problem| Mistake { offset: at, problem })?;
        Ok(policy)
    }
}

impl Policy {
    /// A policy that every AWS account in the world could pass is an error.
    fn bounded(&self, name: &str) -> Result<(), String> {
        let by_organisation = self.org_ids.is_some() || self.org_paths.is_some();
        let Some(principals) = &self.principals else {
            let one = self.accounts.is_some() || by_organisation;
            let wanted = "needs an entry in accounts, principals, org_ids or org_paths";
            return if one { Ok(()) } else { Err(format!("policy {name} {wanted}")) };
        };
        let any_account = principals.iter().any(ArnPattern::account_has_wildcard);
        let tokens_alone = self.accept.web_identity_tokens && !self.accept.signed_requests;
        if !any_account || self.accounts.is_some() || (tokens_alone && by_organisation) {
            return Ok(());
        }
        Err(format!(
            "policy {name}: principals with a wildcard for the account need accounts, or, where tokens alone are accepted, \
             org_ids or org_paths"
        ))
    }
}

/// The kinds that a policy accepts: its own, or else those of the service without credentials.
fn accepted(words: List, context: PolicyContext) -> Result<Accept, Mistake> {
    let most = context.accept.proofs_alone();
    let Some(words) = words else { return Ok(most) };
    let at = words.span().start;
    let mut accept = Accept::NOTHING;
    for word in words.into_inner() {
        let at = word.span().start;
        if !accept.add(word.get_ref()) || accept.credentials {
            return Err(mistake(at, "accept: must be signed-requests or web-identity-tokens"));
        }
        if !accept.within(most) {
            return Err(mistake(at, "accept: STS_VERIFY_ACCEPT does not have it"));
        }
    }
    if accept == Accept::NOTHING {
        return Err(mistake(at, "accept: must not be empty"));
    }
    Ok(accept)
}

/// The entries of a list. An empty list would match no principal.
fn entries<T, E: Into<String>>(
    member: &str,
    list: List,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<Vec<T>>, Mistake> {
    let Some(list) = list else { return Ok(None) };
    if list.get_ref().is_empty() {
        return Err(Mistake { offset: list.span().start, problem: format!("{member}: must not be empty") });
    }
    let entries = list.into_inner().into_iter().map(|entry| {
        let problem = |problem: E| Mistake {
            offset: entry.span().start,
            problem: format!("{member}: {}", problem.into()),
        };
        read(entry.get_ref()).map_err(problem)
    });
    entries.collect::<Result<Vec<_>, _>>().map(Some)
}

fn mistake(offset: usize, problem: &str) -> Mistake {
    Mistake { offset, problem: problem.to_owned() }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// `^o-[a-z0-9]{10,32}$`, the form in AWS Organizations.
fn is_org_id(text: &str) -> bool {
    text.strip_prefix("o-").is_some_and(|id| {
        (10..=32).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}
