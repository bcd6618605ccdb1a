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
    /// Quote volume divided by base volume, where the exchange states it.
    pub weighted_average_price: Option<Decimal>,
    pub last_price: Decimal,
    /// The price 24 hours ago.
    pub open_price: Decimal,
    pub high_price: Decimal,
    pub low_price: Decimal,
    /// Best bid; zero when nobody bids, `None` of an exchange that does not tell it.
    pub bid_price: Option<Decimal>,
    /// Best ask; zero when nobody asks, `None` of an exchange that does not tell it.
    pub ask_price: Option<Decimal>,
    /// Traded amount in the base asset.
    pub base_volume: Decimal,
    /// Traded amount in the quote asset.
    pub quote_volume: Decimal,
    /// Begin of the window, where the exchange states it.
    pub open_time: Option<UnixMillis>,
    /// End of the window: when these statistics were taken.
    pub close_time: UnixMillis,
    /// Where [`Ticker::close_time`] is from.
    pub time_source: TimeSource,
    /// Trades in the window, where the exchange counts them.
    pub trade_count: Option<i64>,
}

/// Whose time the end of a window is. Only the first tells when the statistics were taken; by the
/// others they are as old as the reply, however long they have stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// The exchange says it of the row, or of all rows of its reply.
    Exchange,
    /// The header Date of the reply, by the exchange's clock: the end of the second that it names.
    Date,
    /// When the reply was there, by this machine's clock.
    Receipt,
}

impl TimeSource {
    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Date => "date",
            Self::Receipt => "receipt",
        }
    }
}

impl Ticker {
    /// The finest decimal place that any of this ticker's prices uses, as a power of ten:
    /// 0.01 for prices such as 19900.15 and 19900.2, 1 when all are whole.
    ///
    /// Trailing zeros say nothing, for exchanges print eight decimals always. The average price
    /// is left out: it is computed, not traded. Digits that a price has from a binary fraction
    /// say nothing either.
    pub fn tick_size(&self) -> Decimal {
        let prices = [
            self.last_price,
            self.open_price,
            self.high_price,
            self.low_price,
            self.bid_price.unwrap_or_default(),
            self.ask_price.unwrap_or_default(),
        ];
        Decimal::new(1, prices.into_iter().fold(0, finest_place))
    }
}

/// Digits that a binary fraction of 64 bits keeps of any decimal.
const EXACT_DIGITS: u32 = 15;
/// The largest number of so many digits.
const MOST_DIGITS: u64 = 999_999_999_999_999;
/// Zeros between the last digit of a price and what its binary fraction adds, at least: prices that
/// have more digits than such a fraction can keep are none.
const NOISE_BEGINS_AFTER: u32 = 4;

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
    if places > finest && digits > MOST_DIGITS {
        places = without_noise(price, places);
    }
    finest.max(places)
}

/// The places of a price that uses `places`, but for the digits that it has from a binary fraction:
/// 345.09000000000003 is 345.09.
fn without_noise(price: Decimal, places: u32) -> u32 {
    let rounded = price
        .round_sf(EXACT_DIGITS)
        .map(|price| price.normalize().scale());
    match rounded {
        Some(rounded) if rounded + NOISE_BEGINS_AFTER <= places => rounded,
        _ => places,
    }
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
    /// That the exchange does not know it, a moment ago.
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
