//! Binance's spot REST API (github.com/binance/binance-spot-api-docs: rest-api.md, errors.md),
//! and that of Binance.US, which prints at least four decimals in place of eight.

mod klines;
mod query;
mod row;

use super::{Route, Row, Speech, Trouble, View, digits, status};
use crate::UnixMillis;
use crate::day::{Day, rounded};
use crate::fault::Fault;
use crate::instrument::{Instrument, REPLY_SCALE};
use crate::response::Response;
use crate::world::Listed;
use klines::KlineQuery;
use query::{ApiError, Selection, SymbolQuery};
use row::{NAMES, render};
use serde_json::{Value, json};

pub(crate) use row::{row, shift};

const TICKER: &str = "/api/v3/ticker/24hr";
const KLINES: &str = "/api/v3/klines";
const INSTRUMENTS: &str = "/api/v3/exchangeInfo";
const TIME: &str = "/api/v3/time";
const PING: &str = "/api/v3/ping";

/// Binance, or its American sister.
pub(super) struct Binance {
    pub us: bool,
}

impl Speech for Binance {
    fn route(&self, path: &str) -> Option<Route> {
        match path {
            TICKER => Some(Route::Tickers),
            KLINES => Some(Route::Candles),
            INSTRUMENTS => Some(Route::Instruments),
            TIME | PING => Some(Route::Other),
            _ => None,
        }
    }

    fn symbol(&self, instrument: &Instrument) -> String {
        instrument.symbol.clone()
    }

    fn answer(&self, path: &str, query: &str, view: &mut View) -> Response {
        let result = match path {
            TICKER => SymbolQuery::parse(query).and_then(|query| self.tickers(&query, view)),
            KLINES => KlineQuery::parse(query)
                .and_then(|query| klines::reply(view, &query, self.decimals())),
            INSTRUMENTS => self.instruments(query, view),
            TIME => Ok(json!({ "serverTime": view.now() }).to_string()),
            _ => Ok("{}".to_owned()),
        };
        match result {
            Ok(body) => Response::json(200, body),
            Err(error) => Response::json(400, error.body()),
        }
    }

    fn trouble(&self, trouble: Trouble, now: UnixMillis) -> Response {
        match trouble {
            Trouble::TooManyRequests(retry_after) => {
                let limit = self.limit();
                let message = format!(
                    "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."
                );
                let response = failure(429, -1003, &message);
                match retry_after {
                    Some(seconds) => response.with_header("Retry-After", seconds),
                    None => response,
                }
            }
            Trouble::Banned(seconds, told) => {
                let until = now.saturating_add(seconds as i64 * 1_000);
                let message = format!(
                    "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates to avoid bans."
                );
                let response = failure(418, -1003, &message);
                match told {
                    true => response.with_header("Retry-After", seconds),
                    false => response,
                }
            }
            Trouble::RestrictedLocation => failure(
                451,
                0,
                "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error.",
            ),
            Trouble::InternalError => failure(
                500,
                -1000,
                "An unknown error occurred while processing the request.",
            ),
            Trouble::Maintenance => failure(
                503,
                -1008,
                "Server is currently overloaded with other requests. Please try again in a few minutes.",
            ),
            Trouble::UnknownSymbol => Response::json(400, ApiError::invalid_symbol().body()),
        }
    }

    fn weight(&self, path: &str, query: &str) -> Option<(&'static str, u32)> {
        let weight = match path {
            TICKER => ticker_weight(&SymbolQuery::parse(query)),
            KLINES => 2,
            INSTRUMENTS => 20,
            _ => 1,
        };
        Some(("X-MBX-USED-WEIGHT-1M", weight))
    }

    fn dated(&self, route: Route) -> bool {
        // Tickers have their own times, and nobody may have to look at another.
        route == Route::Candles
    }
}

impl Binance {
    /// Least number of decimals.
    fn decimals(&self) -> u32 {
        if self.us { 4 } else { REPLY_SCALE }
    }

    /// Weight that may be used in a minute.
    fn limit(&self) -> u32 {
        if self.us { 1_200 } else { 6_000 }
    }

    fn tickers(&self, query: &SymbolQuery, view: &mut View) -> Result<String, ApiError> {
        let mut rows = match view.world.replayed(view.now()) {
            Some(rows) => replayed(rows, query, view)?,
            None => self.rows(query, view)?,
        };
        view.spoil(&mut rows, &NAMES);
        let detail = query.detail;
        let rows: Vec<String> = rows.iter().map(|row| render(row, detail)).collect();
        Ok(match query.selection {
            Selection::One(_) => rows.concat(),
            Selection::List(_) | Selection::All => format!("[{}]", rows.join(",")),
        })
    }

    fn rows(&self, query: &SymbolQuery, view: &mut View) -> Result<Vec<Row>, ApiError> {
        let mut names = query.selection.names().to_vec();
        names.sort_unstable();
        for name in &names {
            view.named(name).ok_or_else(ApiError::invalid_symbol)?;
        }
        let days = match query.selection {
            Selection::All => view.days(),
            _ => view.days_of(&names),
        };
        Ok(days.into_iter().map(|day| self.row(day)).collect())
    }

    fn row(&self, mut day: Day) -> Row {
        if self.us {
            let decimals = self.decimals().max(day.tick_size.scale());
            // A half goes to the even digit: 0.03325 was seen as 0.0332.
            day.average = day.average.round_dp(decimals);
            day.quote_volume = rounded(day.quote_volume, decimals);
        }
        let mut row = row(&day, self.decimals());
        if let Some(how) = day.corruption {
            how.apply(&mut row, &NAMES);
        }
        row
    }

    fn instruments(&self, query: &str, view: &mut View) -> Result<String, ApiError> {
        // Which permissions a symbol has is not simulated, whether they are asked for or not.
        let others = query
            .split('&')
            .filter(|part| !part.starts_with("showPermissionSets="));
        let query: Vec<&str> = others.collect();
        let wanted = SymbolQuery::parse(&query.join("&"))?.selection;
        let names = wanted.names();
        if names.iter().any(|name| view.named(name).is_none()) {
            return Err(ApiError::invalid_symbol());
        }
        let symbols: Vec<Value> = view
            .listed()
            .filter(|listed| names.is_empty() || names.contains(&listed.instrument.symbol))
            .map(listing)
            .collect();
        let info = json!({
            "timezone": "UTC",
            "serverTime": view.now(),
            "rateLimits": [
                { "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.limit() },
            ],
            "exchangeFilters": [],
            "symbols": symbols,
        });
        Ok(info.to_string())
    }
}

/// The rows of a recorded reply that a query asks for; of the faults, those strike that leave
/// rows out or move their times.
fn replayed(mut rows: Vec<Row>, query: &SymbolQuery, view: &View) -> Result<Vec<Row>, ApiError> {
    let symbol = |row: &Row| row.get("symbol").cloned().unwrap_or_default();
    let names = query.selection.names();
    if !names.is_empty() {
        rows.retain(|row| names.iter().any(|name| symbol(row) == *name.as_str()));
        if rows.len() < names.len() {
            return Err(ApiError::invalid_symbol());
        }
        rows.sort_by_key(|row| symbol(row).to_string());
    }
    match view.fault {
        Some(Fault::Partial(most)) => rows.truncate(*most),
        Some(Fault::Without(left_out)) => rows.retain(|row| symbol(row) != *left_out),
        fault => {
            let milliseconds = super::time_shift(fault);
            rows.iter_mut().for_each(|row| shift(row, milliseconds));
        }
    }
    Ok(rows)
}

/// Weight of a 24-hour ticker request: 2 up to 20 symbols, 40 up to 100, 80 beyond or for all.
fn ticker_weight(query: &Result<SymbolQuery, ApiError>) -> u32 {
    match query.as_ref().map(|query| &query.selection) {
        Ok(Selection::One(_)) | Err(_) => 2,
        Ok(Selection::List(symbols)) if symbols.len() <= 20 => 2,
        Ok(Selection::List(symbols)) if symbols.len() <= 100 => 40,
        Ok(Selection::List(_) | Selection::All) => 80,
    }
}

/// One symbol as exchangeInfo describes it.
fn listing(listed: &Listed) -> Value {
    let instrument = &listed.instrument;
    let tick_size = digits(instrument.tick_size, REPLY_SCALE);
    let step_size = digits(instrument.step_size(), REPLY_SCALE);
    json!({
        "symbol": instrument.symbol,
        "status": status(listed, ["TRADING", "HALT", "BREAK"]),
        "baseAsset": instrument.base_asset,
        "baseAssetPrecision": REPLY_SCALE,
        "quoteAsset": instrument.quote_asset,
        "quotePrecision": REPLY_SCALE,
        "quoteAssetPrecision": REPLY_SCALE,
        "isSpotTradingAllowed": true,
        "filters": [
            { "filterType": "PRICE_FILTER", "minPrice": tick_size, "maxPrice": "1000000.00000000", "tickSize": tick_size },
            { "filterType": "LOT_SIZE", "minQty": step_size, "maxQty": "9000000.00000000", "stepSize": step_size },
        ],
    })
}

fn failure(status: u16, code: i32, message: &str) -> Response {
    Response::json(status, ApiError::new(code, message).body())
}
