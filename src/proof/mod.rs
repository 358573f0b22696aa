//! The proofs that are posted instead of credentials: signed requests and web identity tokens.

mod accept;
mod error;
pub mod replay;
pub mod signed_request;
mod strict_json;
pub mod token;
mod verifier;

pub use accept::{Accept, ProofKind};
pub use error::{ProofError, ProofFailure};
pub use verifier::{CheckedProof, ProofSettings, ProofVerifier, kind_of, proof_in_header};
