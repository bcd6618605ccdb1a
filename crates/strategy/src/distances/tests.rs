use super::*;
use crate::tests::properties::any_decimal;
use crate::tests::{HOUR, number, rule, ticker};
use proptest::prelude::*;

/// A ticker that opened at 1000 and ranged over so many percent since.
fn ranging(percent: &str) -> Ticker {
    let mut ticker = ticker("BTCUSDT", "0");
    ticker.low_price = number("1000");
    ticker.high_price = ticker.low_price + number(percent) * Decimal::TEN;
    ticker
}

fn texts(distances: &Distances) -> Vec<String> {
    let stop = [&distances.stop_loss_percent].into_iter();
    let all = stop.chain(&distances.take_profit_percents);
    all.map(|percent| crate::text::plain(*percent)).collect()
}

#[test]
fn without_a_share_they_are_those_of_the_rule() {
    let found = distances(&rule(), &ranging("20")).unwrap();
    assert_eq!(texts(&found), ["1.5", "1.5", "3", "5"]);
}

#[test]
fn the_stop_is_a_share_of_the_range_and_targets_keep_their_proportion() {
    let rule = Rule {
        stop_loss_range_share: Some(number("0.15")),
        ..rule()
    };
    let at = |percent| texts(&distances(&rule, &ranging(percent)).unwrap());
    assert_eq!(at("10"), ["1.5", "1.5", "3", "5"]);
    assert_eq!(at("20"), ["3", "3", "6", "10"]);
    assert_eq!(at("3.3"), ["0.495", "0.495", "0.99", "1.65"]);
    assert_eq!(at("0"), ["0", "0", "0", "0"], "levels that refuse it");
}

#[test]
fn the_lifetime_is_that_of_the_rule_or_grows_as_the_range_shrinks() {
    let stop = number("1.5");
    assert_eq!(lifetime_ms(&rule(), stop, &ranging("1")), 4 * HOUR);
    let rule = Rule {
        lifetime_by_range: Some(LifetimeByRange {
            stops: number("2"),
            floor_ms: HOUR,
            cap_ms: 24 * HOUR,
        }),
        ..rule()
    };
    // Two stops of 1.5 % are a third of a range of 9 %, and take a ninth of a day.
    for (range, lifetime_s) in [
        ("9", 9600),
        ("6", 21_600),
        ("3", 86_400),
        ("2", 86_400),
        ("0", 86_400),
        ("15", 3600),
        ("100", 3600),
    ] {
        let lifetime = lifetime_ms(&rule, stop, &ranging(range));
        assert_eq!(lifetime, lifetime_s * 1000, "range {range} %");
    }
}

proptest! {
    #[test]
    fn no_number_panics_and_the_bounds_hold(
        numbers in proptest::collection::vec(any_decimal(), 6),
        share in proptest::option::of(any_decimal()),
    ) {
        let mut ticker = ticker("BTCUSDT", "0");
        (ticker.low_price, ticker.high_price) = (numbers[0], numbers[1]);
        ticker.open_price = numbers[2];
        let rule = Rule {
            stop_loss_range_share: share,
            stop_loss_percent: numbers[3],
            lifetime_by_range: Some(LifetimeByRange {
                stops: numbers[4],
                floor_ms: HOUR,
                cap_ms: 24 * HOUR,
            }),
            ..rule()
        };
        distances(&rule, &ticker);
        let lifetime = lifetime_ms(&rule, numbers[5], &ticker);
        prop_assert!((HOUR..=24 * HOUR).contains(&lifetime));
    }
}
