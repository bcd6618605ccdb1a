//! Kraken's spot market. The tickers of all pairs are one request; they have no price of 24 hours
//! ago (their open is that of the day in UTC), which is taken from the candles of five minutes: one
//! request a day for each pair, see [`memory`]. No row has a time.
//!
//! Errors come under status 200, as a list of texts such as "EAPI:Rate limit exceeded".
//!
//! Tickers are on record; candles and instruments are untested against the exchange.
//!
//! <https://docs.kraken.com/api/docs/rest-api/get-ticker-information>

mod memory;
mod names;
mod today;

use crate::error::sanitized;
use crate::reading::candles::{self, Cell, no_such_interval};
use crate::reading::errors::{Errors, Refusal};
use crate::reading::instruments::{text, tick};
use crate::reading::{json, list};
use crate::symbols::is_possible;
use crate::{
    Asked, CandleQuery, Candles, Client, Endpoint, Exchange, Instrument, Interval, MarketError,
    ReplyTime, Rows, Status, Ticker, Tickers, UnixMillis, check_url, decimal,
};
use memory::Past;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use today::Today;

/// Kraken.
#[derive(Debug)]
pub struct Kraken;

const ERRORS: Errors = Errors {
    read: refusal,
    stops: |refusal| match refusal.code.as_str() {
        "EAPI:Rate limit exceeded" | "EGeneral:Too many requests" => Some(429),
        "EGeneral:Temporary lockout" => Some(403),
        code if code.starts_with("EService:") => Some(503),
        _ => None,
    },
    reset: None,
};

const CANDLES: candles::Shape = candles::Shape {
    cells: &[
        Cell::OpenTime,
        Cell::Open,
        Cell::High,
        Cell::Low,
        Cell::Close,
        // The average price.
        Cell::Other,
        Cell::Volume,
    ],
    unit_ms: 1000,
    is_newest_first: false,
    gives_more: true,
};

/// Candles of one reply: the latest ones, however far back is asked for.
const MOST_CANDLES: usize = 720;
/// Pairs whose price of 24 hours ago one fetch asks for; it has to stay below a request a second
/// in the long run.
const MOST_HISTORIES: usize = 10;

/// The error in a reply, of several the one that says stop; a warning, which begins with W, is none.
fn refusal(text: &str) -> Option<Refusal> {
    let [errors] = json::members(text, ["error"]).ok()?;
    let mut found: Option<Refusal> = None;
    json::each_element(errors?.get(), |error| {
        let error = json::beginning(error).filter(|error| error.starts_with('E'));
        let Some(message) = error else {
            return;
        };
        let refusal = Refusal {
            code: sanitized(&message),
            message,
        };
        if found.is_none() || ERRORS.stop(&refusal).is_some() {
            found = Some(refusal);
        }
    })
    .ok()?;
    found
}

/// The result in a reply: in 2022 errors came together with a part of it. Nothing of it counts when
/// these say that requests are too many.
fn result_of(body: &[u8]) -> Result<&str, MarketError> {
    let text = list::text(body)?;
    let refusal = refusal(text);
    let result = match json::members(text, ["result"]) {
        Ok([Some(result)]) if result.get().starts_with('{') => Some(result.get()),
        _ => None,
    };
    let is_empty = |result: &str| result[1..].trim_start().starts_with('}');
    match (result, refusal) {
        (Some(result), None) => Ok(result),
        (Some(result), Some(refusal))
            if !is_empty(result) && !matches!(ERRORS.stop(&refusal), Some(403 | 429)) =>
        {
            Ok(result)
        }
        (_, Some(refusal)) => Err(ERRORS.error(refusal)),
        (None, None) => Err(list::no_list(text)),
    }
}

/// A pair of those asked for in a reply with tickers.
struct Found {
    native: String,
    today: Result<Today, String>,
}

/// By our symbols: what a reply shows of those asked for.
fn found_in(body: &[u8], asked: &HashSet<&str>) -> Result<HashMap<String, Found>, MarketError> {
    let result = result_of(body)?;
    let mut found: HashMap<String, Found> = HashMap::new();
    json::each_member(result, |native, row| {
        let mut symbol = String::new();
        names::ours(native, &mut symbol);
        if asked.contains(symbol.as_str()) {
            let today = Today::read(row.get());
            let native = sanitized(native);
            let twice = || Err("the reply holds this symbol twice".to_owned());
            found
                .entry(symbol)
                .and_modify(|found| found.today = twice())
                .or_insert(Found { native, today });
        }
        Ok(())
    })
    .map_err(|_| list::no_list(result))?;
    Ok(found)
}

impl Kraken {
    /// Asks for what a pair cost in the last 60 hours, and remembers it.
    fn learn(
        client: &Client,
        base_url: &str,
        symbol: &str,
        native: &str,
        now: UnixMillis,
    ) -> Result<(), MarketError> {
        let reply = client.get(&format!(
            "/0/public/OHLC?pair={}&interval=5",
            list::encoded(native)
        ))?;
        let past = ERRORS.take(&reply, past_in)?;
        memory::remember(base_url, symbol, past, now);
        Ok(())
    }
}

/// The list of candles in a reply, beside which stands the time of the last.
fn candles_in(body: &[u8]) -> Result<&str, MarketError> {
    let result = result_of(body)?;
    let mut list: Option<&RawValue> = None;
    json::each_member(result, |_, value| {
        list = list.or(Some(value).filter(|value| value.get().starts_with('[')));
        Ok(())
    })
    .map_err(|_| list::no_list(result))?;
    list.map(RawValue::get).ok_or_else(|| list::no_list(result))
}

/// Candles of five minutes in short; a row that cannot be read is left out.
fn past_in(body: &[u8]) -> Result<Vec<Past>, MarketError> {
    let list = candles_in(body)?;
    let mut past: Vec<Past> = Vec::new();
    json::each_element(list, |row| {
        let mut cells = [None; 5];
        let mut at = 0;
        let is_list = json::each_element(row.get(), |cell| {
            if let Some(place) = cells.get_mut(at) {
                *place = Some(cell);
            }
            at += 1;
        });
        let number = |place: usize| decimal::parse(&json::bare(cells[place]?)?).ok();
        let read = || {
            Some(Past {
                open_time: decimal::whole(&json::bare(cells[0]?)?)?.checked_mul(1000)?,
                open: number(1)?,
                close: number(4)?,
            })
        };
        let candle = is_list.ok().and_then(|()| read());
        let is_next = |candle: &Past| {
            let last = past.last().map_or(i64::MIN, |last| last.open_time);
            candle.open_time > last && past.len() < MOST_CANDLES
        };
        if let Some(candle) = candle.filter(is_next) {
            past.push(candle);
        }
    })
    .map_err(|_| list::no_list(list))?;
    Ok(past)
}

impl Exchange for Kraken {
    fn name(&self) -> &'static str {
        "kraken"
    }

    fn base_url(&self) -> &'static str {
        "https://api.kraken.com"
    }

    fn tickers(&self, endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError> {
        check_url(&endpoint.base_url)?;
        let wanted = symbols.iter().map(|asked| asked.symbol.as_str());
        let wanted: HashSet<&str> = wanted.filter(|symbol| is_possible(symbol)).collect();
        if wanted.is_empty() {
            return Ok(list::tickers(Rows::default(), symbols, None));
        }
        let client = Client::new(endpoint)?;
        let reply = client.get("/0/public/Ticker")?;
        let found = ERRORS.take(&reply, |body| found_in(body, &wanted))?;
        let time = ReplyTime {
            date: reply.date,
            received: reply.received,
        };
        let mut rows = Rows::default();
        let mut requests_left = MOST_HISTORIES;
        for (symbol, found) in found {
            let today = match found.today {
                Ok(today) => today,
                Err(reason) => {
                    rows.insert(symbol, Err(reason));
                    continue;
                }
            };
            let known = || memory::price_a_day_before(&endpoint.base_url, &symbol, reply.time());
            let mut open = known();
            if today.last.is_zero() {
                // A market without a price does not trade, whatever it cost a day ago.
                open = Some(today.last);
            } else if open.is_none() && requests_left > 0 {
                requests_left -= 1;
                let base_url = &endpoint.base_url;
                match Self::learn(&client, base_url, &symbol, &found.native, reply.time()) {
                    Ok(()) => open = known(),
                    Err(stop @ MarketError::LeftAlone { .. }) => return Err(stop),
                    // The others have their rows; this one is asked for again.
                    Err(MarketError::TimedOut(_)) => requests_left = 0,
                    Err(_) => {}
                }
            }
            let row = row(&symbol, &today, open, time);
            rows.insert(symbol, row);
        }
        Ok(list::tickers(rows, symbols, reply.date))
    }

    /// Without the candles of five minutes a row is complete only where they were asked for before;
    /// so this reads no more than whether rows are usable.
    fn read_tickers(
        &self,
        body: &[u8],
        asked: &HashSet<&str>,
        time: ReplyTime,
    ) -> Result<Rows, MarketError> {
        read(body, asked, time, None)
    }

    fn candles(&self, client: &Client, query: &CandleQuery) -> Result<Candles, MarketError> {
        let minutes = match query.interval {
            Interval::Minute => 1,
            Interval::Day => 1440,
            Interval::Second => return Err(no_such_interval(query.interval)),
        };
        let path = |part: &CandleQuery| {
            format!(
                "/0/public/OHLC?pair={}&interval={minutes}&since={}",
                list::encoded(&names::native(&part.symbol)),
                // Those after this time are given.
                part.begin() / 1000 - 1
            )
        };
        candles::fetch(
            client,
            query,
            MOST_CANDLES,
            &ERRORS,
            path,
            |body, part, now| self.read_candles(body, part, now),
        )
    }

    fn read_candles(
        &self,
        body: &[u8],
        query: &CandleQuery,
        now: UnixMillis,
    ) -> Result<Candles, MarketError> {
        candles::parse(body, &CANDLES, query, now, candles_in)
    }

    fn instruments(
        &self,
        endpoint: &Endpoint,
        symbols: &HashSet<&str>,
    ) -> Result<Vec<Instrument>, MarketError> {
        if symbols.is_empty() {
            return Ok(Vec::new());
        }
        let reply = Client::new(endpoint)?.get("/0/public/AssetPairs")?;
        ERRORS.take(&reply, |body| instruments_in(body, symbols))
    }
}

/// The rows of `asked` in a reply, all of which cost `open` 24 hours ago.
///
/// # Errors
/// Those of [`Exchange::read_tickers`].
pub fn read(
    body: &[u8],
    asked: &HashSet<&str>,
    time: ReplyTime,
    open: Option<Decimal>,
) -> Result<Rows, MarketError> {
    let found = found_in(body, asked)?.into_iter();
    let rows = found.map(|(symbol, found)| {
        let row = found
            .today
            .and_then(|today| row(&symbol, &today, open, time));
        (symbol, row)
    });
    Ok(rows.collect())
}

fn row(
    symbol: &str,
    today: &Today,
    open: Option<Decimal>,
    time: ReplyTime,
) -> Result<Ticker, String> {
    let open = open.ok_or("its price of 24 hours ago is not known yet")?;
    today
        .ticker(symbol, open, time)
        .ok_or_else(|| "its numbers have too many digits".to_owned())
}

#[derive(Deserialize)]
struct Pair {
    /// Base and quote with a slash between them.
    wsname: String,
    #[serde(default, deserialize_with = "text")]
    tick_size: Option<String>,
    #[serde(default, deserialize_with = "text")]
    status: Option<String>,
}

/// Those of `asked` in a reply; a row that cannot be read is left out.
fn instruments_in(body: &[u8], asked: &HashSet<&str>) -> Result<Vec<Instrument>, MarketError> {
    let result = result_of(body)?;
    let mut found = Vec::new();
    json::each_member(result, |native, row| {
        let Ok(pair) = serde_json::from_str::<Pair>(row.get()) else {
            return Ok(());
        };
        let Some((base, quote)) = pair.wsname.split_once('/') else {
            return Ok(());
        };
        let (base, quote) = (names::asset(base), names::asset(quote));
        let symbol = format!("{base}{quote}");
        if asked.contains(symbol.as_str()) {
            found.push(Instrument {
                symbol,
                native_symbol: native.to_owned(),
                base: base.to_owned(),
                quote: quote.to_owned(),
                tick_size: pair.tick_size.as_deref().and_then(tick),
                status: match pair.status.as_deref() {
                    Some("online") => Status::Trading,
                    Some("delisted") => Status::Delisted,
                    _ => Status::Halted,
                },
            });
        }
        Ok(())
    })
    .map_err(|_| list::no_list(result))?;
    Ok(found)
}
