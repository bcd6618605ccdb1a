//! Kraken's names of assets and pairs.

use crate::instrument::Instrument;

/// Kraken's short name of an asset: XBT for BTC, XDG for DOGE.
pub(super) fn short(asset: &str) -> &str {
    match asset {
        "BTC" => "XBT",
        "DOGE" => "XDG",
        other => other,
    }
}

/// Its own name: the assets of the first years have four letters, X before a coin and Z before a
/// currency of a state.
pub(super) fn long(asset: &str) -> String {
    const COINS: [&str; 9] = [
        "XBT", "ETH", "LTC", "XRP", "XLM", "XMR", "ZEC", "ETC", "XDG",
    ];
    const STATES: [&str; 5] = ["USD", "EUR", "GBP", "JPY", "CAD"];
    let short = short(asset);
    if COINS.contains(&short) {
        format!("X{short}")
    } else if STATES.contains(&short) {
        format!("Z{short}")
    } else {
        short.to_owned()
    }
}

/// The pair in short: XBTUSD.
pub(super) fn alternative(instrument: &Instrument) -> String {
    let (base, quote) = assets(instrument);
    format!("{}{}", short(base), short(quote))
}

/// The pair as replies name it: XXBTZUSD; in short where an asset has no long name, and for DOGE.
pub(super) fn canonical(instrument: &Instrument) -> String {
    let (base, quote) = assets(instrument);
    let old = |asset| long(asset) != short(asset) && asset != "DOGE";
    match old(base) && old(quote) {
        true => format!("{}{}", long(base), long(quote)),
        false => alternative(instrument),
    }
}

/// The pair with a slash: XBT/USD.
pub(super) fn with_slash(instrument: &Instrument) -> String {
    let (base, quote) = assets(instrument);
    format!("{}/{}", short(base), short(quote))
}

fn assets(instrument: &Instrument) -> (&str, &str) {
    (&instrument.base_asset, &instrument.quote_asset)
}
