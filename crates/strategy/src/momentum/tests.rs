use super::*;
use crate::tests::properties::any_decimal;
use crate::tests::{number, rule, ticker};
use proptest::prelude::*;

#[test]
fn the_threshold_itself_is_inside() {
    let side = |change| side(&rule(), number(change));
    assert_eq!(side("2"), None);
    assert_eq!(side("2.001"), Some(Side::Long));
    assert_eq!(side("-2"), None);
    assert_eq!(side("-2.001"), Some(Side::Short));
    assert_eq!(side("0"), None);
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
    ticker.bid_price = number("999");
    ticker.ask_price = number("1001");
    ticker.low_price = ticker.last_price;
    ticker
}

fn score_of(side: Side, ticker: &Ticker) -> String {
    quality(&rule(), side, ticker).to_string()
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
        (ticker.bid_price, ticker.ask_price) = (number(bid), number(ask));
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
    assert_eq!(quality(&rule, Side::Long, &ticker), Decimal::ZERO);
    ticker.quote_volume = Decimal::ONE;
    assert_eq!(quality(&rule, Side::Long, &ticker), Decimal::from(40));
}

proptest! {
    #[test]
    fn the_score_stays_in_bounds(numbers in proptest::collection::vec(any_decimal(), 7), is_long in any::<bool>()) {
        let mut rule = rule();
        rule.min_quote_volume = numbers[0];
        let mut ticker = worst();
        ticker.quote_volume = numbers[1];
        ticker.bid_price = numbers[2];
        ticker.ask_price = numbers[3];
        ticker.low_price = numbers[4];
        ticker.high_price = numbers[5];
        ticker.last_price = numbers[6];
        let side = if is_long { Side::Long } else { Side::Short };
        let score = quality(&rule, side, &ticker);
        prop_assert!((Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&score));
        prop_assert_eq!(score.scale(), 2);
    }
}
