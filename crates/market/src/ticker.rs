//! What an exchange reports of one symbol, in exact numbers.

use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};

/// Milliseconds since the Unix epoch, UTC.
pub type UnixMillis = i64;

/// One symbol's rolling 24-hour statistics, as the exchange reports them.
///
/// Prices are in the quote asset. Everything but the change and its percentage is zero or more.
#[derive(Clone, Debug)]
pub struct Ticker {
    pub symbol: String,
    /// Last price minus the price 24 hours ago.
    pub price_change: Decimal,
    /// The same in percent of the price 24 hours ago: 2.5 means 2.5 %.
    pub price_change_percent: Decimal,
    /// Quote volume divided by base volume.
    pub weighted_average_price: Decimal,
    pub last_price: Decimal,
    /// The price 24 hours ago.
    pub open_price: Decimal,
    pub high_price: Decimal,
    pub low_price: Decimal,
    /// Best bid; zero when nobody bids.
    pub bid_price: Decimal,
    /// Best ask; zero when nobody asks.
    pub ask_price: Decimal,
    /// Traded amount in the base asset.
    pub base_volume: Decimal,
    /// Traded amount in the quote asset.
    pub quote_volume: Decimal,
    /// Begin of the window.
    pub open_time: UnixMillis,
    /// End of the window: when these statistics were taken.
    pub close_time: UnixMillis,
    /// Trades in the window.
    pub trade_count: i64,
}

impl Ticker {
    /// The finest decimal place that any of this ticker's prices uses, as a power of ten:
    /// 0.01 for prices such as 19900.15 and 19900.2, 1 when all are whole.
    ///
    /// Trailing zeros say nothing, for exchanges print eight decimals always. The average price
    /// is left out: it is computed, not traded.
    pub fn tick_size(&self) -> Decimal {
        let prices = [
            self.last_price,
            self.open_price,
            self.high_price,
            self.low_price,
            self.bid_price,
            self.ask_price,
        ];
        Decimal::new(1, prices.into_iter().fold(0, finest_place))
    }
}

/// The places that `price` uses, or `finest` when that is more.
fn finest_place(finest: u32, price: Decimal) -> u32 {
    let Ok(mut digits) = u64::try_from(price.mantissa().unsigned_abs()) else {
        return finest.max(price.normalize().scale());
    };
    let mut places = price.scale();
    while places > finest && digits.is_multiple_of(10) {
        digits /= 10;
        places -= 1;
    }
    finest.max(places)
}

/// A symbol to ask for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub symbol: String,
    pub last_look: LastLook,
}

/// What the last look at a symbol found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLook {
    /// A row of it, whatever that said.
    Listed,
    /// Nothing yet, or nothing certain: it was missing from the reply.
    Never,
    /// That the exchange does not know it, less than a minute ago.
    UnknownLately,
    /// The same, so long ago that it is time to ask again.
    UnknownDue,
}

/// What one fetch brought.
#[derive(Clone, Debug, Default)]
pub struct Tickers {
    /// For each asked symbol that the exchange listed: its ticker, or why its row is unusable.
    pub rows: HashMap<String, Result<Ticker, String>>,
    /// Asked symbols that the exchange does not know, in the order asked: it refused them, or the
    /// list of all lacks them.
    pub unknown: Vec<String>,
    /// Asked symbols that the reply lacks, without a word of whether they are listed. One that was
    /// listed is among them, too, when the list of all lacks it for the first time.
    pub missing: HashSet<String>,
    /// The symbols of `unknown` that were left out this time.
    pub not_asked: HashSet<String>,
    /// The time by the exchange's clock, where its reply says so.
    pub exchange_time: Option<UnixMillis>,
}
