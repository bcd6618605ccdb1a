//! The JSON of a reply with candles: a list of lists, each of twelve cells.

use crate::binance::errors::ERRORS;
use crate::error::excerpt;
use crate::reading::candles::{self, Cell, Shape};
use crate::reading::json;
use crate::{CandleQuery, Candles, MarketError, UnixMillis};

const SHAPE: Shape = Shape {
    cells: &[
        Cell::OpenTime,
        Cell::Open,
        Cell::High,
        Cell::Low,
        Cell::Close,
        Cell::Volume,
        Cell::CloseTime,
        Cell::QuoteVolume,
    ],
    unit_ms: 1,
    is_newest_first: false,
    gives_more: false,
};

/// The finished candles in a reply to `query` that was made at `now`, by the exchange's clock.
///
/// # Errors
/// [`MarketError::NoCandles`] when it is no list, [`MarketError::Rejected`] and
/// [`MarketError::LeftAlone`] for the exchange's error object, [`MarketError::BadCandles`] when
/// nothing says which of its rows are right.
pub fn parse(body: &[u8], query: &CandleQuery, now: UnixMillis) -> Result<Candles, MarketError> {
    let refuse = |reason: String| MarketError::NoCandles {
        reason,
        body: excerpt(body),
    };
    let text = std::str::from_utf8(body).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
    let not_json = |error: serde_json::Error| refuse(format!("it is not JSON: {error}"));
    if text.trim().is_empty() {
        return Err(refuse("it is empty".to_owned()));
    }
    if !text.trim_start().starts_with('[') {
        if let Some(refusal) = ERRORS.refusal(body) {
            return Err(ERRORS.error(refusal));
        }
        json::check(text).map_err(not_json)?;
        return Err(refuse("it is JSON, but not a list".to_owned()));
    }
    candles::read(text, &SHAPE, query, now)
        .map_err(not_json)?
        .map_err(MarketError::BadCandles)
}
