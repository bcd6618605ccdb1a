//! The 24-hour ticker of Binance's spot REST API, which Binance.US and others speak too.
//!
//! <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints>

use crate::error::{excerpt, sanitized};
use crate::http::{Client, Reply};
use crate::{Endpoint, MarketError, Ticker, Tickers, UnixMillis, check_url, decimal};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Most symbols asked for by name; above it, the list of all costs the exchange no more.
const MOST_NAMED: usize = 100;
/// Longest symbol the exchange accepts, in characters.
const LONGEST_SYMBOL: usize = 20;
/// What a query cannot hold as it is: all but the unreserved characters of RFC 3986, 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
/// "Illegal characters found in a parameter."
const ILLEGAL_CHARACTERS: i64 = -1100;
/// "Invalid symbol."
const INVALID_SYMBOL: i64 = -1121;

/// By symbol: a ticker, or why its row is unusable.
pub type Rows = HashMap<String, Result<Ticker, String>>;

/// Gets the tickers of `symbols` in one request; in two when the exchange does not know them all,
/// for one unknown symbol makes it refuse the whole list. Blocks, for the endpoint's timeout at
/// most. Without symbols it asks nothing.
///
/// # Errors
/// Whatever [`MarketError`] names. A row that cannot be used is not an error of the fetch: it is
/// in [`Tickers::rows`] with its reason.
pub fn fetch_tickers(endpoint: &Endpoint, symbols: &[String]) -> Result<Tickers, MarketError> {
    check_url(&endpoint.base_url)?;
    let asked: HashSet<&str> = symbols
        .iter()
        .map(String::as_str)
        .filter(|symbol| is_possible(symbol))
        .collect();
    let rows = if asked.is_empty() {
        Rows::new()
    } else {
        parse(&request(endpoint, &asked)?, &asked)?
    };
    let unknown = symbols
        .iter()
        .filter(|symbol| !rows.contains_key(*symbol))
        .cloned()
        .collect();
    Ok(Tickers { rows, unknown })
}

/// Whether the exchange could list such a symbol. What it could not is never sent: an illegal
/// character would make it refuse the whole list.
fn is_possible(symbol: &str) -> bool {
    let allowed = |c: char| {
        c.is_ascii_uppercase()
            || c.is_ascii_digit()
            || "-_.".contains(c)
            || !c.is_ascii() && c.is_alphanumeric()
    };
    (1..=LONGEST_SYMBOL).contains(&symbol.chars().count()) && symbol.chars().all(allowed)
}

/// The body of a reply that holds tickers, those of `asked` among them.
fn request(endpoint: &Endpoint, asked: &HashSet<&str>) -> Result<Vec<u8>, MarketError> {
    let client = Client::new(endpoint)?;
    let all = format!(
        "{}/api/v3/ticker/24hr",
        endpoint.base_url.trim_end_matches('/')
    );
    if asked.len() > MOST_NAMED {
        return accept(client.get(&all)?);
    }
    let reply = client.get(&format!("{all}?symbols={}", json_list(asked)))?;
    let refusal = (reply.status == 400)
        .then(|| refusal(&reply.body))
        .flatten();
    match refusal {
        Some((INVALID_SYMBOL | ILLEGAL_CHARACTERS, _)) => accept(client.get(&all)?),
        _ => accept(reply),
    }
}

/// `["A","B"]`, in their order and percent-encoded for a query.
fn json_list(symbols: &HashSet<&str>) -> String {
    let sorted: BTreeSet<&&str> = symbols.iter().collect();
    let names: Vec<String> = sorted
        .iter()
        .map(|symbol| format!("%22{}%22", utf8_percent_encode(symbol, RESERVED)))
        .collect();
    format!("%5B{}%5D", names.join("%2C"))
}

fn accept(reply: Reply) -> Result<Vec<u8>, MarketError> {
    let status = reply.status;
    let body = || excerpt(&reply.body);
    match status {
        200 => Ok(reply.body),
        403 | 418 | 429 | 451 => Err(MarketError::LeftAlone {
            status,
            retry_after: reply.retry_after,
            body: body(),
        }),
        400..=499 => Err(match refusal(&reply.body) {
            Some((code, message)) => MarketError::Rejected { code, message },
            None => MarketError::HttpStatus {
                status,
                body: body(),
            },
        }),
        _ => Err(MarketError::HttpStatus {
            status,
            body: body(),
        }),
    }
}

/// Code and text of the exchange's error object.
fn refusal(body: &[u8]) -> Option<(i64, String)> {
    #[derive(Deserialize)]
    struct Refusal {
        code: i64,
        msg: String,
    }
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    Some((refusal.code, sanitized(&refusal.msg)))
}

/// The rows of `asked` in a reply. A symbol that comes twice is unusable: nothing says which of
/// its rows is right.
///
/// # Errors
/// [`MarketError::NotJson`], and [`MarketError::Rejected`] for the exchange's error object.
pub fn parse(body: &[u8], asked: &HashSet<&str>) -> Result<Rows, MarketError> {
    let refuse = |reason: String| MarketError::NotJson {
        reason,
        body: excerpt(body),
    };
    let text = std::str::from_utf8(body).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
    if text.trim().is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    let list = list(text).map_err(|_| {
        if let Some((code, message)) = refusal(body) {
            return MarketError::Rejected { code, message };
        }
        match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => refuse("it is JSON, but not a list".to_owned()),
            // Of the grammar alone: an error of type would quote the reply at any length.
            Err(error) => refuse(format!("it is not JSON: {error}")),
        }
    })?;
    let mut rows = Rows::with_capacity(asked.len().min(list.len()));
    let mut named = false;
    for row in &list {
        let Some(symbol) = row.symbol() else {
            continue;
        };
        named = true;
        if !asked.contains(symbol.as_ref()) {
            continue;
        }
        let ticker = row.ticker(&symbol);
        rows.entry(symbol.into_owned())
            .and_modify(|row| *row = Err("the reply holds this symbol twice".to_owned()))
            .or_insert(ticker);
    }
    if !named {
        return Err(refuse("no row of it names a symbol".to_owned()));
    }
    Ok(rows)
}

/// The rows of a list, in one pass when all are objects. An element that is not an object would
/// end that pass: then each is read by itself.
fn list(text: &str) -> serde_json::Result<Vec<Row<'_>>> {
    serde_json::from_str(text).or_else(|_| {
        let list: Vec<&RawValue> = serde_json::from_str(text)?;
        Ok(list.into_iter().filter_map(Row::alone).collect())
    })
}

/// A row whose fields are still text, so that each bad one can be named.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    #[serde(borrow)]
    symbol: Option<&'a RawValue>,
    price_change: Option<&'a RawValue>,
    price_change_percent: Option<&'a RawValue>,
    weighted_avg_price: Option<&'a RawValue>,
    last_price: Option<&'a RawValue>,
    open_price: Option<&'a RawValue>,
    high_price: Option<&'a RawValue>,
    low_price: Option<&'a RawValue>,
    bid_price: Option<&'a RawValue>,
    ask_price: Option<&'a RawValue>,
    volume: Option<&'a RawValue>,
    quote_volume: Option<&'a RawValue>,
    open_time: Option<&'a RawValue>,
    close_time: Option<&'a RawValue>,
    count: Option<&'a RawValue>,
    /// Why the other fields were not read.
    #[serde(skip)]
    fault: Option<String>,
}

impl<'a> Row<'a> {
    /// `None` of what cannot be a row.
    fn alone(raw: &'a RawValue) -> Option<Self> {
        #[derive(Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            symbol: &'a RawValue,
        }
        let fault = match serde_json::from_str(raw.get()) {
            Ok(row) => return Some(row),
            Err(error) => Some(error.to_string()),
        };
        let Named { symbol } = serde_json::from_str(raw.get()).ok()?;
        Some(Self {
            symbol: Some(symbol),
            fault,
            ..Self::default()
        })
    }

    fn symbol(&self) -> Option<Cow<'a, str>> {
        string(self.symbol?)?.ok()
    }

    fn ticker(&self, symbol: &str) -> Result<Ticker, String> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        Ok(Ticker {
            symbol: symbol.to_owned(),
            price_change: signed("priceChange", self.price_change)?,
            price_change_percent: signed("priceChangePercent", self.price_change_percent)?,
            weighted_average_price: unsigned("weightedAvgPrice", self.weighted_avg_price)?,
            last_price: unsigned("lastPrice", self.last_price)?,
            open_price: unsigned("openPrice", self.open_price)?,
            high_price: unsigned("highPrice", self.high_price)?,
            low_price: unsigned("lowPrice", self.low_price)?,
            bid_price: unsigned("bidPrice", self.bid_price)?,
            ask_price: unsigned("askPrice", self.ask_price)?,
            base_volume: unsigned("volume", self.volume)?,
            quote_volume: unsigned("quoteVolume", self.quote_volume)?,
            open_time: whole("openTime", self.open_time)?,
            close_time: whole("closeTime", self.close_time)?,
            trade_count: whole("count", self.count)?,
        })
    }
}

/// The content of a JSON string; `None` of anything else.
fn string(value: &RawValue) -> Option<serde_json::Result<Cow<'_, str>>> {
    let quoted = value.get().strip_prefix('"')?;
    Some(match quoted.strip_suffix('"') {
        // Without an escape, what is between the quotes is the content.
        Some(content) if !content.contains('\\') => Ok(Cow::Borrowed(content)),
        _ => serde_json::from_str(value.get()).map(Cow::Owned),
    })
}

/// The text of a number, which the exchange writes as a string and others write bare.
fn text<'a>(name: &str, value: Option<&'a RawValue>) -> Result<Cow<'a, str>, String> {
    let Some(value) = value else {
        return Err(format!("{name} is missing"));
    };
    string(value)
        .unwrap_or(Ok(Cow::Borrowed(value.get())))
        .map_err(|error| format!("{name}: {error}"))
}

fn signed(name: &str, value: Option<&RawValue>) -> Result<Decimal, String> {
    let text = text(name, value)?;
    decimal::parse(&text).map_err(|reason| format!("{name} {reason}: {}", sanitized(&text)))
}

fn unsigned(name: &str, value: Option<&RawValue>) -> Result<Decimal, String> {
    let number = signed(name, value)?;
    if number.is_sign_negative() && !number.is_zero() {
        return Err(format!("{name} is negative: {number}"));
    }
    Ok(number)
}

/// A whole number that is zero or more: a count, or a time in milliseconds.
fn whole(name: &str, value: Option<&RawValue>) -> Result<UnixMillis, String> {
    let text = text(name, value)?;
    match text.parse() {
        Ok(number @ 0..) => Ok(number),
        _ => Err(format!(
            "{name} is not a whole number: {}",
            sanitized(&text)
        )),
    }
}

#[cfg(test)]
mod tests;
