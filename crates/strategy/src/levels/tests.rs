use super::*;
use crate::tests::properties::any_decimal;
use crate::tests::{number, rule, ticker};
use proptest::prelude::*;

/// Those of the shipped rule.
fn distances() -> Distances {
    crate::distances::distances(&rule(), &ticker("BTCUSDT", "0")).unwrap()
}

fn levels_at(side: Side, last: &str, tick: &str) -> Levels {
    levels(&distances(), side, number(last), number(tick)).unwrap()
}

fn texts(levels: &Levels) -> String {
    let targets: Vec<String> = levels.take_profit.iter().map(Decimal::to_string).collect();
    format!(
        "{} {} {}",
        levels.stop_loss,
        levels.entry_price,
        targets.join(" ")
    )
}

#[test]
fn long_levels_rise_and_short_levels_fall() {
    let long = levels_at(Side::Long, "19901.98000000", "0.01");
    assert_eq!(texts(&long), "19603.45 19901.98 20200.51 20499.04 20897.08");
    assert!(long.are_ordered(Side::Long));
    assert!(!long.are_ordered(Side::Short));
    let short = levels_at(Side::Short, "19901.98000000", "0.01");
    assert_eq!(
        texts(&short),
        "20200.51 19901.98 19603.45 19304.92 18906.88"
    );
    assert!(short.are_ordered(Side::Short));
}

#[test]
fn halves_of_a_tick_are_rounded_away_from_zero() {
    // 1.5 % of 1 is 0.015: half a tick of 0.01 below and above.
    assert_eq!(
        texts(&levels_at(Side::Long, "1", "0.01")),
        "0.99 1.00 1.02 1.03 1.05"
    );
}

#[test]
fn ticks_need_not_be_powers_of_ten() {
    assert_eq!(
        texts(&levels_at(Side::Long, "100.25", "0.25")),
        "98.75 100.25 101.75 103.25 105.25"
    );
    assert_eq!(
        texts(&levels_at(Side::Long, "1000.00", "5.00")),
        "985 1000 1015 1030 1050"
    );
}

#[test]
fn a_price_of_few_ticks_has_no_levels_apart() {
    let levels = levels_at(Side::Long, "0.00000012", "0.00000001");
    assert_eq!(levels.stop_loss, levels.entry_price);
    assert!(!levels.are_ordered(Side::Long));
}

#[test]
fn levels_below_zero_are_not_ordered() {
    let mut distances = distances();
    distances.take_profit_percents = vec![number("50"), number("100")];
    let levels = levels(&distances, Side::Short, number("10.00"), number("0.01")).unwrap();
    assert!(!levels.are_ordered(Side::Short));
}

#[test]
fn what_does_not_fit_has_no_levels() {
    assert_eq!(
        levels(&distances(), Side::Long, Decimal::MAX, number("1")),
        None
    );
    assert_eq!(
        levels(
            &distances(),
            Side::Long,
            number("1000000"),
            Decimal::new(1, 28)
        ),
        None
    );
    assert_eq!(
        levels(&distances(), Side::Long, number("1"), number("0")),
        None
    );
    assert_eq!(
        levels(&distances(), Side::Long, number("1"), number("-0.01")),
        None
    );
}

#[test]
fn the_known_tick_is_used_while_prices_are_multiples_of_it() {
    let tick = |known, last| {
        let shows_a_tenth = Ticker {
            last_price: number(last),
            bid_price: Some(number("100.1")),
            ..ticker("BTCUSDT", "0")
        };
        tick(known, &shows_a_tenth).to_string()
    };
    assert_eq!(tick(Some(number("0.01")), "100.1"), "0.01");
    assert_eq!(tick(Some(number("0.5")), "100.5"), "0.5");
    assert_eq!(tick(Some(number("0.5")), "100.1"), "0.1");
    assert_eq!(tick(Some(number("0")), "100.1"), "0.1");
    assert_eq!(tick(Some(number("-1")), "100"), "0.1");
    assert_eq!(tick(None, "100.1"), "0.1");
}

proptest! {
    #[test]
    fn levels_are_on_the_tick_and_never_panic(
        last in any_decimal(),
        tick in any_decimal(),
        is_long in any::<bool>(),
    ) {
        let side = if is_long { Side::Long } else { Side::Short };
        if let Some(levels) = levels(&distances(), side, last, tick)
            && levels.are_ordered(side)
        {
            for price in [levels.entry_price, levels.stop_loss].iter().chain(&levels.take_profit) {
                prop_assert_eq!(price.checked_rem(tick), Some(Decimal::ZERO));
            }
        }
    }
}
