//! Symbols: ours are base and quote without anything between them, exchanges have other forms.

use std::borrow::Cow;

/// Longest symbol, in characters.
const LONGEST_SYMBOL: usize = 50;

/// Assets that others are priced in, of which the end of a symbol is told: the longer of two that
/// fit comes first.
const QUOTES: [&str; 30] = [
    "FDUSD", "USDE", "USDT", "USDC", "USDD", "TUSD", "BUSD", "USD1", "PYUSD", "RLUSD", "EURT",
    "EURC", "EURI", "USD", "EUR", "GBP", "JPY", "TRY", "BRL", "AUD", "CAD", "CHF", "DAI", "PAX",
    "BTC", "ETH", "BNB", "KCS", "NEO", "SOL",
];

/// Whether an exchange could list such a symbol. What it could not is never sent.
pub fn is_possible(symbol: &str) -> bool {
    let allowed = |c: char| {
        c.is_ascii_uppercase()
            || c.is_ascii_digit()
            || "-_.".contains(c)
            || !c.is_ascii() && c.is_alphanumeric()
    };
    (1..=LONGEST_SYMBOL).contains(&symbol.chars().count()) && symbol.chars().all(allowed)
}

/// Appends our form of a symbol whose parts a separator stands between.
pub fn joined(native: &str, ours: &mut String) {
    ours.extend(native.chars().filter(|c| !"-_/".contains(*c)));
}

/// Base and quote of a symbol of ours, told by its end; `None` when that tells nothing.
pub fn split(symbol: &str) -> Option<(&str, &str)> {
    let mut fitting: Vec<&str> = QUOTES
        .into_iter()
        .filter(|quote| symbol.len() > quote.len() && symbol.ends_with(quote))
        .collect();
    fitting.sort_by_key(|quote| std::cmp::Reverse(quote.len()));
    symbol
        .strip_suffix(fitting.first()?)
        .map(|base| (base, fitting[0]))
}

/// The form of a symbol with `separator` between base and quote. One that has it already is an
/// exchange's own and stays as it is, and so does one whose parts cannot be told.
pub fn separated<'s>(symbol: &'s str, separator: char) -> Cow<'s, str> {
    match split(symbol) {
        Some((base, quote)) if !symbol.contains(separator) => {
            Cow::Owned(format!("{base}{separator}{quote}"))
        }
        _ => Cow::Borrowed(symbol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_symbol_tells_its_quote() {
        for (symbol, native) in [
            ("BTCUSDT", "BTC-USDT"),
            ("BTCUSD", "BTC-USD"),
            ("ETHBTC", "ETH-BTC"),
            ("USDCUSDT", "USDC-USDT"),
            ("BTCFDUSD", "BTC-FDUSD"),
            ("SOLUSDC", "SOL-USDC"),
            ("BTC-USDT", "BTC-USDT"),
            ("XYZ", "XYZ"),
            ("USDT", "USDT"),
        ] {
            assert_eq!(separated(symbol, '-'), native);
        }
    }

    #[test]
    fn what_no_exchange_lists_is_never_sent() {
        let longest = "A".repeat(50);
        for symbol in ["BTCUSDT", "1000SATSUSDT", "\u{5e01}\u{5b89}USDT", &longest] {
            assert!(is_possible(symbol), "{symbol}");
        }
        let too_long = "A".repeat(51);
        for symbol in [
            "", "btcusdt", "BTC USDT", "BTC\"", "BTC&x=1", "BTC%22", &too_long,
        ] {
            assert!(!is_possible(symbol), "{symbol}");
        }
    }
}
