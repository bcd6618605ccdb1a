//! What can go wrong before and while the service runs, in words for an operator.

use std::fmt;
use std::io::{self, Write};

/// Why a command ends.
#[derive(Debug)]
pub enum Failure {
    /// The command line or the environment is wrong.
    Usage(String),
    /// Something is not as it has to be; the hint says what to do.
    Refused { message: String, hint: String },
    /// The rest.
    Other(String),
}

impl Failure {
    /// Something that is not as it has to be, and what to do.
    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) | Self::Other(message) => f.write_str(message),
            Self::Refused { message, hint } => write!(f, "{message}\nHINT: {hint}"),
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Other(database_error(&error))
    }
}

/// The server's own words where it has some: the client library says "db error" only.
pub fn database_error(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(report) => format!("{} (SQLSTATE {})", report.message(), report.code().code()),
        None => {
            let cause = std::error::Error::source(error);
            cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
        }
    }
}

/// Tells the operator something.
pub fn say(message: impl fmt::Display) {
    // Whoever read this may be gone; the service goes on.
    let _ = writeln!(io::stderr(), "signal_hub_live: {message}");
}
