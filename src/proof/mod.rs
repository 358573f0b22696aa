//! What is posted in place of credentials: signed requests and web identity tokens.

mod accept;

pub use accept::{Accept, ProofKind};
