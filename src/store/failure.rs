//! The errors of Redis. No text contains any part of the URL but the host's address, or any part of an answer
//! but an error code: Redis repeats an unknown command, which may be the one with the password.

use redis::{ErrorKind, RedisError};
use std::sync::Arc;

/// The purpose of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// To connect.
    Connect,
    /// To mark a proof as used.
    Take,
    /// To remove that mark.
    GiveBack,
    /// To count a caller's request.
    RateLimit,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 4] = [Self::Connect, Self::Take, Self::GiveBack, Self::RateLimit];

    /// The word in logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Take => "take",
            Self::GiveBack => "give_back",
            Self::RateLimit => "rate_limit",
        }
    }
}

/// Called for each failure.
pub type OnFailure = Arc<dyn Fn(Operation, &RedisFailure) + Send + Sync>;

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisFailure {
    /// There is no connection. Nothing was sent.
    #[error("not connected")]
    NotConnected,
    /// No connection could be made. The text is the system's or the TLS library's.
    #[error("no connection can be made: {0}")]
    Unreachable(String),
    /// User or password are wrong, or required and missing.
    #[error("user or password is wrong")]
    NotAuthenticated,
    /// There was no answer in time. The command may have been executed.
    #[error("no answer in time")]
    TimedOut,
    /// The connection was lost before the answer. The command may have been executed.
    #[error("the connection was lost")]
    Lost,
    /// Redis rejected the command with this code.
    #[error("refused with {0}")]
    Refused(String),
    /// The answer does not match the command.
    #[error("the answer is not one of Redis'")]
    Unexpected,
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    NoRandomness,
}

/// Error codes that a new connection may not get: after a failover the name leads to another server, or a
/// password was set.
const CODES_OF_A_CONNECTION: [&str; 3] = ["MASTERDOWN", "NOAUTH", "READONLY"];

impl RedisFailure {
    /// Whether the command may have been executed.
    pub(super) fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Lost | Self::Unexpected)
    }

    /// Whether the connection is no longer usable.
    pub(super) fn asks_for_another_connection(&self) -> bool {
        match self {
            Self::Refused(code) => CODES_OF_A_CONNECTION.contains(&code.as_str()),
            _ => true,
        }
    }
}

impl From<RedisError> for RedisFailure {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::NotAuthenticated,
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused(code(&error)),
            ErrorKind::Io => Self::Lost,
            _ => Self::Unexpected,
        }
    }
}

/// The code of an error, which is a word in capitals.
fn code(error: &RedisError) -> String {
    let is_code = |code: &&str| code.len() <= 16 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    error.code().filter(is_code).unwrap_or("an error").to_owned()
}
