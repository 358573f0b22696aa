//! The labels of the figures.

use crate::config::build;
use crate::sts::Verdict;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use std::fmt::{self, Write as _};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "OpenTelemetry's names")]
pub(super) struct HttpLabels {
    pub(super) http_request_method: &'static str,
    pub(super) http_route: String,
    pub(super) http_response_status_code: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct VerdictLabels {
    pub(super) verdict: Word,
    pub(super) proof: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct GateLabels {
    pub(super) policy: String,
    pub(super) decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StsLabels {
    pub(super) region: String,
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceLabels {
    pub(super) source: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CodeLabels {
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabels {
    pub(super) version: &'static str,
    pub(super) revision: &'static str,
    pub(super) target: &'static str,
}

impl BuildLabels {
    pub(super) const THIS: Self =
        Self { version: build::VERSION, revision: build::REVISION, target: build::TARGET };
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FileLabels {
    pub(super) file: &'static str,
}

/// What is loaded again when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadedFile {
    /// The digests of API keys.
    ApiKeys,
    /// The certificate that is served, with its key.
    Tls,
    /// Who may pass which gate.
    Policies,
    /// The CA certificates to trust for STS.
    CaBundle,
}

impl ReloadedFile {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ApiKeys => "api_keys",
            Self::Tls => "tls",
            Self::Policies => "policies",
            Self::CaBundle => "ca_bundle",
        }
    }
}

/// A verdict as the value of a label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Word(pub(super) Verdict);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), fmt::Error> {
        encoder.write_str(self.0.as_str())
    }
}
