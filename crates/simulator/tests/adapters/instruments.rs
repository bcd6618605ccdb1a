//! Instruments.

use super::*;
use market::Status;
use std::collections::{HashMap, HashSet};

for_each_exchange!(
    ticks_and_assets_are_those_of_the_market,
    a_tick_that_became_coarser_is_told,
    a_pair_that_is_not_listed_is_left_out
);

fn instruments(asking: &Asking, symbols: &[&str]) -> HashMap<String, market::Instrument> {
    let symbols: HashSet<&str> = symbols.iter().copied().collect();
    let listed = asking.adapter.instruments(&asking.endpoint(), &symbols);
    let listed = listed.unwrap_or_else(|error| panic!("{error:?}"));
    let by_symbol = |instrument: market::Instrument| (instrument.symbol.clone(), instrument);
    listed.into_iter().map(by_symbol).collect()
}

fn ticks_and_assets_are_those_of_the_market(asking: &Asking) {
    asking.simulator.halt("SOLUSDT");
    let symbols = ["BTCUSDT", "XRPUSDT", "DOGEUSDT", "SOLUSDT"];
    let listed = instruments(asking, &symbols);
    assert_eq!(listed.len(), 4, "{listed:?}");
    for symbol in symbols {
        let instrument = &listed[symbol];
        let tick_size = instrument.tick_size.map(|tick| tick.normalize());
        assert_eq!(
            tick_size,
            Some(asking.simulator.day(symbol).tick_size),
            "{symbol}"
        );
        assert_eq!(instrument.quote, "USDT");
        assert_eq!(format!("{}USDT", instrument.base), symbol);
        let trades = instrument.status == Status::Trading;
        assert_eq!(trades, symbol != "SOLUSDT", "{instrument:?}");
    }
}

fn a_tick_that_became_coarser_is_told(asking: &Asking) {
    assert_eq!(tick_of_litecoin(asking), Some(Decimal::new(1, 2)));
    asking.simulator.set_tick_size("LTCUSDT", "0.1");
    assert_eq!(tick_of_litecoin(asking), Some(Decimal::new(1, 1)));
}

fn tick_of_litecoin(asking: &Asking) -> Option<Decimal> {
    let listed = instruments(asking, &["LTCUSDT"]);
    listed["LTCUSDT"].tick_size.map(|tick| tick.normalize())
}

fn a_pair_that_is_not_listed_is_left_out(asking: &Asking) {
    asking.simulator.unlist("LTCUSDT");
    let listed = instruments(asking, &["LTCUSDT", "BTCUSDT"]);
    assert_eq!(listed.keys().collect::<Vec<_>>(), ["BTCUSDT"]);
}
