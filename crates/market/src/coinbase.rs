//! Coinbase's spot market, by the REST API of Coinbase Exchange. The statistics of all symbols are
//! one request; they have neither bid and ask nor any time nor a quote volume, which is taken to be
//! the base volume at the mean of open, high, low and last price.
//!
//! Too many requests: status 429. An unknown symbol is status 404.
//!
//! Rows of statistics are on record; candles and instruments are untested against the exchange.
//!
//! <https://docs.cdp.coinbase.com/exchange/reference>

use crate::error::sanitized;
use crate::reading::candles::{self, Cell, no_such_interval};
use crate::reading::errors::{Errors, Refusal};
use crate::reading::instruments::{self, Listed, bare_list, joined, text};
use crate::reading::json;
use crate::reading::list::{self, Collector};
use crate::reading::row::{Field, Names, Row};
use crate::reading::shown::{self, Relative};
use crate::symbols::{self, separated};
use crate::{
    Asked, CandleQuery, Candles, Client, Endpoint, Exchange, Instrument, Interval, MarketError,
    ReplyTime, Rows, Status, Tickers, UnixMillis,
};
use serde::Deserialize;
use std::collections::HashSet;

/// Coinbase.
#[derive(Debug)]
pub struct Coinbase;

const ERRORS: Errors = Errors {
    // It has no code, only words.
    read: |text| {
        let [message] = json::members(text, ["message"]).ok()?;
        let message = json::beginning(message?)?;
        Some(Refusal {
            code: sanitized(&message),
            message,
        })
    },
    stops: |refusal| {
        let words = refusal.message.to_ascii_lowercase();
        words.contains("rate limit").then_some(429)
    },
    reset: None,
};

const NAMES: &Names = &[
    ("last", Field::Last),
    ("open", Field::Open),
    ("high", Field::High),
    ("low", Field::Low),
    ("volume", Field::BaseVolume),
];

const CANDLES: candles::Shape = candles::Shape {
    cells: &[
        Cell::OpenTime,
        Cell::Low,
        Cell::High,
        Cell::Open,
        Cell::Close,
        Cell::Volume,
    ],
    unit_ms: 1000,
    is_newest_first: true,
    gives_more: true,
};

const MOST_CANDLES: usize = 300;

/// The list that a reply is, or the error.
fn list_of(body: &[u8]) -> Result<&str, MarketError> {
    match ERRORS.refusal(body) {
        Some(refusal) => Err(ERRORS.error(refusal)),
        None => bare_list(body),
    }
}

impl Exchange for Coinbase {
    fn name(&self) -> &'static str {
        "coinbase"
    }

    fn base_url(&self) -> &'static str {
        "https://api.exchange.coinbase.com"
    }

    fn tickers(&self, endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError> {
        let path = "/products/stats";
        list::fetch(endpoint, symbols, path, &ERRORS, |body, asked, time| {
            self.read_tickers(body, asked, time)
        })
    }

    fn read_tickers(
        &self,
        body: &[u8],
        asked: &HashSet<&str>,
        time: ReplyTime,
    ) -> Result<Rows, MarketError> {
        if let Some(refusal) = ERRORS.refusal(body) {
            return Err(ERRORS.error(refusal));
        }
        let text = list::text(body)?;
        let mut rows = Collector::new(asked);
        json::each_member(text, |product, statistics| {
            rows.take(product, symbols::joined, |ours| {
                let day = json::members(statistics.get(), ["stats_24hour"]);
                let day = day.ok().and_then(|[day]| Row::read(day?.get(), NAMES));
                let day = day.ok_or("stats_24hour is missing")?;
                shown::ticker(&day, ours, Relative::Absent, None, time)
            });
            Ok(())
        })
        .map_err(|_| list::no_list(text))?;
        rows.finish(body)
    }

    fn candles(&self, client: &Client, query: &CandleQuery) -> Result<Candles, MarketError> {
        if query.interval == Interval::Second {
            return Err(no_such_interval(query.interval));
        }
        let length = query.interval.millis();
        let path = |part: &CandleQuery| {
            format!(
                "/products/{}/candles?granularity={}&start={}&end={}",
                list::encoded(&separated(&part.symbol, '-')),
                length / 1000,
                list::encoded(&iso_8601(part.begin())),
                list::encoded(&iso_8601(part.end() - length))
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
        candles::parse(body, &CANDLES, query, now, list_of)
    }

    fn instruments(
        &self,
        endpoint: &Endpoint,
        symbols: &HashSet<&str>,
    ) -> Result<Vec<Instrument>, MarketError> {
        instruments::fetch::<Product>(endpoint, symbols, "/products", &ERRORS, list_of)
    }
}

/// A time in whole seconds as ISO 8601 writes it. The day is counted in years that begin in March,
/// so that a leap day is the last of its year, as in Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms".
fn iso_8601(time: UnixMillis) -> String {
    let (days, seconds) = (
        time.div_euclid(86_400_000),
        time.rem_euclid(86_400_000) / 1000,
    );
    let since_march_0 = days + 719_468;
    let (era, day_of_era) = (
        since_march_0.div_euclid(146_097),
        since_march_0.rem_euclid(146_097),
    );
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[derive(Deserialize)]
struct Product {
    id: String,
    base_currency: String,
    quote_currency: String,
    #[serde(default, deserialize_with = "text")]
    quote_increment: Option<String>,
    #[serde(default, deserialize_with = "text")]
    status: Option<String>,
    #[serde(default, deserialize_with = "text")]
    trading_disabled: Option<String>,
    #[serde(default, deserialize_with = "text")]
    cancel_only: Option<String>,
}

impl Listed for Product {
    fn instrument(self) -> Instrument {
        let is_restricted = [&self.trading_disabled, &self.cancel_only]
            .iter()
            .any(|said| said.as_deref() == Some("true"));
        let status = match self.status.as_deref() {
            Some("online") if !is_restricted => Status::Trading,
            Some("delisted") => Status::Delisted,
            _ => Status::Halted,
        };
        let tick = self.quote_increment.as_deref();
        joined(
            self.id,
            self.base_currency,
            self.quote_currency,
            tick,
            status,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::iso_8601;

    #[test]
    fn times_are_written_as_iso_8601_does() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_678_458_840_000, "2023-03-10T14:34:00Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59Z"),
            (1_735_689_600_000, "2025-01-01T00:00:00Z"),
        ] {
            assert_eq!(iso_8601(time), text);
        }
    }
}
