//! From what a row shows to a ticker: what the exchange leaves out, and follows from the rest.

use super::row::{Field, Row};
use crate::{ReplyTime, Ticker, TimeSource, UnixMillis};
use rust_decimal::Decimal;

/// Places of the percentage where it is computed.
const PERCENT_PLACES: u32 = 3;
/// Thousandths of a percent in the whole.
const THOUSANDTHS: i128 = 100_000;
const QUARTER: Decimal = Decimal::from_parts(25, 0, 0, false, 2);
/// Places, beyond those of the prices, in which an open price is looked for that gives the
/// percentage that the exchange shows.
const MORE_PLACES: u32 = 8;

/// How an exchange shows the change over the price 24 hours ago.
#[derive(Clone, Copy, Debug)]
pub enum Relative {
    /// Percent with at least so many places: 1.09 means 1.09 %.
    Percent(u32),
    /// Ratio with at least so many places: 0.0109 means 1.09 %.
    Ratio(u32),
    /// Not at all.
    Absent,
}

/// The ticker of `symbol` in a row, or why the row is unusable. `time` is that of the reply, and
/// `time_of_all` what the reply says of all its rows.
pub fn ticker(
    row: &Row,
    symbol: &str,
    relative: Relative,
    time_of_all: Option<UnixMillis>,
    time: ReplyTime,
) -> Result<Ticker, String> {
    row.check()?;
    let last_price = row.required(Field::Last)?;
    let base_volume = row.required(Field::BaseVolume)?;
    let prices = Prices::read(row, relative, last_price, base_volume)?;
    let quote_volume = match row.unsigned(Field::QuoteVolume)? {
        Some(volume) => volume,
        None => prices
            .estimated_quote_volume(base_volume)
            .ok_or("its quote volume has too many digits")?,
    };
    let stated = row.whole(Field::CloseTime)?.or(time_of_all);
    let (close_time, time_source) = close_time(stated, time);
    Ok(Ticker {
        symbol: symbol.to_owned(),
        price_change: prices.change,
        price_change_percent: prices.percent,
        weighted_average_price: row.unsigned(Field::Average)?,
        last_price,
        open_price: prices.open,
        high_price: prices.high,
        low_price: prices.low,
        bid_price: row.book(Field::Bid)?,
        ask_price: row.book(Field::Ask)?,
        base_volume,
        quote_volume,
        open_time: row.whole(Field::OpenTime)?,
        close_time,
        time_source,
        trade_count: row.whole(Field::Count)?,
    })
}

/// What a time of whole seconds may be short of.
const REST_OF_SECOND: i64 = 999;

/// When statistics were taken, at the latest: what the exchange states, else the time of its reply.
/// The header Date tells whole seconds, so it is the end of that second: a signal on these numbers
/// must not begin before they were there, as a move of the price that they already show would
/// count as one after it.
pub fn close_time(stated: Option<UnixMillis>, time: ReplyTime) -> (UnixMillis, TimeSource) {
    match (stated, time.date) {
        (Some(stated), _) => (stated, TimeSource::Exchange),
        (None, Some(date)) => (date.saturating_add(REST_OF_SECOND), TimeSource::Date),
        (None, None) => (time.received, TimeSource::Receipt),
    }
}

/// The change of a price, and its percentage with three places; zero of an open price of zero.
/// `None` when it does not fit.
pub fn percent(change: Decimal, open: Decimal) -> Option<Decimal> {
    if open.is_zero() {
        return Some(Decimal::ZERO);
    }
    // In whole numbers: a quotient of decimals has all the digits that one can hold, and takes ten
    // times as long.
    let scale = change.scale().max(open.scale());
    let whole = |number: Decimal| {
        let power = 10_i128.checked_pow(scale - number.scale())?;
        number.mantissa().checked_mul(power)
    };
    let (dividend, divisor) = (whole(change)?.checked_mul(THOUSANDTHS)?, whole(open)?);
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let is_nearer_to_the_next = rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
    let away_from_zero = dividend.signum() * divisor.signum();
    let rounded = quotient
        + if is_nearer_to_the_next {
            away_from_zero
        } else {
            0
        };
    Decimal::try_from_i128_with_scale(rounded, PERCENT_PLACES).ok()
}

/// The quote volume that a base volume comes to at the mean of four prices, for an exchange that
/// does not state it. `None` when that does not fit.
pub fn at_mean_price(base_volume: Decimal, prices: [Decimal; 4]) -> Option<Decimal> {
    let sum = prices
        .into_iter()
        .try_fold(Decimal::ZERO, Decimal::checked_add)?;
    let mean = sum.checked_mul(QUARTER)?;
    Some(base_volume.checked_mul(mean)?.round_dp(8))
}

/// The prices of 24 hours, of which some may follow from others.
struct Prices {
    open: Decimal,
    last: Decimal,
    high: Decimal,
    low: Decimal,
    change: Decimal,
    percent: Decimal,
}

impl Prices {
    fn read(
        row: &Row,
        relative: Relative,
        last: Decimal,
        base_volume: Decimal,
    ) -> Result<Self, String> {
        const TOO_LARGE: &str = "its change has too many digits";
        let is_untraded = base_volume.is_zero();
        let extreme = |field| match row.unsigned(field)? {
            None if is_untraded => Ok(last),
            Some(price) => Ok(price),
            None => row.required(field),
        };
        let (high, low) = (extreme(Field::High)?, extreme(Field::Low)?);
        let stated = row.signed(Field::Change)?;
        let shown = Shown::read(row, relative)?;
        let open = match (row.unsigned(Field::Open)?, stated, &shown) {
            (Some(open), _, _) => open,
            (None, Some(change), _) => last.checked_sub(change).ok_or(TOO_LARGE)?,
            (None, None, _) if is_untraded => last,
            (None, None, Some(shown)) => shown
                .open(last, (low, high), finest(row, [last, high, low])?)
                .ok_or_else(|| row.contradiction(Field::Relative))?,
            (None, None, None) => return Err(row.lacks(&[Field::Open, Field::Relative])),
        };
        if open < Decimal::ZERO {
            return Err(row.contradiction(Field::Change));
        }
        let change = match stated {
            Some(change) => change,
            None => last.checked_sub(open).ok_or(TOO_LARGE)?,
        };
        let percent = percent(change, open).ok_or(TOO_LARGE)?;
        // An untraded market shows whatever it last was.
        if !is_untraded && !open.is_zero() && shown.is_some_and(|shown| !shown.is_near(percent)) {
            return Err(row.contradiction(Field::Relative));
        }
        Ok(Self {
            open,
            last,
            high,
            low,
            change,
            percent,
        })
    }

    fn estimated_quote_volume(&self, base_volume: Decimal) -> Option<Decimal> {
        at_mean_price(base_volume, [self.open, self.high, self.low, self.last])
    }
}

/// The places that the prices of a row use, at most.
fn finest(row: &Row, prices: [Decimal; 3]) -> Result<u32, String> {
    let book = [row.book(Field::Bid)?, row.book(Field::Ask)?];
    let all = prices.into_iter().chain(book.into_iter().flatten());
    Ok(all
        .map(|price| price.normalize().scale())
        .max()
        .unwrap_or(0))
}

/// The percentage that an exchange shows, and how exactly.
struct Shown {
    percent: Decimal,
    /// One unit of its last place.
    unit: Decimal,
}

impl Shown {
    fn read(row: &Row, relative: Relative) -> Result<Option<Self>, String> {
        let Some(number) = row.signed(Field::Relative)? else {
            return Ok(None);
        };
        let (factor, places, least) = match relative {
            Relative::Percent(least) => (Decimal::ONE, 0, least),
            Relative::Ratio(least) => (Decimal::ONE_HUNDRED, 2, least),
            Relative::Absent => return Ok(None),
        };
        let percent = number.checked_mul(factor);
        Ok(Some(Self {
            percent: percent.ok_or("its change has too many digits")?,
            unit: Decimal::new(1, number.scale().max(least).saturating_sub(places)),
        }))
    }

    /// Whether it is this percentage, as exactly as it is shown: exchanges round or cut off.
    fn is_near(&self, percent: Decimal) -> bool {
        let tolerance = self.unit + Decimal::new(1, PERCENT_PLACES);
        let difference = self.percent.checked_sub(percent);
        difference.is_some_and(|difference| difference.abs() <= tolerance)
    }

    /// The price 24 hours ago that follows: one with as few places as the prices have, where that
    /// gives this percentage; and between low and high, where it is only by rounding that it is
    /// not.
    fn open(&self, last: Decimal, (low, high): (Decimal, Decimal), places: u32) -> Option<Decimal> {
        let factor = Decimal::ONE.checked_add(self.percent.checked_div(Decimal::ONE_HUNDRED)?)?;
        let exact = last.checked_div(factor)?;
        let half = self.unit / Decimal::TWO + Decimal::new(1, PERCENT_PLACES);
        let fits = |open: &Decimal| {
            let computed = last
                .checked_sub(*open)
                .and_then(|change| percent(change, *open));
            let difference = computed.and_then(|computed| computed.checked_sub(self.percent));
            *open > Decimal::ZERO && difference.is_some_and(|difference| difference.abs() <= half)
        };
        let within = Some(exact.clamp(low.min(high), high)).filter(fits);
        let exact = within.unwrap_or(exact);
        (places..=places + MORE_PLACES)
            .map(|places| exact.round_dp(places))
            .find(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rust_decimal::RoundingStrategy::MidpointAwayFromZero;

    proptest! {
        #[test]
        fn a_percentage_is_the_quotient_rounded_to_three_places(
            change in any::<i64>(), open in 1..i64::MAX, scales in (0u32..9, 0u32..9),
        ) {
            let (change, open) = (Decimal::new(change, scales.0), Decimal::new(open, scales.1));
            let product = change * Decimal::ONE_HUNDRED;
            if let Some(quotient) = product.checked_div(open) {
                let expected = quotient.round_dp_with_strategy(3, MidpointAwayFromZero);
                let found = percent(change, open).expect("it fits");
                let off = (found - expected).abs();
                // A quotient has 28 digits, which may hide that it is no midpoint.
                prop_assert!(off <= Decimal::new(1, 3) * Decimal::from(u8::from(quotient.scale() < 4)));
            }
        }
    }

    #[test]
    fn a_percentage_of_any_numbers_is_no_panic() {
        let numbers = [
            Decimal::MAX,
            Decimal::MIN,
            Decimal::ZERO,
            Decimal::ONE,
            Decimal::new(1, 28),
        ];
        for change in numbers {
            for open in numbers {
                let _ = percent(change, open);
            }
        }
        assert_eq!(percent(Decimal::ONE, Decimal::ZERO), Some(Decimal::ZERO));
        assert_eq!(percent(Decimal::MAX, Decimal::new(1, 28)), None);
    }
}
