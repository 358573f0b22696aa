//! The sandbox's own callers.

use std::collections::HashSet;

use crate::{caller::Behaviour, regions::partition_of, render_table, table};

fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

#[test]
fn every_key_looks_like_one_and_ends_in_example() {
    for key in table().iter().map(|caller| &caller.access_key_id) {
        assert_eq!(key.len(), 20, "{key}");
        assert!(all(key, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()), "{key}");
        assert!(key.ends_with("EXAMPLE"), "{key}");
    }
}

#[test]
fn every_secret_looks_like_one() {
    for secret in table().iter().map(|caller| &caller.secret_access_key) {
        assert_eq!(secret.len(), 40, "{secret}");
        assert!(all(secret, |byte| byte.is_ascii_alphanumeric() || b"/+".contains(&byte)), "{secret}");
        assert!(secret.contains("EXAMPLEKEY"), "{secret}");
    }
}

#[test]
fn session_keys_and_only_they_have_a_token() {
    for caller in table() {
        let prefix = if caller.session_token.is_some() { "ASIA" } else { "AKIA" };
        assert!(caller.access_key_id.starts_with(prefix), "{}", caller.access_key_id);
    }
}

#[test]
fn tokens_are_base64_and_one_is_as_long_as_a_real_one() {
    let tokens: Vec<_> = table().into_iter().filter_map(|caller| caller.session_token).collect();
    for token in &tokens {
        assert!(all(token, |byte| byte.is_ascii_alphanumeric() || b"/+=".contains(&byte)), "{token}");
    }
    assert!(tokens.iter().any(|token| token.len() > 300));
}

#[test]
fn no_two_rows_share_a_key_a_secret_or_a_token() {
    let mut seen = HashSet::new();
    for caller in table() {
        let key = caller.access_key_id;
        assert!(seen.insert(key.clone()), "{key}");
        assert!(seen.insert(caller.secret_access_key), "{key}");
        assert!(caller.session_token.is_none_or(|token| seen.insert(token)), "{key}");
    }
}

#[test]
fn every_identity_belongs_to_the_partition_of_its_row() {
    for caller in table() {
        let (arn, account, user_id) = (caller.arn(), caller.account(), caller.user_id());
        let partition = partition_of(&caller.region).expect("a region of AWS");
        assert!(arn.starts_with(&format!("arn:{partition}:")), "{arn}");
        assert!(arn.contains(&format!("::{account}:")), "{arn}");
        assert!(account.len() == 12 && all(account, |byte| byte.is_ascii_digit()), "{account}");
        let unique = user_id.split(':').next().unwrap_or_default();
        let length = if unique.starts_with('A') { 21 } else { 12 };
        assert_eq!(unique.len(), length, "{user_id}");
    }
}

#[test]
fn a_client_that_gets_round_what_is_odd_about_a_row_is_named() {
    for caller in table().into_iter().filter(|caller| matches!(caller.behaviour, Behaviour::ClockAhead(_))) {
        let mut ask = super::Ask::of(&caller.access_key_id);
        ask.late = time::Duration::HOUR;
        assert!(super::answer(ask.post()).body.contains("user/sandbox/anyone</Arn>"));
    }
}

#[test]
fn the_rendered_table_has_every_row_and_token_and_no_line_break_in_a_row() {
    let callers = table();
    let text = render_table(&callers);
    for caller in &callers {
        let row = text.lines().find(|line| line.starts_with(&caller.access_key_id)).expect("a line");
        assert!(row.contains(&caller.secret_access_key) && row.ends_with(&caller.description), "{row}");
        assert!(caller.session_token.as_ref().is_none_or(|token| text.contains(token)));
    }
}
