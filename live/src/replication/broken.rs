//! Why a replication stream ended, in words for an operator.

use super::pgoutput::Malformed;
use crate::error::one_line;
use pgwire_replication::PgWireError;
use thiserror::Error;

/// Why a stream ended.
#[derive(Debug, Error)]
pub enum Broken {
    /// The server ended it, or the network.
    #[error("{words}{hint}", words = one_line(&.0.to_string()), hint = hint(&.0.to_string()))]
    Connection(#[from] PgWireError),
    /// The server cannot be reached, or not by TLS as it must be.
    #[error("{}", one_line(.0))]
    Unreached(String),
    /// What came is not as documented.
    #[error(transparent)]
    Message(#[from] Malformed),
    /// Nothing comes, and the server knows of no reader.
    #[error("the server does not answer")]
    Silence,
    /// Rows that are written now would never come. With the statement that repairs it.
    #[error("the publication does not publish all of user_signals; HINT: {0}")]
    Unpublished(String),
    /// Rows that were written meanwhile may never come.
    #[error("the publication was changed")]
    Republished,
}

impl Broken {
    /// For `/healthz`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unpublished(_) => "not published",
            _ => "reconnecting",
        }
    }
}

/// What to do about errors that waiting does not cure.
fn hint(error: &str) -> &'static str {
    if error.contains("SQLSTATE 55000") {
        "; HINT: if the slot is lost: signal_hub_live drop-slot, then create-slot, with the options of this service. Clients catch up by themselves"
    } else if !error.contains("SQLSTATE 42704") {
        ""
    } else if error.contains("publication") {
        // The log is decoded by the catalog as it was when the log was written, when there was no
        // publication.
        "; HINT: when it exists again: signal_hub_live drop-slot, then create-slot, with the options of this service. Clients catch up by themselves"
    } else {
        "; HINT: signal_hub_live create-slot, with the options of this service. Clients catch up by themselves"
    }
}
