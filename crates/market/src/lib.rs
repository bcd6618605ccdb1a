//! The outside world, turned into tickers and candles.
//!
//! Words used here: a *ticker* is what an exchange says of one symbol over the last 24 hours; a
//! *symbol* is a pair such as BTCUSDT, whose *base* (BTC) is bought with its *quote* (USDT); a
//! *candle* is what it says of one stretch of time.
//! An [`Exchange`] is found by its name through [`exchange()`]; each has a file or a folder of its
//! own, such as [`binance`]. `http` performs one bounded request, [`backoff`] says how long to stay
//! away after a failure. Nothing here knows PostgreSQL: no SQLSTATE and no setting's name.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod binance;
mod bybit;
mod candle;
pub mod choice;
mod coinbase;
mod decimal;
mod error;
mod exchange;
mod gate;
mod http;
mod instrument;
pub mod kraken;
mod kucoin;
mod mexc;
mod okx;
mod reading;
mod symbols;
mod ticker;

use std::time::Duration;

pub use binance::BINANCE;
pub use candle::{Candle, CandleQuery, Candles, Gap, Interval};
pub use error::{CandleFault, MarketError};
pub use exchange::{Exchange, ReplyTime, Rows, exchange, exchanges};
pub use http::{Client, check_proxy, check_url};
pub use instrument::{Instrument, Status};
pub use ticker::{Asked, LastLook, Ticker, Tickers, TimeSource, UnixMillis};

/// Where and how to ask.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Base URL of the REST API, with or without a path prefix and a trailing slash.
    pub base_url: String,
    /// Time for everything one fetch does, name resolution included.
    pub timeout: Duration,
    /// Largest accepted reply, in bytes.
    pub max_body: u64,
    /// PEM file with the only CA certificates to trust; `None` trusts the system's.
    pub ca_file: Option<String>,
    /// URL of a proxy to connect through, by CONNECT. Plain http, which goes to this machine only,
    /// does without.
    pub http_proxy: Option<String>,
}

#[cfg(test)]
mod adapter_tests;
#[cfg(test)]
mod tests;
