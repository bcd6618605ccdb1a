//! The signals that a client was sent and whose outcome is not final.

use std::collections::{BTreeMap, BTreeSet};

/// Most of them for one client; of more, those of the newest signals.
const MOST: usize = 1000;

/// By signal: its symbol, where that is known. See the head of this file.
#[derive(Default)]
pub struct Awaited(BTreeMap<i64, Option<String>>);

impl Awaited {
    /// Adds one. A symbol that is known stays.
    pub fn add(&mut self, signal: i64, symbol: Option<&str>) {
        let known = self.0.entry(signal).or_default();
        if known.is_none() {
            *known = symbol.map(str::to_owned);
        }
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
        self.0.contains_key(&signal)
    }

    /// All of them.
    pub fn all(&self) -> Vec<i64> {
        self.0.keys().copied().collect()
    }

    /// The symbols of all of them.
    pub fn symbols(&self) -> BTreeSet<String> {
        self.0.values().flatten().cloned().collect()
    }
}
