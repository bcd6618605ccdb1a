use super::*;
use crate::LifetimeByRange;
use crate::shipped::rule_of_0_2_0;
use crate::tests::{HOUR, MINUTE, NOW, number, rule};

fn armed(last_signal_at: Option<UnixMillis>) -> Episode {
    Episode {
        last_signal_at,
        ..Episode::default()
    }
}

fn long_since(since: UnixMillis) -> Episode {
    Episode {
        side: Some(Side::Long),
        since: Some(since),
        last_signal_at: Some(since),
        expires_at: Some(since + 4 * HOUR),
    }
}

fn short_since(since: UnixMillis) -> Episode {
    Episode {
        side: Some(Side::Short),
        ..long_since(since)
    }
}

fn step_of(rule: &Rule, episode: &Episode, change: &str, now: UnixMillis) -> Step {
    let strategy = crate::strategies::named(&rule.strategy).unwrap();
    step(strategy, rule, episode, number(change), now)
}

/// By a rule with renewals, a cooldown of its own, and flips at once.
fn step_at(episode: &Episode, change: &str, now: UnixMillis) -> Step {
    step_of(&rule_of_0_2_0(), episode, change, now)
}

/// By the rule that is shipped.
fn step_by_default(episode: &Episode, change: &str, now: UnixMillis) -> Step {
    step_of(&rule(), episode, change, now)
}

#[test]
fn an_armed_symbol_fires_beyond_the_threshold_only() {
    assert_eq!(step_at(&armed(None), "2", NOW), Step::Wait);
    assert_eq!(
        step_at(&armed(None), "2.001", NOW),
        Step::Fire(Side::Long, Reason::Entered)
    );
    assert_eq!(
        step_at(&armed(None), "-2.001", NOW),
        Step::Fire(Side::Short, Reason::Entered)
    );
}

#[test]
fn an_armed_symbol_cools_down_after_its_last_signal() {
    let episode = armed(Some(NOW));
    let until = NOW + 30 * MINUTE;
    assert_eq!(step_at(&episode, "3", NOW + 1), Step::Cool { until });
    assert_eq!(step_at(&episode, "1", NOW + 1), Step::Wait);
    assert_eq!(step_at(&episode, "3", until - 1), Step::Cool { until });
    assert_eq!(
        step_at(&episode, "3", until),
        Step::Fire(Side::Long, Reason::Entered)
    );
}

#[test]
fn a_side_holds_until_the_change_falls_back_inside_exit() {
    let long = long_since(NOW);
    let held = Step::Hold(Side::Long, Some(NOW));
    for change in ["37", "2.001", "1.999", "1.5", "1"] {
        assert_eq!(step_at(&long, change, NOW + 1), held, "{change}");
    }
    for change in ["0.999", "0", "-1", "-2"] {
        assert_eq!(
            step_at(&long, change, NOW + 1),
            Step::Disarm(Side::Long),
            "{change}"
        );
    }
    let short = short_since(NOW);
    for change in ["-37", "-2.001", "-1.5", "-1"] {
        assert_eq!(
            step_at(&short, change, NOW + 1),
            Step::Hold(Side::Short, Some(NOW))
        );
    }
    for change in ["-0.999", "0", "2"] {
        assert_eq!(
            step_at(&short, change, NOW + 1),
            Step::Disarm(Side::Short),
            "{change}"
        );
    }
}

#[test]
fn no_signal_comes_while_the_last_one_of_the_symbol_lives() {
    let until = NOW + 4 * HOUR;
    let episode = armed(Some(NOW));
    assert_eq!(
        step_by_default(&episode, "3", until - 1),
        Step::Cool { until }
    );
    assert_eq!(
        step_by_default(&episode, "3", until),
        Step::Fire(Side::Long, Reason::Entered)
    );
    let long = long_since(NOW);
    let held_back = Step::HoldBack {
        ended: Side::Long,
        until,
    };
    assert_eq!(step_by_default(&long, "-3", until - 1), held_back);
    assert_eq!(
        step_by_default(&long, "-3", until),
        Step::Fire(Side::Short, Reason::Flipped)
    );
    assert_eq!(
        next(&long, held_back, None, NOW + 1),
        Episode {
            expires_at: long.expires_at,
            ..armed(Some(NOW))
        },
        "the old side has ended all the same"
    );
    let held = Step::Hold(Side::Long, Some(NOW));
    for much_later in [until, NOW + 100 * HOUR] {
        assert_eq!(step_by_default(&long, "3", much_later), held, "no renewal");
    }
}

#[test]
fn a_lifetime_that_differs_from_signal_to_signal_is_remembered() {
    let rule = Rule {
        lifetime_by_range: Some(LifetimeByRange {
            stops: number("2"),
            floor_ms: HOUR,
            cap_ms: 24 * HOUR,
        }),
        ..rule()
    };
    let until = NOW + 7 * HOUR;
    let short_lived = Episode {
        expires_at: Some(until),
        ..armed(Some(NOW))
    };
    assert_eq!(
        step_of(&rule, &short_lived, "3", until - 1),
        Step::Cool { until }
    );
    assert_eq!(
        step_of(&rule, &short_lived, "3", until),
        Step::Fire(Side::Long, Reason::Entered)
    );
    // Of a signal of before it was remembered: as long as any may live.
    assert_eq!(
        step_of(&rule, &armed(Some(NOW)), "3", until),
        Step::Cool {
            until: NOW + 24 * HOUR
        }
    );
}

#[test]
fn a_flip_needs_no_cooldown_where_the_rule_says_so() {
    let flipped = Step::Fire(Side::Short, Reason::Flipped);
    assert_eq!(step_at(&long_since(NOW), "-2.001", NOW + 1), flipped);
    assert_eq!(step_at(&long_since(NOW), "-2.001", NOW + 5 * HOUR), flipped);
    let flipped = Step::Fire(Side::Long, Reason::Flipped);
    assert_eq!(step_at(&short_since(NOW), "2.001", NOW + 1), flipped);
}

#[test]
fn a_side_that_outlives_its_signal_is_signalled_again() {
    let long = long_since(NOW);
    let end = NOW + 4 * HOUR;
    let held = Step::Hold(Side::Long, Some(NOW));
    assert_eq!(step_at(&long, "3", end - 1), held);
    assert_eq!(
        step_at(&long, "3", end),
        Step::Fire(Side::Long, Reason::Renewed)
    );
    // Between exit and enter the side holds, but is too weak for another signal.
    assert_eq!(step_at(&long, "1.5", end), held);
    assert_eq!(step_at(&long, "0.5", end), Step::Disarm(Side::Long));
}

#[test]
fn a_side_without_a_known_signal_is_signalled() {
    let lost = Episode {
        side: Some(Side::Long),
        ..Episode::default()
    };
    assert_eq!(
        step_at(&lost, "3", NOW),
        Step::Fire(Side::Long, Reason::Renewed)
    );
}

#[test]
fn an_exit_above_the_threshold_does_not_end_what_just_began() {
    let rule = Rule {
        exit_change_percent: number("5"),
        ..rule()
    };
    let held = Step::Hold(Side::Long, Some(NOW));
    assert_eq!(step_of(&rule, &long_since(NOW), "3", NOW + 1), held);
}

#[test]
fn what_fired_is_remembered() {
    for reason in [Reason::Entered, Reason::Flipped, Reason::Renewed] {
        let step = Step::Fire(Side::Long, reason);
        assert_eq!(
            next(&short_since(NOW - HOUR), step, Some(NOW + 4 * HOUR), NOW),
            long_since(NOW)
        );
    }
}

#[test]
fn what_was_refused_is_tried_again() {
    let before = armed(Some(NOW - HOUR));
    let entered = Step::Fire(Side::Long, Reason::Entered);
    assert_eq!(next(&before, entered, None, NOW), before);

    let before = long_since(NOW - 5 * HOUR);
    let renewed = Step::Fire(Side::Long, Reason::Renewed);
    assert_eq!(next(&before, renewed, None, NOW), before);
}

#[test]
fn a_refused_flip_and_a_fallen_change_arm_the_symbol() {
    let before = long_since(NOW - HOUR);
    for step in [
        Step::Fire(Side::Short, Reason::Flipped),
        Step::Disarm(Side::Long),
    ] {
        let armed = Episode {
            expires_at: before.expires_at,
            ..armed(Some(NOW - HOUR))
        };
        assert_eq!(next(&before, step, None, NOW), armed);
    }
}

#[test]
fn nothing_else_changes_what_is_remembered() {
    for before in [armed(None), armed(Some(NOW)), long_since(NOW)] {
        for step in [
            Step::Wait,
            Step::Cool { until: NOW },
            Step::Hold(Side::Long, None),
        ] {
            assert_eq!(next(&before, step, None, NOW), before);
        }
    }
}

#[test]
fn after_the_clock_was_set_back_lifetime_and_cooldown_count_from_then() {
    let day = 24 * HOUR;
    let long = remembered_at(long_since(NOW + day), NOW);
    assert_eq!(long, long_since(NOW));
    assert_eq!(
        remembered_at(armed(Some(NOW + day)), NOW),
        armed(Some(NOW)),
        "else it would cool down for a day"
    );
    assert_eq!(
        remembered_at(long.clone(), NOW + day),
        long,
        "what is past stays as it is"
    );
}
