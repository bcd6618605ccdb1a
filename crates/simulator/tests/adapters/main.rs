//! The adapters of the crate `market` and the dialects of the simulator, two readings of the same
//! documentation: over real HTTP, each adapter gets from its dialect what the market really is.

mod candles;
mod faults;
mod instruments;
mod stopping;
mod tickers;

use market::{Asked, Endpoint, Exchange, LastLook, Tickers};
use rust_decimal::Decimal;
use signal_hub_simulator::{Dialect, Fault, Simulator, SimulatorOptions, Times, UnixMillis};
use std::time::Duration;

/// 2026-11-21 10:00:00.123 UTC.
const A_TIME: UnixMillis = 1_795_255_200_123;

/// Symbols that are asked for in most tests.
const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "XRPUSDT"];

/// Makes a test of each function for each exchange.
macro_rules! for_each_exchange {
    ($($test:ident),+) => {
        crate::for_each_exchange!(@each [$($test),+] binance Binance, binance_us BinanceUs, bybit Bybit,
            okx Okx, kucoin Kucoin, gate Gate, coinbase Coinbase, mexc Mexc, kraken Kraken);
    };
    (@each $tests:tt $($name:ident $dialect:ident),+) => {
        $(mod $name {
            crate::for_each_exchange!(@one $tests $dialect);
        })+
    };
    (@one [$($test:ident),+] $dialect:ident) => {
        $(#[test]
        fn $test() {
            super::$test(&crate::Asking::at(signal_hub_simulator::Dialect::$dialect));
        })+
    };
}
pub(crate) use for_each_exchange;

/// An adapter and the simulated exchange that it asks.
struct Asking {
    adapter: &'static dyn Exchange,
    simulator: Simulator,
    dialect: Dialect,
}

impl Asking {
    fn at(dialect: Dialect) -> Self {
        let simulator = Simulator::start(SimulatorOptions {
            dialect,
            ..SimulatorOptions::default()
        });
        let simulator = simulator.expect("a free port");
        simulator.drive_time(A_TIME);
        let adapter = market::exchange(dialect.name());
        Self {
            adapter: adapter.unwrap_or_else(|| panic!("no adapter is named {}", dialect.name())),
            simulator,
            dialect,
        }
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint {
            base_url: self.simulator.url(),
            timeout: Duration::from_secs(20),
            max_body: 16 * 1024 * 1024,
            ca_file: None,
            http_proxy: None,
        }
    }

    fn tickers(&self, symbols: &[&str]) -> Tickers {
        let tickers = self.adapter.tickers(&self.endpoint(), &asked(symbols));
        tickers.unwrap_or_else(|error| panic!("{}: {}", error.message(), error.detail()))
    }

    fn is_one_of(&self, dialects: &[Dialect]) -> bool {
        dialects.contains(&self.dialect)
    }
}

#[test]
fn every_adapter_has_a_dialect() {
    let dialects = Dialect::ALL.map(Dialect::name);
    for adapter in market::exchanges() {
        assert!(dialects.contains(&adapter.name()), "{}", adapter.name());
    }
    assert_eq!(market::exchanges().len(), dialects.len());
}

fn asked(symbols: &[&str]) -> Vec<Asked> {
    let asked = |symbol: &&str| Asked {
        symbol: (*symbol).to_owned(),
        last_look: LastLook::Listed,
    };
    symbols.iter().map(asked).collect()
}

/// Whether two numbers differ by no more than this part of the second.
#[track_caller]
fn assert_close(number: Decimal, wanted: Decimal, part: &str, what: &str) {
    let part = Decimal::from_str_exact(part).expect("a number");
    let off = (number - wanted).abs();
    assert!(
        off <= (wanted * part).abs(),
        "{what}: {number}, not {wanted}"
    );
}
