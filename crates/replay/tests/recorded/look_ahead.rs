//! No signal knows what comes after it.

use crate::candles::{self, CANDLE_MS};
use crate::joint::{self, Row, first_rule, replayed};
use market::{Candle, UnixMillis};
use replay::Replayed;
use rust_decimal::Decimal;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A time in the middle of a day in which much happened: 2021-05-19 13:05 UTC.
const THEN: UnixMillis = 1_621_429_500_000;

/// What a signal says, without what became of it.
fn said(signals: &[Replayed], until: UnixMillis) -> Vec<String> {
    let up_to = signals
        .iter()
        .filter(|s| s.signal.ticker.close_time <= until);
    up_to
        .map(|s| format!("{} {:?}", s.symbol, s.signal))
        .collect()
}

/// What became of those signals whose time was over, too.
fn settled(signals: &[Replayed], until: UnixMillis) -> Vec<String> {
    let over = signals.iter().filter(|s| s.signal.expires_at <= until);
    over.map(|s| format!("{} {:?}", s.symbol, s.fate)).collect()
}

fn ends_by(row: &Row, time: UnixMillis) -> bool {
    row.1.open_time + CANDLE_MS <= time
}

#[test]
fn what_is_replayed_up_to_a_time_is_a_prefix_of_the_whole() {
    let (Some(rows), Some(whole)) = (joint::candles(), joint::whole()) else {
        return;
    };
    let part = replayed(
        first_rule(),
        rows.iter().filter(|row| ends_by(row, THEN)).cloned(),
    );
    assert_eq!(said(&part, THEN), said(whole, THEN));
    assert_eq!(said(&part, THEN).len(), part.len());
    assert_eq!(settled(&part, THEN), settled(whole, THEN));
    for symbol in candles::SYMBOLS {
        assert!(part.iter().any(|s| *s.symbol == *symbol), "{symbol}");
    }
}

#[test]
fn scrambling_what_follows_changes_no_signal_before_it() {
    let (Some(rows), Some(whole)) = (joint::candles(), joint::whole()) else {
        return;
    };
    let mut rows = rows.to_vec();
    let mut random = 1_u64;
    for (_, candle) in rows.iter_mut().filter(|row| !ends_by(row, THEN)) {
        // The generator of Lehmer, as in Park and Miller, "Random number generators: good ones
        // are hard to find".
        random = random * 48_271 % 0x7fff_ffff;
        *candle = stretched(candle, Decimal::new(random as i64 % 900 + 100, 2));
    }
    let scrambled = replayed(first_rule(), rows);
    assert_eq!(said(&scrambled, THEN), said(whole, THEN));
    assert_eq!(settled(&scrambled, THEN), settled(whole, THEN));
    assert_ne!(scrambled.len(), whole.len(), "the scrambling was felt");
}

/// The candle with its prices and volumes multiplied.
fn stretched(candle: &Candle, by: Decimal) -> Candle {
    Candle {
        open_time: candle.open_time,
        open: candle.open * by,
        high: candle.high * by,
        low: candle.low * by,
        close: candle.close * by,
        base_volume: candle.base_volume * by,
        quote_volume: candle.quote_volume * by,
    }
}

#[test]
fn a_late_start_soon_agrees() {
    let (Some(rows), Some(whole)) = (joint::candles(), joint::whole()) else {
        return;
    };
    let late = replayed(
        first_rule(),
        rows.iter().filter(|row| row.1.open_time >= THEN).cloned(),
    );
    let after = THEN + DAY;
    for symbol in candles::SYMBOLS {
        let times = |signals: &[Replayed]| -> Vec<UnixMillis> {
            let of_symbol = signals.iter().filter(|s| *s.symbol == *symbol);
            let times = of_symbol.map(|s| s.signal.ticker.close_time);
            times.filter(|time| *time >= after).collect()
        };
        let (all, from_late) = (times(whole), times(&late));
        let is_of_one = |time: &&UnixMillis| all.contains(time) != from_late.contains(time);
        let differing = all.iter().chain(&from_late).filter(is_of_one).max();
        let agrees_after = differing.map_or(0, |time| time - after);
        assert!(
            agrees_after <= 25 * HOUR + 18 * 60_000,
            "{symbol}: {agrees_after} ms"
        );
    }
}

#[test]
fn every_signal_is_judged_on_the_day_before_it_and_nothing_else() {
    let (Some(rows), Some(whole)) = (joint::candles(), joint::whole()) else {
        return;
    };
    for (number, symbol) in candles::SYMBOLS.iter().enumerate() {
        let own: Vec<&Candle> = rows
            .iter()
            .filter_map(|(of, candle)| (*of == number).then_some(candle))
            .collect();
        // Of those before each candle.
        let mut sums = vec![(Decimal::ZERO, Decimal::ZERO)];
        for candle in &own {
            let (base, quote) = sums[sums.len() - 1];
            sums.push((base + candle.base_volume, quote + candle.quote_volume));
        }
        for signal in whole.iter().filter(|signal| *signal.symbol == **symbol) {
            let ticker = &signal.signal.ticker;
            let begin = own.partition_point(|it| it.open_time < ticker.close_time - DAY);
            let end = own.partition_point(|it| it.open_time + CANDLE_MS <= ticker.close_time);
            let day = &own[begin..end];
            let volumes = (sums[end].0 - sums[begin].0, sums[end].1 - sums[begin].1);
            assert_eq!((ticker.base_volume, ticker.quote_volume), volumes);
            assert_eq!(ticker.open_price, day[0].open);
            assert_eq!(ticker.last_price, day[day.len() - 1].close);
            assert_eq!(Some(ticker.high_price), day.iter().map(|it| it.high).max());
            assert_eq!(Some(ticker.low_price), day.iter().map(|it| it.low).min());
        }
    }
}
