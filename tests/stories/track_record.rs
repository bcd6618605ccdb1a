//! What the record of outcomes shows: `signal_track_record()` and `replay_track_record()`.

use crate::candles_in_tables::{DEV5, FIRST_RULE, load_dev5, rising_candles};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{flat_market, installed_by_hand};
use signal_hub_harness::session::Session;

/// The formulas over outcomes of one signal a day each, given as day, return and mirror.
fn record(outcomes: &str, by: &str) -> String {
    format!(
        "SELECT t.* FROM (
             SELECT array_agg('momentum'::text) AS a1, array_agg(symbol) AS a2, array_agg('LONG'::text) AS a3,
                    array_agg('entered'::text) AS a4, array_agg(30.0) AS a5,
                    array_agg('2024-01-01 10:00+00'::timestamptz + day * interval '1 day') AS a6,
                    array_agg('2024-01-01 14:00+00'::timestamptz + day * interval '1 day') AS a7,
                    array_agg(state) AS a8, array_agg((net > 0)::integer) AS a9, array_agg(1) AS a10,
                    array_agg(CASE WHEN net > 0 THEN 'target' ELSE 'stop' END) AS a11,
                    array_agg(net) AS a12, array_agg(mirror) AS a13, array_agg(0.1) AS a14,
                    array_agg(resolution) AS a15, array_agg(false) AS a16
               FROM ({outcomes}) AS o (symbol, day, net, mirror, state, resolution)) a,
             LATERAL signal_hub_track_record(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16,
                                             '{by}', 1, '{{1s,1m}}', 2) t"
    )
}

const FOUR: &str = "VALUES ('A', 0, 1.3, -1.7, 'settled', '1m'), ('A', 0, 1.3, -1.7, 'settled', '1s'), \
                           ('B', 1, -1.7, 1.3, 'settled', '1m'), ('B', 1, 1.3, -1.7, 'settled', '1m'), \
                           ('B', 2, 0.5, 0.5, 'settled', 'sampled'), ('B', 2, NULL, NULL, 'open', NULL), \
                           ('B', 3, NULL, NULL, 'void', NULL)";

#[test]
fn the_figures_are_those_that_can_be_worked_out_by_hand() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    // Mean 0.55 of 4 on 2 days. Sums by day less their number of means: 2.6 - 1.1 = 1.5 and
    // -0.4 - 1.1 = -1.5. V = 2 / 1 x (2.25 + 2.25) / 16 = 0.5625, and 1.96 x 0.75 = 1.47.
    let figures: String = session.one(&format!(
        "SELECT concat_ws(' ', signals, open, void, settled, sampled, target1, target1_rate, stop_first, win_rate,
                          mean_percent, mean_low, mean_high, gross_percent, mirror_percent, edge_percent, days, verdict)
           FROM ({}) r",
        record(FOUR, "{}")
    ));
    assert_eq!(
        figures,
        "7 1 1 4 1 3 75.000000 1 75.000000 0.550000 -0.920000 2.020000 0.750000 -0.950000 0.750000 2 too few"
    );
    // Gains of 3.9 to a loss of 1.7; each day 4 of 24 hours.
    let figures: String = session.one(&format!(
        "SELECT concat_ws(' ', profit_factor, max_drawdown_percent, exposure_percent) FROM ({}) r",
        record(FOUR, "{}")
    ));
    assert_eq!(figures, "2.294118 0.400000 28.571429");
    let by_symbol: Vec<String> = session.list(&format!(
        "SELECT concat_ws(' ', symbol, signals, settled, mean_percent) FROM ({}) r",
        record(FOUR, "{symbol}")
    ));
    assert_eq!(by_symbol, ["A 2 2 1.300000", "B 5 2 -0.200000"]);
}

/// A hundred and twenty days of one signal each, whose returns are alike but for some noise.
fn days(net: &str, mirror: &str) -> String {
    record(
        &format!(
            "SELECT 'A', day, {net} + 0.1 * (day % 7), {mirror}, 'settled', '1m' FROM generate_series(1, 120) day"
        ),
        "{}",
    )
}

#[test]
fn the_verdict_says_in_words_what_the_intervals_say() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    let mut verdict =
        |query: &str| -> String { session.one(&format!("SELECT verdict FROM ({query}) r")) };
    assert_eq!(verdict(&days("1.0", "-1.0")), "edge shown");
    assert_eq!(verdict(&days("-1.0", "1.0")), "worse than a coin flip");
    assert_eq!(
        verdict(&days("0.5 * (1 - 2 * (day % 2))", "0.3")),
        "no edge shown"
    );
    assert_eq!(
        verdict(&record(
            "SELECT 'A', 1, 1.3, -1.7, 'settled', '1m' WHERE false",
            "{}"
        )),
        "too few"
    );
    assert_eq!(
        verdict("TABLE signal_track_record"),
        "too few",
        "of an empty ledger"
    );
    let none: i64 = session.one("SELECT count(*) FROM signal_track_record_daily");
    assert_eq!(none, 0);
}

#[test]
fn a_group_or_exit_that_cannot_be_is_named() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    let mut refused = |call: &str, message: &str| {
        let error = session.error(&format!("SELECT * FROM signal_track_record({call})"));
        assert_eq!(error.message(), message);
        assert_eq!(error.code().code(), "22023");
    };
    refused(
        "by => '{symbol,moon}'",
        "a track record cannot be grouped by \"moon\"",
    );
    refused("exit => 0", "exit 0 is not the number of a target");
    refused("exit => NULL", "exit null is not the number of a target");
}

#[test]
fn who_may_not_read_outcomes_reads_no_record_unless_it_is_granted() {
    let (cluster, mut admin) = installed_by_hand(&flat_market());
    admin.run("CREATE ROLE visitor LOGIN; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor");
    let mut visitor = cluster.session_as("visitor", POSTGRES);
    for query in [
        "SELECT * FROM signal_track_record()",
        "TABLE signal_track_record",
        "SELECT * FROM replay_track_record('SELECT 1')",
    ] {
        assert_eq!(visitor.error(query).code().code(), "42501", "{query}");
    }
    let mut monitor = cluster.session_as("monitor", POSTGRES);
    let verdicts: Vec<String> = monitor.list("SELECT verdict FROM signal_track_record");
    assert_eq!(verdicts, ["too few"]);
}

#[test]
fn a_replay_has_a_record_of_the_same_form() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    session.run(&rising_candles());
    let figures: String = session.one(
        "SELECT concat_ws(' ', signals, settled, target1, mean_percent, mirror_percent, verdict)
           FROM replay_track_record('TABLE candles ORDER BY open_time')",
    );
    // At 104.6 the mirror, a SHORT at 103, is stopped at 104.5.
    assert_eq!(figures, "1 1 1 1.300000 -1.700000 too few");
}

/// The record of the recorded candles by the rule of 0.2.0, in the words of these columns.
fn of_dev5(session: &mut Session, columns: &str, by: &str) -> Vec<String> {
    session.list(&format!(
        "SELECT format({columns}) FROM replay_track_record('{DEV5}', overrides => '{FIRST_RULE}', by => '{by}')"
    ))
}

#[test]
fn the_record_of_recorded_candles_is_known_to_the_last_digit() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    if !load_dev5(&mut session) {
        return;
    }
    let rates = "'%s: %s = %s [%s,%s], %s, %s; %s = %s [%s,%s]', settled,
                 target1, round(target1_rate, 1), round(target1_low, 1), round(target1_high, 1),
                 round(target2_rate, 1), round(target3_rate, 1),
                 stop_first, round(stop_first_rate, 1), round(stop_first_low, 1), round(stop_first_high, 1)";
    assert_eq!(
        of_dev5(&mut session, rates, "{}"),
        ["18851: 8559 = 45.4 [44.1,46.7], 24.3, 11.3; 8447 = 44.8 [43.6,46.0]"]
    );
    let returns = "'%s [%s,%s] mirror %s edge %s [%s,%s] factor %s wins %s: %s',
                   round(mean_percent, 3), round(mean_low, 3), round(mean_high, 3), round(mirror_percent, 3),
                   round(edge_percent, 3), round(edge_low, 3), round(edge_high, 3), round(profit_factor, 3),
                   round(win_rate, 1), verdict";
    assert_eq!(
        of_dev5(&mut session, returns, "{}"),
        [
            "-0.203 [-0.236,-0.170] mirror -0.205 edge 0.001 [-0.032,0.034] factor 0.748 wins 48.4: no edge shown"
        ]
    );
    let by_symbol = of_dev5(
        &mut session,
        "'%s %s %s %s %s %s', symbol, signals, target1, target2, target3, stop_first",
        "{symbol}",
    );
    assert!(
        by_symbol.contains(&"BTCUSDT 1238 424 178 60 453".to_owned()),
        "{by_symbol:?}"
    );
    assert_eq!(by_symbol.len(), 12);
}
