//! The ARN of a caller, as GetCallerIdentity and `sts:GetWebIdentityToken` return it, and the principal in it.
//!
//! The forms are those of the IAM User Guide, "IAM identifiers"
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).

use super::is_account_id;
use std::fmt::{self, Display, Formatter};

/// The kind of principal that an ARN names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// `arn:aws:iam::A:user/path/name`.
    User,
    /// `arn:aws:iam::A:role/path/name`, the name of a role in a web identity token.
    Role,
    /// `arn:aws:sts::A:assumed-role/name/session`, the name of a role's session in GetCallerIdentity. It does
    /// not contain the role's path.
    AssumedRole,
    /// `arn:aws:sts::A:federated-user/name`.
    FederatedUser,
    /// `arn:aws:iam::A:root`.
    Root,
}

/// The ARN of a caller in its parts.
///
/// Every part is printable ASCII without spaces, so that it can be put into a header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallerArn {
    /// Such as `aws` or `aws-cn`.
    pub partition: String,
    /// Twelve digits.
    pub account: String,
    /// The kind of principal.
    pub kind: PrincipalKind,
    /// The path of a user or a role, with a slash at both ends; `/` for none. `None` for kinds without a path.
    pub path: Option<String>,
    /// The name without its path. `None` for root.
    pub name: Option<String>,
    /// The name of a role's session.
    pub session: Option<String>,
}

/// The text is not the ARN of a caller. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the ARN of a caller")]
pub struct ArnError;

impl PrincipalKind {
    /// The name of the kind in the ARN's resource.
    fn resource(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
            Self::AssumedRole => "assumed-role",
            Self::FederatedUser => "federated-user",
            Self::Root => "root",
        }
    }

    fn service(self) -> &'static str {
        match self {
            Self::User | Self::Role | Self::Root => "iam",
            Self::AssumedRole | Self::FederatedUser => "sts",
        }
    }

    fn named(service: &str, resource: &str) -> Option<Self> {
        const ALL: [PrincipalKind; 5] = [
            PrincipalKind::User,
            PrincipalKind::Role,
            PrincipalKind::AssumedRole,
            PrincipalKind::FederatedUser,
            PrincipalKind::Root,
        ];
        ALL.into_iter().find(|kind| kind.service() == service && kind.resource() == resource)
    }

    /// The kind in a list of verified keys, where a session counts as one: `user`, `assumed-role`,
    /// `federated-user`, `root`.
    #[must_use]
    pub fn caller_type(self) -> &'static str {
        match self {
            Self::Role => Self::AssumedRole.resource(),
            other => other.resource(),
        }
    }

    /// The kind of the principal, where a role counts and not its session: `user`, `role`, `federated-user`,
    /// `root`.
    #[must_use]
    pub fn principal_type(self) -> &'static str {
        match self {
            Self::AssumedRole => Self::Role.resource(),
            other => other.resource(),
        }
    }
}

impl CallerArn {
    /// Reads an ARN.
    ///
    /// # Errors
    ///
    /// [`ArnError`] for any text that is not the ARN of a caller as STS returns it.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ArnError);
        }
        // A user's path may contain colons: the sixth part is the whole rest.
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, resource] = parts[..] else { return Err(ArnError) };
        if !is_partition(partition) || !is_account_id(account) {
            return Err(ArnError);
        }
        let (resource, rest) =
            resource.split_once('/').map_or((resource, None), |(name, rest)| (name, Some(rest)));
        let kind = PrincipalKind::named(service, resource).ok_or(ArnError)?;
        let (path, name, session) = named_parts(kind, rest).ok_or(ArnError)?;
        Ok(Self { partition: partition.to_owned(), account: account.to_owned(), kind, path, name, session })
    }

    /// The ARN of the principal: the role's ARN for a role's session, otherwise this one. GetCallerIdentity
    /// leaves out the path of an assumed role, so the role's ARN has none either.
    #[must_use]
    pub fn principal(&self) -> String {
        match self.kind {
            PrincipalKind::AssumedRole => {
                let Self { partition, account, name, .. } = self;
                format!("arn:{partition}:iam::{account}:role/{}", name.as_deref().unwrap_or_default())
            }
            _ => self.to_string(),
        }
    }
}

impl Display for CallerArn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { partition, account, kind, path, name, session } = self;
        write!(f, "arn:{partition}:{}::{account}:{}", kind.service(), kind.resource())?;
        if let Some(name) = name {
            write!(f, "{}{name}", path.as_deref().unwrap_or("/"))?;
        }
        session.as_ref().map_or(Ok(()), |session| write!(f, "/{session}"))
    }
}

/// `aws`, or another name such as `aws-cn`.
fn is_partition(text: &str) -> bool {
    let mut words = text.split('-');
    words.next() == Some("aws")
        && words.all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// Path, name and session, from the text after the kind and its slash.
type NamedParts = (Option<String>, Option<String>, Option<String>);

fn named_parts(kind: PrincipalKind, rest: Option<&str>) -> Option<NamedParts> {
    let whole = |text: &str| (!text.is_empty() && !text.contains('/')).then(|| text.to_owned());
    match (kind, rest) {
        (PrincipalKind::Root, None) => Some((None, None, None)),
        (PrincipalKind::User | PrincipalKind::Role, Some(rest)) => {
            let (path, name) = rest
                .rsplit_once('/')
                .map_or_else(|| ("/".to_owned(), rest), |(path, name)| (format!("/{path}/"), name));
            Some((Some(path), Some(whole(name)?), None))
        }
        (PrincipalKind::AssumedRole, Some(rest)) => {
            let (name, session) = rest.split_once('/')?;
            Some((None, Some(whole(name)?), Some(whole(session)?)))
        }
        (PrincipalKind::FederatedUser, Some(rest)) => Some((None, Some(whole(rest)?), None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> (&'static str, Option<String>, Option<String>, Option<String>, String) {
        let arn = CallerArn::parse(text).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(arn.to_string(), text);
        (arn.kind.caller_type(), arn.path.clone(), arn.name.clone(), arn.session.clone(), arn.principal())
    }

    #[test]
    fn every_kind_of_caller_is_read() {
        for (arn, kind, [path, name, session], principal) in [
            (
                "arn:aws:iam::123456789012:user/ann",
                "user",
                ["/", "ann", ""],
                "arn:aws:iam::123456789012:user/ann",
            ),
            (
                "arn:aws:iam::123456789012:user/division_abc/x:y/Zhang@example.com-CLI",
                "user",
                ["/division_abc/x:y/", "Zhang@example.com-CLI", ""],
                "arn:aws:iam::123456789012:user/division_abc/x:y/Zhang@example.com-CLI",
            ),
            (
                "arn:aws-cn:sts::123456789012:assumed-role/Deploy/i-0123",
                "assumed-role",
                ["", "Deploy", "i-0123"],
                "arn:aws-cn:iam::123456789012:role/Deploy",
            ),
            (
                "arn:aws-us-gov:iam::123456789012:role/ci/Deploy",
                "assumed-role",
                ["/ci/", "Deploy", ""],
                "arn:aws-us-gov:iam::123456789012:role/ci/Deploy",
            ),
            (
                "arn:aws-iso-b:sts::123456789012:federated-user/bob",
                "federated-user",
                ["", "bob", ""],
                "arn:aws-iso-b:sts::123456789012:federated-user/bob",
            ),
            (
                "arn:aws-eusc:iam::123456789012:root",
                "root",
                ["", "", ""],
                "arn:aws-eusc:iam::123456789012:root",
            ),
        ] {
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let expected = (kind, given(path), given(name), given(session), principal.to_owned());
            assert_eq!(parts(arn), expected, "{arn}");
        }
    }

    #[test]
    fn arns_that_sts_does_not_return_are_rejected() {
        for text in [
            "",
            "arn:aws:iam::123456789012",
            "arn:aws:iam::12345678901:user/ann",
            "arn:aws:iam::1234567890123:user/ann",
            "arn:aws:iam::12345678901x:root",
            "arn:aws:iam:us-east-1:123456789012:root",
            "ARN:aws:iam::123456789012:root",
            "arn:AWS:iam::123456789012:root",
            "arn:awsx:iam::123456789012:root",
            "arn:aws-:iam::123456789012:root",
            "arn:aws:sts::123456789012:root",
            "arn:aws:iam::123456789012:root/x",
            "arn:aws:iam::123456789012:user",
            "arn:aws:iam::123456789012:user/",
            "arn:aws:iam::123456789012:user/ops/",
            "arn:aws:sts::123456789012:user/ann",
            "arn:aws:iam::123456789012:group/ops",
            "arn:aws:iam::123456789012:assumed-role/r/s",
            "arn:aws:sts::123456789012:assumed-role/r",
            "arn:aws:sts::123456789012:assumed-role//s",
            "arn:aws:sts::123456789012:assumed-role/r/",
            "arn:aws:sts::123456789012:assumed-role/r/s/t",
            "arn:aws:sts::123456789012:federated-user/a/b",
            "arn:aws:iam::123456789012:user/a nn",
            "arn:aws:iam::123456789012:user/ann\n",
            "arn:aws:iam::123456789012:user/é",
        ] {
            assert_eq!(CallerArn::parse(text), Err(ArnError), "{text}");
        }
    }

    #[test]
    fn callers_and_principals_have_different_type_names() {
        let words = |kind: PrincipalKind| (kind.caller_type(), kind.principal_type());
        assert_eq!(words(PrincipalKind::AssumedRole), ("assumed-role", "role"));
        assert_eq!(words(PrincipalKind::Role), ("assumed-role", "role"));
        assert_eq!(words(PrincipalKind::User), ("user", "user"));
        assert_eq!(words(PrincipalKind::FederatedUser), ("federated-user", "federated-user"));
        assert_eq!(words(PrincipalKind::Root), ("root", "root"));
    }

    proptest! {
        #[test]
        fn an_arn_is_written_as_it_was_read(path in "(/[!-.0-~]{1,8}){0,3}", name in "[A-Za-z0-9_+=,.@-]{1,64}", account in "[0-9]{12}") {
            for text in [
                format!("arn:aws:iam::{account}:user{path}/{name}"),
                format!("arn:aws:iam::{account}:role{path}/{name}"),
                format!("arn:aws:sts::{account}:assumed-role/{name}/{name}"),
                format!("arn:aws:sts::{account}:federated-user/{name}"),
            ] {
                let arn = CallerArn::parse(&text).unwrap();
                prop_assert_eq!(arn.to_string(), text);
                prop_assert!(CallerArn::parse(&arn.principal()).unwrap().session.is_none());
            }
        }

        #[test]
        fn no_text_makes_it_panic_and_accepted_arns_are_written_as_read(text in "(arn:aws:(iam|sts)::[0-9]{12}:)?\\PC{0,60}") {
            if let Ok(arn) = CallerArn::parse(&text) {
                prop_assert_eq!(arn.to_string(), text);
            }
        }
    }
}
