//! The reply that is read: a recorded one where there is one, else the simulator's.

use flate2::read::GzDecoder;
use signal_hub_simulator::{Instrument, Simulator, SimulatorOptions};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Binance's list of all symbols on a day on which BTC fell by 8.163 %.
const BINANCE: &str = "binance/ticker24hr-2023-03-10T1434Z.json.gz";
/// That of KuCoin on another day, 394 of them.
const KUCOIN: &str = "exchanges/kucoin_allTickers_2019-02-21_full.json";
/// How many symbols the recorded list has.
const SYMBOLS: usize = 2161;

pub struct Reply {
    /// The name of the exchange.
    pub exchange: &'static str,
    pub body: Vec<u8>,
    /// Where it is from, for a person.
    pub origin: String,
}

impl Reply {
    /// One for each exchange of which a full reply is on record.
    pub fn all() -> Vec<Self> {
        let binance = recorded("binance", BINANCE).unwrap_or_else(simulated);
        [Some(binance), recorded("kucoin", KUCOIN)]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// What the folder that SIGNAL_HUB_MARKET_DATA names has, or the one beside the repository.
fn recorded(exchange: &'static str, path: &str) -> Option<Reply> {
    let folder = std::env::var_os("SIGNAL_HUB_MARKET_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/market")),
        PathBuf::from,
    );
    let mut file = File::open(folder.join(path)).ok()?;
    let mut body = Vec::new();
    let read = match path.ends_with(".gz") {
        true => GzDecoder::new(file).read_to_end(&mut body),
        false => file.read_to_end(&mut body),
    };
    read.expect("recorded data is intact");
    Some(Reply {
        exchange,
        body,
        origin: format!("reply: recorded, {path}"),
    })
}

fn simulated() -> Reply {
    let symbols = (0..SYMBOLS)
        .map(|number| Instrument::usdt(&format!("B{number}"), "25.00000000", "0.01", "5000000"))
        .collect();
    let market = Simulator::start(SimulatorOptions {
        symbols,
        ..SimulatorOptions::default()
    })
    .expect("a simulator on loopback");
    let body = ureq::get(format!("{}/api/v3/ticker/24hr", market.url()))
        .call()
        .and_then(|mut reply| reply.body_mut().read_to_vec())
        .expect("a reply of the simulator");
    Reply {
        exchange: "binance",
        body,
        origin: "reply: simulated, for no recorded one was found".to_owned(),
    }
}
