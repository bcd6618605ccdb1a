//! The requests of one fetch: which symbols are asked for by name, and when the list of all is.

use super::errors::refuses_a_symbol;
use super::{Rows, accept};
use crate::http::{Client, Reply};
use crate::reading::list::encoded;
use crate::symbols::is_possible;
use crate::{Asked, Endpoint, LastLook, MarketError, Tickers, UnixMillis, check_url};
use std::collections::{BTreeSet, HashSet};

/// Most symbols asked for by name; above it, the list of all costs the exchange no more.
pub(super) const MOST_NAMED: usize = 100;
/// URL of the list of all symbols, below the base URL.
const ALL: &str = "/api/v3/ticker/24hr";

/// Gets the tickers of `symbols`: one request in the common case, for those that the exchange
/// lists; a second one when it refuses the whole list because of a symbol that it does not know,
/// or when it is time to ask again of one. Above a hundred symbols, and to ask again of several,
/// it is one request for the list of all. Blocks, for the endpoint's timeout at most. Without
/// symbols it asks nothing.
///
/// # Errors
/// Whatever [`MarketError`] names. A row that cannot be used is not an error of the fetch: it is
/// in [`Tickers::rows`] with its reason.
pub(super) fn fetch(endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError> {
    check_url(&endpoint.base_url)?;
    let possible: Vec<&Asked> = symbols
        .iter()
        .filter(|asked| is_possible(&asked.symbol))
        .collect();
    let mut look = Look::default();
    if !possible.is_empty() {
        Requests(Client::new(endpoint)?).look(&possible, &mut look)?;
    }
    let mut tickers = Tickers {
        exchange_time: look.exchange_time,
        ..Tickers::default()
    };
    for asked in symbols {
        let symbol = &asked.symbol;
        if look.rows.contains_key(symbol) {
            continue;
        }
        if is_possible(symbol) && look.is_missing(asked) {
            tickers.missing.insert(symbol.clone());
            continue;
        }
        tickers.unknown.push(symbol.clone());
        if asked.last_look == LastLook::UnknownLately && !look.saw_all {
            tickers.not_asked.insert(symbol.clone());
        }
    }
    tickers.rows = look.rows;
    Ok(tickers)
}

/// What the requests of one fetch showed.
#[derive(Default)]
struct Look {
    rows: Rows,
    /// Whether it was the list of all symbols.
    saw_all: bool,
    /// The one symbol that the list of all lacks after the exchange refused to know all of those
    /// asked for by name: this refusal is of it.
    refused: Option<String>,
    exchange_time: Option<UnixMillis>,
}

impl Look {
    /// Whether all that is known of a symbol without a row is that a reply lacked it.
    fn is_missing(&self, asked: &Asked) -> bool {
        match asked.last_look {
            LastLook::Listed if self.saw_all => self.refused.as_ref() != Some(&asked.symbol),
            LastLook::Listed | LastLook::Never => !self.saw_all,
            LastLook::UnknownLately | LastLook::UnknownDue => false,
        }
    }
}

/// The requests of one fetch.
struct Requests<'a>(Client<'a>);

impl Requests<'_> {
    fn look(&self, symbols: &[&Asked], look: &mut Look) -> Result<(), MarketError> {
        let wanted: HashSet<&str> = symbols.iter().map(|asked| asked.symbol.as_str()).collect();
        let of = |is_of: fn(LastLook) -> bool| -> BTreeSet<&str> {
            let symbols = symbols.iter().filter(|asked| is_of(asked.last_look));
            symbols.map(|asked| asked.symbol.as_str()).collect()
        };
        let by_name = of(|last| matches!(last, LastLook::Listed | LastLook::Never));
        let again = of(|last| last == LastLook::UnknownDue);
        if symbols.len() > MOST_NAMED || again.len() > 1 {
            return self.look_at_all(&wanted, look);
        }
        if !by_name.is_empty() {
            let reply = self.get(&named(&by_name), look)?;
            if refuses_a_symbol(&reply) {
                self.look_at_all(&wanted, look)?;
                let mut lacking = by_name
                    .iter()
                    .filter(|name| !look.rows.contains_key(**name));
                look.refused = lacking
                    .next()
                    .filter(|_| lacking.next().is_none())
                    .map(|name| (*name).to_owned());
                return Ok(());
            }
            look.rows = accept(&reply, &wanted)?;
        }
        if again.is_empty() {
            return Ok(());
        }
        self.ask_again(&named(&again), &wanted, look)
    }

    fn look_at_all(&self, wanted: &HashSet<&str>, look: &mut Look) -> Result<(), MarketError> {
        let reply = self.get(ALL, look)?;
        look.rows = accept(&reply, wanted)?;
        look.saw_all = true;
        Ok(())
    }

    /// Asks for the one symbol that the exchange did not know. The others have their rows by now:
    /// only that the exchange says stop is an error.
    fn ask_again(
        &self,
        path: &str,
        wanted: &HashSet<&str>,
        look: &mut Look,
    ) -> Result<(), MarketError> {
        let rows = self
            .get(path, look)
            .and_then(|reply| accept(&reply, wanted));
        match rows {
            Ok(rows) => look.rows.extend(rows),
            Err(stop @ MarketError::LeftAlone { .. }) => return Err(stop),
            Err(_) => {}
        }
        Ok(())
    }

    fn get(&self, path: &str, look: &mut Look) -> Result<Reply, MarketError> {
        let reply = self.0.get(path)?;
        look.exchange_time = reply.date.or(look.exchange_time);
        Ok(reply)
    }
}

/// The path that asks for these symbols, percent-encoded as a query has to be.
fn named(symbols: &BTreeSet<&str>) -> String {
    format!("{ALL}?symbols={}", names(symbols.iter().copied()))
}

/// A list of symbols as a parameter of a query.
pub(super) fn names<'s>(symbols: impl Iterator<Item = &'s str>) -> String {
    let names: Vec<String> = symbols
        .map(|symbol| format!("%22{}%22", encoded(symbol)))
        .collect();
    format!("%5B{}%5D", names.join("%2C"))
}
