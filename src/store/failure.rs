//! What can go wrong with Redis. No text of it holds anything of the URL but its host's address, and nothing that Redis answered
//! but the code of an error: Redis repeats a command that it does not know, and that may be the password's.

use redis::{ErrorKind, RedisError};
use std::sync::Arc;

/// What Redis was wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// To be connected.
    Connect,
    /// To note that a proof is being used.
    Take,
    /// To note that it was not used.
    GiveBack,
    /// To count a caller's request.
    RateLimit,
}

impl Operation {
    /// All of them.
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

/// Is told of each failure.
pub type OnFailure = Arc<dyn Fn(Operation, &RedisFailure) + Send + Sync>;

/// Why Redis did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisFailure {
    /// There is no connection. Nothing was sent.
    #[error("not connected")]
    NotConnected,
    /// No connection could be made: the system's or the TLS library's words.
    #[error("no connection can be made: {0}")]
    Unreachable(String),
    /// User or password are wrong, or wanted and not given.
    #[error("user or password is wrong")]
    NotAuthenticated,
    /// There was no answer in time. The command may have been carried out.
    #[error("no answer in time")]
    TimedOut,
    /// The connection was lost before an answer came. The command may have been carried out.
    #[error("the connection was lost")]
    Lost,
    /// Redis refused the command, with this code.
    #[error("refused with {0}")]
    Refused(String),
    /// What was answered is not what the command is answered with.
    #[error("the answer is not one of Redis'")]
    Unexpected,
    /// The system has no random numbers.
    #[error("the system has no random numbers")]
    NoRandomness,
}

/// Codes that a new connection may not get: after a failover the name leads to another server; a password was set.
const CODES_OF_A_CONNECTION: [&str; 3] = ["MASTERDOWN", "NOAUTH", "READONLY"];

impl RedisFailure {
    /// Whether the command may have been carried out all the same.
    pub(super) fn outcome_is_unknown(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Lost | Self::Unexpected)
    }

    /// Whether the connection is good for nothing more.
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
