//! What holds of every verdict, whatever comes in.

use super::*;
use proptest::prelude::*;
use proptest::strategy::Strategy;

/// Any decimal, with the extremes and the everyday ones often.
pub fn any_decimal() -> impl Strategy<Value = Decimal> {
    prop_oneof![
        Just(Decimal::ZERO),
        Just(Decimal::MAX),
        Just(Decimal::MIN),
        Just(Decimal::new(1, 28)),
        (-10_000_000_i64..10_000_000, 0u32..9).prop_map(|(m, scale)| Decimal::new(m, scale)),
        (any::<i128>(), 0u32..=28).prop_map(|(m, scale)| Decimal::try_from_i128_with_scale(
            m >> 32,
            scale
        )
        .unwrap()),
    ]
}

pub fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), NOW - HOUR..NOW + HOUR]
}

fn any_ticker() -> impl Strategy<Value = Ticker> {
    let numbers = proptest::collection::vec(any_decimal(), 11);
    (numbers, any_time(), any_time(), any::<i64>()).prop_map(
        |(numbers, open_time, close_time, trade_count)| Ticker {
            symbol: "BTCUSDT".to_owned(),
            price_change: numbers[0],
            price_change_percent: numbers[1],
            weighted_average_price: Some(numbers[2]),
            last_price: numbers[3],
            open_price: numbers[4],
            high_price: numbers[5],
            low_price: numbers[6],
            bid_price: Some(numbers[7]),
            ask_price: Some(numbers[8]),
            base_volume: numbers[9],
            quote_volume: numbers[10],
            open_time: Some(open_time),
            close_time,
            time_source: TimeSource::Exchange,
            trade_count: Some(trade_count),
        },
    )
}

/// A sound ticker of any price, move and liquidity.
fn sound_ticker() -> impl Strategy<Value = Ticker> {
    let prices = (1i64..1_000_000_000, 1i64..1_000_000_000, 0u32..9);
    (
        prices,
        0i64..1_000_000,
        0i64..1_000_000,
        1i64..1_000_000_000_000,
    )
        .prop_map(|((open, last, scale), spread, beyond, volume)| {
            let price = |ticks| Decimal::new(ticks, scale);
            let percent = price(last - open) / price(open) * Decimal::ONE_HUNDRED;
            let base = Decimal::new(volume, 3);
            Ticker {
                price_change: price(last - open),
                price_change_percent: percent.round_dp(3),
                weighted_average_price: Some(price(open)),
                last_price: price(last),
                open_price: price(open),
                high_price: price(last.max(open) + beyond),
                low_price: price(last.min(open).saturating_sub(beyond).max(1)),
                bid_price: Some(price(last)),
                ask_price: Some(price(last + spread)),
                base_volume: base,
                quote_volume: base * price(open),
                ..ticker("BTCUSDT", "0")
            }
        })
}

fn any_lifetime_by_range() -> impl Strategy<Value = LifetimeByRange> {
    (any_decimal(), any_time(), any_time()).prop_map(|(stops, floor_ms, cap_ms)| LifetimeByRange {
        stops,
        floor_ms,
        cap_ms,
    })
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let numbers = proptest::collection::vec(any_decimal(), 8);
    let targets = proptest::collection::vec(any_decimal(), 0..4);
    let lifetimes = (
        any_time(),
        proptest::option::of(any_lifetime_by_range()),
        proptest::option::of(any_time()),
    );
    (
        numbers,
        targets,
        lifetimes,
        any_time(),
        any::<i32>(),
        proptest::option::of(any_decimal()),
        any::<[bool; 2]>(),
    )
        .prop_map(
            |(numbers, take_profit_percents, lifetimes, max_ticker_age_ms, most, share, is)| Rule {
                strategy: "momentum".to_owned(),
                enter_change_percent: numbers[0],
                exit_change_percent: numbers[1],
                min_quote_volume: numbers[2],
                confidence_per_percent: numbers[3],
                max_confidence: numbers[4],
                min_confidence: numbers[5],
                min_quality: numbers[6],
                stop_loss_percent: numbers[7],
                take_profit_percents,
                stop_loss_range_share: share,
                lifetime_ms: lifetimes.0,
                lifetime_by_range: lifetimes.1,
                renew: is[0],
                cooldown_ms: lifetimes.2,
                cooldown_flips: is[1],
                max_ticker_age_ms,
                max_signals_per_run: most,
                max_spread_percent: share,
                max_disagreement_percent: share,
            },
        )
}

fn any_episode() -> impl Strategy<Value = Episode> {
    let side = proptest::option::of(prop_oneof![Just(Side::Long), Just(Side::Short)]);
    let time = || proptest::option::of(any_time());
    (side, time(), time(), time()).prop_map(|(side, since, last_signal_at, expires_at)| Episode {
        side,
        since,
        last_signal_at,
        expires_at,
    })
}

fn any_tick() -> impl Strategy<Value = Option<Decimal>> {
    proptest::option::of(any_decimal())
}

proptest! {
    #[test]
    fn no_ticker_rule_or_memory_panics(
        rule in prop_oneof![Just(rule()), any_rule()],
        ticker in prop_oneof![any_ticker(), sound_ticker()],
        episode in any_episode(),
        tick_size in any_tick(),
        learned_tick in any_tick(),
        now in any_time(),
    ) {
        let watched = Watched { symbol: "BTCUSDT".to_owned(), tick_size, learned_tick, ..Watched::default() };
        let episodes = HashMap::from([("BTCUSDT".to_owned(), episode)]);
        let verdicts = judge(&rule, &[watched], &tickers([ticker]), &episodes, now);
        let names: Vec<&str> = verdicts[0].gates.iter().map(|gate| gate.name).collect();
        prop_assert_eq!(names, GATES);
        prop_assert_eq!(verdicts[0].signal.is_some(), failed(&verdicts[0]).is_empty());
        prop_assert!(!verdicts[0].why.is_empty());
    }

    #[test]
    fn every_signal_is_ordered_on_the_tick_and_in_bounds(
        ticker in sound_ticker(),
        tick_size in any_tick(),
        learned_tick in any_tick(),
    ) {
        let watched = Watched { symbol: "BTCUSDT".to_owned(), tick_size, learned_tick, ..Watched::default() };
        let verdict = judge(&rule(), &[watched], &tickers([ticker.clone()]), &HashMap::new(), NOW)
            .remove(0);
        prop_assert_eq!(verdict.status, "TRADING", "{}", verdict.why);
        let beyond = ticker.price_change_percent.abs() > Decimal::TWO;
        prop_assert_eq!(verdict.side.is_some(), beyond);
        let Some(signal) = verdict.signal else {
            return Ok(());
        };
        let levels = &signal.levels;
        prop_assert!(levels.are_ordered(signal.side));
        let tick = tick_size.filter(|tick| *tick > Decimal::ZERO).unwrap_or_else(|| ticker.tick_size());
        let prices = [levels.entry_price, levels.stop_loss];
        for price in prices.iter().chain(&levels.take_profit) {
            prop_assert_eq!(price % tick, Decimal::ZERO);
            prop_assert_eq!(price.scale(), tick.normalize().scale());
        }
        let rounded_by = (levels.entry_price - ticker.last_price).abs();
        prop_assert!(rounded_by <= tick / Decimal::TWO);
        prop_assert!(tick_size.is_some() || rounded_by.is_zero());
        prop_assert!((Decimal::ZERO..=Decimal::from(95)).contains(&signal.confidence));
        prop_assert!((Decimal::from(25)..=Decimal::ONE_HUNDRED).contains(&signal.quality_score));
        prop_assert_eq!((signal.confidence.scale(), signal.quality_score.scale()), (2, 2));
    }

    #[test]
    fn what_changes_nothing_needs_no_judge(
        rule in prop_oneof![Just(rule()), Just(crate::shipped::rule_of_0_2_0())],
        ticker in sound_ticker(),
        episode in any_episode(),
        ago in 0..6 * HOUR,
    ) {
        // As a replay remembers: nothing of later.
        let since = NOW - ago;
        let episode = Episode {
            since: episode.side.map(|_| since),
            last_signal_at: Some(since),
            expires_at: Some(since + rule.lifetime_ms),
            ..episode
        };
        let change = ticker.price_change_percent;
        let told = judge_one(&rule, ticker, episode.clone(), NOW);
        if crate::changes_nothing(&rule, &episode, change, NOW) {
            prop_assert!(told.signal.is_none());
            prop_assert_eq!(told.episode, episode);
        }
    }
}
