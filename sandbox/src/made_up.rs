//! Made-up credentials and IDs: derived from a text, so that they are the same in every run, with the form of
//! AWS's, and with EXAMPLE at the end.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

/// An access key id: 20 characters.
pub(crate) fn access_key_id(prefix: &str, seed: &str) -> String {
    format!("{prefix}{}EXAMPLE", capitals(9, "access key id", seed))
}

/// The unique id of a user or a role: 21 characters.
pub(crate) fn unique_id(prefix: &str, seed: &str) -> String {
    format!("{prefix}{}EXAMPLE", capitals(10, "unique id", seed))
}

/// A secret access key: 40 characters of base64.
pub(crate) fn secret_access_key(seed: &str) -> String {
    format!("{:.30}EXAMPLEKEY", STANDARD.encode(digest("secret access key", seed)))
}

/// A session token: base64, shorter than AWS's.
pub(crate) fn session_token(seed: &str) -> String {
    format!("SandboxSession/{:.43}/EXAMPLETOKEN==", STANDARD.encode(digest("session token", seed)))
}

/// Letters and digits as in AWS's IDs, which are base32.
fn capitals(length: usize, purpose: &str, seed: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letters = digest(purpose, seed).into_iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
    letters.take(length).collect()
}

fn digest(purpose: &str, seed: &str) -> [u8; 32] {
    Sha256::digest(format!("{purpose} of {seed}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_values_have_the_form_of_aws_s_and_differ_by_their_seed() {
        let all = |seed| {
            [
                access_key_id("AKIA", seed),
                unique_id("AIDA", seed),
                secret_access_key(seed),
                session_token(seed),
            ]
        };
        let [key, id, secret, token] = all("a");
        assert_eq!([key.len(), id.len(), secret.len()], [20, 21, 40]);
        let capital =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        assert!(capital(&key) && capital(&id), "{key} {id}");
        let base64 =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/+=".contains(&byte));
        assert!(base64(&secret) && base64(&token), "{secret} {token}");
        assert_eq!(all("a"), all("a"));
        for (one, other) in all("a").iter().zip(&all("b")) {
            assert_ne!(one, other);
        }
    }
}
