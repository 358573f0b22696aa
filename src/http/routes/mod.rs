//! The handlers.

pub(crate) mod batch;
pub(crate) mod gate;
pub(crate) mod health;
pub(crate) mod lambda;
pub(crate) mod metrics;
pub(crate) mod verify;
