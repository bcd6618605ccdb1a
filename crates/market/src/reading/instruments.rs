//! Lists of instruments.

use super::errors::Errors;
use super::list::no_list;
use super::{json, list};
use crate::{Client, Endpoint, Instrument, MarketError, Status, decimal, symbols};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::HashSet;

/// Gets those of `asked` in the list at `path`, which `list` takes out of what is around it. Without
/// a symbol it asks nothing.
pub fn fetch<R: Listed>(
    endpoint: &Endpoint,
    asked: &HashSet<&str>,
    path: &str,
    errors: &Errors,
    list: impl FnOnce(&[u8]) -> Result<&str, MarketError>,
) -> Result<Vec<Instrument>, MarketError> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let reply = Client::new(endpoint)?.get(path)?;
    errors.take(&reply, |body| read::<R>(list(body)?, asked))
}

/// A row of such a list.
pub trait Listed: for<'de> Deserialize<'de> {
    fn instrument(self) -> Instrument;
}

/// Those of `asked` in a list; a row that cannot be read is left out.
pub fn read<R: Listed>(list: &str, asked: &HashSet<&str>) -> Result<Vec<Instrument>, MarketError> {
    let mut found = Vec::new();
    json::each_element(list, |row| {
        if let Ok(row) = serde_json::from_str::<R>(row.get()) {
            let instrument = row.instrument();
            if asked.contains(instrument.symbol.as_str()) {
                found.push(instrument);
            }
        }
    })
    .map_err(|_| no_list(list))?;
    Ok(found)
}

/// Reads a text that may also be written as a number or a truth value; `None` of anything else, for
/// then nothing is said.
///
/// # Errors
/// None but those of the grammar.
pub fn text<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(reader)? {
        Value::String(text) => Some(text),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        _ => None,
    })
}

/// The same of a number of decimal places.
///
/// # Errors
/// None but those of the grammar.
pub fn places<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<u32>, D::Error> {
    let places = text(reader)?;
    Ok(places.and_then(|places| decimal::whole(&places)?.try_into().ok()))
}

/// An instrument whose own symbol has something between base and quote.
pub fn joined(
    native: String,
    base: String,
    quote: String,
    tick_size: Option<&str>,
    status: Status,
) -> Instrument {
    let mut symbol = String::new();
    symbols::joined(&native, &mut symbol);
    Instrument {
        symbol,
        native_symbol: native,
        base,
        quote,
        tick_size: tick_size.and_then(tick),
        status,
    }
}

/// A step of prices, above zero.
pub fn tick(text: &str) -> Option<Decimal> {
    let tick = decimal::parse(text).ok()?;
    (tick > Decimal::ZERO).then(|| tick.normalize())
}

/// The step of prices that have so many decimal places.
pub fn tick_of_places(places: u32) -> Option<Decimal> {
    Decimal::try_new(1, places).ok()
}

/// The text of a body that is a list already.
pub fn bare_list(body: &[u8]) -> Result<&str, MarketError> {
    list::text(body)
}
