//! The signals that a client was sent and whose outcome is not final.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most of them for one client; of more, those of the newest signals.
const MOST: usize = 1000;

/// See the head of this file.
#[derive(Default)]
pub struct Awaited {
    /// By signal: its symbol, where that is known.
    signals: BTreeMap<i64, Option<String>>,
    /// Of all of them, since it was asked for and until they change.
    symbols: Option<Arc<BTreeSet<String>>>,
}

impl Awaited {
    /// Adds one. A symbol that is known stays.
    pub fn add(&mut self, signal: i64, symbol: Option<&str>) {
        self.symbols = None;
        let known = self.signals.entry(signal).or_default();
        if known.is_none() {
            *known = symbol.map(str::to_owned);
        }
        if self.signals.len() > MOST {
            self.signals.pop_first();
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, signal: i64) {
        if self.signals.remove(&signal).is_some() {
            self.symbols = None;
        }
    }

    /// Whether this one is awaited.
    pub fn has(&self, signal: i64) -> bool {
        self.signals.contains_key(&signal)
    }

    /// All of them.
    pub fn all(&self) -> Vec<i64> {
        self.signals.keys().copied().collect()
    }

    /// The symbols of all of them. Prices come more often than signals, so they are kept.
    pub fn symbols(&mut self) -> Arc<BTreeSet<String>> {
        let signals = &self.signals;
        let symbols = self.symbols.get_or_insert_with(|| {
            let each: BTreeSet<&String> = signals.values().flatten().collect();
            Arc::new(each.into_iter().cloned().collect())
        });
        Arc::clone(symbols)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_gathered_again_only_when_the_signals_change() {
        let mut awaited = Awaited::default();
        awaited.add(1, Some("AUSDT"));
        awaited.add(2, Some("BUSDT"));
        awaited.add(3, Some("BUSDT"));
        let first = awaited.symbols();
        assert!(first.iter().eq(["AUSDT", "BUSDT"]));
        awaited.remove(9);
        assert!(Arc::ptr_eq(&first, &awaited.symbols()));
        awaited.remove(1);
        assert!(awaited.symbols().iter().eq(["BUSDT"]));
        awaited.add(4, Some("CUSDT"));
        assert!(awaited.symbols().iter().eq(["BUSDT", "CUSDT"]));
    }
}
