//! Candles that were recorded, played in place of the model: the ticker of their last 24 hours,
//! and they themselves, alone or joined to longer ones.

use super::UnixMillis;
use super::candles::{RecordedCandle, join};
use super::day::Day;
use super::instrument::Instrument;
use super::ticker::WINDOW_MILLIS;
use rust_decimal::Decimal;

/// The candles of one symbol.
#[derive(Debug, Default)]
pub(super) struct Recording {
    /// In the order in which they were loaded; tickers are made of the first ones.
    series: Vec<Series>,
}

/// Candles of one length, in the order of time.
#[derive(Debug)]
struct Series {
    length: i64,
    candles: Vec<RecordedCandle>,
}

impl Series {
    /// The candles that have ended at `now`.
    fn ended(&self, now: UnixMillis) -> &[RecordedCandle] {
        let ended = |candle: &RecordedCandle| candle.open_time + self.length <= now;
        &self.candles[..self.candles.partition_point(ended)]
    }
}

impl Recording {
    /// Adds candles of one length.
    ///
    /// # Errors
    /// When they are not in the order of time, or do not begin at multiples of their length.
    pub fn add(&mut self, length: i64, candles: Vec<RecordedCandle>) -> Result<(), String> {
        if length < 1_000 {
            return Err(format!("{length} ms is no length of candles"));
        }
        if !candles.is_sorted_by(|a, b| a.open_time < b.open_time) {
            return Err("the candles are not in the order of time".to_owned());
        }
        if let Some(odd) = candles.iter().find(|c| c.open_time % length != 0) {
            return Err(format!(
                "the candle of {} does not begin at a multiple of {length} ms",
                odd.open_time
            ));
        }
        self.series.push(Series { length, candles });
        Ok(())
    }

    /// Candles of `length` milliseconds that begin from `first` to `last` and have begun to trade
    /// at `now`; `None` when those that were recorded do not tell.
    pub fn candles(
        &self,
        first: UnixMillis,
        last: UnixMillis,
        length: i64,
        now: UnixMillis,
    ) -> Option<Vec<RecordedCandle>> {
        let fits = self.series.iter().filter(|s| length % s.length == 0);
        let series = fits.max_by_key(|series| series.length)?;
        let ended = series.ended(now);
        let from = ended.partition_point(|candle| candle.open_time < first);
        let until = ended.partition_point(|candle| candle.open_time < last + length);
        let within = ended.get(from..until).unwrap_or_default();
        Some(join(within.iter().cloned(), length))
    }

    /// The 24 hours at the end of the last candle that has ended at `now`: bid and ask
    /// are its close, and the number of trades is 1, for candles do not tell them. `None` before
    /// the first full day.
    pub fn day(&self, instrument: &Instrument, now: UnixMillis) -> Option<Day> {
        let series = self.series.first()?;
        let ended = series.ended(now);
        let (first, last) = (ended.first()?, ended.last()?);
        let close_time = last.open_time + series.length;
        if close_time - first.open_time < WINDOW_MILLIS {
            return None;
        }
        let begin = ended.partition_point(|c| c.open_time < close_time - WINDOW_MILLIS);
        let mut day = ended.get(begin)?.clone();
        ended[begin + 1..]
            .iter()
            .for_each(|candle| day.extend(candle));
        let percent = (last.close - day.open).checked_div(day.open)? * Decimal::ONE_HUNDRED;
        let average = day.quote_volume.checked_div(day.base_volume)?;

        Some(Day {
            symbol: instrument.symbol.clone(),
            tick_size: instrument.tick_size.normalize(),
            open: day.open,
            high: day.high,
            low: day.low,
            last: last.close,
            previous_close: day.open,
            bid: last.close,
            ask: last.close,
            last_quantity: last.base_volume,
            book_quantity: last.base_volume,
            volume: day.base_volume,
            quote_volume: day.quote_volume,
            average: average.round_dp(8),
            percent: percent.round_dp(3),
            open_time: close_time - WINDOW_MILLIS,
            close_time,
            first_trade: 1,
            last_trade: 1,
            count: 1,
            corruption: None,
        })
    }
}
