//! Candles: the trades of one stretch of time.

use super::UnixMillis;
use super::day::in_ticks;
use super::path::{Tape, Traded};
use rust_decimal::Decimal;

/// A candle that somebody recorded, or one to be served.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedCandle {
    /// When it begins.
    pub open_time: UnixMillis,
    /// Price of the first trade.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Price of the last trade.
    pub close: Decimal,
    /// Traded amount in the base asset.
    pub base_volume: Decimal,
    /// Traded amount in the quote asset.
    pub quote_volume: Decimal,
}

impl RecordedCandle {
    /// Reads lines of `open_time,open,high,low,close,base_volume[,quote_volume]` below a line with
    /// titles. Where the quote volume is missing, it is the base volume times the mean of the four
    /// prices.
    ///
    /// # Errors
    /// Names the first line that is not of this form.
    pub fn from_csv(text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().enumerate().skip(1);
        lines
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| {
                Self::from_line(line).ok_or_else(|| format!("line {}: {line}", number + 1))
            })
            .collect()
    }

    fn from_line(line: &str) -> Option<Self> {
        let (open_time, rest) = line.split_once(',')?;
        let cells: Option<Vec<Decimal>> = rest
            .split(',')
            .map(|cell| Decimal::from_str_exact(cell).ok())
            .collect();
        let cells = cells?;
        let [open, high, low, close, base_volume, ref more @ ..] = cells[..] else {
            return None;
        };
        let quote_volume = match more {
            [] => base_volume * (open + high + low + close) / Decimal::from(4),
            [quote_volume] => *quote_volume,
            _ => return None,
        };
        Some(Self {
            open_time: open_time.parse().ok()?,
            open,
            high,
            low,
            close,
            base_volume,
            quote_volume,
        })
    }

    fn of(open_time: UnixMillis, traded: &Traded) -> Self {
        Self {
            open_time,
            open: traded.open,
            high: traded.high,
            low: traded.low,
            close: traded.close,
            base_volume: traded.volume,
            quote_volume: traded.volume * traded.close,
        }
    }

    /// Adds what comes after it.
    pub(super) fn extend(&mut self, next: &Self) {
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.base_volume += next.base_volume;
        self.quote_volume += next.quote_volume;
    }

    /// Multiplies every price, each rounded to whole ticks.
    pub(super) fn scale(&mut self, factor: Decimal, tick_size: Decimal) {
        for price in [
            &mut self.open,
            &mut self.high,
            &mut self.low,
            &mut self.close,
        ] {
            *price = in_ticks(*price * factor, tick_size);
        }
        self.quote_volume = (self.quote_volume * factor).round_dp(8);
    }
}

/// Joins candles, in the order of time, to longer ones of `length` milliseconds.
pub(super) fn join(
    candles: impl Iterator<Item = RecordedCandle>,
    length: i64,
) -> Vec<RecordedCandle> {
    let mut joined: Vec<RecordedCandle> = Vec::new();
    for candle in candles {
        let begin = candle.open_time.div_euclid(length) * length;
        match joined.last_mut() {
            Some(last) if last.open_time == begin => last.extend(&candle),
            _ => joined.push(RecordedCandle {
                open_time: begin,
                ..candle
            }),
        }
    }
    joined
}

/// Candles of `length` milliseconds that begin from `first` to `last`, of what a tape shows at
/// `now`.
pub(super) fn of_tape(
    tape: &mut Tape,
    first: UnixMillis,
    last: UnixMillis,
    length: i64,
    now: UnixMillis,
) -> Vec<RecordedCandle> {
    let mut candles: Vec<RecordedCandle> = Vec::new();
    let until = (last + length - 1).min(now).div_euclid(1_000);
    tape.read(first.div_euclid(1_000), until, now, |second, traded| {
        let part = RecordedCandle::of(second * 1_000, &traded);
        let begin = part.open_time.div_euclid(length) * length;
        match candles.last_mut() {
            Some(candle) if candle.open_time == begin => candle.extend(&part),
            _ => candles.push(RecordedCandle {
                open_time: begin,
                ..part
            }),
        }
    });
    candles
}
