//! The 24-hour ticker of Binance's spot REST API, which Binance.US and others speak too; [`klines`]
//! has its candles.
//!
//! <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints>

mod errors;
pub mod exchange_info;
mod fields;
pub mod klines;
mod reply;
mod requests;

use crate::error::{excerpt, sanitized};
use crate::http::Reply;
use crate::reading::json::string;
use crate::{
    Asked, CandleQuery, Candles, Client, Endpoint, Exchange, Instrument, MarketError, ReplyTime,
    Rows, Ticker, Tickers, TimeSource, UnixMillis, decimal,
};
use errors::ERRORS;
use fields::{Field, Name};
use reply::{Content, Way};
use rust_decimal::Decimal;
use serde::de::{IgnoredAny, MapAccess};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;

/// Shortest row of an exchange, about, in bytes.
const SHORTEST_ROW: usize = 400;

/// An exchange that speaks this API.
#[derive(Debug)]
pub struct Binance {
    name: &'static str,
    base_url: &'static str,
    /// Parameters of a request for instruments that make its reply shorter.
    info_options: &'static str,
}

/// Binance itself, by its host for public market data.
pub static BINANCE: Binance = Binance {
    name: "binance",
    base_url: "https://data-api.binance.vision",
    info_options: "&showPermissionSets=false",
};

/// Binance.US, which speaks the same API at a host of its own, and prints four places where Binance
/// prints eight. Untested against the exchange: no full reply of it is on record.
pub static BINANCE_US: Binance = Binance {
    name: "binance_us",
    base_url: "https://api.binance.us",
    info_options: "",
};

impl Exchange for Binance {
    fn name(&self) -> &'static str {
        self.name
    }

    fn base_url(&self) -> &'static str {
        self.base_url
    }

    fn tickers(&self, endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError> {
        requests::fetch(endpoint, symbols)
    }

    fn read_tickers(
        &self,
        body: &[u8],
        asked: &HashSet<&str>,
        _: ReplyTime,
    ) -> Result<Rows, MarketError> {
        parse(body, asked)
    }

    fn candles(&self, client: &Client, query: &CandleQuery) -> Result<Candles, MarketError> {
        klines::fetch(client, query)
    }

    fn read_candles(
        &self,
        body: &[u8],
        query: &CandleQuery,
        now: UnixMillis,
    ) -> Result<Candles, MarketError> {
        klines::parse(body, query, now)
    }

    fn instruments(
        &self,
        endpoint: &Endpoint,
        symbols: &HashSet<&str>,
    ) -> Result<Vec<Instrument>, MarketError> {
        exchange_info::fetch(endpoint, symbols, self.info_options)
    }
}

/// The rows of `asked` in a reply, or the error that the reply is.
fn accept(reply: &Reply, asked: &HashSet<&str>) -> Result<Rows, MarketError> {
    match reply.status {
        200 => parse(&reply.body, asked).map_err(|error| ERRORS.with_wait(error, reply)),
        _ => Err(ERRORS.of_status(reply)),
    }
}

/// The rows of `asked` in a body. A symbol that comes twice is unusable: nothing says which of
/// its rows is right.
///
/// Rows are read one after the other, and of those that nobody asked for nothing is kept. So a
/// reply takes no more than a small multiple of its length, whatever it holds; what is kept grows
/// with the symbols asked for, not with the reply.
///
/// # Errors
/// [`MarketError::NotJson`]; [`MarketError::Rejected`] and [`MarketError::LeftAlone`] for the
/// exchange's error object.
pub fn parse(body: &[u8], asked: &HashSet<&str>) -> Result<Rows, MarketError> {
    let refuse = |reason: String| MarketError::NotJson {
        reason,
        body: excerpt(body),
    };
    let text = std::str::from_utf8(body).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
    if text.trim().is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    let most = asked.len().min(text.len() / SHORTEST_ROW);
    let read = |way| {
        let mut rows = Rows::with_capacity(most);
        let mut names_a_symbol = false;
        let content = reply::read(text, way, &mut |row: Row| {
            let Some(symbol) = row.symbol() else {
                return;
            };
            names_a_symbol = true;
            if asked.contains(symbol.as_ref()) {
                let ticker = row.ticker(&symbol);
                rows.entry(symbol.into_owned())
                    .and_modify(|row| *row = Err("the reply holds this symbol twice".to_owned()))
                    .or_insert(ticker);
            }
        })?;
        Ok((content, rows, names_a_symbol))
    };
    let (content, rows, names_a_symbol) = read(Way::AtOnce)
        .or_else(|_: serde_json::Error| read(Way::OneByOne))
        .map_err(|error| refuse(format!("it is not JSON: {error}")))?;
    match content {
        Content::List if names_a_symbol => Ok(rows),
        Content::List => Err(refuse("no row of it names a symbol".to_owned())),
        Content::Other => match ERRORS.refusal(body) {
            Some(refusal) => Err(ERRORS.error(refusal)),
            None => Err(refuse("it is JSON, but not a list".to_owned())),
        },
    }
}

/// A row of a list, whose fields are text until they are asked for, so that each bad one can be
/// named.
#[derive(Default)]
pub struct Row<'a> {
    values: [Option<&'a RawValue>; Field::NAMES.len()],
    /// A field that comes twice: nothing says which of its values is right.
    twice: Option<Field>,
    names_itself_twice: bool,
}

impl<'a> Row<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// Those of the grammar alone.
    pub fn read<A: MapAccess<'a>>(mut object: A) -> Result<Self, A::Error> {
        let mut row = Self::default();
        while let Some(field) = object.next_key_seed(Name)? {
            let Some(field) = field else {
                object.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = object.next_value()?;
            if row.values[field as usize].replace(value).is_some() {
                row.names_itself_twice |= matches!(field, Field::Symbol);
                row.twice.get_or_insert(field);
            }
        }
        Ok(row)
    }

    /// The symbol that it names, once.
    pub fn symbol(&self) -> Option<Cow<'a, str>> {
        if self.names_itself_twice {
            return None;
        }
        string(self.value(Field::Symbol)?)?.ok()
    }

    /// The ticker of `symbol`, or why the row is unusable.
    pub fn ticker(&self, symbol: &str) -> Result<Ticker, String> {
        if let Some(field) = self.twice {
            return Err(format!("duplicate field `{}`", field.name()));
        }
        Ok(Ticker {
            symbol: symbol.to_owned(),
            price_change: self.signed(Field::PriceChange)?,
            price_change_percent: self.signed(Field::PriceChangePercent)?,
            weighted_average_price: Some(self.unsigned(Field::WeightedAvgPrice)?),
            last_price: self.unsigned(Field::LastPrice)?,
            open_price: self.unsigned(Field::OpenPrice)?,
            high_price: self.unsigned(Field::HighPrice)?,
            low_price: self.unsigned(Field::LowPrice)?,
            bid_price: Some(self.unsigned(Field::BidPrice)?),
            ask_price: Some(self.unsigned(Field::AskPrice)?),
            base_volume: self.unsigned(Field::Volume)?,
            quote_volume: self.unsigned(Field::QuoteVolume)?,
            open_time: Some(self.whole(Field::OpenTime)?),
            close_time: self.whole(Field::CloseTime)?,
            time_source: TimeSource::Exchange,
            trade_count: Some(self.whole(Field::Count)?),
        })
    }

    fn value(&self, field: Field) -> Option<&'a RawValue> {
        self.values[field as usize].filter(|value| value.get() != "null")
    }

    /// The text of a number, which the exchange writes as a string and others write bare.
    fn text(&self, field: Field) -> Result<Cow<'a, str>, String> {
        let Some(value) = self.value(field) else {
            return Err(format!("{} is missing", field.name()));
        };
        string(value)
            .unwrap_or(Ok(Cow::Borrowed(value.get())))
            .map_err(|error| format!("{}: {error}", field.name()))
    }

    fn signed(&self, field: Field) -> Result<Decimal, String> {
        let text = self.text(field)?;
        decimal::parse(&text)
            .map_err(|reason| format!("{} {reason}: {}", field.name(), sanitized(&text)))
    }

    fn unsigned(&self, field: Field) -> Result<Decimal, String> {
        let number = self.signed(field)?;
        if number.is_sign_negative() && !number.is_zero() {
            return Err(format!("{} is negative: {number}", field.name()));
        }
        Ok(number)
    }

    /// A whole number that is zero or more: a count, or a time in milliseconds.
    fn whole(&self, field: Field) -> Result<UnixMillis, String> {
        let text = self.text(field)?;
        decimal::whole(&text).ok_or_else(|| {
            format!(
                "{} is not a whole number: {}",
                field.name(),
                sanitized(&text)
            )
        })
    }
}

#[cfg(test)]
mod tests;
