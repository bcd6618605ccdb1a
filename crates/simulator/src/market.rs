//! The REST API of the exchange: routes, faults, used weight and a record of the requests.

use super::UnixMillis;
use super::exchange::{Exchange, Listed};
use super::fault::{CandleFault, Fault, FaultQueue};
use super::instrument::REPLY_SCALE;
use super::klines::{self, KlineQuery};
use super::query::{ApiError, Selection, SymbolQuery};
use super::response::{Delivery, Response, http_date};
use super::ticker;
use serde_json::json;
use std::collections::VecDeque;

/// How many request targets are remembered.
const REMEMBERED_REQUESTS: usize = 1_000;

/// Where `Fault::Redirect` points: the same API behind another path.
const REDIRECTED: &str = "/redirected";

const TICKER: &str = "/api/v3/ticker/24hr";
const KLINES: &str = "/api/v3/klines";
/// Weight of a request for candles, however many.
const KLINES_WEIGHT: u32 = 2;

/// Everything one simulator knows, behind one lock.
pub(super) struct Market {
    pub exchange: Exchange,
    /// Faults of ticker requests.
    pub faults: FaultQueue<Fault>,
    pub candle_faults: FaultQueue<CandleFault>,
    pub request_count: u64,
    pub redirects_followed: u64,
    pub requests: VecDeque<String>,
    used_weight: UsedWeight,
}

/// Request weight used in the current minute of the exchange's clock.
#[derive(Default)]
struct UsedWeight {
    minute: i64,
    weight: u32,
}

impl Market {
    pub fn new(exchange: Exchange) -> Self {
        Self {
            exchange,
            faults: FaultQueue::default(),
            candle_faults: FaultQueue::default(),
            request_count: 0,
            redirects_followed: 0,
            requests: VecDeque::new(),
            used_weight: UsedWeight::default(),
        }
    }

    /// Answers one request.
    pub fn answer(&mut self, method: &str, target: &str) -> Response {
        self.request_count += 1;
        if self.requests.len() == REMEMBERED_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(target.to_owned());

        let target = match target.strip_prefix(REDIRECTED) {
            Some(rest) => {
                self.redirects_followed += 1;
                rest
            }
            None => target,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (weight, response) = match (method, path) {
            ("GET", "/api/v3/ping") => (1, Response::json(200, "{}")),
            ("GET", "/api/v3/time") => (1, Response::json(200, self.time())),
            ("GET", "/api/v3/exchangeInfo") => (20, reply(self.exchange_info(query))),
            ("GET", TICKER) => {
                let query = SymbolQuery::parse(query);
                (ticker_weight(&query), self.ticker(target, query))
            }
            ("GET", KLINES) => (KLINES_WEIGHT, self.klines(target, KlineQuery::parse(query))),
            _ => return Response::html(404, "404 Not Found"),
        };
        let used = self.used_weight.add(self.exchange.clock.now(), weight);
        response.with_header("X-MBX-USED-WEIGHT-1M", used)
    }

    fn time(&self) -> String {
        json!({ "serverTime": self.exchange.clock.now() }).to_string()
    }

    fn exchange_info(&mut self, query: &str) -> Result<String, ApiError> {
        let wanted = SymbolQuery::parse(query)?.selection;
        let names = match &wanted {
            Selection::One(symbol) => std::slice::from_ref(symbol),
            Selection::List(symbols) => symbols,
            Selection::All => &[],
        };
        if names.iter().any(|name| self.exchange.find(name).is_none()) {
            return Err(ApiError::invalid_symbol());
        }
        let listed = self.exchange.listed().iter();
        let symbols: Vec<_> = listed
            .filter(|listed| names.is_empty() || names.contains(&listed.instrument.symbol))
            .map(listing)
            .collect();
        let info = json!({
            "timezone": "UTC",
            "serverTime": self.exchange.clock.now(),
            "rateLimits": [
                { "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000 },
            ],
            "exchangeFilters": [],
            "symbols": symbols,
        });
        Ok(info.to_string())
    }

    fn ticker(&mut self, target: &str, query: Result<SymbolQuery, ApiError>) -> Response {
        let fault = self.faults.next(|_| true);
        self.strike(target, fault.as_ref(), |market| {
            reply(market.tickers(query, fault.as_ref()))
        })
    }

    fn klines(&mut self, target: &str, query: Result<KlineQuery, ApiError>) -> Response {
        let interval = query.as_ref().map_or("", |query| query.interval.0);
        let fault = self.candle_faults.next(|fault| fault.strikes(interval));
        let of_reply = match &fault {
            Some(CandleFault::Reply(fault)) => Some(fault),
            _ => None,
        };
        let date = http_date(self.exchange.clock.now());
        self.strike(target, of_reply, |market| {
            reply(query.and_then(|q| klines::reply(&mut market.exchange, &q, fault.as_ref())))
        })
        .with_header("Date", date)
    }

    /// The good answer to a request, unless a fault strikes it as a whole.
    fn strike(
        &mut self,
        target: &str,
        fault: Option<&Fault>,
        good: impl FnOnce(&mut Self) -> Response,
    ) -> Response {
        match fault {
            None
            | Some(
                Fault::Stale
                | Fault::Zeros
                | Fault::BadRow(_)
                | Fault::BadRows(_)
                | Fault::Partial(_)
                | Fault::Without(_)
                | Fault::Shifted(_)
                | Fault::Microseconds,
            ) => good(self),
            Some(Fault::TooManyRequests { retry_after }) => stop(
                429,
                "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.".to_owned(),
                *retry_after,
            ),
            Some(Fault::Banned { retry_after }) => {
                let seconds = retry_after.unwrap_or(120).min(3 * 24 * 60 * 60) as i64;
                let until = self.exchange.clock.now().saturating_add(seconds * 1_000);
                stop(
                    418,
                    format!("Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates to avoid bans."),
                    *retry_after,
                )
            }
            Some(Fault::RestrictedLocation) => failure(
                451,
                0,
                "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error.",
            ),
            Some(Fault::Firewall) => Response::html(403, "403 Forbidden"),
            Some(Fault::InternalError) => failure(
                500,
                -1000,
                "An unknown error occurred while processing the request.",
            ),
            Some(Fault::Unavailable) => Response::html(503, "503 Service Temporarily Unavailable"),
            Some(Fault::Html) => Response::html(200, "Welcome"),
            Some(Fault::EmptyBody) => Response::json(200, ""),
            Some(Fault::Redirect) => {
                Response::json(302, "").with_header("Location", format!("{REDIRECTED}{target}"))
            }
            Some(Fault::MalformedJson) => {
                let mut response = good(self);
                // The brackets still match: only a parser finds the error.
                response.body = replace_first(&response.body, b"\":", b"\"=");
                response
            }
            Some(Fault::NotUtf8) => {
                let mut response = good(self);
                response.body = replace_first(&response.body, b"USDT", b"\xff\xfe\xc0\x80");
                response
            }
            Some(Fault::Truncated) => good(self).delivered(Delivery::Truncated),
            Some(Fault::EndlessBody) => good(self).delivered(Delivery::Endless),
            Some(Fault::SlowDrip) => good(self).delivered(Delivery::Drip),
            Some(Fault::Silence) => Response::json(200, "").delivered(Delivery::Silence),
            Some(Fault::Reset) => Response::json(200, "").delivered(Delivery::Reset),
        }
    }

    fn tickers(
        &mut self,
        query: Result<SymbolQuery, ApiError>,
        fault: Option<&Fault>,
    ) -> Result<String, ApiError> {
        let SymbolQuery { selection, detail } = query?;
        let now = self.exchange.clock.now();
        let mut known = |symbol: &String| {
            let row = self.exchange.row(symbol, now);
            row.ok_or_else(ApiError::invalid_symbol)
        };
        let mut rows = match &selection {
            Selection::One(symbol) => vec![known(symbol)?],
            Selection::List(symbols) => {
                let mut symbols = symbols.clone();
                symbols.sort_unstable();
                symbols.iter().map(known).collect::<Result<_, _>>()?
            }
            Selection::All => self.exchange.rows(now),
        };
        change_rows(&mut rows, fault);
        let rows: Vec<String> = rows.iter().map(|row| ticker::render(row, detail)).collect();
        Ok(match selection {
            Selection::One(_) => rows.concat(),
            Selection::List(_) | Selection::All => format!("[{}]", rows.join(",")),
        })
    }
}

/// Lets a fault strike the rows of a good reply.
fn change_rows(rows: &mut Vec<ticker::Row>, fault: Option<&Fault>) {
    let mut each = |change: &dyn Fn(&mut ticker::Row)| rows.iter_mut().for_each(change);
    match fault {
        Some(Fault::Stale) => each(&|row| ticker::shift(row, -60 * 60 * 1_000)),
        Some(Fault::Shifted(milliseconds)) => each(&|row| ticker::shift(row, *milliseconds)),
        Some(Fault::Zeros) => each(&ticker::zero),
        Some(Fault::BadRows(corruption)) => each(&|row| corruption.apply(row)),
        Some(Fault::Microseconds) => each(&|row| {
            for time in ["openTime", "closeTime"] {
                let micros = row.get(time).and_then(serde_json::Value::as_i64);
                row.insert(time.to_owned(), (micros.unwrap_or_default() * 1_000).into());
            }
        }),
        Some(Fault::BadRow(corruption)) => {
            rows.first_mut()
                .into_iter()
                .for_each(|row| corruption.apply(row));
        }
        Some(Fault::Partial(most)) => rows.truncate(*most),
        Some(Fault::Without(symbol)) => rows.retain(|row| row["symbol"] != *symbol),
        _ => {}
    }
}

impl UsedWeight {
    fn add(&mut self, now: UnixMillis, weight: u32) -> u32 {
        let minute = now.div_euclid(60_000);
        if minute != self.minute {
            *self = Self { minute, weight: 0 };
        }
        self.weight = self.weight.saturating_add(weight);
        self.weight
    }
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
fn listing(listed: &Listed) -> serde_json::Value {
    let instrument = &listed.instrument;
    let printed = |value: rust_decimal::Decimal| {
        let mut value = value;
        value.rescale(REPLY_SCALE);
        value.to_string()
    };
    let (tick_size, step_size) = (
        printed(instrument.tick_size),
        printed(instrument.step_size()),
    );
    json!({
        "symbol": instrument.symbol,
        "status": listed.status(),
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

fn reply(result: Result<String, ApiError>) -> Response {
    match result {
        Ok(body) => Response::json(200, body),
        Err(error) => Response::json(400, error.body()),
    }
}

fn failure(status: u16, code: i32, message: &str) -> Response {
    Response::json(status, ApiError::new(code, message).body())
}

/// The exchange tells the client to stop, and for how long.
fn stop(status: u16, message: String, retry_after: Option<u64>) -> Response {
    let response = failure(status, -1003, &message);
    match retry_after {
        Some(seconds) => response.with_header("Retry-After", seconds),
        None => response,
    }
}

fn replace_first(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match bytes.windows(from.len()).position(|window| window == from) {
        Some(at) => [&bytes[..at], to, &bytes[at + from.len()..]].concat(),
        None => [bytes, to].concat(),
    }
}
