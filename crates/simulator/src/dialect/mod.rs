//! The languages of the exchanges: paths, queries, symbols, units and the shape of every reply.
//!
//! Shapes follow the exchanges' public documentation and recorded replies. All of them tell of
//! the same market: `view` is what a dialect sees of it.

pub(crate) mod binance;
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
    pub const ALL: [Self; 2] = [Self::Binance, Self::BinanceUs];

    /// Its name, as `signal_hub.exchanges` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::BinanceUs => "binance_us",
        }
    }

    pub(super) fn speech(self) -> &'static dyn Speech {
        match self {
            Self::Binance => &binance::Binance { us: false },
            Self::BinanceUs => &binance::Binance { us: true },
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
