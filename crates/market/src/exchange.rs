//! What all exchanges have in common, and which there are.

use crate::binance::{BINANCE, BINANCE_US};
use crate::bybit::Bybit;
use crate::coinbase::Coinbase;
use crate::gate::Gate;
use crate::kraken::Kraken;
use crate::kucoin::KuCoin;
use crate::mexc::Mexc;
use crate::okx::Okx;
use crate::{
    Asked, CandleQuery, Candles, Client, Endpoint, Instrument, MarketError, Ticker, Tickers,
    UnixMillis,
};
use std::collections::{HashMap, HashSet};
use std::fmt::Debug;

/// By symbol: a ticker, or why its row is unusable.
pub type Rows = HashMap<String, Result<Ticker, String>>;

/// How one exchange is asked, and how its replies are read.
///
/// Symbols are base and quote without anything between them, such as BTCUSDT, whatever form the
/// exchange itself writes them in.
pub trait Exchange: Debug + Sync {
    /// The name that settings and tables have for it, such as `binance`.
    fn name(&self) -> &'static str;

    /// Base URL of its public market data, where no other is set.
    fn base_url(&self) -> &'static str;

    /// Gets the tickers of `symbols` in as few requests as the exchange allows: one in the common
    /// case. Blocks, for the endpoint's timeout at most. Without symbols it asks nothing.
    ///
    /// # Errors
    /// Whatever [`MarketError`] names. A row that cannot be used is not an error of the fetch: it
    /// is in [`Tickers::rows`] with its reason.
    fn tickers(&self, endpoint: &Endpoint, symbols: &[Asked]) -> Result<Tickers, MarketError>;

    /// The rows of `asked` in a reply to a request for tickers. A symbol that comes twice is
    /// unusable: nothing says which of its rows is right.
    ///
    /// # Errors
    /// [`MarketError::NotJson`]; [`MarketError::Rejected`] and [`MarketError::LeftAlone`] for the
    /// exchange's error object.
    fn read_tickers(
        &self,
        body: &[u8],
        asked: &HashSet<&str>,
        time: ReplyTime,
    ) -> Result<Rows, MarketError>;

    /// Gets the first candles of `query` in one request: as many as the exchange gives at once, of
    /// which [`Candles::rest`] tells what is still to be asked for. Blocks, until the time of
    /// `client` is over at most. Without a candle to ask for, it asks nothing.
    ///
    /// # Errors
    /// [`MarketError::NoSuchInterval`] when the exchange has no candles of this length,
    /// [`MarketError::BadCandles`] and [`MarketError::NoCandles`] for a reply that cannot be used,
    /// and whatever else [`MarketError`] names. A single row that cannot be used is no error: see
    /// [`Candles::unusable`].
    fn candles(&self, client: &Client, query: &CandleQuery) -> Result<Candles, MarketError>;

    /// The finished candles in a reply to `query` that was made at `now`, by the exchange's clock.
    ///
    /// # Errors
    /// [`MarketError::NoCandles`] when it is no list, [`MarketError::Rejected`] and
    /// [`MarketError::LeftAlone`] for the exchange's error object, [`MarketError::BadCandles`] when
    /// nothing says which of its rows are right.
    fn read_candles(
        &self,
        body: &[u8],
        query: &CandleQuery,
        now: UnixMillis,
    ) -> Result<Candles, MarketError>;

    /// Gets those of `symbols` that the exchange lists, also when they do not trade now, in any
    /// order. Blocks, for the endpoint's timeout at most.
    ///
    /// # Errors
    /// Whatever [`MarketError`] names. A row that cannot be read is left out.
    fn instruments(
        &self,
        endpoint: &Endpoint,
        symbols: &HashSet<&str>,
    ) -> Result<Vec<Instrument>, MarketError>;
}

/// When a reply was made, for exchanges whose tickers do not say it.
#[derive(Clone, Copy, Debug)]
pub struct ReplyTime {
    /// The header Date, by the exchange's clock.
    pub date: Option<UnixMillis>,
    /// When the reply was there, by this machine's clock.
    pub received: UnixMillis,
}

static EXCHANGES: &[&dyn Exchange] = &[
    &BINANCE,
    &BINANCE_US,
    &Bybit,
    &Okx,
    &KuCoin,
    &Gate,
    &Coinbase,
    &Mexc,
    &Kraken,
];

/// All exchanges, in no order that means anything.
pub fn exchanges() -> &'static [&'static dyn Exchange] {
    EXCHANGES
}

/// The exchange of this name.
pub fn exchange(name: &str) -> Option<&'static dyn Exchange> {
    exchanges()
        .iter()
        .copied()
        .find(|exchange| exchange.name() == name)
}
