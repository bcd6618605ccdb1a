//! Whole verdicts.

use super::*;
use crate::shipped::rule_of_0_2_0;

#[test]
fn a_fall_gives_a_short_signal_with_all_it_was_judged_on() {
    let verdict = judge_one(&rule(), ticker("BTCUSDT", "-8.16"), Episode::default(), NOW);
    let signal = verdict.signal.as_ref().unwrap();
    assert_eq!((signal.side, signal.reason), (Side::Short, Reason::Entered));
    assert_eq!(signal.confidence.to_string(), "81.60");
    assert_eq!(signal.expires_at, NOW + 4 * HOUR);
    assert_eq!(signal.levels.entry_price.to_string(), "918.40");
    assert_eq!(signal.levels.stop_loss.to_string(), "932.18");
    let targets: Vec<String> = signal
        .levels
        .take_profit
        .iter()
        .map(Decimal::to_string)
        .collect();
    assert_eq!(targets, ["904.62", "890.85", "872.48"]);
    assert_eq!(verdict.side, Some(Side::Short));
    assert_eq!(verdict.episode, in_side(Side::Short, NOW));
    assert_eq!(verdict.tick_size, Some(number("0.01")));
    assert_eq!(verdict.status, "TRADING");
    assert_eq!(
        verdict.why,
        "24h change -8.16 % is beyond -2 %, entered SHORT"
    );
}

#[test]
fn what_earlier_tickers_have_shown_changes_no_level() {
    let judged_with = |tick_size: Option<&str>, learned_tick: Option<&str>| {
        let watched = Watched {
            tick_size: tick_size.map(number),
            learned_tick: learned_tick.map(number),
            ..watch("BTCUSDT")
        };
        let tickers = tickers([ticker("BTCUSDT", "2.5")]);
        judge(&rule(), &[watched], &tickers, &HashMap::new(), NOW).remove(0)
    };
    // The ticker shows hundredths.
    let plain = judged_with(None, None);
    let levels = plain.signal.unwrap().levels;
    assert_eq!(levels.stop_loss.to_string(), "1009.63");
    for (learned, remembered) in [("0.0001", "0.0001"), ("0.1", "0.1"), ("0.3", "0.01")] {
        let verdict = judged_with(None, Some(learned));
        assert_eq!(verdict.signal.unwrap().levels, levels, "{learned}");
        assert_eq!(verdict.tick_size, Some(number(remembered)), "{learned}");
    }
    // What the exchange itself says is used.
    let verdict = judged_with(Some("0.0001"), Some("0.1"));
    assert_eq!(verdict.tick_size, Some(number("0.0001")));
    let levels = verdict.signal.unwrap().levels;
    assert_eq!(levels.stop_loss.to_string(), "1009.6250");
}

#[test]
fn every_gate_shows_its_value_and_what_is_wanted() {
    let verdict = judge_one(&rule(), ticker("BTCUSDT", "2.5"), Episode::default(), NOW);
    let shown: Vec<[&str; 3]> = verdict
        .gates
        .iter()
        .map(|gate| [gate.name, gate.value.as_deref().unwrap(), &gate.threshold])
        .collect();
    assert_eq!(
        shown,
        [
            ["listed", "listed", "listed"],
            ["valid", "consistent", "consistent"],
            [
                "trading",
                "bid 1024.99, ask 1025, 1000 trades",
                "0 < bid <= ask, prices and trades > 0"
            ],
            ["fresh", "0.5 s", "<= 300.0 s"],
            ["momentum", "2.5", "> 2 or < -2"],
            ["volume", "50000000", "> 1000000"],
            ["spread", "0.001 %", "<= 0.5 %"],
            ["confidence", "25.00", ">= 0"],
            ["quality", "75.99", ">= 25"],
            [
                "levels",
                "stop 1009.63, entry 1025.00, targets 1040.38 1055.75 1076.25",
                "stop < entry < targets"
            ],
            [
                "book",
                "entry 1025, stop 1009.63, bid 1024.99, ask 1025",
                "stop < bid, bid <= entry <= ask within 0.5 %"
            ],
            ["agreement", "no other exchange asked", "any"],
            ["episode", "entered", "entered or flipped"],
            ["max_per_run", "1", "<= 10"],
        ]
    );
    assert_eq!(failed(&verdict), [""; 0]);
}

#[test]
fn a_quiet_market_says_so() {
    let verdict = judge_one(&rule(), ticker("BTCUSDT", "1.20"), Episode::default(), NOW);
    assert_eq!(verdict.why, "24h change 1.2 % is inside 2 %");
    assert_eq!(
        failed(&verdict),
        [
            "momentum",
            "quality",
            "levels",
            "book",
            "episode",
            "max_per_run"
        ]
    );
    assert_eq!(gate(&verdict, "quality").value, None);
    assert!(gate(&verdict, "volume").passed);
    assert_eq!((verdict.side, verdict.status), (None, "TRADING"));
}

#[test]
fn a_thin_market_is_not_signalled_and_stays_armed() {
    let mut thin = ticker("BTCUSDT", "5");
    thin.base_volume = number("1000");
    thin.quote_volume = number("1000000");
    let verdict = judge_one(&rule(), thin, Episode::default(), NOW);
    assert_eq!(failed(&verdict), ["volume", "max_per_run"]);
    assert_eq!(verdict.why, "24h quote volume 1000000 is not above 1000000");
    assert_eq!(verdict.episode, Episode::default());

    let verdict = judge_one(
        &rule(),
        ticker("BTCUSDT", "5"),
        verdict.episode,
        NOW + MINUTE,
    );
    assert_eq!(verdict.signal.unwrap().reason, Reason::Entered);
}

#[test]
fn a_symbol_in_a_side_says_since_when() {
    let since = NOW - HOUR;
    let held = in_side(Side::Long, since);
    for change in ["2.5", "1.5"] {
        let verdict = judge_one(&rule(), ticker("BTCUSDT", change), held.clone(), NOW);
        assert!(verdict.signal.is_none());
        assert_eq!(verdict.why, "already LONG since 2026-11-30 23:00:00 UTC");
        assert_eq!(verdict.episode, held);
    }
    let verdict = judge_one(&rule(), ticker("BTCUSDT", "0.9"), held, NOW);
    assert_eq!(
        verdict.why,
        "24h change 0.9 % fell back inside 1 %, LONG is over"
    );
    assert_eq!(verdict.episode.side, None);
    assert_eq!(verdict.episode.last_signal_at, Some(since));

    let over = Episode {
        last_signal_at: Some(NOW - 10 * MINUTE),
        ..verdict.episode
    };
    for (rule, until) in [(rule(), "03:50:00"), (rule_of_0_2_0(), "00:20:00")] {
        let verdict = judge_one(&rule, ticker("BTCUSDT", "2.5"), over.clone(), NOW);
        assert_eq!(
            verdict.why,
            format!("cooldown until 2026-12-01 {until} UTC")
        );
        assert_eq!(failed(&verdict), ["episode", "max_per_run"]);
        assert_eq!(verdict.episode, over);
    }
}

#[test]
fn a_flip_that_is_held_back_says_until_when_and_ends_the_old_side() {
    let held = in_side(Side::Long, NOW - HOUR);
    let verdict = judge_one(&rule(), ticker("BTCUSDT", "-3"), held.clone(), NOW);
    assert_eq!(
        verdict.why,
        "24h change -3 % is beyond the other threshold, LONG is over, cooldown until 2026-12-01 03:00:00 UTC"
    );
    assert_eq!(failed(&verdict), ["episode", "max_per_run"]);
    assert_eq!((verdict.episode.side, verdict.episode.since), (None, None));
    assert_eq!(verdict.episode.last_signal_at, held.last_signal_at);
    let verdict = judge_one(
        &rule(),
        ticker("BTCUSDT", "-3"),
        verdict.episode,
        NOW + 1000,
    );
    assert_eq!(verdict.why, "cooldown until 2026-12-01 03:00:00 UTC");
}

#[test]
fn levels_and_expiry_follow_the_range_where_the_rule_says_so() {
    let rule = Rule {
        stop_loss_range_share: Some(number("0.5")),
        lifetime_by_range: Some(LifetimeByRange {
            stops: number("0.5"),
            floor_ms: MINUTE,
            cap_ms: 24 * HOUR,
        }),
        ..rule()
    };
    // It opened at 1000 and went from 990 to 1030: a range of 4 %.
    let verdict = judge_one(&rule, ticker("BTCUSDT", "2"), Episode::default(), NOW);
    assert!(verdict.signal.is_none());
    let verdict = judge_one(&rule, ticker("BTCUSDT", "2.1"), Episode::default(), NOW);
    let signal = verdict.signal.unwrap();
    let Distances {
        stop_loss_percent,
        take_profit_percents,
    } = signal.distances;
    assert_eq!(stop_loss_percent.to_string(), "2.05");
    assert_eq!(take_profit_percents[0].to_string(), "2.05");
    assert_eq!(take_profit_percents[2].to_string(), "6.833333");
    assert_eq!(signal.levels.stop_loss.to_string(), "1000.07");
    // Half a stop of half the range is a quarter of it, and takes a sixteenth of a day.
    assert_eq!(signal.expires_at, NOW + 90 * MINUTE);
    assert_eq!(verdict.episode.expires_at, Some(signal.expires_at));
}

#[test]
fn a_flip_that_a_gate_refuses_ends_the_old_side() {
    let held = in_side(Side::Long, NOW - 5 * HOUR);
    let verdict = judge_one(&rule(), ticker("BTCUSDT", "-3"), held.clone(), NOW);
    assert_eq!(verdict.signal.unwrap().reason, Reason::Flipped);
    assert_eq!(
        verdict.why,
        "24h change -3 % is beyond -2 %, flipped to SHORT"
    );
    assert_eq!(verdict.episode, in_side(Side::Short, NOW));

    let strict = Rule {
        min_confidence: number("50"),
        ..rule()
    };
    let verdict = judge_one(&strict, ticker("BTCUSDT", "-3"), held.clone(), NOW);
    assert_eq!(verdict.why, "confidence 30.00 is below 50");
    assert_eq!((verdict.episode.side, verdict.episode.since), (None, None));
    assert_eq!(verdict.episode.last_signal_at, held.last_signal_at);
}

#[test]
fn only_a_sound_ticker_changes_what_is_remembered() {
    let held = in_side(Side::Long, NOW - HOUR);
    let sound = ticker("BTCUSDT", "-3");
    let halted = Ticker {
        bid_price: Some(Decimal::ZERO),
        ask_price: Some(Decimal::ZERO),
        ..sound.clone()
    };
    let stale = Ticker {
        close_time: NOW - 5 * MINUTE - 1,
        ..sound.clone()
    };
    let from_the_future = Ticker {
        close_time: NOW + MINUTE + 1,
        ..sound.clone()
    };
    let contradictory = Ticker {
        price_change_percent: number("-4"),
        ..sound
    };
    // Of two clocks that contradict each other, neither says that the memory is wrong.
    let later = in_side(Side::Long, NOW + HOUR);
    for ticker in [&stale, &from_the_future] {
        let verdict = judge_one(&rule(), ticker.clone(), later.clone(), NOW);
        assert_eq!(verdict.episode, later);
    }
    for (ticker, status, why) in [
        (halted, "HALTED", "its market is not trading"),
        (
            stale,
            "STALE",
            "its ticker is 300.0 s old, more than 300.0 s",
        ),
        (
            from_the_future,
            "STALE",
            "its ticker is 60.0 s ahead of this server's clock",
        ),
        (
            contradictory,
            "INVALID",
            "its ticker is unusable: change percent is not change over open price",
        ),
    ] {
        let verdict = judge_one(&rule(), ticker, held.clone(), NOW);
        assert_eq!((verdict.status, verdict.why.as_str()), (status, why));
        assert_eq!(verdict.episode, held, "{why}");
        assert_eq!(verdict.tick_size, None, "{why}");
        assert!(verdict.signal.is_none());
        assert!(gate(&verdict, "momentum").value.is_some(), "{why}");
    }
}

#[test]
fn unknown_and_unreadable_symbols_cost_the_others_nothing() {
    let mut tickers = tickers([ticker("BTCUSDT", "3")]);
    tickers
        .rows
        .insert("ODDUSDT".to_owned(), Err("lastPrice is missing".to_owned()));
    tickers.unknown.push("GONEUSDT".to_owned());
    let watched = ["GONEUSDT", "ODDUSDT", "BTCUSDT"].map(watch);
    let verdicts = judge(&rule(), &watched, &tickers, &HashMap::new(), NOW);
    let found: Vec<[&str; 3]> = verdicts
        .iter()
        .map(|verdict| [verdict.symbol.as_str(), verdict.status, &verdict.why])
        .collect();
    assert_eq!(
        found,
        [
            ["GONEUSDT", "UNKNOWN", "the exchange does not list it"],
            [
                "ODDUSDT",
                "INVALID",
                "its ticker is unusable: lastPrice is missing"
            ],
            [
                "BTCUSDT",
                "TRADING",
                "24h change 3 % is beyond 2 %, entered LONG"
            ],
        ]
    );
    assert!(verdicts[2].signal.is_some());
    for verdict in &verdicts {
        let names: Vec<&str> = verdict.gates.iter().map(|gate| gate.name).collect();
        assert_eq!(names, GATES);
    }
}

#[test]
fn a_run_sends_the_best_and_leaves_the_others_for_the_next() {
    let rule = Rule {
        max_signals_per_run: 2,
        ..rule()
    };
    let mut liquid = ticker("LIQUIDUSDT", "2.5");
    liquid.base_volume *= Decimal::TEN;
    liquid.quote_volume *= Decimal::TEN;
    let mut rest = ["CUSDT", "BUSDT", "AUSDT"]
        .map(|symbol| ticker(symbol, "2.5"))
        .to_vec();
    rest.push(liquid);
    let tickers = tickers(rest);
    let watched = ["CUSDT", "BUSDT", "AUSDT", "LIQUIDUSDT"].map(watch);
    let held = in_side(Side::Short, NOW - 5 * HOUR);
    let mut episodes = HashMap::from([("CUSDT".to_owned(), held.clone())]);
    let signalled = |verdicts: &[Told]| -> Vec<String> {
        let signals = verdicts
            .iter()
            .filter_map(|verdict| verdict.signal.as_ref());
        signals.map(|signal| signal.ticker.symbol.clone()).collect()
    };

    let verdicts = judge(&rule, &watched, &tickers, &episodes, NOW);
    assert_eq!(signalled(&verdicts), ["AUSDT", "LIQUIDUSDT"]);
    assert_eq!(
        verdicts[1].why,
        "2 better signals come first, and a run sends no more"
    );
    assert_eq!(
        gate(&verdicts[1], "max_per_run").value.as_deref(),
        Some("3")
    );
    assert_eq!(verdicts[1].episode, Episode::default());
    // A flip, too, is only put off.
    assert_eq!(verdicts[0].episode, held);

    episodes.extend(
        verdicts
            .into_iter()
            .map(|verdict| (verdict.symbol, verdict.episode)),
    );
    let verdicts = judge(&rule, &watched, &tickers, &episodes, NOW + 1000);
    assert_eq!(signalled(&verdicts), ["CUSDT", "BUSDT"]);
}

#[test]
fn a_rule_that_allows_no_signals_sends_none() {
    for most in [0, -1, i32::MIN] {
        let rule = Rule {
            max_signals_per_run: most,
            ..rule()
        };
        let verdict = judge_one(&rule, ticker("BTCUSDT", "3"), Episode::default(), NOW);
        assert!(verdict.signal.is_none());
    }
}

#[test]
fn sides_are_named_as_in_tables() {
    for side in [Side::Long, Side::Short] {
        assert_eq!(Side::parse(side.as_str()), Some(side));
    }
    assert_eq!(Side::parse("long"), None);
}
