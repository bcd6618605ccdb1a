//! The order of candles: by time, one per symbol and time, each as long as the others, and none
//! missing between those of a symbol.
//!
//! Exchanges have outages, in which no symbol has a candle. They are no fault of the candles, as
//! long as each is shorter than the day that is looked back on: the day goes on with what there is
//! of it, as an exchange's own statistics do. A symbol that lacks a candle while others have one
//! was recorded incompletely.

use crate::fault::FaultKind;
use crate::rolling::DAY_MS;
use market::UnixMillis;

/// How far a query of candles has come.
pub struct Order {
    step_ms: i64,
    first: UnixMillis,
    /// When the candles begin that are being taken.
    now: UnixMillis,
    /// When those before them began, once there were any.
    before: Option<UnixMillis>,
}

impl Order {
    /// Candles of `step_ms` milliseconds each, the first of which begins at `first`.
    pub fn new(step_ms: i64, first: UnixMillis) -> Self {
        Self {
            step_ms,
            first,
            now: first,
            before: None,
        }
    }

    /// When the candles begin that are being taken.
    pub fn now(&self) -> UnixMillis {
        self.now
    }

    /// Takes the next candle, of a symbol whose candle before began at `last`. Returns whether it
    /// begins later than all before it.
    ///
    /// # Errors
    /// Says why the candle cannot come here.
    pub fn take(
        &mut self,
        last: Option<UnixMillis>,
        open_time: UnixMillis,
    ) -> Result<bool, FaultKind> {
        if open_time < self.now {
            return Err(FaultKind::Unordered { after: self.now });
        }
        if last == Some(open_time) {
            return Err(FaultKind::Duplicate);
        }
        let is_later = open_time > self.now;
        if is_later {
            let since = self.now;
            if !is_multiple(open_time, self.first, self.step_ms) {
                return Err(FaultKind::Misaligned {
                    step_ms: self.step_ms,
                });
            }
            if open_time.saturating_sub(since) > DAY_MS {
                return Err(FaultKind::Silence { since });
            }
            self.before = Some(since);
            self.now = open_time;
        }
        match (last, self.before) {
            (Some(since), Some(before)) if since < before => Err(FaultKind::Hole { since }),
            _ => Ok(is_later),
        }
    }
}

fn is_multiple(time: UnixMillis, first: UnixMillis, step_ms: i64) -> bool {
    time.checked_sub(first)
        .and_then(|distance| distance.checked_rem(step_ms))
        == Some(0)
}

/// The length of candles, by the times at which some of them begin: the least distance. `None`
/// when all begin at the same time, or one of them before the one in front of it.
pub fn step_ms(times: impl IntoIterator<Item = UnixMillis>) -> Option<i64> {
    let mut times = times.into_iter();
    let mut before = times.next()?;
    let mut least: Option<i64> = None;
    for time in times {
        let distance = time.saturating_sub(before);
        before = time;
        match distance {
            0 => {}
            ..0 => return None,
            _ => least = Some(least.map_or(distance, |least| least.min(distance))),
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn the_length_is_the_least_distance() {
        assert_eq!(step_ms([0, 0, 10, 10, 12, 20]), Some(2));
        assert_eq!(step_ms([5, 5]), None);
        assert_eq!(step_ms([]), None);
        assert_eq!(step_ms([3, 2]), None);
    }

    #[test]
    fn each_fault_of_order_is_named() {
        let order = || {
            let mut order = Order::new(MINUTE, 0);
            order.take(Some(0), MINUTE).unwrap();
            order
        };
        assert_eq!(order().take(Some(MINUTE), 2 * MINUTE), Ok(true));
        assert_eq!(order().take(Some(0), MINUTE), Ok(false));
        assert_eq!(order().take(None, MINUTE), Ok(false));
        let unordered = FaultKind::Unordered { after: MINUTE };
        assert_eq!(order().take(None, 0), Err(unordered));
        assert_eq!(
            order().take(Some(MINUTE), MINUTE),
            Err(FaultKind::Duplicate)
        );
        let misaligned = FaultKind::Misaligned { step_ms: MINUTE };
        assert_eq!(order().take(None, MINUTE + 1), Err(misaligned));
        let hole = FaultKind::Hole { since: 0 };
        assert_eq!(order().take(Some(0), 2 * MINUTE), Err(hole));
        let silence = FaultKind::Silence { since: MINUTE };
        assert_eq!(order().take(None, 2 * MINUTE + DAY_MS), Err(silence));
    }

    #[test]
    fn an_outage_of_the_exchange_is_no_fault() {
        let mut order = Order::new(MINUTE, 0);
        assert_eq!(order.take(Some(0), 100 * MINUTE), Ok(true));
        assert_eq!(order.take(Some(0), 100 * MINUTE), Ok(false));
    }
}
