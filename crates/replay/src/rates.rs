//! What other quote assets than dollars cost, by the candles of their own pairs.

use market::{Ticker, Tickers};
use strategy::{Watched, dollars};

/// Adds the tickers of the pairs that tell what the quote assets of `watched` cost in dollars, as a
/// reply of an exchange has them, where `ticker_of` has them, too.
pub fn add(watched: &[Watched], tickers: &mut Tickers, ticker_of: impl Fn(&str) -> Option<Ticker>) {
    for watched in watched {
        let Some(quote) = dollars::quote_of(&watched.symbol) else {
            continue;
        };
        for (symbol, _) in dollars::crosses(quote) {
            if tickers.rows.contains_key(&symbol) {
                continue;
            }
            if let Some(ticker) = ticker_of(&symbol) {
                tickers.rows.insert(symbol, Ok(ticker));
            }
        }
    }
}
