//! Why a replication stream ended, in words for an operator.

use crate::pgoutput::Malformed;
use pgwire_replication::PgWireError;
use std::fmt;

/// Why a stream ended.
pub enum Broken {
    /// The server ended it, or the network.
    Connection(PgWireError),
    /// What came is not as documented.
    Message(Malformed),
    /// Nothing comes, and the server does not know of a reader.
    Silence,
    /// Rows that are written now would never come; what mends it.
    Unpublished(String),
    /// Rows that were written meanwhile may never come.
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

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => write!(f, "{error}{}", hint(&error.to_string())),
            Self::Message(error) => error.fmt(f),
            Self::Silence => f.write_str("the server does not answer"),
            Self::Unpublished(remedy) => write!(
                f,
                "the publication does not publish all of user_signals; HINT: {remedy}"
            ),
            Self::Republished => f.write_str("the publication was changed"),
        }
    }
}

/// For errors that no waiting mends.
fn hint(error: &str) -> &'static str {
    if error.contains("SQLSTATE 55000") {
        "; HINT: if the slot is lost: signal_hub_live drop-slot, then create-slot. Clients catch up by themselves"
    } else if !error.contains("SQLSTATE 42704") {
        ""
    } else if error.contains("publication") {
        // The log is read as of when it was written, and there was none then.
        "; HINT: when it is there again: signal_hub_live drop-slot, then create-slot. Clients catch up by themselves"
    } else {
        "; HINT: signal_hub_live create-slot. Clients catch up by themselves"
    }
}

impl From<PgWireError> for Broken {
    fn from(error: PgWireError) -> Self {
        Self::Connection(error)
    }
}

impl From<Malformed> for Broken {
    fn from(error: Malformed) -> Self {
        Self::Message(error)
    }
}
