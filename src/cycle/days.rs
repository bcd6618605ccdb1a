//! Daily candles of symbols that have none of yesterday yet, asked for while a strategy that needs
//! them is enabled.

use crate::settings::Configured;
use market::{Candle, CandleQuery, Client, Endpoint, Interval, MarketError, UnixMillis};
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// So far back candles are asked for: 28 that are finished, in one request of weight 2.
const ASKED_DAYS: i64 = 29;
/// Symbols that one run asks for; the others wait for the next.
const MOST_SYMBOLS: usize = 5;
/// Time until a symbol is asked for again that gave no candle of yesterday.
const ASK_AGAIN: Duration = Duration::from_secs(3600);

thread_local! {
    /// When this process asked for a symbol last.
    static ASKED: RefCell<HashMap<String, Instant>> = RefCell::default();
}

/// What came of asking for daily candles.
#[derive(Debug, Default)]
pub struct Days {
    pub candles: Vec<(String, Vec<Candle>)>,
    /// Why some are missing.
    pub trouble: Option<String>,
    /// The exchange says stop.
    pub stop: Option<MarketError>,
    /// Symbols that were not asked for: there was no time left, or the exchange had just failed.
    not_asked: Vec<String>,
}

/// The symbols to ask for now, of those that lack yesterday's candle. They count as asked for.
pub fn to_ask(lacking: &[String]) -> Vec<String> {
    ASKED.with_borrow_mut(|asked| {
        asked.retain(|_, at| at.elapsed() < ASK_AGAIN);
        let due = lacking.iter().filter(|symbol| !asked.contains_key(*symbol));
        let due: Vec<String> = due.take(MOST_SYMBOLS).cloned().collect();
        let now = Instant::now();
        asked.extend(due.iter().map(|symbol| (symbol.clone(), now)));
        due
    })
}

/// Those that were not asked for after all are due at the next run.
pub fn put_off(days: &Days) {
    ASKED.with_borrow_mut(|asked| {
        asked.retain(|symbol, _| !days.not_asked.contains(symbol));
    });
}

/// Asks for the finished days of these symbols until `until`. Blocks; for the helper thread. What is
/// wrong with one symbol costs the others nothing; after any other failure none is asked for.
pub fn fetch(exchange: &Configured, symbols: Vec<String>, now: UnixMillis, until: Instant) -> Days {
    let mut days = Days::default();
    let mut has_failed = false;
    for symbol in symbols {
        let left = until.saturating_duration_since(Instant::now());
        // Half of the time is enough for an exchange that is well.
        if has_failed || left < exchange.endpoint.timeout / 2 {
            days.not_asked.push(symbol);
            continue;
        }
        match fetch_one(exchange, &symbol, now, left) {
            Ok(candles) => days.candles.push((symbol, candles)),
            Err(error) => {
                days.trouble = Some(format!(
                    "daily candles of {symbol} are missing: {}",
                    error.message()
                ));
                has_failed = !error.is_of_the_request();
                days.stop = Some(error).filter(MarketError::is_stop);
            }
        }
    }
    days
}

fn fetch_one(
    asked: &Configured,
    symbol: &str,
    now: UnixMillis,
    timeout: Duration,
) -> Result<Vec<Candle>, MarketError> {
    let query = CandleQuery {
        symbol: symbol.to_owned(),
        interval: Interval::Day,
        from: now.saturating_sub(ASKED_DAYS * Interval::Day.millis()),
        until: now,
    };
    let endpoint = Endpoint {
        timeout,
        ..asked.endpoint.clone()
    };
    let client = Client::new(&endpoint)?;
    Ok(asked.exchange.candles(&client, &query)?.rows)
}
