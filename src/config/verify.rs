//! The settings of `sts-verify verify`, and of the commands that help a person at a shell.

use super::proofs::audiences;
use super::{Audiences, StsArgs, parse};
use crate::batch::formats::Format;
use crate::batch::report::ReportFormat;
use crate::proof::token::AcceptedIssuers;
use crate::proof::{Accept, ProofSettings};
use clap::{Args, ValueEnum};
use clap_complete::Shell;
use std::path::PathBuf;
use std::time::Duration;

/// The end of the help text.
pub(super) const VERIFY_EXAMPLES: &str = "\
Examples:
  aws configure export-credentials | sts-verify verify
  trufflehog filesystem --json . | sts-verify verify
  sts-verify verify ~/Downloads/rootkey.csv ~/.aws/credentials old/.env
  sts-verify verify --offline keys.csv              account and kind of each key; nothing is sent
  sts-verify verify --partitions aws,aws-us-gov,aws-cn --output csv report.json > live.csv
  sts-verify verify --output ndjson keys.csv > done.ndjson
  sts-verify verify --output ndjson --resume done.ndjson keys.csv >> done.ndjson
  sts-verify verify --fail-on valid --output sarif keys.csv > keys.sarif

STS is not called for the keys of decoys (canary tokens), since a call alerts their owner: verdict skipped, CanaryAccount.

Exit codes:
  0    every entry was read and has a verdict that is not indeterminate
  1    a key is valid, with --fail-on valid
  2    some are indeterminate: nobody knows
  64   a wrong option
  65   some could not be read; each is a line on stderr
  74   the output could not be written
  130  Ctrl-C: what was known has been printed; go on with --resume

HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR are heeded. No credentials are read but those of the files.";

/// The settings of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The files to read; `-` or none is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The format of the files
    #[arg(long, value_enum, default_value = "auto", hide_possible_values = true, help = FORMAT_HELP)]
    pub format: Format,
    /// The form of the output: `table`, `ndjson`, `csv` or `sarif` [default: table on a terminal, else ndjson]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub output: Option<ReportFormat>,
    /// The partitions to try for a key, one after the other while it is unknown, such as aws,aws-us-gov,aws-cn
    /// [default: that of the region]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = parse::partition)]
    pub partitions: Vec<&'static str>,
    /// The maximum number of calls to STS at once
    #[arg(long, default_value = "16", value_name = "N", value_parser = parse::count)]
    pub concurrency: usize,
    /// The maximum rate of calls to STS, as in 50/s or 600/m [default: as many as STS accepts]
    #[arg(long, value_name = "N/UNIT", value_parser = parse::requests_per_second)]
    pub rate: Option<f64>,
    /// After this time a key that STS throttles is given up
    #[arg(long, default_value = "10m", value_name = "TIME", value_parser = parse::duration)]
    pub give_up: Duration,
    /// Call nothing: report the account and the kind of each key
    #[arg(long)]
    pub offline: bool,
    /// Call STS for the keys of decoys, too. It alerts their owner
    #[arg(long)]
    pub ask_canaries: bool,
    /// A file with more accounts that hold decoys, one per line
    #[arg(long, value_name = "FILE")]
    pub canaries: Option<PathBuf>,
    /// The names of a service, comma-separated: proofs that are made for one of them are entries, too [default:
    /// proofs cannot be read]
    #[arg(long, value_name = "NAMES", value_parser = audiences)]
    pub audience: Option<Audiences>,
    /// The accepted issuers of web identity tokens: comma-separated URLs, or `*` for those of every AWS account
    #[arg(long, value_name = "URLS", default_value = "*", requires = "audience", value_parser = AcceptedIssuers::parse)]
    pub token_issuers: AcceptedIssuers,
    /// Exit with 1 if a key has this verdict
    #[arg(long, value_enum, value_name = "VERDICT")]
    pub fail_on: Option<FailOn>,
    /// An earlier ndjson output: entries that are valid or decoys there are skipped
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// The settings of calls to STS.
    #[command(flatten)]
    pub sts: StsArgs,
}

/// The maximum age of a signed request: STS's own limit.
const MAX_PROOF_AGE: Duration = Duration::from_mins(15);

impl VerifyArgs {
    /// The settings for proofs. `None` if they are not read. Single use is off: nobody who verifies a list
    /// grants access for its proofs.
    #[must_use]
    pub fn proofs(&self) -> Option<ProofSettings> {
        let Audiences(audiences) = self.audience.clone()?;
        Some(ProofSettings {
            accept: Accept { credentials: true, signed_requests: true, web_identity_tokens: true },
            audiences,
            issuers: Some(self.token_issuers.clone()),
            max_age: MAX_PROOF_AGE,
            single_use: false,
        })
    }
}

const FORMAT_HELP: &str = "The format of the files: auto, json, ndjson, ini (the credentials file), env, csv, trufflehog, betterleaks or kingfisher";

/// A verdict that fails a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// The key is valid.
    Valid,
}

/// The shell for the completions.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The command for the man page.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command [default: the program]
    #[arg(value_name = "COMMAND")]
    pub command: Option<String>,
}
