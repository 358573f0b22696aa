//! The labels of metrics, and their values.

use crate::config::build;
use crate::sts::Verdict;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use std::fmt::{self, Write as _};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "OpenTelemetry's names")]
pub(super) struct HttpLabels {
    pub http_request_method: &'static str,
    pub http_route: String,
    pub http_response_status_code: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct VerdictLabels {
    pub verdict: Word,
    pub proof: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct GateLabels {
    pub policy: String,
    pub decision: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StsLabels {
    pub region: String,
    pub outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SourceLabels {
    pub source: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CodeLabels {
    pub code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabels {
    pub version: &'static str,
    pub revision: &'static str,
    pub target: &'static str,
}

impl BuildLabels {
    pub const THIS: Self = Self { version: build::VERSION, revision: build::REVISION, target: build::TARGET };
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FileLabels {
    pub file: &'static str,
}

/// A file that is reloaded when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadedFile {
    /// The digests of API keys.
    ApiKeys,
    /// The service's certificate, with its key.
    Tls,
    /// The policies of the gates.
    Policies,
    /// The CA certificates to trust for STS and for issuers of tokens.
    CaBundle,
    /// Those for Redis.
    RedisCaBundle,
    /// Those for the collector of traces.
    OtlpCaBundle,
}

impl ReloadedFile {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ApiKeys => "api_keys",
            Self::Tls => "tls",
            Self::Policies => "policies",
            Self::CaBundle => "ca_bundle",
            Self::RedisCaBundle => "redis_ca_bundle",
            Self::OtlpCaBundle => "otlp_ca_bundle",
        }
    }
}

/// A verdict as a label's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Word(pub Verdict);

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder) -> Result<(), fmt::Error> {
        encoder.write_str(self.0.as_str())
    }
}
