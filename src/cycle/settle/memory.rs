//! What a process remembers of settling between two runs. Losing it costs requests, nothing else.

use crate::ledger::outcomes::DueOutcome;
use market::{MarketError, backoff};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use strategy::outcome::Settling;

/// First wait before an outcome is tried again that its candles could not settle.
const FIRST_WAIT: Duration = Duration::from_secs(60);

thread_local! {
    /// Taken out while a run settles: what an error interrupts is forgotten.
    /// By the base URL of the exchange that it is about.
    pub static MEMORY: Cell<HashMap<String, Memory>> = Cell::default();
}

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Memory {
    /// Whether the exchange said that it has no candles of a second.
    pub lacks_seconds: bool,
    /// The outcome for which the requests of the last run were not enough.
    under_way: Option<(i64, Settling)>,
    /// Outcomes that could not be settled, by signal.
    later: HashMap<i64, Later>,
    /// Failures of the exchange in a row, and until when it is not asked.
    failures: u32,
    not_before: Option<Instant>,
}

#[derive(Debug)]
struct Later {
    until: Instant,
    attempts: u32,
    /// Whether a person should know.
    is_trouble: bool,
}

impl Memory {
    /// Whether the exchange may be asked for candles.
    pub fn may_ask(&self) -> bool {
        self.not_before.is_none_or(|at| at <= Instant::now())
    }

    pub fn exchange_answered(&mut self) {
        (self.failures, self.not_before) = (0, None);
    }

    /// The exchange, or the way to it, failed: the pause grows, as it does for tickers.
    pub fn exchange_failed(&mut self, interval: Duration) {
        self.failures = self.failures.saturating_add(1);
        let wait = pause(self.failures, interval);
        self.not_before = Instant::now().checked_add(wait);
    }

    /// What was begun of the outcome of this signal.
    pub fn resume(&mut self, signal_id: i64) -> Option<Settling> {
        let (_, settling) = self.under_way.take_if(|(id, _)| *id == signal_id)?;
        Some(settling)
    }

    pub fn keep(&mut self, signal_id: i64, settling: Settling) {
        self.under_way = Some((signal_id, settling));
    }

    pub fn done(&mut self, signal_id: i64) {
        self.later.remove(&signal_id);
    }

    /// Leaves an outcome for later, longer each time.
    pub fn put_off_until_later(&mut self, signal_id: i64, is_trouble: bool) {
        let attempts = self.later.get(&signal_id).map_or(0, |later| later.attempts) + 1;
        let wait = pause(attempts, FIRST_WAIT);
        self.later.insert(
            signal_id,
            Later {
                until: Instant::now() + wait,
                attempts,
                is_trouble,
            },
        );
    }

    /// How many are left for later.
    pub fn put_off(&self) -> usize {
        self.later.len()
    }

    pub fn is_put_off(&self, signal_id: i64) -> bool {
        let later = self.later.get(&signal_id);
        later.is_some_and(|later| later.until > Instant::now())
    }

    /// Forgets outcomes that are not due any more: somebody else settled them.
    pub fn forget_all_but(&mut self, due: &[DueOutcome]) {
        let due: HashSet<i64> = due.iter().map(|due| due.signal_id).collect();
        self.later.retain(|signal_id, _| due.contains(signal_id));
        self.under_way.take_if(|(id, _)| !due.contains(id));
    }

    /// Whether something that a person should know of is left for later.
    pub fn is_in_trouble(&self) -> bool {
        self.failures > 0 || self.later.values().any(|later| later.is_trouble)
    }
}

/// The pause after so many failures in a row, as after those of a request for tickers.
fn pause(failures: u32, first: Duration) -> Duration {
    backoff::delay(&MarketError::TimedOut(first), failures, first, 0.5)
}
