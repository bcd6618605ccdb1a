//! Recorded market data for tests: real replies and candles, which are not part of this project.
//!
//! They are looked for in the folder that SIGNAL_HUB_MARKET_DATA names, else in shared/market
//! beside the repository. A test that does not find them says so and passes.

use flate2::read::GzDecoder;
use market::{Tickers, UnixMillis, binance};
use std::collections::HashSet;
use std::io::Read;
use std::path::PathBuf;

/// All replies to the request for the tickers of all symbols.
pub const REPLIES: [&str; 2] = [
    "binance/ticker24hr-2019-08-22T0338Z.json.gz",
    "binance/ticker24hr-2023-03-10T1434Z.json.gz",
];

/// A recorded reply as the parser reads it.
pub struct Recording {
    /// The symbols in the order of the reply.
    pub symbols: Vec<String>,
    pub tickers: Tickers,
    /// The time of its newest row, which is when it was recorded.
    pub taken_at: UnixMillis,
}

/// A recorded file, unpacked when its name ends in `.gz`; `None` when there is none.
pub fn read(path: &str) -> Option<Vec<u8>> {
    let folder = std::env::var_os("SIGNAL_HUB_MARKET_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/market"
            ))
        });
    let Ok(content) = std::fs::read(folder.join(path)) else {
        eprintln!("skipped: no recorded market data {path} (set SIGNAL_HUB_MARKET_DATA)");
        return None;
    };
    if !path.ends_with(".gz") {
        return Some(content);
    }
    let mut unpacked = Vec::new();
    GzDecoder::new(content.as_slice())
        .read_to_end(&mut unpacked)
        .expect("recorded data is intact");
    Some(unpacked)
}

/// A recorded reply, every row of it parsed.
pub fn recording(path: &str) -> Option<Recording> {
    Some(parsed(&read(path)?))
}

/// A reply, every row of it parsed.
pub fn parsed(body: &[u8]) -> Recording {
    let rows: Vec<serde_json::Value> = serde_json::from_slice(body).expect("a list");
    let symbols: Vec<String> = rows
        .iter()
        .map(|row| row["symbol"].as_str().expect("a symbol").to_owned())
        .collect();
    let asked: HashSet<&str> = symbols.iter().map(String::as_str).collect();
    let rows = binance::parse(body, &asked).expect("a list of tickers");
    let taken_at = rows
        .values()
        .flatten()
        .map(|ticker| ticker.close_time)
        .max();
    Recording {
        symbols,
        tickers: Tickers {
            rows,
            ..Tickers::default()
        },
        taken_at: taken_at.expect("some rows"),
    }
}
