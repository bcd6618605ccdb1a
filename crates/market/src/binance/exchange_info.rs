//! The instruments of Binance's spot REST API, which calls them exchange information.
//!
//! <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints>

use super::errors::{ERRORS, refuses_a_symbol};
use super::requests::{MOST_NAMED, names};
use crate::error::excerpt;
use crate::reading::instruments::{text, tick};
use crate::symbols::is_possible;
use crate::{Client, Endpoint, Instrument, MarketError, Status};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::{BTreeSet, HashSet};

/// Gets instruments as [`Exchange::instruments`](crate::Exchange::instruments) says, by name: the
/// list of all has many megabytes. A request costs the exchange a weight of 20. When it refuses
/// one because of a symbol that it does not know and does not name, it is asked for halves, the
/// larger ones first, until that symbol is alone or [`MOST_REQUESTS`] are made. `options` are further parameters of the query.
pub(super) fn fetch(
    endpoint: &Endpoint,
    symbols: &HashSet<&str>,
    options: &str,
) -> Result<Vec<Instrument>, MarketError> {
    let client = Client::new(endpoint)?;
    let possible: BTreeSet<&str> = symbols.iter().copied().filter(|s| is_possible(s)).collect();
    let possible: Vec<&str> = possible.into_iter().collect();
    let mut waiting: Vec<&[&str]> = possible.chunks(MOST_NAMED).collect();
    let mut found = Vec::new();
    let mut requests_left = MOST_REQUESTS;
    while requests_left > 0
        && let Some(largest) = (0..waiting.len()).max_by_key(|at| waiting[*at].len())
    {
        requests_left -= 1;
        let asked = waiting.remove(largest);
        let path = format!(
            "/api/v3/exchangeInfo?symbols={}{options}",
            names(asked.iter().copied())
        );
        let reply = client.get(&path)?;
        if refuses_a_symbol(&reply) {
            let (one, other) = asked.split_at(asked.len() / 2);
            waiting.extend(
                [one, other]
                    .into_iter()
                    .filter(|half| !one.is_empty() && !half.is_empty()),
            );
            continue;
        }
        found.extend(ERRORS.take(&reply, |body| parse(body, symbols))?);
    }
    Ok(found)
}

/// Most requests of one fetch, so that an exchange that refuses everything is not asked for ever.
const MOST_REQUESTS: usize = 32;

#[derive(Deserialize)]
struct Info<'a> {
    #[serde(borrow)]
    symbols: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Symbol {
    symbol: String,
    #[serde(default, deserialize_with = "text")]
    status: Option<String>,
    base_asset: String,
    quote_asset: String,
    filters: Option<Vec<Filter>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default, deserialize_with = "text")]
    filter_type: Option<String>,
    #[serde(default, deserialize_with = "text")]
    tick_size: Option<String>,
}

/// The instruments of `asked` in a reply; a row that cannot be read is left out.
///
/// # Errors
/// [`MarketError::NotJson`].
pub fn parse(body: &[u8], asked: &HashSet<&str>) -> Result<Vec<Instrument>, MarketError> {
    let info: Info = serde_json::from_slice(body).map_err(|_| MarketError::NotJson {
        reason: "it is no list of instruments".to_owned(),
        body: excerpt(body),
    })?;
    let symbols = info.symbols.into_iter();
    let symbols = symbols.filter_map(|row| serde_json::from_str::<Symbol>(row.get()).ok());
    let symbols = symbols.filter(|row| asked.contains(row.symbol.as_str()));
    Ok(symbols.map(Symbol::instrument).collect())
}

impl Symbol {
    fn instrument(self) -> Instrument {
        let filter = self
            .filters
            .into_iter()
            .flatten()
            .find(|f| f.filter_type.as_deref() == Some("PRICE_FILTER"));
        // Zero switches the filter off.
        let tick_size = filter.and_then(|filter| tick(&filter.tick_size?));
        Instrument {
            native_symbol: self.symbol.clone(),
            symbol: self.symbol,
            base: self.base_asset,
            quote: self.quote_asset,
            tick_size,
            status: match self.status.as_deref() {
                Some("TRADING") => Status::Trading,
                // HALT, and BREAK, which stands for a pause as for an end.
                _ => Status::Halted,
            },
        }
    }
}
