use super::*;
use crate::tests::properties::any_decimal;
use crate::tests::{HOUR, NOW, number, rule, ticker, tickers, watch};
use crate::{Episode, Watched};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::collections::HashMap;

fn rule_of(strategy: &str) -> Rule {
    Rule {
        strategy: strategy.to_owned(),
        ..rule()
    }
}

/// The side that a strategy sees at this price after days that went from one low to one high.
fn side_at(strategy: &dyn Strategy, last: &str, days: &[Candle]) -> Option<Side> {
    let mut ticker = ticker("BTCUSDT", "0");
    ticker.last_price = number(last);
    let measure = strategy.measure(&ticker, days).unwrap();
    strategy.side(&rule_of(strategy.name()), measure)
}

/// Finished days that opened at 100 and ranged from 90 to 110, but the first one that opened at
/// `first`.
fn days(count: i64, first: &str) -> Vec<Candle> {
    let day = |number_of: i64| Candle {
        open_time: NOW - (count - number_of) * 24 * HOUR,
        open: if number_of == 0 {
            number(first)
        } else {
            number("100")
        },
        high: number("110"),
        low: number("90"),
        close: number("100"),
        base_volume: number("1"),
        quote_volume: number("100"),
    };
    (0..count).map(day).collect()
}

#[test]
fn every_strategy_has_a_name_of_its_own() {
    let names: Vec<&str> = names().collect();
    assert_eq!(names, ["breakout", "momentum", "reversal", "tsmom"]);
    for name in names {
        assert_eq!(named(name).unwrap().name(), name);
    }
    assert!(named("astrology").is_none());
}

#[test]
fn momentum_follows_a_change_beyond_the_threshold() {
    let side = |change| named("momentum").unwrap().side(&rule(), number(change));
    assert_eq!(side("2"), None);
    assert_eq!(side("2.001"), Some(Side::Long));
    assert_eq!(side("-2"), None);
    assert_eq!(side("-2.001"), Some(Side::Short));
    assert_eq!(side("0"), None);
}

#[test]
fn reversal_buys_what_fell_and_sells_nothing() {
    let reversal = named("reversal").unwrap();
    let rule = Rule {
        enter_change_percent: number("8"),
        ..rule_of("reversal")
    };
    let side = |change| reversal.side(&rule, number(change));
    assert_eq!(side("-8"), None);
    assert_eq!(side("-8.001"), Some(Side::Long));
    assert_eq!(side("30"), None);
    assert!(reversal.is_over(&rule, Side::Long, number("-7.9")));
}

#[test]
fn breakout_follows_a_price_that_leaves_the_range_of_twenty_days() {
    let breakout = named("breakout").unwrap();
    let days = days(20, "100");
    for (last, side) in [
        ("110", None),
        ("110.01", Some(Side::Long)),
        ("90", None),
        ("89.99", Some(Side::Short)),
        ("100", None),
    ] {
        assert_eq!(side_at(breakout, last, &days), side, "{last}");
    }
    let measure = |last| {
        let mut ticker = ticker("BTCUSDT", "0");
        ticker.last_price = number(last);
        breakout.measure(&ticker, &days).unwrap()
    };
    assert_eq!(measure("121"), number("10"));
    assert_eq!(measure("81"), number("-10"));
}

#[test]
fn tsmom_follows_the_return_of_28_days() {
    let tsmom = named("tsmom").unwrap();
    let days = days(28, "95");
    for (last, side) in [
        ("95", None),
        ("95.01", Some(Side::Long)),
        ("94.99", Some(Side::Short)),
    ] {
        assert_eq!(side_at(tsmom, last, &days), side, "{last}");
    }
}

#[test]
fn with_too_few_days_there_is_no_signal_and_the_verdict_says_so() {
    let rule = rule_of("breakout");
    let judged_with = |days: Vec<Candle>| {
        let watched = Watched {
            days,
            ..watch("BTCUSDT")
        };
        let tickers = tickers([ticker("BTCUSDT", "3")]);
        crate::tests::judge(&rule, &[watched], &tickers, &HashMap::new(), NOW).remove(0)
    };
    let verdict = judged_with(days(19, "100"));
    assert_eq!(
        verdict.why,
        "19 of the 20 daily candles that breakout needs are known"
    );
    assert_eq!(verdict.episode, Episode::default());
    let condition = &verdict.gates[4];
    assert_eq!((condition.name, &condition.value), ("breakout", &None));
    // More than it needs: the last ones count. At 1030 the price is above 110.
    let verdict = judged_with(days(30, "5000"));
    let signal = verdict.signal.unwrap();
    assert_eq!(signal.side, Side::Long);
    assert_eq!(
        verdict.why,
        "distance from the range of 20 days 836.3637 % is beyond 0 %, entered LONG"
    );
}

#[test]
fn by_a_name_that_is_no_strategy_there_are_no_signals() {
    let verdict = crate::tests::judge_one(
        &rule_of("astrology"),
        ticker("BTCUSDT", "3"),
        Episode::default(),
        NOW,
    );
    assert!(verdict.signal.is_none());
    assert_eq!(verdict.gates[4].name, "condition");
    assert_eq!(verdict.gates[4].value, None);
}

#[test]
fn confidence_is_ten_times_the_change_up_to_95() {
    let confidence = |change| confidence(&rule(), number(change)).to_string();
    assert_eq!(confidence("-8.163"), "81.63");
    assert_eq!(confidence("2.0005"), "20.01");
    assert_eq!(confidence("9.5"), "95.00");
    assert_eq!(confidence("-37.049"), "95.00");
    assert_eq!(confidence("0"), "0.00");
}

proptest! {
    #[test]
    fn confidence_stays_in_bounds(mantissa in any::<i128>(), scale in 0u32..=28) {
        let change = Decimal::try_from_i128_with_scale(mantissa >> 32, scale).unwrap();
        let confidence = confidence(&rule(), change);
        prop_assert!((Decimal::ZERO..=Decimal::from(95)).contains(&confidence));
        prop_assert_eq!(confidence.scale(), 2);
    }
}

/// A ticker at 1000 with no volume, the widest spread and the worst place for LONG.
fn worst() -> Ticker {
    let mut ticker = ticker("BTCUSDT", "0");
    ticker.quote_volume = Decimal::ZERO;
    ticker.bid_price = Some(number("999"));
    ticker.ask_price = Some(number("1001"));
    ticker.low_price = ticker.last_price;
    ticker
}

fn score_of(side: Side, ticker: &Ticker) -> String {
    quality(&rule(), side, ticker, Some(ticker.quote_volume)).to_string()
}

#[test]
fn liquidity_earns_40_points_on_a_scale_of_three_decades() {
    for (volume, points) in [
        ("0", "0.00"),
        ("999999", "0.00"),
        ("1000000", "0.00"),
        ("10000000", "13.33"),
        ("100000000", "26.67"),
        ("1000000000", "40.00"),
        ("79228162514264337593543950335", "40.00"),
    ] {
        let mut ticker = worst();
        ticker.quote_volume = number(volume);
        assert_eq!(score_of(Side::Long, &ticker), points, "{volume}");
    }
}

#[test]
fn a_tight_spread_earns_30_points() {
    for (bid, ask, points) in [
        ("1000", "1000", "30.00"),
        ("999.95", "1000.05", "30.00"),
        ("999.5", "1000.5", "15.79"),
        ("999", "1001", "0.00"),
        ("500", "1500", "0.00"),
        ("1000.01", "1000", "0.00"),
        ("0", "0", "0.00"),
    ] {
        let mut ticker = worst();
        (ticker.bid_price, ticker.ask_price) = (Some(number(bid)), Some(number(ask)));
        assert_eq!(score_of(Side::Long, &ticker), points, "{bid} {ask}");
    }
}

#[test]
fn the_place_in_the_range_earns_30_points() {
    let mut ticker = worst();
    ticker.low_price = number("900");
    ticker.high_price = number("1100");
    for (last, long, short) in [
        ("1100", "30.00", "0.00"),
        ("1000", "15.00", "15.00"),
        ("950", "7.50", "22.50"),
        ("900", "0.00", "30.00"),
    ] {
        ticker.last_price = number(last);
        assert_eq!(score_of(Side::Long, &ticker), long);
        assert_eq!(score_of(Side::Short, &ticker), short);
    }
    ticker.low_price = ticker.last_price;
    ticker.high_price = ticker.last_price;
    assert_eq!(score_of(Side::Long, &ticker), "0.00");
    assert_eq!(score_of(Side::Short, &ticker), "0.00");
}

#[test]
fn without_a_floor_any_volume_is_enough() {
    let mut rule = rule();
    rule.min_quote_volume = Decimal::ZERO;
    let mut ticker = worst();
    assert_eq!(
        quality(&rule, Side::Long, &ticker, Some(ticker.quote_volume)),
        Decimal::ZERO
    );
    ticker.quote_volume = Decimal::ONE;
    assert_eq!(
        quality(&rule, Side::Long, &ticker, Some(ticker.quote_volume)),
        Decimal::from(40)
    );
}

proptest! {
    #[test]
    fn the_score_stays_in_bounds(numbers in proptest::collection::vec(any_decimal(), 7), is_long in any::<bool>()) {
        let mut rule = rule();
        rule.min_quote_volume = numbers[0];
        let mut ticker = worst();
        ticker.quote_volume = numbers[1];
        ticker.bid_price = Some(numbers[2]);
        ticker.ask_price = Some(numbers[3]);
        ticker.low_price = numbers[4];
        ticker.high_price = numbers[5];
        ticker.last_price = numbers[6];
        let side = if is_long { Side::Long } else { Side::Short };
        let score = quality(&rule, side, &ticker, Some(ticker.quote_volume));
        prop_assert!((Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&score));
        prop_assert_eq!(score.scale(), 2);
    }
}
