//! The handlers.

pub(crate) mod health;
pub(crate) mod lambda;
pub(crate) mod verify;
