//! Kraken's names of pairs: old ones such as XXBTZUSD have an X before an asset and a Z before money,
//! and bitcoin and dogecoin are XBT and XDG.

use crate::symbols;

/// What Kraken calls an asset, and what others do.
const OTHERS_CALL: [(&str, &str); 2] = [("XBT", "BTC"), ("XDG", "DOGE")];

/// Appends our form of a pair, by any of its names: XXBTZUSD, XBTUSD or XBT/USD.
pub fn ours(native: &str, ours: &mut String) {
    match (native.find('/'), old(native)) {
        (Some(_), _) => {
            native
                .split('/')
                .for_each(|part| ours.push_str(asset(part)));
        }
        (None, Some((base, quote))) => {
            ours.push_str(asset(base));
            ours.push_str(asset(quote));
        }
        (None, None) => {
            let renamed = OTHERS_CALL.iter();
            let mut known = renamed.filter_map(|(k, o)| Some((*o, native.strip_prefix(k)?)));
            let (base, rest) = known.next().unwrap_or(("", native));
            ours.push_str(base);
            match rest.strip_suffix("XBT") {
                Some(middle) if !(middle.is_empty() && base.is_empty()) => {
                    ours.push_str(middle);
                    ours.push_str("BTC");
                }
                _ => ours.push_str(rest),
            }
        }
    }
}

/// The two assets of an old name.
fn old(native: &str) -> Option<(&str, &str)> {
    let is_marked = |at: usize| matches!(native.as_bytes().get(at), Some(b'X' | b'Z'));
    let is_old = native.len() == 8 && native.is_ascii() && is_marked(0) && is_marked(4);
    is_old.then(|| (&native[1..4], &native[5..8]))
}

/// What others call an asset.
pub fn asset(native: &str) -> &str {
    let mut renamed = OTHERS_CALL.iter();
    let known = renamed.find(|(kraken, _)| *kraken == native);
    known.map_or(native, |(_, others)| others)
}

/// A name of the pair that Kraken takes.
pub fn native(symbol: &str) -> String {
    let Some((base, quote)) = symbols::split(symbol) else {
        return symbol.to_owned();
    };
    let mut pair = String::new();
    for asset in [base, quote] {
        let mut renamed = OTHERS_CALL.iter();
        let known = renamed.find(|(_, others)| *others == asset);
        pair.push_str(known.map_or(asset, |(kraken, _)| kraken));
    }
    pair
}

#[cfg(test)]
mod tests {
    #[test]
    fn pairs_are_found_by_any_of_their_names() {
        for (native, ours) in [
            ("XXBTZUSD", "BTCUSD"),
            ("XBTUSDT", "BTCUSDT"),
            ("XBT/USD", "BTCUSD"),
            ("XETHXXBT", "ETHBTC"),
            ("SOLXBT", "SOLBTC"),
            ("XDGUSD", "DOGEUSD"),
            ("XXDGXXBT", "DOGEBTC"),
            ("XDG/XBT", "DOGEBTC"),
            ("XTZUSD", "XTZUSD"),
            ("NEARUSD", "NEARUSD"),
            ("XBT", "BTC"),
        ] {
            let mut found = String::new();
            super::ours(native, &mut found);
            assert_eq!(found, ours, "{native}");
        }
        assert_eq!(super::native("BTCUSDT"), "XBTUSDT");
        assert_eq!(super::native("DOGEBTC"), "XDGXBT");
        assert_eq!(super::native("NEARUSD"), "NEARUSD");
    }
}
