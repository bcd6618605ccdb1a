//! The languages of the exchanges: paths, queries, symbols, units and the shape of every reply.
//!
//! Shapes follow the exchanges' public documentation and recorded replies. All of them tell of
//! the same market: `view` is what a dialect sees of it.

pub(crate) mod binance;
mod bybit;
mod coinbase;
mod gate;
mod kraken;
mod kucoin;
mod mexc;
mod okx;
mod time;
mod view;

use super::UnixMillis;
use super::instrument::Instrument;
use super::response::Response;
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use std::str::FromStr;

use view::status;
pub(super) use view::{Apart, View, time_shift};

/// A row of a reply.
pub(super) type Row = Map<String, Value>;

/// Which exchange's API a simulator speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Binance's spot REST API.
    #[default]
    Binance,
    /// Binance.US: as Binance, with fewer decimals.
    BinanceUs,
    /// Bybit's API v5.
    Bybit,
    /// OKX's API v5.
    Okx,
    /// KuCoin's spot API.
    Kucoin,
    /// Gate's API v4.
    Gate,
    /// The API of Coinbase Exchange.
    Coinbase,
    /// MEXC's API v3.
    Mexc,
    /// Kraken's spot API.
    Kraken,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Route {
    Tickers,
    Candles,
    Instruments,
    /// Anything that no fault strikes, such as the time.
    Other,
}

/// What the exchange says when it does not answer as it should.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    /// Too many requests; seconds to wait, where they are told.
    TooManyRequests(Option<u64>),
    /// The address is banned: seconds to wait, and whether a header tells them.
    Banned(u64, bool),
    RestrictedLocation,
    InternalError,
    Maintenance,
    UnknownSymbol,
}

/// What a dialect defines.
pub(super) trait Speech: Sync {
    /// What a path is for; `None` when there is no such path.
    fn route(&self, path: &str) -> Option<Route>;

    /// The parameter that names the length of candles.
    fn interval_parameter(&self) -> &'static str {
        "interval"
    }

    /// The exchange's own name of a symbol.
    fn symbol(&self, instrument: &Instrument) -> String;

    /// Whether a request that names this means the symbol.
    fn means(&self, named: &str, instrument: &Instrument) -> bool {
        named == self.symbol(instrument)
    }

    /// The answer to a request for a path that [`Speech::route`] knows.
    fn answer(&self, path: &str, query: &str, view: &mut View) -> Response;

    /// What it says in trouble, at this time of its clock.
    fn trouble(&self, trouble: Trouble, now: UnixMillis) -> Response;

    /// How much a request weighs, where the exchange tells what was used, and the header.
    fn weight(&self, _path: &str, _query: &str) -> Option<(&'static str, u32)> {
        None
    }

    /// Whether the replies of a route have the header Date.
    fn dated(&self, _route: Route) -> bool {
        true
    }
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Binance,
        Self::BinanceUs,
        Self::Bybit,
        Self::Okx,
        Self::Kucoin,
        Self::Gate,
        Self::Coinbase,
        Self::Mexc,
        Self::Kraken,
    ];

    /// Its name, as `signal_hub.exchanges` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::BinanceUs => "binance_us",
            Self::Bybit => "bybit",
            Self::Okx => "okx",
            Self::Kucoin => "kucoin",
            Self::Gate => "gate",
            Self::Coinbase => "coinbase",
            Self::Mexc => "mexc",
            Self::Kraken => "kraken",
        }
    }

    pub(super) fn speech(self) -> &'static dyn Speech {
        match self {
            Self::Binance => &binance::Binance { us: false },
            Self::BinanceUs => &binance::Binance { us: true },
            Self::Bybit => &bybit::Bybit,
            Self::Okx => &okx::Okx,
            Self::Kucoin => &kucoin::Kucoin,
            Self::Gate => &gate::Gate,
            Self::Coinbase => &coinbase::Coinbase,
            Self::Mexc => &mexc::Mexc,
            Self::Kraken => &kraken::Kraken,
        }
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter();
        all.find(|dialect| dialect.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no dialect \"{name}\"; there are {names}")
        })
    }
}

/// Where a fault finds what it spoils in a row.
pub(super) struct Names {
    pub last: &'static str,
    pub percent: Option<&'static str>,
    pub average: Option<&'static str>,
    pub count: Option<&'static str>,
    pub book: &'static [&'static str],
}

/// Sets a field of a row; of a field that is a list, its first element.
pub(super) fn set(row: &mut Row, name: &str, value: Value) {
    match row.get_mut(name) {
        Some(Value::Array(list)) if !list.is_empty() => list[0] = value,
        _ => {
            row.insert(name.to_owned(), value);
        }
    }
}

/// A number with this many decimals, or more where that would round it.
pub(super) fn digits(value: Decimal, decimals: u32) -> String {
    let mut value = value.normalize();
    if value.is_zero() {
        // Nobody prints "-0.000".
        value.set_sign_positive(true);
    }
    if value.scale() < decimals {
        value.rescale(decimals);
    }
    value.to_string()
}

/// The value of a query's parameter.
pub(super) fn parameter(query: &str, wanted: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == wanted)
        .map(|(_, value)| value.into_owned())
}

/// A number as short as it can be written.
pub(super) fn plain(value: Decimal) -> String {
    digits(value, 0)
}

/// A parameter that is a whole number, zero or more, and far from where arithmetic on it ends;
/// `Err` when it is something else.
pub(super) fn whole(query: &str, wanted: &str) -> Result<Option<i64>, ()> {
    match parameter(query, wanted) {
        None => Ok(None),
        Some(text) => match text.parse() {
            Ok(number @ 0..=9_999_999_999_999) => Ok(Some(number)),
            _ => Err(()),
        },
    }
}

/// The length of candles that a name stands for, in milliseconds.
pub(super) fn length_named(lengths: &[(&str, i64)], name: &str) -> Option<i64> {
    let mut known = lengths.iter();
    known
        .find(|(known, _)| *known == name)
        .map(|(_, length)| *length)
}

/// Begin of the first and of the last candle that begin from `start` to `end`; when they are more
/// than `most`, the last ones of them.
pub(super) fn newest(
    (start, end): (Option<UnixMillis>, Option<UnixMillis>),
    length: i64,
    most: usize,
    now: UnixMillis,
) -> (UnixMillis, UnixMillis) {
    let (first, last) = range((None, end), length, most, now);
    let start = start.map(|start| (start + length - 1).div_euclid(length) * length);
    (first.max(start.unwrap_or(first)), last)
}

/// Begin of the first and of the last candle that a request for at most `most` candles means:
/// those from `start` on, where it is told, and else the last ones up to `end`.
pub(super) fn range(
    (start, end): (Option<UnixMillis>, Option<UnixMillis>),
    length: i64,
    most: usize,
    now: UnixMillis,
) -> (UnixMillis, UnixMillis) {
    let span = length * (most as i64 - 1);
    let latest = end.unwrap_or(now).min(now).div_euclid(length) * length;
    match start {
        Some(start) => {
            let first = (start + length - 1).div_euclid(length) * length;
            (first, latest.min(first + span))
        }
        None => (latest - span, latest),
    }
}
