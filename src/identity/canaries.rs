//! Accounts that hold decoys: keys that are left to be found, and that alert their owner when they are used.
//!
//! The accounts are those that TruffleHog publishes (`pkg/detectors/aws/access_keys/canary.go`, read in
//! November 2026): ten of canarytokens.org and sixteen of services like it.

use super::is_account_id;
use std::collections::HashSet;

const KNOWN: [&str; 26] = [
    "044858866125",
    "052310077262",
    "171436882533",
    "251535659677",
    "266735846894",
    "344043088457",
    "351906852752",
    "390477818340",
    "426127672474",
    "427150556519",
    "439872796651",
    "445142720921",
    "465867158099",
    "534261010715",
    "595918472158",
    "637958123769",
    "693412236332",
    "717712589309",
    "730335385048",
    "732624840810",
    "735421457923",
    "819147034852",
    "893192397702",
    "959235150393",
    "982842642351",
    "992382622183",
];

/// The accounts that count as holding decoys.
#[derive(Debug, Clone)]
pub struct Canaries(HashSet<String>);

impl Default for Canaries {
    /// The accounts that are known to this program.
    fn default() -> Self {
        Self(KNOWN.map(str::to_owned).into())
    }
}

impl Canaries {
    /// Adds the accounts in a text: one per line, with comments after a `#`.
    ///
    /// # Errors
    ///
    /// The number of the first line with anything other than an account.
    pub fn add_lines(&mut self, text: &str) -> Result<(), usize> {
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let account = line.split('#').next().unwrap_or_default().trim();
            if is_account_id(account) {
                self.0.insert(account.to_owned());
            } else if !account.is_empty() {
                return Err(index + 1);
            }
        }
        Ok(())
    }

    /// Whether an account holds decoys.
    #[must_use]
    pub fn contains(&self, account: &str) -> bool {
        self.0.contains(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_accounts_are_accounts_and_each_is_listed_once() {
        assert!(KNOWN.iter().all(|account| is_account_id(account)));
        assert!(KNOWN.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn an_operator_adds_accounts_with_comments() {
        let mut canaries = Canaries::default();
        canaries.add_lines("\u{feff}# ours\r\n123456789012 # honeypot\r\n\r\n210987654321").unwrap();
        assert!(canaries.contains("123456789012") && canaries.contains("210987654321"));
        assert!(canaries.contains("534261010715"));
        assert!(!canaries.contains("000000000000"));
    }

    #[test]
    fn a_line_that_is_not_an_account_is_named() {
        for (text, line) in [("12345678901", 1), ("123456789012\n\nx", 3), ("1234567890123", 1)] {
            assert_eq!(Canaries::default().add_lines(text), Err(line), "{text}");
        }
    }
}
