//! The model: the same time gives the same reply, and the figures of a row agree with each other.

use super::super::dialect::binance;
use super::super::instrument::Instrument;
use super::super::model::Model;
use super::super::world::{Volume, World};
use super::{A_TIME, ALL, good, integer, number, start_at, text};
use crate::{Simulator, SimulatorOptions, UnixMillis};
use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;
use std::time::Duration;

/// What holds in every row of a pair that trades, real or simulated.
pub(super) fn assert_identities(row: &Value, tick_size: Decimal) {
    let [open, high, low, last] =
        ["openPrice", "highPrice", "lowPrice", "lastPrice"].map(|name| number(row, name));
    let half_up = RoundingStrategy::MidpointAwayFromZero;
    assert_eq!(number(row, "priceChange"), last - open, "{row}");
    let percent = (last - open) * Decimal::ONE_HUNDRED / open;
    assert_eq!(
        number(row, "priceChangePercent"),
        percent.round_dp_with_strategy(3, half_up),
        "{row}"
    );
    let average = number(row, "quoteVolume") / number(row, "volume");
    let average = average.round_dp_with_strategy(8, half_up);
    assert_eq!(number(row, "weightedAvgPrice"), average, "{row}");
    assert!(low <= average && average <= high, "{row}");
    assert!(low <= open.min(last) && open.max(last) <= high, "{row}");
    assert!(low > Decimal::ZERO, "{row}");
    let (bid, ask) = (number(row, "bidPrice"), number(row, "askPrice"));
    assert!(Decimal::ZERO < bid && bid <= ask, "{row}");
    for price in [open, high, low, last, bid, ask] {
        assert_eq!(
            price % tick_size,
            Decimal::ZERO,
            "tick {tick_size} in {row}"
        );
    }
    assert_eq!(
        integer(row, "closeTime") - integer(row, "openTime"),
        86_400_000
    );
    let trades = integer(row, "lastId") - integer(row, "firstId") + 1;
    assert_eq!(integer(row, "count"), trades);
    assert!(trades > 0);
    for (name, value) in row.as_object().expect("an object") {
        if let (true, Some(value)) = (name != "symbol", value.as_str()) {
            let decimals = if name == "priceChangePercent" { 3 } else { 8 };
            let (_, fraction) = value.split_once('.').expect("a decimal point");
            assert_eq!(fraction.len(), decimals, "{name} in {row}");
            let is_zero = number(row, name).is_zero();
            assert!(!(is_zero && value.starts_with('-')), "{name} in {row}");
        }
    }
}

fn ten_rows(seed: u64, now: UnixMillis) -> Value {
    let market = Simulator::start(SimulatorOptions {
        seed,
        ..SimulatorOptions::default()
    })
    .expect("a free port");
    market.drive_time(now);
    good(&market, ALL)
}

#[test]
fn the_same_seed_and_time_give_the_same_reply() {
    assert_eq!(ten_rows(7, A_TIME), ten_rows(7, A_TIME));
    assert_ne!(ten_rows(7, A_TIME), ten_rows(8, A_TIME));
    assert_ne!(ten_rows(7, A_TIME), ten_rows(7, A_TIME + 1_000));
}

#[test]
fn figures_of_all_pairs_agree() {
    let ticks = Instrument::ten_liquid_pairs().into_iter();
    let rows = ten_rows(1, A_TIME);
    for (row, instrument) in rows.as_array().expect("an array").iter().zip(ticks) {
        assert_eq!(text(row, "symbol"), instrument.symbol);
        assert_identities(row, instrument.tick_size);
        // The market stays within a quarter of its price and half of its volume.
        let near = |name, of: Decimal, part| {
            let distance = (number(row, name) - of).abs();
            assert!(distance <= of * Decimal::new(part, 2), "{name} in {row}");
        };
        near("lastPrice", instrument.price, 25);
        near("quoteVolume", instrument.quote_volume, 50);
    }
}

#[test]
fn signals_come_by_themselves_at_the_default_options() {
    let market = start_at(A_TIME);
    let enter = Decimal::TWO;
    let mut was_beyond: Vec<bool> = Vec::new();
    let mut entered = 0;
    for step in 0..30 {
        if step > 0 {
            market.advance(Duration::from_secs(2));
        }
        let rows = good(&market, ALL);
        let rows = rows.as_array().expect("an array").iter();
        let beyond: Vec<bool> = rows
            .map(|row| number(row, "priceChangePercent").abs() > enter)
            .collect();
        if step == 0 {
            assert!(beyond.contains(&true) && beyond.contains(&false));
        } else {
            let pairs = beyond.iter().zip(&was_beyond);
            entered += pairs.filter(|(now, before)| **now && !**before).count();
        }
        was_beyond = beyond;
    }
    assert!(entered > 0, "nothing happened within a minute");
}

#[test]
fn a_flat_market_stands_still() {
    let market = Simulator::start(SimulatorOptions {
        volatility: 0.0,
        ..SimulatorOptions::default()
    })
    .expect("a free port");
    for (row, instrument) in good(&market, ALL)
        .as_array()
        .expect("an array")
        .iter()
        .zip(Instrument::ten_liquid_pairs())
    {
        assert_identities(row, instrument.tick_size);
        assert_eq!(number(row, "highPrice"), number(row, "lowPrice"));
        assert_eq!(text(row, "priceChangePercent"), "0.000");
    }
}

/// Pairs from the most expensive to the cheapest, with coarse and fine ticks, busy and hardly
/// traded.
fn any_instrument() -> impl Strategy<Value = Instrument> {
    let tick = (0_u32..=8, prop_oneof![Just(1), Just(5), Just(25)]);
    (tick, 20_i64..10_000_000, 0_u32..=10).prop_map(|((scale, unit), ticks, volume)| {
        let tick_size = Decimal::new(unit, scale);
        Instrument {
            symbol: "ANYUSDT".to_owned(),
            base_asset: "ANY".to_owned(),
            quote_asset: "USDT".to_owned(),
            price: tick_size * Decimal::from(ticks),
            tick_size,
            quote_volume: Decimal::from(10_i64.pow(volume)),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn figures_agree_for_any_pair_seed_time_and_setting(
        instrument in any_instrument(),
        seed: u64,
        volatility in 0.0..5.0,
        now in 1_500_000_000_000_i64..3_000_000_000_000,
        change in proptest::option::of(-90_000_i64..500_000),
        quote_volume in proptest::option::of(1_i64..1_000_000_000_000),
        spread in proptest::option::of(0_i64..500),
    ) {
        let tick_size = instrument.tick_size;
        let mut world = World::new(seed, volatility, vec![instrument]).expect("valid");
        let driven = &mut world.find("ANYUSDT").expect("listed").driven;
        driven.change = change.map(|thousandths| Decimal::new(thousandths, 3));
        driven.volume = quote_volume
            .map(|cents| Volume::Quote(Decimal::new(cents, 2)));
        driven.spread_bps = spread.map(Decimal::from);
        let row = binance::row(&world.find("ANYUSDT").expect("listed").day(now), 8);
        if let Some(cents) = quote_volume {
            let shown = number(&Value::Object(row.clone()), "quoteVolume");
            prop_assert_eq!(shown, Decimal::new(cents, 2));
        }
        assert_identities(&Value::Object(row), tick_size);
    }

    #[test]
    fn what_was_asked_before_changes_nothing(
        seed: u64,
        start in 1_500_000_000_000_i64..2_000_000_000_000,
        steps in proptest::collection::vec(-200_000_000_i64..200_000_000, 1..4),
    ) {
        let instrument = &Instrument::ten_liquid_pairs()[0];
        let mut moving = Model::new(instrument, seed, 1.0);
        let mut now = start;
        for step in steps {
            moving.window(now);
            now += step;
            let fresh = Model::new(instrument, seed, 1.0).window(now);
            prop_assert_eq!(moving.window(now), fresh);
        }
    }

    #[test]
    fn a_high_stays_until_it_leaves_the_window(seed: u64, start in 1_500_000_000..2_000_000_000_i64) {
        let mut model = Model::new(&Instrument::ten_liquid_pairs()[0], seed, 1.0);
        let mut before = model.window(start * 1_000);
        for second in start + 1..start + 20 {
            let now = model.window(second * 1_000);
            // The price that left the window was the open a second before.
            prop_assert!(now.high >= before.high || before.open == before.high);
            prop_assert!(now.low <= before.low || before.open == before.low);
            prop_assert!(now.high >= now.last && now.low <= now.last);
            prop_assert_eq!(now.previous, before.open);
            prop_assert!(now.first_trade > before.first_trade);
            prop_assert!(now.last_trade > before.last_trade);
            before = now;
        }
    }
}
