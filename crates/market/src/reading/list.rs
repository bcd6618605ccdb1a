//! Tickers of exchanges that list all symbols in one reply, and take no list of names.

use super::errors::{self, Errors, Refusal};
use super::json;
use super::row::{Names, Row};
use super::shown::{self, Relative};
use crate::error::{excerpt, sanitized};
use crate::{
    Asked, Client, Endpoint, LastLook, MarketError, ReplyTime, Rows, Ticker, Tickers, UnixMillis,
    decimal, symbols,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::collections::HashSet;
use std::fmt::Display;

/// Gets the list of all at `path`, and what it says of `symbols`. Without a symbol that an exchange
/// could list it asks nothing.
pub fn fetch(
    endpoint: &Endpoint,
    symbols: &[Asked],
    path: &str,
    errors: &Errors,
    read: impl FnOnce(&[u8], &HashSet<&str>, ReplyTime) -> Result<Rows, MarketError>,
) -> Result<Tickers, MarketError> {
    crate::check_url(&endpoint.base_url)?;
    let names = symbols.iter().map(|asked| asked.symbol.as_str());
    let wanted: HashSet<&str> = names.filter(|name| symbols::is_possible(name)).collect();
    let (rows, exchange_time) = if wanted.is_empty() {
        (Rows::default(), None)
    } else {
        let reply = Client::new(endpoint)?.get(path)?;
        let time = ReplyTime {
            date: reply.date,
            received: reply.received,
        };
        let rows = errors.take(&reply, |body| read(body, &wanted, time))?;
        (rows, reply.date)
    };
    Ok(tickers(rows, symbols, exchange_time))
}

/// What a list of all says of `symbols`: one that was listed and is not in it is missing for once,
/// any other is unknown.
pub fn tickers(rows: Rows, symbols: &[Asked], exchange_time: Option<i64>) -> Tickers {
    let mut tickers = Tickers {
        exchange_time,
        ..Tickers::default()
    };
    for asked in symbols {
        if rows.contains_key(&asked.symbol) {
            continue;
        }
        match asked.last_look {
            LastLook::Listed if symbols::is_possible(&asked.symbol) => {
                tickers.missing.insert(asked.symbol.clone());
            }
            _ => tickers.unknown.push(asked.symbol.clone()),
        }
    }
    tickers.rows = rows;
    tickers
}

/// The rows of `asked` among those that are handed over.
pub struct Collector<'a> {
    asked: &'a HashSet<&'a str>,
    rows: Rows,
    names_a_symbol: bool,
    symbol: String,
}

impl<'a> Collector<'a> {
    pub fn new(asked: &'a HashSet<&'a str>) -> Self {
        Self {
            asked,
            rows: Rows::default(),
            names_a_symbol: false,
            symbol: String::new(),
        }
    }

    /// Takes the row that the exchange calls `native`, in which `write` turns this into our
    /// symbol. A symbol that comes twice is unusable.
    pub fn take(
        &mut self,
        native: &str,
        write: impl FnOnce(&str, &mut String),
        read: impl FnOnce(&str) -> Result<Ticker, String>,
    ) {
        self.names_a_symbol = true;
        self.symbol.clear();
        write(native, &mut self.symbol);
        if !self.asked.contains(self.symbol.as_str()) {
            return;
        }
        match self.rows.get_mut(&self.symbol) {
            Some(row) => *row = Err("the reply holds this symbol twice".to_owned()),
            None => {
                let row = read(&self.symbol);
                self.rows.insert(self.symbol.clone(), row);
            }
        }
    }

    /// The rows, or that there was none at all.
    pub fn finish(self, body: &[u8]) -> Result<Rows, MarketError> {
        if self.names_a_symbol {
            Ok(self.rows)
        } else {
            Err(refused("no row of it names a symbol", body))
        }
    }
}

/// What rows of an exchange look like.
pub struct Shape {
    pub names: &'static Names,
    pub relative: Relative,
}

/// The rows of `asked` in a list whose rows name their symbol; `time_of_all` is what the reply says
/// of all of them.
pub fn rows(
    list: &str,
    shape: &Shape,
    asked: &HashSet<&str>,
    time_of_all: Option<UnixMillis>,
    time: ReplyTime,
) -> Result<Rows, MarketError> {
    let take = |rows: &mut Collector, row: Row| {
        if let Some(symbol) = row.symbol() {
            rows.take(&symbol, symbols::joined, |ours| {
                shown::ticker(&row, ours, shape.relative, time_of_all, time)
            });
        }
    };
    let mut rows = Collector::new(asked);
    if Row::each(list, shape.names, |row| take(&mut rows, row)).is_ok() {
        return rows.finish(list.as_bytes());
    }
    // An element is no row: each is told apart by the grammar alone before it is read.
    let mut rows = Collector::new(asked);
    json::each_element(list, |row| {
        if let Some(row) = Row::read(row.get(), shape.names) {
            take(&mut rows, row);
        }
    })
    .map_err(|_| no_list(list))?;
    rows.finish(list.as_bytes())
}

/// What is around the content of a reply.
pub struct Envelope {
    /// The names of code, text, content and time.
    pub members: [&'static str; 4],
    /// The code of a success.
    pub success: &'static str,
}

/// The content of a reply, and the time that it states.
pub struct Content<'a> {
    pub data: &'a str,
    pub time: Option<UnixMillis>,
}

impl Envelope {
    /// Opens a reply; its error object is an error.
    pub fn open<'a>(&self, body: &'a [u8], errors: &Errors) -> Result<Content<'a>, MarketError> {
        let text = text(body)?;
        let Ok([code, message, data, time]) = json::members(text, self.members) else {
            return Err(no_list(text));
        };
        match (code.and_then(json::bare), data) {
            (Some(code), Some(data)) if code == self.success => Ok(Content {
                data: data.get(),
                time: time.and_then(|time| decimal::whole(&json::bare(time)?)),
            }),
            (Some(code), _) if code != self.success => Err(errors.error(Refusal {
                code: sanitized(&code),
                message: message.and_then(json::beginning).unwrap_or_default(),
            })),
            _ => Err(no_list(text)),
        }
    }

    /// Reads the error object that has these members.
    pub fn refusal(&self, text: &str) -> Option<Refusal> {
        let [code, message, ..] = self.members;
        errors::object(text, code, message).filter(|refusal| refusal.code != self.success)
    }
}

/// A symbol as a parameter of a query.
pub fn encoded(symbol: &str) -> impl Display + '_ {
    utf8_percent_encode(symbol, RESERVED)
}

/// What a query cannot hold as it is: all but the unreserved characters of RFC 3986, 2.3.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The text of a body.
pub fn text(body: &[u8]) -> Result<&str, MarketError> {
    let text = std::str::from_utf8(body).map_err(|_| refused("it is not UTF-8", body))?;
    if text.trim().is_empty() {
        return Err(refused("it is empty", body));
    }
    Ok(text)
}

/// That a body is no list of tickers.
pub fn refused(reason: &str, body: &[u8]) -> MarketError {
    MarketError::NotJson {
        reason: reason.to_owned(),
        body: excerpt(body),
    }
}

/// Why a body has not the shape of a list: it is no JSON, or other JSON.
pub fn no_list(text: &str) -> MarketError {
    match json::check(text) {
        Err(error) => refused(&format!("it is not JSON: {error}"), text.as_bytes()),
        Ok(()) => refused(
            "it is JSON, but not a list of this exchange",
            text.as_bytes(),
        ),
    }
}
