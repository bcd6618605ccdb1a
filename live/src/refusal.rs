//! Why the database did not do what a client or the service asked for.

use crate::error::database_error;
use deadpool_postgres::PoolError;
use std::fmt;
use tokio_postgres::error::SqlState;

/// Why the database did not do it.
#[derive(Debug)]
pub enum Refusal {
    /// What the client sent is wrong, in the database's words.
    Invalid(String),
    /// There is no such row for this subscriber.
    Missing,
    /// Something else is under way that this would have to wait for.
    Busy,
    /// The database reports an error: a right that is missing, mostly. The operator's to mend.
    Failed(String),
    /// The database cannot be reached.
    Away(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(words) | Self::Failed(words) | Self::Away(words) => f.write_str(words),
            Self::Missing => f.write_str("there is no such row"),
            Self::Busy => f.write_str("others are in the way"),
        }
    }
}

impl From<&tokio_postgres::Error> for Refusal {
    fn from(error: &tokio_postgres::Error) -> Self {
        let words = database_error(error);
        let Some(report) = error.as_db_error() else {
            return Self::Away(words);
        };
        match *report.code() {
            SqlState::INVALID_TEXT_REPRESENTATION
            | SqlState::INVALID_PARAMETER_VALUE
            | SqlState::CHARACTER_NOT_IN_REPERTOIRE => Self::Invalid(report.message().to_owned()),
            SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_DEADLOCK_DETECTED => Self::Busy,
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
                Self::Away(words)
            }
            _ => Self::Failed(words),
        }
    }
}

impl From<PoolError> for Refusal {
    fn from(error: PoolError) -> Self {
        Self::Away(match error {
            PoolError::Backend(error) => database_error(&error),
            other => other.to_string(),
        })
    }
}
