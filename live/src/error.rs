//! Why a command fails, in words for an operator.

use std::error::Error;
use thiserror::Error;

/// Why a command ends without success.
#[derive(Debug, Error)]
pub enum Failure {
    /// Something is not set up as it must be; the hint says what to do.
    #[error("{message}\nHINT: {hint}")]
    Refused { message: String, hint: String },
    /// The database reports an error, or the connection to it broke.
    #[error("{}", database_error(.0))]
    Database(#[from] tokio_postgres::Error),
    /// Any other failure.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Something that is not set up as it must be, and what to do.
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// The server's own words if it sent any; the client library alone would say "db error".
pub fn database_error(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(report) => format!("{} (SQLSTATE {})", report.message(), report.code().code()),
        None => match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}
