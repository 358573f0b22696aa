//! `sts-verify api-key`: makes an API key.

use super::{Failure, print};
use crate::callers::api_keys::NewKey;
use crate::config::ApiKeyArgs;
use secrecy::ExposeSecret as _;

/// Prints a new key for its caller and its digest for the service. Neither is stored.
pub(super) fn run(args: &ApiKeyArgs) -> Result<(), Failure> {
    let new = NewKey::generate(args.name.as_deref())?;
    print("# An API key, for its caller alone. It is shown this once and kept nowhere:")?;
    print(new.key.expose_secret())?;
    print(
        "# Its digest, a line of the file that STS_VERIFY_API_KEYS_FILE names, or of STS_VERIFY_API_KEYS:",
    )?;
    Ok(print(&new.line)?)
}
