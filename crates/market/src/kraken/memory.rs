//! What each pair cost 24 hours ago. Kraken's candles of five minutes of the last 60 hours are one
//! request, and tell this for the 24 hours that follow, so a pair costs one request a day. The
//! memory is that of this process.

use crate::UnixMillis;
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub const DAY: i64 = 86_400_000;
/// Length of a candle.
pub const FIVE_MINUTES: i64 = 300_000;
/// Most pairs that are remembered; the rest is asked for again.
const MOST_PAIRS: usize = 2000;

/// A candle in short.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    pub open_time: UnixMillis,
    pub open: Decimal,
    pub close: Decimal,
}

/// By base URL and symbol: candles in the order of time.
type Memory = HashMap<(String, String), Vec<Past>>;

static MEMORY: Mutex<Option<Memory>> = Mutex::new(None);

fn memory() -> MutexGuard<'static, Option<Memory>> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a pair cost 24 hours before `now`, where that is known.
pub fn price_a_day_before(base_url: &str, symbol: &str, now: UnixMillis) -> Option<Decimal> {
    let memory = memory();
    let key = (base_url.to_owned(), symbol.to_owned());
    price_at(memory.as_ref()?.get(&key)?, now.saturating_sub(DAY))
}

/// Remembers candles, of which those are left out that are of no use at `now` or later.
pub fn remember(base_url: &str, symbol: &str, mut past: Vec<Past>, now: UnixMillis) {
    let then = now.saturating_sub(DAY);
    let before = past.partition_point(|candle| candle.open_time <= then);
    past.drain(..before.saturating_sub(1));
    let mut memory = memory();
    let memory = memory.get_or_insert_default();
    if memory.len() >= MOST_PAIRS {
        memory.clear();
    }
    memory.insert((base_url.to_owned(), symbol.to_owned()), past);
}

/// The price at `time`: the open of the candle that it lies in, the close of the one before it
/// where nothing was traded, and the first price of a pair that was listed later. `None` after the
/// last candle.
fn price_at(past: &[Past], time: UnixMillis) -> Option<Decimal> {
    let last = past.last()?;
    if time >= last.open_time.saturating_add(FIVE_MINUTES) {
        return None;
    }
    match past.partition_point(|candle| candle.open_time <= time) {
        0 => past.first().map(|first| first.open),
        next => {
            let candle = past.get(next - 1)?;
            let is_within = time < candle.open_time.saturating_add(FIVE_MINUTES);
            Some(if is_within { candle.open } else { candle.close })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(minute: i64, open: i64) -> Past {
        Past {
            open_time: minute * 60_000,
            open: open.into(),
            close: (open + 1).into(),
        }
    }

    #[test]
    fn the_price_at_a_time_is_that_of_its_candle() {
        let candles = [past(0, 10), past(5, 20), past(30, 30)];
        let price = |minute: i64| price_at(&candles, minute * 60_000);
        assert_eq!(price(-1), Some(10.into()), "listed later");
        assert_eq!(price(4), Some(10.into()));
        assert_eq!(price(5), Some(20.into()));
        assert_eq!(price(10), Some(21.into()), "nothing was traded since");
        assert_eq!(price(34), Some(30.into()));
        assert_eq!(price(35), None, "not known yet");
    }

    #[test]
    fn one_request_tells_the_prices_of_a_day() {
        let now = 3 * DAY;
        let candles = (0..720).map(|n| past((now / 60_000) - 3600 + 5 * n, n));
        remember("http://memory.test", "BTCUSD", candles.collect(), now);
        let price = |at| price_a_day_before("http://memory.test", "BTCUSD", at);
        assert_eq!(price(now), Some((720 - 288).into()));
        assert_eq!(price(now + DAY - FIVE_MINUTES), Some(719.into()));
        assert_eq!(price(now + DAY), None);
        assert_eq!(price_a_day_before("http://other.test", "BTCUSD", now), None);
    }
}
