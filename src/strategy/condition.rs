//! Whether a ticker is fit to be judged: consistent with itself, of a market that trades, fresh.
//!
//! An exchange answers for halted and delisted pairs too, with zeros or with the statistics of
//! their last day, for months.

use crate::market::{Ticker, UnixMillis};
use rust_decimal::Decimal;

/// How far the exchange's clock may be ahead of this server's.
const CLOCK_TOLERANCE_MS: i64 = 60_000;

/// Why the numbers of a ticker contradict each other, if they do. All zeros do not.
///
/// Tolerances: one tick for the change; 0.0015 points for its percentage, which is printed with
/// three places; for the average price a part in a thousand or the last of its eight places,
/// whichever is more.
pub fn contradiction(ticker: &Ticker) -> Option<String> {
    let Ticker {
        low_price: low,
        high_price: high,
        open_price: open,
        last_price: last,
        ..
    } = *ticker;
    let amounts = [
        ("low price", low),
        ("bid price", ticker.bid_price),
        ("ask price", ticker.ask_price),
        ("base volume", ticker.base_volume),
        ("quote volume", ticker.quote_volume),
    ];
    if let Some((name, _)) = amounts.iter().find(|(_, amount)| *amount < Decimal::ZERO) {
        return Some(format!("{name} is negative"));
    }
    let prices = [
        ("open price", open),
        ("last price", last),
        ("average price", ticker.weighted_average_price),
    ];
    if let Some((name, _)) = prices.iter().find(|(_, p)| !(low..=high).contains(p)) {
        return Some(format!("{name} is outside low to high"));
    }
    if ticker.open_time > ticker.close_time {
        return Some("window ends before it begins".to_owned());
    }
    let contradiction = if !is_change(ticker) {
        "change is not last minus open price"
    } else if open > Decimal::ZERO && !is_percent(ticker) {
        "change percent is not change over open price"
    } else if ticker.base_volume > Decimal::ZERO && !is_average(ticker) {
        "average price is not quote volume over base volume"
    } else {
        return None;
    };
    Some(contradiction.to_owned())
}

/// Whether the market is open and was traded: halted pairs have neither bid nor ask.
pub fn is_trading(ticker: &Ticker) -> bool {
    ticker.bid_price > Decimal::ZERO
        && ticker.ask_price >= ticker.bid_price
        && ticker.last_price > Decimal::ZERO
        && ticker.open_price > Decimal::ZERO
        && ticker.trade_count > 0
}

/// How old the statistics are, in milliseconds; negative when the exchange's clock is ahead.
pub fn age_ms(ticker: &Ticker, now: UnixMillis) -> i64 {
    now.saturating_sub(ticker.close_time)
}

/// Whether statistics of this age are fresh.
pub fn is_fresh(age_ms: i64, max_age_ms: i64) -> bool {
    (-CLOCK_TOLERANCE_MS..=max_age_ms).contains(&age_ms)
}

fn is_change(ticker: &Ticker) -> bool {
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

fn is_percent(ticker: &Ticker) -> bool {
    let open = ticker.open_price;
    is_near(
        ticker.price_change.checked_mul(Decimal::ONE_HUNDRED),
        ticker.price_change_percent.checked_mul(open),
        open.checked_mul(Decimal::new(15, 4)),
    )
}

fn is_average(ticker: &Ticker) -> bool {
    let total = ticker
        .weighted_average_price
        .checked_mul(ticker.base_volume);
    let is_near = |tolerance| is_near(total, Some(ticker.quote_volume), tolerance);
    is_near(ticker.quote_volume.checked_mul(Decimal::new(1, 3)))
        || is_near(ticker.base_volume.checked_mul(Decimal::new(1, 8)))
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

#[cfg(test)]
mod tests;
