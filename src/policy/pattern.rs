//! Patterns of ARNs, matched like IAM's condition operator ArnLike
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN>).

use wildmatch::WildMatch;

/// The number of parts of an ARN, which colons separate. The last one may contain colons itself.
const PARTS: usize = 6;

/// A pattern for the ARN of a principal: `*` matches any run of characters in its part, `?` matches one.
#[derive(Debug, Clone, PartialEq)]
pub struct ArnPattern {
    parts: [WildMatch; PARTS],
    account_has_wildcard: bool,
    has_role_path: bool,
}

/// The text is not a pattern for a principal's ARN. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be the ARN of a user, role, federated user or root, such as arn:aws:iam::123456789012:role/ci-*"
)]
pub struct PatternError;

impl ArnPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`PatternError`] if the pattern can match no principal.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let parts: Vec<&str> = text.splitn(PARTS, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts[..] else {
            return Err(PatternError);
        };
        let has_wildcard = |part: &str| part.contains(['*', '?']);
        let is_possible = text.bytes().all(|byte| byte.is_ascii_graphic())
            && could_be_partition(partition)
            // ARNs of IAM and STS have no region.
            && region.bytes().all(|byte| byte == b'*')
            && could_be_account(account)
            && could_be_principal(service, resource);
        if !is_possible {
            return Err(PatternError);
        }
        Ok(Self {
            parts: ["arn", partition, service, region, account, resource].map(WildMatch::new),
            account_has_wildcard: has_wildcard(account),
            has_role_path: resource.strip_prefix("role/").is_some_and(|name| name.contains('/')),
        })
    }

    /// Whether the pattern matches an ARN, part by part: no wildcard extends over a colon into the next part.
    #[must_use]
    pub fn matches(&self, arn: &str) -> bool {
        let mut parts = arn.splitn(PARTS, ':');
        self.parts.iter().all(|pattern| parts.next().is_some_and(|part| pattern.matches(part)))
    }

    /// Whether it can match principals of more than one account.
    #[must_use]
    pub fn account_has_wildcard(&self) -> bool {
        self.account_has_wildcard
    }

    /// Whether it contains a role's path, which GetCallerIdentity leaves out.
    #[must_use]
    pub fn has_role_path(&self) -> bool {
        self.has_role_path
    }
}

/// Whether a text is `aws`, another partition such as `aws-cn`, or a pattern that one of these can match.
fn could_be_partition(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || b"-*?".contains(&byte))
        && ["aws", "aws-?*"].into_iter().any(|partition| overlap(text, partition))
}

/// Whether a text is twelve digits, or a pattern that twelve digits can match.
fn could_be_account(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || b"*?".contains(&byte)) && overlap(text, "????????????")
}

/// Whether a service and a resource can be those of a principal. A session is not a principal: the principal of
/// an assumed role is the role.
fn could_be_principal(service: &str, resource: &str) -> bool {
    let forms = [("iam", "user/?*"), ("iam", "role/?*"), ("sts", "federated-user/?*"), ("iam", "root")];
    // A name contains no slash.
    !resource.ends_with('/')
        && forms.into_iter().any(|(of, form)| WildMatch::new(service).matches(of) && overlap(resource, form))
}

/// Whether there is a text that matches both patterns.
fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    // For each end of `other`: whether a text matches both it and the end of `one` that was reached.
    let mut ends: Vec<bool> =
        (0..=other.len()).map(|at| other[at..].iter().all(|byte| *byte == b'*')).collect();
    for byte in one.iter().rev() {
        let mut longer = vec![false; ends.len()];
        for at in (0..ends.len()).rev() {
            longer[at] = match (*byte, other.get(at).copied()) {
                (b'*', None) => ends[at],
                (b'*', Some(_)) | (_, Some(b'*')) => ends[at] || longer[at + 1],
                (byte, Some(same)) => (byte == same || byte == b'?' || same == b'?') && ends[at + 1],
                (_, None) => false,
            };
        }
        ends = longer;
    }
    ends[0]
}
