//! The shape of the sandbox's table: who calls, and what comes of it. The rows themselves are in [`super::rows`].
//!
//! A row does exactly one thing out of the ordinary, and says at which stage of a request it does it. The stages are
//! walked in one place, [`super::respond`]; a new row needs no new code unless it does something new.

use std::{fmt::Write as _, time::Duration as Wait};

use time::Duration;

use super::{refusal::Refusal, rows::CALLERS};

/// One row: credentials that are made up, and so may be printed, and what the sandbox does with them.
#[derive(Debug)]
pub struct Caller {
    /// Twenty characters: `AKIA` (a long-term key) or `ASIA` (a session's), … , `EXAMPLE`.
    pub access_key_id: &'static str,
    /// Forty characters, a different one in each row.
    pub secret_access_key: &'static str,
    /// The token, where the key is a session's.
    pub session_token: Option<&'static str>,
    /// The region to ask; any other of the same partition that needs no opting in does as well.
    pub region: &'static str,
    /// One line: what the row shows.
    pub what: &'static str,
    pub(crate) behaviour: Behaviour,
}

/// Whom STS names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub arn: &'static str,
    pub user_id: &'static str,
    pub account: &'static str,
}

/// What is out of the ordinary about a row, by the stage at which it shows.
#[derive(Debug)]
pub(crate) enum Behaviour {
    /// On the way in: something between the client and STS changes the request.
    Altered(Alteration),
    /// At the check of the clock: STS's own is this much ahead of the true time.
    ClockAhead(Duration),
    /// At the check of the key: STS does not (or no longer) take it.
    Key(Standing),
    /// After every check: what is answered.
    Answers(Reply),
}

/// What is done to a request before STS reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alteration {
    /// The signature is taken off, as by a proxy that drops Authorization.
    Unsigned,
    /// A blank gets into the Authorization header; a presigned URL loses its end.
    Mangled,
    /// The scope names a region that AWS does not have.
    OtherRegion,
}

/// What STS knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Deleted,
    /// Known, but not in the region that was asked.
    Elsewhere,
    Expired,
}

/// What a caller gets whose request passed every check.
#[derive(Debug)]
pub(crate) enum Reply {
    Identity(Identity),
    Refusal(Refusal),
    /// Two 500s, then the identity, over and over.
    Flaky(Identity),
    /// The identity, late.
    Slow(Wait, Identity),
    /// Nothing, on a connection that stays open.
    Silence,
    /// Nothing, on a connection that is closed.
    HangUp,
    EmptyUnavailable,
    ProxyPage,
    CutShort(Identity),
}

/// Named where a row's oddity is one that a client can get round, say by setting its clock to the sandbox's.
const ANYONE: Reply = Reply::Identity(Identity {
    arn: "arn:aws:iam::123456789012:user/sandbox/anyone",
    user_id: "AIDASBXANYONE0EXAMPLE",
    account: "123456789012",
});

impl Behaviour {
    pub fn alteration(&self) -> Option<Alteration> {
        if let Self::Altered(alteration) = self { Some(*alteration) } else { None }
    }

    pub fn clock_ahead(&self) -> Duration {
        if let Self::ClockAhead(ahead) = self { *ahead } else { Duration::ZERO }
    }

    pub fn standing(&self) -> Standing {
        if let Self::Key(standing) = self { *standing } else { Standing::Good }
    }

    pub fn reply(&self) -> &Reply {
        if let Self::Answers(reply) = self { reply } else { &ANYONE }
    }
}

/// Every caller that the sandbox knows.
#[must_use]
pub fn table() -> &'static [Caller] {
    CALLERS
}

/// The row of an access key id.
pub(super) fn find(access_key_id: &str) -> Option<&'static Caller> {
    CALLERS.iter().find(|caller| caller.access_key_id == access_key_id)
}

/// The table as text, for the start of a sandbox and for the README: a line a row, then the session tokens, which are
/// too long for a column.
#[must_use]
pub fn print_table() -> String {
    let mut text = format!("{:<20}  {:<40}  {:<14}  shows\n", "access key id", "secret access key", "region");
    for caller in CALLERS {
        let Caller { access_key_id, secret_access_key, region, what, .. } = caller;
        // Writing to a String cannot fail.
        _ = writeln!(text, "{access_key_id}  {secret_access_key}  {region:<14}  {what}");
    }
    text.push_str("\nKeys that begin with ASIA need their session token:\n\n");
    for caller in CALLERS {
        if let Some(token) = caller.session_token {
            _ = writeln!(text, "{}  {token}", caller.access_key_id);
        }
    }
    text.push_str(
        "\nAny row with another secret answers SignatureDoesNotMatch; an ASIA row without its token, or with another's,\n\
         and any key that is not in the table, InvalidClientTokenId; a row asked in another partition the same, but\n\
         without the dot at the end of its message.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::sts::partitions::partition_of;

    fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
        text.bytes().all(allowed)
    }

    /// Those whom some row names.
    fn identities() -> impl Iterator<Item = (&'static Caller, &'static Identity)> {
        CALLERS.iter().filter_map(|caller| match caller.behaviour.reply() {
            Reply::Identity(identity)
            | Reply::Flaky(identity)
            | Reply::Slow(_, identity)
            | Reply::CutShort(identity) => Some((caller, identity)),
            _ => None,
        })
    }

    #[test]
    fn every_key_looks_like_one_and_ends_in_example() {
        for key in CALLERS.iter().map(|caller| caller.access_key_id) {
            assert_eq!(key.len(), 20, "{key}");
            assert!(all(key, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()), "{key}");
            assert!(key.ends_with("EXAMPLE"), "{key}");
        }
    }

    #[test]
    fn every_secret_looks_like_one() {
        for secret in CALLERS.iter().map(|caller| caller.secret_access_key) {
            assert_eq!(secret.len(), 40, "{secret}");
            assert!(all(secret, |byte| byte.is_ascii_alphanumeric() || b"/+".contains(&byte)), "{secret}");
            assert!(secret.contains("EXAMPLEKEY"), "{secret}");
        }
    }

    #[test]
    fn session_keys_and_only_they_have_a_token() {
        for caller in CALLERS {
            let prefix = if caller.session_token.is_some() { "ASIA" } else { "AKIA" };
            assert!(caller.access_key_id.starts_with(prefix), "{}", caller.access_key_id);
        }
    }

    #[test]
    fn tokens_are_base64_and_one_is_as_long_as_a_real_one() {
        let tokens: Vec<_> = CALLERS.iter().filter_map(|caller| caller.session_token).collect();
        for token in &tokens {
            assert!(all(token, |byte| byte.is_ascii_alphanumeric() || b"/+=".contains(&byte)), "{token}");
        }
        assert!(tokens.iter().any(|token| token.len() > 300));
    }

    #[test]
    fn no_two_rows_share_a_key_a_secret_or_a_token() {
        let mut seen = HashSet::new();
        for caller in CALLERS {
            assert!(seen.insert(caller.access_key_id), "{}", caller.access_key_id);
            assert!(seen.insert(caller.secret_access_key), "{}", caller.access_key_id);
            assert!(caller.session_token.is_none_or(|token| seen.insert(token)), "{}", caller.access_key_id);
        }
    }

    #[test]
    fn every_identity_belongs_to_the_partition_of_its_row() {
        for (caller, Identity { arn, user_id, account }) in identities() {
            let partition = partition_of(caller.region).expect("a region of AWS");
            assert!(arn.starts_with(&format!("arn:{partition}:")), "{arn}");
            assert!(arn.contains(&format!("::{account}:")), "{arn}");
            assert!(account.len() == 12 && all(account, |byte| byte.is_ascii_digit()), "{account}");
            let unique = user_id.split(':').next().unwrap_or_default();
            let length = if unique.starts_with('A') { 21 } else { 12 };
            assert_eq!(unique.len(), length, "{user_id}");
        }
    }

    #[test]
    fn the_printed_table_has_every_row_and_token_and_no_line_break_in_a_row() {
        let text = print_table();
        for caller in CALLERS {
            let row = text.lines().find(|line| line.starts_with(caller.access_key_id)).expect("a line");
            assert!(row.contains(caller.secret_access_key) && row.ends_with(caller.what), "{row}");
            assert!(caller.session_token.is_none_or(|token| text.contains(token)));
        }
    }
}
