//! How far a long replay is: in pg_stat_activity, and now and then as a notice.

use crate::postgres::process;
use market::UnixMillis;
use pgrx::prelude::*;
use std::time::{Duration, Instant};

const SHOW_EVERY: Duration = Duration::from_secs(1);
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How far a replay is.
pub struct Progress {
    began: Instant,
    shown: Instant,
    told: Instant,
    candles: u64,
    /// Whether pg_stat_activity shows progress in place of the statement.
    is_shown: bool,
}

impl Progress {
    /// A replay that begins now.
    pub fn new() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            shown: now,
            told: now,
            candles: 0,
            is_shown: false,
        }
    }

    /// So many more candles, the last of which began at `time`, gave `signals` signals in all.
    pub fn went_on(&mut self, candles: u64, time: UnixMillis, signals: u64) {
        self.candles += candles;
        if self.shown.elapsed() < SHOW_EVERY {
            return;
        }
        self.shown = Instant::now();
        self.is_shown = true;
        let rate = self.candles as f64 / self.began.elapsed().as_secs_f64();
        let line = format!(
            "{} candles up to {}, {signals} signals, {rate:.0} candles/s",
            self.candles,
            strategy::utc(time)
        );
        process::show_progress(&format!("signal_hub: replayed {line}"));
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            notice!("replayed {line}");
        }
    }

    /// Shows the statement again.
    pub fn ended(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            process::show_statement();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.ended();
    }
}
