//! What is in a queue.

use crate::database::Ended;
use bytes::Bytes;

/// When a transaction committed, by the clock of the database, in microseconds since 1970.
pub type CommitTime = i64;

/// What is in a queue, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum Message {
    /// An event as it goes over the wire.
    Event(Bytes),
    /// The same of a signal, with the time of its commit.
    Signal(Bytes, CommitTime),
    /// Everything that these transactions wrote has been queued.
    Ended(Ended),
    /// Rows may be missing here: read from the last resume point on.
    Gap,
}

/// A signal that a client was sent.
#[derive(Clone, Debug)]
pub struct Signal {
    /// Its number.
    pub number: i64,
    /// Its pair, where that is known.
    pub symbol: Option<String>,
}
