//! The arithmetic by which the numbers of a ticker fit each other, within what is lost by printing
//! them.

use market::{Ticker, UnixMillis};
use rust_decimal::Decimal;

pub fn is_change(ticker: &Ticker) -> bool {
    let computed = ticker.last_price.checked_sub(ticker.open_price);
    computed == Some(ticker.price_change)
        || is_near(
            computed,
            Some(ticker.price_change),
            Some(ticker.tick_size()),
        )
}

// The quotients are multiplied out, for a quotient has all the digits that a decimal can hold, and
// takes ten times as long as a product.

pub fn is_percent(ticker: &Ticker) -> bool {
    let open = ticker.open_price;
    is_near(
        ticker.price_change.checked_mul(Decimal::ONE_HUNDRED),
        ticker.price_change_percent.checked_mul(open),
        open.checked_mul(Decimal::new(15, 4)),
    )
}

/// Whether the average price is that of the volumes; an exchange that does not state it cannot
/// contradict itself.
pub fn is_average(ticker: &Ticker) -> bool {
    let Some(average) = ticker.weighted_average_price else {
        return true;
    };
    let total = average.checked_mul(ticker.base_volume);
    let is_near = |tolerance| is_near(total, Some(ticker.quote_volume), tolerance);
    is_near(ticker.quote_volume.checked_mul(Decimal::new(1, 3)))
        || is_near(ticker.base_volume.checked_mul(last_place(average)))
}

/// Whether the average price lies between low and high, but for what is lost by printing it.
pub fn is_average_within(ticker: &Ticker) -> bool {
    let (low, high) = (ticker.low_price, ticker.high_price);
    ticker.weighted_average_price.is_none_or(|average| {
        let unit = last_place(average);
        (low..=high).contains(&average)
            || (low..=high).contains(&average.saturating_add(unit))
            || (low..=high).contains(&average.saturating_sub(unit))
    })
}

/// One unit of the last place that an average price is printed with, from 0.0001 to 0.00000001:
/// fewer places than four only look like it, where zeros at the end are left out.
fn last_place(average: Decimal) -> Decimal {
    Decimal::new(1, average.scale().clamp(4, 8))
}

/// Whether two numbers differ by no more than `tolerance`; one that does not fit never does.
fn is_near(one: Option<Decimal>, other: Option<Decimal>, tolerance: Option<Decimal>) -> bool {
    let difference = one
        .zip(other)
        .and_then(|(one, other)| one.checked_sub(other));
    difference
        .zip(tolerance)
        .is_some_and(|(difference, tolerance)| difference.abs() <= tolerance)
}

/// The unit of a time that cannot be in milliseconds.
pub fn unit_of_time(time: UnixMillis) -> Option<&'static str> {
    match time {
        // In milliseconds these would be a day in January 1970, or after the year 5000.
        1_000_000_000..10_000_000_000 => Some("seconds"),
        100_000_000_000_000..100_000_000_000_000_000 => Some("microseconds"),
        100_000_000_000_000_000.. => Some("nanoseconds"),
        _ => None,
    }
}
