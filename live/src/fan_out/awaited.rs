//! The signals that a client was sent and whose outcome is not final.

use std::collections::BTreeSet;

/// Most of them for one client; of more, those of the newest signals.
const MOST: usize = 1000;

/// See the head of this file.
#[derive(Default)]
pub struct Awaited(BTreeSet<i64>);

impl Awaited {
    /// Adds one, if there is one.
    pub fn add(&mut self, signal: Option<i64>) {
        self.0.extend(signal);
        if self.0.len() > MOST {
            self.0.pop_first();
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, signal: i64) {
        self.0.remove(&signal);
    }

    /// Whether this one is awaited.
    pub fn has(&self, signal: i64) -> bool {
        self.0.contains(&signal)
    }

    /// All of them.
    pub fn all(&self) -> Vec<i64> {
        self.0.iter().copied().collect()
    }
}
