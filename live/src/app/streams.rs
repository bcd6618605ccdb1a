//! How each replication stream is: one of the server that the service asks, and one of each node.

use super::STREAMING;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// By server, the number of a node or 0: [`STREAMING`], or why not.
#[derive(Default)]
pub struct Streams(Mutex<BTreeMap<i32, &'static str>>);

impl Streams {
    /// Notes how the stream of a server is; `None` when it is not followed any more. Returns how it
    /// was, and how all of them are: as the first that is not streaming.
    pub fn note(
        &self,
        server: i32,
        word: Option<&'static str>,
    ) -> (Option<&'static str>, &'static str) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match word {
            Some(word) => streams.insert(server, word),
            None => streams.remove(&server),
        };
        let broken = streams.values().find(|word| **word != STREAMING);
        let all = match streams.is_empty() {
            true => "reconnecting",
            false => broken.copied().unwrap_or(STREAMING),
        };
        (before, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_well_when_each_is() {
        let streams = Streams::default();
        assert_eq!(streams.note(0, Some(STREAMING)), (None, STREAMING));
        assert_eq!(streams.note(2, Some("reconnecting")).1, "reconnecting");
        assert_eq!(streams.note(0, Some(STREAMING)).1, "reconnecting");
        assert_eq!(
            streams.note(2, Some(STREAMING)),
            (Some("reconnecting"), STREAMING)
        );
        assert_eq!(streams.note(2, None), (Some(STREAMING), STREAMING));
    }
}
