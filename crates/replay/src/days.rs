//! Candles joined to the daily candles that some strategies look back on.

use crate::rolling::DAY_MS;
use market::{Candle, UnixMillis};
use std::collections::VecDeque;

/// The last finished UTC days of one symbol.
pub struct Days {
    most: usize,
    under_way: Option<Candle>,
    finished: VecDeque<Candle>,
}

impl Days {
    /// As many days as `most`, of which none was seen.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            under_way: None,
            finished: VecDeque::new(),
        }
    }

    /// Takes the next candle in the order of time. A first day that began before it is left out.
    pub fn take(&mut self, candle: &Candle) {
        if self.most == 0 {
            return;
        }
        let began = candle.open_time - candle.open_time.rem_euclid(DAY_MS);
        self.finish(began);
        match &mut self.under_way {
            Some(day) => {
                day.high = day.high.max(candle.high);
                day.low = day.low.min(candle.low);
                day.close = candle.close;
                // What does not fit stays out: strategies look at prices.
                let sum = day.base_volume.checked_add(candle.base_volume);
                day.base_volume = sum.unwrap_or(day.base_volume);
                let sum = day.quote_volume.checked_add(candle.quote_volume);
                day.quote_volume = sum.unwrap_or(day.quote_volume);
            }
            None if candle.open_time == began || !self.finished.is_empty() => {
                self.under_way = Some(Candle {
                    open_time: began,
                    ..candle.clone()
                });
            }
            None => {}
        }
    }

    /// The days that ended by the begin of the UTC day of `now`, the oldest first.
    pub fn before(&mut self, now: UnixMillis) -> Vec<Candle> {
        self.finish(now - now.rem_euclid(DAY_MS));
        self.finished.iter().cloned().collect()
    }

    /// Ends the day under way if it is one before `today`.
    fn finish(&mut self, today: UnixMillis) {
        let Some(day) = self.under_way.take_if(|day| day.open_time < today) else {
            return;
        };
        self.finished.push_back(day);
        if self.finished.len() > self.most {
            self.finished.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

    #[test]
    fn hours_become_the_days_that_an_exchange_tells() {
        const HOUR: i64 = 60 * 60 * 1000;
        let mut days = Days::new(2);
        for hour in 5..80 {
            let price = Decimal::from(hour);
            days.take(&Candle {
                open_time: hour * HOUR,
                open: price,
                high: price + Decimal::TWO,
                low: price - Decimal::TWO,
                close: price + Decimal::ONE,
                base_volume: Decimal::ONE,
                quote_volume: price,
            });
        }
        let told = |days: Vec<Candle>| -> Vec<String> {
            let lines = days.iter().map(|d| {
                let prices = [d.open, d.high, d.low, d.close, d.base_volume];
                format!("{} {prices:?}", d.open_time / DAY_MS)
            });
            lines.collect()
        };
        let two = ["1 [24, 49, 22, 48, 24]", "2 [48, 73, 46, 72, 24]"];
        assert_eq!(told(days.before(80 * HOUR)), two);
        assert_eq!(told(days.before(96 * HOUR)).len(), 2, "the third is there");
        assert_eq!(told(days.before(96 * HOUR))[0], two[1]);
    }
}
