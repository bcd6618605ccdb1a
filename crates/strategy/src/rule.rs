//! What decides: the rule, the side it finds, and the symbols it is applied to.

use market::Candle;
use rust_decimal::Decimal;

/// What a signal says to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Buy first, for the price rises.
    Long,
    /// Sell first, for the price falls.
    Short,
}

impl Side {
    /// The name in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Long => "LONG",
            Self::Short => "SHORT",
        }
    }

    /// The side of that name in tables, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Long, Self::Short]
            .into_iter()
            .find(|side| side.as_str() == name)
    }

    /// -1 for SHORT, 1 for LONG: what turns the signs of one side's arithmetic.
    pub(crate) fn sign(self) -> Decimal {
        match self {
            Self::Long => Decimal::ONE,
            Self::Short => Decimal::NEGATIVE_ONE,
        }
    }
}

/// The parameters of one strategy: one row of signal_rules.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The name of one of [`crate::strategies::ALL`]; by any other there are no signals.
    pub strategy: String,
    /// The change beyond which a side begins, in percent; see the strategies that use it.
    pub enter_change_percent: Decimal,
    /// The change inside of which a side ends, likewise.
    pub exit_change_percent: Decimal,
    /// Volume that must be exceeded, in US dollars.
    pub min_quote_volume: Decimal,
    /// Confidence per percent of change.
    pub confidence_per_percent: Decimal,
    pub max_confidence: Decimal,
    pub min_confidence: Decimal,
    /// Least quality score, 0 to 100.
    pub min_quality: Decimal,
    /// Distance of the stop from the entry, in percent.
    pub stop_loss_percent: Decimal,
    /// Distances of the targets from the entry, in percent, ascending.
    pub take_profit_percents: Vec<Decimal>,
    /// The stop as a share of the 24-hour range instead; the targets keep their proportion to it.
    pub stop_loss_range_share: Option<Decimal>,
    /// How long a signal is good for.
    pub lifetime_ms: i64,
    /// That it is good for longer the smaller the 24-hour range is, instead.
    pub lifetime_by_range: Option<LifetimeByRange>,
    /// Whether a side that outlives its signal is signalled again.
    pub renew: bool,
    /// Time from one signal of a symbol to its next entry; `None` is the lifetime of the signal.
    pub cooldown_ms: Option<i64>,
    /// Whether a flip waits for the end of the cooldown, too.
    pub cooldown_flips: bool,
    /// Oldest ticker that is judged.
    pub max_ticker_age_ms: i64,
    /// Most signals of one call of [`judge`].
    pub max_signals_per_run: i32,
    /// Widest spread, and furthest that the last price may be outside of bid and ask, in percent;
    /// `None` turns both off.
    pub max_spread_percent: Option<Decimal>,
    /// Furthest that the last prices of two exchanges may be apart, in percent; `None` turns it off.
    pub max_disagreement_percent: Option<Decimal>,
}

/// A lifetime that follows the 24-hour range, see [`crate::distances::lifetime_ms`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LifetimeByRange {
    /// How many times the distance of the stop the price is expected to range over while the
    /// signal lives.
    pub stops: Decimal,
    /// The shortest lifetime.
    pub floor_ms: i64,
    /// The longest, also where there is no range.
    pub cap_ms: i64,
}

/// One enabled row of signal_symbols.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    pub symbol: String,
    /// The asset that its prices and quote volume are in, as the exchange's list of instruments
    /// says it; `None` where that says nothing. Then it is told by how the symbol ends.
    pub quote: Option<String>,
    /// The tick as the exchange's list of instruments says it; `None` where that says nothing. Then
    /// levels are rounded by the tick that the ticker shows.
    pub tick_size: Option<Decimal>,
    /// The tick that earlier tickers have shown. It is only remembered, for people: no signal
    /// depends on it, so that history gives the same signals as the present.
    pub learned_tick: Option<Decimal>,
    /// Finished daily candles, the oldest first, for strategies that need some.
    pub days: Vec<Candle>,
    /// What another exchange says of it, where one was asked.
    pub elsewhere: Option<Elsewhere>,
}

/// The last price of a symbol at another exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Elsewhere {
    /// The name of that exchange.
    pub exchange: String,
    pub last_price: Decimal,
}
