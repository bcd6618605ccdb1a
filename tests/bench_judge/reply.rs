//! The reply that is read: a recorded one where there is one, else the simulator's.

use flate2::read::GzDecoder;
use signal_hub_simulator::{Instrument, Simulator, SimulatorOptions};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// The list of all symbols on a day on which BTC fell by 8.163 %.
const RECORDED: &str = "binance/ticker24hr-2023-03-10T1434Z.json.gz";
/// How many symbols the recorded list has.
const SYMBOLS: usize = 2161;

pub struct Reply {
    pub body: Vec<u8>,
    /// Where it is from, for a person.
    pub origin: String,
}

impl Reply {
    pub fn find() -> Self {
        recorded().unwrap_or_else(simulated)
    }
}

/// What the folder that SIGNAL_HUB_MARKET_DATA names has, or the one beside the repository.
fn recorded() -> Option<Reply> {
    let folder = std::env::var_os("SIGNAL_HUB_MARKET_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/market")),
        PathBuf::from,
    );
    let file = File::open(folder.join(RECORDED)).ok()?;
    let mut body = Vec::new();
    GzDecoder::new(file)
        .read_to_end(&mut body)
        .expect("recorded data is intact");
    Some(Reply {
        body,
        origin: format!("reply: recorded, {RECORDED}"),
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
        body,
        origin: "reply: simulated, for no recorded one was found".to_owned(),
    }
}
