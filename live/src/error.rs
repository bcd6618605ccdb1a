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
        Some(report) => one_line(&format!(
            "{} (SQLSTATE {})",
            report.message(),
            report.code().code()
        )),
        None => match error.source() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}

/// Text from outside as one line without control characters: the server's messages repeat what
/// clients sent, which must not look like further lines of the log, nor steer a terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Also those that reverse the direction of what follows.
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => line.extend(c.escape_unicode()),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_is_one_line() {
        let hostile = "a\nsignal_hub_live: forged\r\u{1b}[2J\u{202e}\u{85}b\t\u{e4}";
        assert_eq!(
            one_line(hostile),
            r"a\nsignal_hub_live: forged\r\u{1b}[2J\u{202e}\u{85}b\t\u{e4}"
                .replace(r"\u{e4}", "\u{e4}")
        );
    }
}
