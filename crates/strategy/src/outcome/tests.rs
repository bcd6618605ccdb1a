use super::*;
use crate::tests::{HOUR, MINUTE, NOW, number};

const CANDLE: i64 = 5 * MINUTE;

/// Entry 100, stop 98.5, targets 101.5, 103 and 105; mirrored for SHORT.
fn terms(side: Side) -> Terms {
    let at = |distance: &str| number("100") + number(distance) * side.sign();
    Terms {
        side,
        levels: Levels {
            entry_price: number("100"),
            stop_loss: at("-1.5"),
            take_profit: ["1.5", "3", "5"].map(at).to_vec(),
        },
        take_profit_percents: ["1.5", "3", "5"].map(number).to_vec(),
        stop_loss_percent: number("1.5"),
        signal_at: NOW,
        expires_at: NOW + 4 * HOUR,
    }
}

/// The candle that begins `number` candles after the entry.
fn candle(place: i64, open: &str, high: &str, low: &str, close: &str) -> Candle {
    Candle {
        open_time: NOW + place * CANDLE,
        open: number(open),
        high: number(high),
        low: number(low),
        close: number(close),
        base_volume: number("1"),
        quote_volume: number("100"),
    }
}

fn quiet(place: i64) -> Candle {
    candle(place, "100", "100.5", "99.5", "100")
}

/// The outcome of a signal after these candles, the rest of its time being quiet.
fn outcome(side: Side, candles: &[Candle]) -> Outcome {
    let mut settlement = Settlement::new(terms(side));
    for place in 0..48 {
        let time = NOW + place * CANDLE;
        let given = candles.iter().find(|candle| candle.open_time == time);
        settlement.push(given.unwrap_or(&quiet(place)), CANDLE);
    }
    settlement.outcome(number("0.1")).unwrap()
}

fn texts(numbers: &[Decimal]) -> Vec<String> {
    let plain = numbers.iter().map(|n| n.normalize().to_string());
    plain.collect()
}

#[test]
fn a_signal_that_nothing_touches_expires_at_the_last_close() {
    let last = candle(47, "100", "100.9", "99.9", "100.8");
    let outcome = outcome(Side::Long, &[last]);
    assert_eq!(outcome.first_touch, FirstTouch::None);
    assert_eq!(
        (outcome.ended, outcome.ended_at),
        (Ended::Expired, NOW + 4 * HOUR)
    );
    assert_eq!(texts(&outcome.returns_percent), ["0.6", "0.6", "0.6"]);
    assert_eq!(outcome.hold_percent, number("0.6"));
    assert_eq!(texts(&outcome.mirror_percent), ["-1", "-1", "-1"]);
    assert!(!outcome.gap && !outcome.ambiguous);
}

#[test]
fn targets_touched_before_the_stop_are_kept_and_the_rest_leaves_at_the_stop() {
    let up = candle(3, "100", "103", "99.9", "102");
    let down = candle(7, "99", "99.2", "98.5", "99");
    let outcome = outcome(Side::Long, &[up, down]);
    assert_eq!(outcome.best_target, 2);
    assert_eq!(outcome.target_at, [NOW + 4 * CANDLE, NOW + 4 * CANDLE]);
    assert_eq!(
        (outcome.ended, outcome.ended_at),
        (Ended::Stop, NOW + 8 * CANDLE)
    );
    assert_eq!(outcome.first_touch, FirstTouch::Target);
    assert_eq!(texts(&outcome.returns_percent), ["1.3", "2.8", "-1.7"]);
    assert_eq!(outcome.ladder_percent, number("0.8"));
    assert_eq!(outcome.mfe_percent, number("3"));
    assert_eq!(outcome.mae_percent, number("1.5"));
}

#[test]
fn a_short_signal_is_the_mirror_of_a_long_one() {
    let mirrored = |c: Candle| Candle {
        open: number("200") - c.open,
        high: number("200") - c.low,
        low: number("200") - c.high,
        close: number("200") - c.close,
        ..c
    };
    let candles = [
        candle(3, "100", "103", "99.9", "102"),
        candle(7, "98", "99.2", "97", "99"),
    ];
    let long = outcome(Side::Long, &candles);
    let short = outcome(Side::Short, &candles.map(mirrored));
    assert_eq!(long, short);
}

#[test]
fn a_stop_that_the_price_jumps_over_costs_what_the_market_gave() {
    let jump = candle(2, "97", "97.5", "96", "97");
    let outcome = outcome(Side::Long, &[jump]);
    assert_eq!(outcome.first_touch, FirstTouch::Stop);
    assert_eq!(texts(&outcome.returns_percent), ["-3.2", "-3.2", "-3.2"]);
}

#[test]
fn a_candle_with_both_is_a_stop_and_says_that_it_is_not_known() {
    let both = candle(1, "100", "101.5", "98.5", "100");
    let outcome = outcome(Side::Long, &[both]);
    assert_eq!((outcome.best_target, outcome.ended), (0, Ended::Stop));
    assert!(outcome.ambiguous);
}

#[test]
fn the_candle_that_ends_at_the_entry_touches_nothing() {
    let mut settlement = Settlement::new(terms(Side::Long));
    settlement.push(&candle(-1, "100", "106", "90", "100"), CANDLE);
    assert_eq!(
        settlement.outcome(number("0.1")),
        None,
        "none of its time was seen"
    );
    settlement.push(&quiet(0), CANDLE);
    let outcome = settlement.outcome(number("0.1")).unwrap();
    assert_eq!(outcome.first_touch, FirstTouch::None);
}

#[test]
fn the_candle_that_ends_after_the_expiry_touches_nothing() {
    let late = candle(48, "100", "106", "90", "100");
    let mut settlement = Settlement::new(terms(Side::Long));
    for place in 0..48 {
        settlement.push(&quiet(place), CANDLE);
    }
    settlement.push(&late, CANDLE);
    let outcome = settlement.outcome(number("0.1")).unwrap();
    assert_eq!(
        (outcome.first_touch, outcome.gap),
        (FirstTouch::None, false)
    );
}

#[test]
fn missing_candles_are_told_wherever_they_are() {
    for missing in [0, 20, 47] {
        let mut settlement = Settlement::new(terms(Side::Long));
        for place in (0..48).filter(|place| *place != missing) {
            settlement.push(&quiet(place), CANDLE);
        }
        assert!(settlement.outcome(number("0.1")).unwrap().gap, "{missing}");
    }
}
