//! What an exchange says of one stretch of time.

use crate::UnixMillis;
use rust_decimal::Decimal;

/// A candle: the trades of one stretch of time in seven numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Candle {
    /// When the stretch begins.
    pub open_time: UnixMillis,
    /// Price of the first trade.
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    /// Price of the last trade.
    pub close: Decimal,
    /// Traded amount in the base asset.
    pub base_volume: Decimal,
    /// Traded amount in the quote asset.
    pub quote_volume: Decimal,
}

impl Candle {
    /// The quote volume of a candle whose source does not state it, within a few parts in 10,000:
    /// the base volume times the mean of the four prices. `None` when that does not fit.
    pub fn estimated_quote_volume(&self) -> Option<Decimal> {
        let sum = self
            .open
            .checked_add(self.high)?
            .checked_add(self.low)?
            .checked_add(self.close)?;
        self.base_volume
            .checked_mul(sum)?
            .checked_div(Decimal::from(4))
    }
}

/// Length of a candle. Candles begin at whole multiples of it since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Interval {
    Second,
    Minute,
    Day,
}

impl Interval {
    /// In milliseconds.
    pub const fn millis(self) -> i64 {
        match self {
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Day => 86_400_000,
        }
    }

    /// The name that exchanges and tables have for it: `1s`, `1m`, `1d`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "1s",
            Self::Minute => "1m",
            Self::Day => "1d",
        }
    }
}

/// Candles to ask for: those that begin at `from` or later and end at `until` or before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandleQuery {
    pub symbol: String,
    pub interval: Interval,
    pub from: UnixMillis,
    pub until: UnixMillis,
}

impl CandleQuery {
    /// Most candles of one reply.
    pub const MOST: usize = 1000;

    /// Begin of the first candle that is asked for.
    pub fn begin(&self) -> UnixMillis {
        let length = self.interval.millis();
        let before = self.from.div_euclid(length);
        let is_whole = self.from.rem_euclid(length) == 0;
        before
            .saturating_add(i64::from(!is_whole))
            .saturating_mul(length)
    }

    /// End of the last candle that is asked for.
    pub fn end(&self) -> UnixMillis {
        let length = self.interval.millis();
        self.until.div_euclid(length).saturating_mul(length)
    }

    /// How many candles that are.
    pub fn length(&self) -> usize {
        let span = self.end().saturating_sub(self.begin()).max(0);
        usize::try_from(span / self.interval.millis()).unwrap_or(usize::MAX)
    }
}

/// What a reply says of the candles asked for.
#[derive(Clone, Debug, Default)]
pub struct Candles {
    /// Finished candles, in the order of time, each once.
    pub rows: Vec<Candle>,
    /// Rows that cannot be used, and why: each is missing, and costs no other.
    pub unusable: Vec<String>,
    /// Candles that were left out because they are not finished by the exchange's clock.
    pub unfinished: usize,
}

/// A stretch of time without candles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from: UnixMillis,
    pub until: UnixMillis,
}

impl Candles {
    /// Where candles are missing before the last one there is.
    pub fn gaps(&self, query: &CandleQuery) -> Vec<Gap> {
        let mut expected = query.begin();
        let mut gaps = Vec::new();
        for candle in &self.rows {
            if candle.open_time > expected {
                gaps.push(Gap {
                    from: expected,
                    until: candle.open_time,
                });
            }
            expected = candle.open_time.saturating_add(query.interval.millis());
        }
        gaps
    }

    /// What is still to be asked for when the reply ends before `query` does: exchanges may give
    /// fewer candles than a request allows. `None` when it is complete, and of a reply without a
    /// candle, after which asking again brings nothing either.
    pub fn rest(&self, query: &CandleQuery) -> Option<CandleQuery> {
        let last = self.rows.last()?;
        let rest = CandleQuery {
            from: last.open_time.saturating_add(query.interval.millis()),
            ..query.clone()
        };
        (rest.length() > 0).then_some(rest)
    }
}
