//! Entry, stop and targets.

use crate::{Distances, Side};
use market::Ticker;
use rust_decimal::{Decimal, RoundingStrategy};

const HUNDREDTH: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// The prices of a signal, each a multiple of the tick and printed with its places.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    pub entry_price: Decimal,
    pub stop_loss: Decimal,
    /// Targets, the nearest first.
    pub take_profit: Vec<Decimal>,
}

impl Levels {
    /// Whether a target or the stop is no price: the percentages of a rule may be 100 or more.
    pub fn has_price_below_zero(&self) -> bool {
        let mut prices = self.take_profit.iter().chain([&self.stop_loss]);
        prices.any(|price| *price <= Decimal::ZERO)
    }

    /// Whether all are above zero and stop < entry < targets, each further than the one before;
    /// the reverse for SHORT.
    pub fn are_ordered(&self, side: Side) -> bool {
        let prices = || {
            [&self.stop_loss, &self.entry_price]
                .into_iter()
                .chain(&self.take_profit)
        };
        let is_ordered = match side {
            Side::Long => prices().is_sorted_by(|a, b| a < b),
            Side::Short => prices().is_sorted_by(|a, b| a > b),
        };
        is_ordered && prices().all(|price| *price > Decimal::ZERO)
    }
}

/// The levels of a signal at `last_price`: the entry there, the stop and the targets at their
/// distances from it, each rounded to the nearest tick, half away from zero as
/// PostgreSQL rounds numeric. `None` when a number does not fit or the tick is not above zero.
///
/// With a tick as coarse as the percentages, levels can fall together: see
/// [`Levels::are_ordered`].
pub fn levels(
    distances: &Distances,
    side: Side,
    last_price: Decimal,
    tick: Decimal,
) -> Option<Levels> {
    let entry_price = to_tick(last_price, tick)?;
    let at = |percent: Decimal| {
        let part = percent.checked_mul(side.sign())?.checked_mul(HUNDREDTH)?;
        to_tick(
            entry_price.checked_mul(Decimal::ONE.checked_add(part)?)?,
            tick,
        )
    };
    Some(Levels {
        entry_price,
        stop_loss: at(-distances.stop_loss_percent)?,
        take_profit: distances
            .take_profit_percents
            .iter()
            .map(|percent| at(*percent))
            .collect::<Option<_>>()?,
    })
}

/// The tick that the exchange says, if it is one.
pub fn today(said: Option<Decimal>) -> Option<Decimal> {
    said.filter(|tick| *tick > Decimal::ZERO)
}

/// The tick that was learned from earlier tickers while prices are multiples of it, for it may be
/// finer than what one ticker shows; else the one that the ticker shows. It grows coarser when all
/// prices of the ticker differ and none of them is finer: each ends in a zero by chance in a tenth
/// of all cases, and hardly ever all of them do.
pub fn tick(learned: Option<Decimal>, ticker: &Ticker) -> Decimal {
    let shown = ticker.tick_size();
    learned
        .filter(|tick| *tick > Decimal::ZERO)
        .filter(|tick| ticker.last_price.checked_rem(*tick) == Some(Decimal::ZERO))
        .filter(|tick| *tick >= shown || !all_prices_differ(ticker))
        .unwrap_or(shown)
}

fn all_prices_differ(ticker: &Ticker) -> bool {
    let prices = [
        Some(ticker.last_price),
        Some(ticker.open_price),
        Some(ticker.high_price),
        Some(ticker.low_price),
        ticker.bid_price,
        ticker.ask_price,
    ];
    let mut prices: Vec<Decimal> = prices.into_iter().flatten().collect();
    let given = prices.len();
    prices.sort_unstable();
    prices.dedup();
    prices.len() == given
}

/// The multiple of `tick` that is nearest to `price`, with as many places as the tick has.
fn to_tick(price: Decimal, tick: Decimal) -> Option<Decimal> {
    if tick <= Decimal::ZERO {
        return None;
    }
    let places = tick.normalize().scale();
    // Rounding to places is cheaper than counting ticks, and nearly every tick is a power of ten.
    if tick == Decimal::new(1, places) {
        let mut rounded =
            price.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
        rounded.rescale(places);
        return (rounded.scale() == places).then_some(rounded);
    }
    let ticks = price
        .checked_div(tick)?
        .round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero);
    let mut rounded = ticks.checked_mul(tick)?;
    rounded.rescale(places);
    // A product of more digits than fit was rounded, and is no multiple any more.
    (rounded.checked_rem(tick)? == Decimal::ZERO).then_some(rounded)
}

#[cfg(test)]
mod tests;
