//! The settings about proofs: the accepted kinds, the audience, and the policies of the gates.

use super::parse;
use crate::proof::token::AcceptedIssuers;
use crate::proof::{Accept, ProofSettings};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// STS's own limit for the age of a signature.
const MAX_PROOF_AGE: Duration = Duration::from_mins(15);
/// A gate gets a request for every request of a client; its answers are cached for at most this time.
const MAX_GATE_CACHE: Duration = Duration::from_mins(5);

/// The audience of the sandbox, if none is set.
const SANDBOX_AUDIENCE: &str = "sandbox";

/// The settings about proofs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Proofs")]
pub struct ProofArgs {
    /// What may be posted, comma-separated: credentials, signed-requests, web-identity-tokens. Without
    /// credentials in it, no secret is ever accepted [default: credentials; with an audience also
    /// signed-requests; with issuers also web-identity-tokens]
    #[arg(long, env = "STS_VERIFY_ACCEPT", value_name = "KINDS", value_parser = accept)]
    pub accept: Option<Accept>,
    /// The names of this service, comma-separated. A proof must be made for exactly one of them
    #[arg(long, env = "STS_VERIFY_AUDIENCE", value_name = "NAMES", value_parser = audiences)]
    pub audience: Option<Audiences>,
    /// The maximum age of a signature or a token, at most 15m, which is STS's own limit for signatures
    #[arg(long, env = "STS_VERIFY_MAX_PROOF_AGE", default_value = "15m", value_name = "TIME", value_parser = proof_age)]
    pub max_proof_age: Duration,
    /// Accept a proof only once at /verify and in the Lambda interface. kubectl uses an EKS token repeatedly,
    /// so do not use it for that. A gate's policy has a setting of its own
    #[arg(long, env = "STS_VERIFY_SINGLE_USE", default_value = "false", value_name = "BOOL", value_parser = parse::boolean, action = clap::ArgAction::Set)]
    pub single_use: bool,
    /// The accepted issuers of tokens: comma-separated URLs, or `*` for those of every AWS account
    #[arg(long, env = "STS_VERIFY_TOKEN_ISSUERS", value_name = "URLS", value_parser = AcceptedIssuers::parse)]
    pub token_issuers: Option<AcceptedIssuers>,
    /// A TOML file with the policies of the gates (/auth/{policy})
    #[arg(long, env = "STS_VERIFY_POLICIES_FILE", value_name = "FILE")]
    pub policies_file: Option<PathBuf>,
    /// How long a gate caches the answer for a valid signed request, at most 5m and never past the end of the
    /// proof; 0s turns the cache off
    #[arg(long, env = "STS_VERIFY_GATE_CACHE", default_value = "60s", value_name = "TIME", value_parser = |text: &str| parse::duration_up_to(text, MAX_GATE_CACHE))]
    pub gate_cache: Duration,
}

/// The names of this service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences(pub Vec<String>);

impl ProofArgs {
    /// Checks the settings as a whole. `sandbox_issuer` is the issuer of the sandbox's tokens, if the sandbox
    /// is used.
    ///
    /// # Errors
    ///
    /// One line that names the variable.
    pub fn settings(&self, sandbox_issuer: Option<&str>) -> Result<ProofSettings, String> {
        let own_audience = sandbox_issuer.map(|_| vec![SANDBOX_AUDIENCE.to_owned()]);
        let audiences = self.audience.clone().map(|names| names.0).or(own_audience);
        let own_issuer = sandbox_issuer.map(|issuer| AcceptedIssuers::List(vec![issuer.to_owned()]));
        let issuers = self.token_issuers.clone().or(own_issuer);
        let by_default = Accept {
            credentials: true,
            signed_requests: audiences.is_some(),
            web_identity_tokens: issuers.is_some(),
        };
        let accept = self.accept.unwrap_or(by_default);
        let proofs = accept.proofs_alone() != Accept::NOTHING;
        if proofs && audiences.is_none() {
            return Err("STS_VERIFY_AUDIENCE: must be set where signed requests or tokens are accepted: a proof for no \
                        service can be used by every service that received it"
                .to_owned());
        }
        if accept.web_identity_tokens && issuers.is_none() {
            return Err("STS_VERIFY_TOKEN_ISSUERS: must be set where tokens are accepted".to_owned());
        }
        if !proofs && self.single_use {
            return Err("STS_VERIFY_SINGLE_USE: means nothing where no proofs are accepted".to_owned());
        }
        if !proofs && self.policies_file.is_some() {
            return Err("STS_VERIFY_POLICIES_FILE: means nothing where no proofs are accepted; set STS_VERIFY_AUDIENCE".to_owned());
        }
        Ok(ProofSettings {
            accept,
            audiences: audiences.unwrap_or_default(),
            issuers: issuers.filter(|_| accept.web_identity_tokens),
            max_age: self.max_proof_age,
            single_use: self.single_use,
        })
    }
}

fn accept(text: &str) -> Result<Accept, String> {
    let mut accept = Accept::NOTHING;
    let known = text.split(',').all(|word| accept.add(word.trim()));
    if known { Ok(accept) } else { Err(format!("must be some of {}, by commas", Accept::WORDS.join(", "))) }
}

/// A proof is never from the very moment in which it is read.
fn proof_age(text: &str) -> Result<Duration, String> {
    let age = parse::duration_up_to(text, MAX_PROOF_AGE)?;
    if age < Duration::from_secs(1) { Err("must be a time of 1s to 900s".to_owned()) } else { Ok(age) }
}

/// Accepts names that can be both the value of a header and the audience of a token.
pub(super) fn audiences(text: &str) -> Result<Audiences, String> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let possible = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@".contains(&byte);
        if !(1..=1000).contains(&name.len()) || !name.bytes().all(possible) {
            return Err("must be names by commas, each of 1 to 1000 letters, digits and -._~:/@".to_owned());
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Ok(Audiences(names))
}

#[cfg(test)]
mod tests {
    use crate::config::Cli;
    use crate::proof::Accept;
    use clap::Parser as _;

    fn settings(arguments: &[&str], sandbox: Option<&str>) -> Result<super::ProofSettings, String> {
        let arguments = std::iter::once("sts-verify").chain(arguments.iter().copied());
        Cli::try_parse_from(arguments).map_err(|error| error.to_string())?.serve.http.proofs.settings(sandbox)
    }

    #[test]
    fn the_accepted_kinds_follow_from_the_settings() {
        let all = Accept { credentials: true, signed_requests: true, web_identity_tokens: true };
        let issuer = "--token-issuers=https://issuer.example";
        for (arguments, expected) in [
            (&[][..], Accept { credentials: true, ..Accept::NOTHING }),
            (&["--audience=a"], Accept { web_identity_tokens: false, ..all }),
            (&["--audience=a", issuer], all),
            (
                &["--audience=a", "--accept=signed-requests"],
                Accept { signed_requests: true, ..Accept::NOTHING },
            ),
            (
                &["--audience=a", issuer, "--accept= web-identity-tokens , credentials"],
                Accept { signed_requests: false, ..all },
            ),
        ] {
            assert_eq!(settings(arguments, None).unwrap().accept, expected, "{arguments:?}");
        }
    }

    #[test]
    fn contradicting_settings_are_rejected_with_the_variable() {
        let issuer = "--token-issuers=*";
        for (arguments, variable) in [
            (&["--accept=signed-requests"][..], "STS_VERIFY_AUDIENCE"),
            (&[issuer], "STS_VERIFY_AUDIENCE"),
            (&["--audience=a", "--accept=web-identity-tokens"], "STS_VERIFY_TOKEN_ISSUERS"),
            (&["--single-use=true"], "STS_VERIFY_SINGLE_USE"),
            (&["--policies-file=x.toml"], "STS_VERIFY_POLICIES_FILE"),
        ] {
            let error = settings(arguments, None).unwrap_err();
            assert!(error.starts_with(variable), "{arguments:?}: {error}");
        }
        for bad in [
            "--accept=",
            "--accept=jwt",
            "--audience=",
            "--audience=a,",
            "--audience=a b",
            "--max-proof-age=16m",
            "--gate-cache=6m",
        ] {
            assert!(settings(&[bad], None).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_sandbox_accepts_its_own_proofs() {
        let own = settings(&[], Some("http://127.0.0.1:1")).unwrap();
        assert_eq!(own.audiences, ["sandbox"]);
        assert!(own.accept.signed_requests && own.issuers.unwrap().accepts("http://127.0.0.1:1"));
        let named = settings(&["--audience=a,b,a"], Some("http://127.0.0.1:1")).unwrap();
        assert_eq!(named.audiences, ["a", "b"]);
    }
}
