//! Volume in US dollars, so that one floor fits pairs of every quote asset.
//!
//! USD and the assets that are pegged to it count 1. Any other asset counts what its own pair with
//! one of these costs in the same reply: BTC by BTCUSDT, a lira by USDTTRY turned around.

use market::{Ticker, Tickers};
use rust_decimal::Decimal;
use std::cell::RefCell;
use std::collections::HashMap;

/// USD and its pegs; the first ones are the most traded.
const DOLLARS: [&str; 16] = [
    "USDT", "USDC", "USD", "FDUSD", "TUSD", "BUSD", "DAI", "USDP", "PAX", "USD1", "USDE", "USDS",
    "PYUSD", "RLUSD", "GUSD", "USDD",
];

/// The dollars that are asked for the rate of another asset.
const OF_RATES: usize = 6;

/// Quote assets other than dollars, by which a symbol can be taken apart where no list of
/// instruments says what it is made of. A longer one stands before one that it ends in.
const OTHERS: [&str; 37] = [
    "BTC", "ETH", "BNB", "XRP", "TRX", "SOL", "DOGE", "DOT", "KCS", "OKB", "EURI", "EUR", "GBP",
    "CHF", "TRY", "BRL", "AUD", "CAD", "JPY", "KRW", "RUB", "UAH", "NGN", "ZAR", "PLN", "RON",
    "ARS", "MXN", "COP", "CZK", "INR", "SGD", "BIDR", "IDRT", "IDR", "VND", "AED",
];

/// Whether an asset counts as a dollar.
pub fn is_dollar(asset: &str) -> bool {
    DOLLARS.contains(&asset)
}

/// The quote asset of a symbol by how it ends; `None` of one that ends in none that is known.
pub fn quote_of(symbol: &str) -> Option<&'static str> {
    // Nearly all symbols end in one of these, in which no other one ends.
    if let Some(asset) = DOLLARS[..2].iter().find(|asset| symbol.ends_with(**asset))
        && symbol.len() > asset.len()
    {
        return Some(asset);
    }
    // The longest fits: BTCFDUSD is no pair of USD.
    let dollars = DOLLARS.iter().chain(&OTHERS);
    let fitting = dollars.filter(|asset| {
        symbol
            .strip_suffix(**asset)
            .is_some_and(|base| !base.is_empty())
    });
    fitting.copied().max_by_key(|asset| asset.len())
}

/// The pairs that tell the rate of an asset, the best first: whether the asset is their base, or
/// their quote. None of a dollar.
pub fn crosses(asset: &str) -> impl Iterator<Item = (String, bool)> + '_ {
    let dollars = match is_dollar(asset) {
        true => &[],
        false => &DOLLARS[..OF_RATES],
    };
    let as_base = dollars
        .iter()
        .map(move |dollar| (format!("{asset}{dollar}"), true));
    let as_quote = dollars
        .iter()
        .map(move |dollar| (format!("{dollar}{asset}"), false));
    as_base.chain(as_quote)
}

/// What assets cost in dollars by the rows of one reply; each is looked up once.
#[derive(Debug)]
pub struct Rates<'a> {
    pub tickers: &'a Tickers,
    known: RefCell<HashMap<String, Option<Decimal>>>,
}

impl<'a> Rates<'a> {
    pub fn of_reply(tickers: &'a Tickers) -> Self {
        Self {
            tickers,
            known: RefCell::default(),
        }
    }

    /// Dollars for one unit of `asset`, by a pair of these tickers that `is_usable`, which is to be
    /// the same each time. `None` when none of them tells.
    pub fn of(&self, asset: &str, is_usable: impl Fn(&Ticker) -> bool) -> Option<Decimal> {
        if is_dollar(asset) {
            return Some(Decimal::ONE);
        }
        if let Some(rate) = self.known.borrow().get(asset) {
            return *rate;
        }
        let rate = self.looked_up(asset, is_usable);
        self.known.borrow_mut().insert(asset.to_owned(), rate);
        rate
    }

    fn looked_up(&self, asset: &str, is_usable: impl Fn(&Ticker) -> bool) -> Option<Decimal> {
        crosses(asset).find_map(|(symbol, is_base)| {
            let ticker = self.tickers.rows.get(&symbol)?.as_ref().ok()?;
            let price = Some(ticker.last_price)
                .filter(|price| *price > Decimal::ZERO && is_usable(ticker))?;
            match is_base {
                true => Some(price),
                false => Decimal::ONE.checked_div(price),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{number, ticker, tickers};

    fn priced(symbol: &str, price: &str) -> Ticker {
        Ticker {
            last_price: number(price),
            ..ticker(symbol, "0")
        }
    }

    #[test]
    fn a_symbol_is_taken_apart_by_the_longest_asset_that_it_ends_in() {
        for (symbol, quote) in [
            ("BTCUSDT", Some("USDT")),
            ("BTCFDUSD", Some("FDUSD")),
            ("BTCUSD", Some("USD")),
            ("ETHBTC", Some("BTC")),
            ("USDTTRY", Some("TRY")),
            ("USDTBIDR", Some("BIDR")),
            ("EURUSDT", Some("USDT")),
            ("BTC", None),
            ("WORD", None),
        ] {
            assert_eq!(quote_of(symbol), quote, "{symbol}");
        }
    }

    #[test]
    fn dollars_count_one_and_others_what_their_pair_costs() {
        let reply = tickers([
            priced("BTCUSDT", "20000"),
            priced("USDTTRY", "40"),
            priced("EURUSDC", "1.1"),
        ]);
        let rates = Rates::of_reply(&reply);
        let rate = |asset| rates.of(asset, |_| true);
        for dollar in ["USD", "USDT", "USDC", "FDUSD"] {
            assert_eq!(rate(dollar), Some(Decimal::ONE));
        }
        assert_eq!(rate("BTC"), Some(number("20000")));
        assert_eq!(rate("TRY"), Some(number("0.025")));
        assert_eq!(rate("EUR"), Some(number("1.1")));
        assert_eq!(rate("ETH"), None);
    }

    #[test]
    fn a_pair_that_cannot_be_used_tells_no_rate() {
        let reply = tickers([priced("BTCUSDT", "0"), priced("BTCUSDC", "20000")]);
        let rate = |is_usable: bool| Rates::of_reply(&reply).of("BTC", |_| is_usable);
        assert_eq!(rate(true), Some(number("20000")));
        assert_eq!(rate(false), None);
    }
}
