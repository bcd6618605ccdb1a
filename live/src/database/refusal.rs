//! Why the database did not do what a client or the service asked for.

use crate::error::database_error;
use deadpool_postgres::{PoolError, TimeoutType};
use thiserror::Error;
use tokio_postgres::error::SqlState;

/// Why the database did not do it.
#[derive(Debug, Error)]
pub enum Refusal {
    /// What the client sent is wrong, in words for the client.
    #[error("{0}")]
    Invalid(String),
    /// The database finds a value wrong that the client sent. Its words may come from triggers and
    /// policies, so they are not for the client.
    #[error("{0}")]
    Rejected(String),
    /// The database does not let the role of the token do it.
    #[error("{0}")]
    Forbidden(String),
    /// The database did not do what an operator asked for, in its words.
    #[error("{0}")]
    Undone(String),
    /// There is no such row for this subscriber.
    #[error("there is no such row")]
    Missing,
    /// It would have to wait for the work of others.
    #[error("others are in the way")]
    Busy,
    /// The database reports an error, mostly a missing right. The operator can repair it.
    #[error("{0}")]
    Failed(String),
    /// The database cannot be reached.
    #[error("{0}")]
    Away(String),
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
            | SqlState::CHARACTER_NOT_IN_REPERTOIRE => Self::Rejected(words),
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
        match error {
            PoolError::Backend(error) => Self::Away(database_error(&error)),
            // All are in use.
            PoolError::Timeout(TimeoutType::Wait) => Self::Busy,
            other => Self::Away(other.to_string()),
        }
    }
}
