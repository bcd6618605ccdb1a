//! Recorded candles are replayed: `replay_signals()`, over the query of whoever calls.

use crate::candles_in_tables::{DEV5, FIRST_RULE, load_dev5, rising_candles};
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, contents, flat_market, installed_by_hand};
use signal_hub_harness::wait::eventually;
use std::time::{Duration, Instant};

const CANDLES: &str = "TABLE candles ORDER BY open_time, symbol";

/// Calls `replay_signals()` on a query of candles.
fn replay(query: &str) -> String {
    format!("SELECT * FROM replay_signals($q${query}$q$)")
}

#[test]
fn a_rise_becomes_one_signal_with_the_outcome_that_can_be_worked_out_by_hand() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    session.run(&rising_candles());
    let before = contents(&mut session);
    let rows: Vec<String> = session.list(&format!(
        "SELECT format('%s %s %s %s entry %s stop %s targets %s until %s: %s, %s first, %s ended at %s, returns %s, hold %s, mirror %s',
                       symbol, at AT TIME ZONE 'UTC', signal_type, reason, entry_price, stop_loss, take_profit,
                       expires_at AT TIME ZONE 'UTC', state, first_touch, ended, ended_at AT TIME ZONE 'UTC',
                       returns_percent, trim_scale(hold_percent), trim_scale(mirror_percent))
           FROM ({}) r",
        replay(CANDLES)
    ));
    // A day at 100, then 103: 3 % up. An hour later 104.6, which is above 103 x 1.015 = 104.545
    // and below 103 x 1.03 = 106.09, and stays there: (104.6 - 103) / 103 less 0.2 is 1.3534 %.
    assert_eq!(rows.len(), 1, "{rows:?}");
    let expected = "BTCUSDT 2024-01-02 01:00:00 LONG entered entry 103.0 stop 101.5 targets {104.5,106.1,108.2} \
                    until 2024-01-02 05:00:00: settled, target first, expired ended at 2024-01-02 05:00:00";
    assert!(rows[0].starts_with(expected), "{}", rows[0]);
    assert_eq!(contents(&mut session), before, "nothing was written");
}

#[test]
fn a_query_that_cannot_be_replayed_is_refused_with_the_reason() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    session.run(&rising_candles());
    session.run(
        "CREATE TABLE others AS SELECT * FROM candles;
         INSERT INTO others SELECT 'ETHUSDT', open_time, open, high, low, close, base_volume FROM candles",
    );
    let column = |name: &str, value: &str| {
        let columns = [
            "symbol",
            "open_time",
            "open",
            "high",
            "low",
            "close",
            "base_volume",
        ];
        let columns = columns.map(|column| match column == name {
            true => format!("{value} AS {name}"),
            false => column.to_owned(),
        });
        format!(
            "SELECT {} FROM candles ORDER BY candles.open_time",
            columns.join(", ")
        )
    };
    let before = contents(&mut session);
    for (query, sqlstate, message) in [
        ("SELECT 1; SELECT 2".to_owned(), "22023", "candles must be one SELECT: it has 2 statements"),
        (String::new(), "22023", "candles must be one SELECT: it has 0 statements"),
        ("DELETE FROM candles RETURNING *".to_owned(), "22023", "it is another command"),
        ("WITH gone AS (DELETE FROM candles RETURNING *) TABLE gone".to_owned(), "22023", "its WITH has a command that writes"),
        ("SELECT * INTO copy FROM candles".to_owned(), "22023", "INTO creates a table"),
        ("SELECT * FROM candles FOR UPDATE".to_owned(), "22023", "lock rows"),
        ("SELECT * FROM nowhere".to_owned(), "42P01", "relation \"nowhere\" does not exist"),
        ("SELECT symbol, open_time, open, high, low, base_volume FROM candles".to_owned(), "42703", "the query has no column close"),
        (column("close", "close::double precision"), "42804", "column close is of type double precision, not numeric"),
        (column("open_time", "0::bigint"), "42804", "column open_time is of type bigint"),
        (column("symbol", "1"), "42804", "column symbol is of type integer, not text"),
        (column("close", "close, 1 "), "42702", "several columns close"),
        (column("close", "NULL::numeric"), "22004", "close of a candle of BTCUSDT is null"),
        (column("low", "'NaN'::numeric"), "22003", "low of the candle of BTCUSDT at 2024-01-01 00:00:00 UTC is not a number"),
        (column("high", "1e40::numeric"), "22003", "is out of range"),
        (column("open", "-open"), "22003", "has a price that is not above zero"),
        (column("base_volume", "-1::numeric"), "22003", "has a negative volume"),
        (column("high", "low / 2"), "22003", "has a high or low that its other prices are beyond"),
        ("SELECT * FROM candles ORDER BY open_time DESC".to_owned(), "22023", "candles are not in the order of open_time"),
        ("SELECT * FROM candles UNION ALL TABLE candles ORDER BY open_time".to_owned(), "22023", "duplicate candle of BTCUSDT at 2024-01-01 00:00:00 UTC"),
        ("SELECT * FROM others WHERE symbol = 'ETHUSDT' OR open_time <> '2024-01-01 12:00+00' ORDER BY open_time".to_owned(), "22023",
         "gap in the candles of BTCUSDT: none between 2024-01-01 11:00:00 UTC and 2024-01-01 13:00:00 UTC"),
        (column("open_time", "open_time + CASE WHEN open_time > '2024-01-01 12:00+00' THEN interval '1 day 1 hour' ELSE '0' END"), "22023",
         "gap in the candles: none of any symbol between"),
        (column("open_time", "open_time + CASE WHEN open_time > '2024-01-01 12:00+00' THEN interval '90 seconds' ELSE '0' END"), "22023",
         "does not fit candles of 1h"),
        (column("open_time", "'2024-01-01'::timestamptz + (open_time - '2024-01-01 00:00+00') * 7"), "22023", "candles of 7h cannot be used"),
    ] {
        let error = session.error(&replay(&query));
        assert!(error.message().contains(message), "{query}: {}", error.message());
        assert_eq!(error.code().code(), sqlstate, "{query}: {}", error.message());
    }
    assert_eq!(contents(&mut session), before);
    let rows: i64 = session.one("SELECT count(*) FROM candles");
    assert!(rows > 0, "nobody deleted them");
}

#[test]
fn a_strategy_or_override_that_cannot_be_used_is_named() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    session.run(&rising_candles());
    let mut refused = |strategy: &str, overrides: &str, expected: &str| {
        let error = session.error(&format!(
            "SELECT * FROM replay_signals('{CANDLES}', {strategy}, {overrides})"
        ));
        assert_eq!(error.message(), expected);
        assert!(error.code().code().starts_with("22"), "{error:?}");
    };
    refused("'astrology'", "'{}'", "unknown strategy \"astrology\"");
    refused("NULL", "'{}'", "strategy must not be null");
    refused("'momentum'", "'[1]'", "overrides must be a JSON object");
    refused(
        "'momentum'",
        "'{\"stop_los_percent\": 1}'",
        "unknown override \"stop_los_percent\"",
    );
    refused(
        "'momentum'",
        "'{\"enabled\": false}'",
        "unknown override \"enabled\"",
    );
    refused(
        "'momentum'",
        "'{\"lifetime\": null}'",
        "override \"lifetime\" must not be null",
    );
    refused(
        "'momentum'",
        "'{\"stop_loss_percent\": 100}'",
        "override \"stop_loss_percent\" is out of range",
    );
    refused(
        "'momentum'",
        "'{\"exit_change_percent\": 3}'",
        "override \"exit_change_percent\" is out of range",
    );
    refused(
        "'momentum'",
        "'{\"lifetime\": \"soon\"}'",
        "override \"lifetime\" cannot be used: invalid input syntax for type interval: \"soon\"",
    );
}

#[test]
fn nobody_reads_by_a_replay_what_they_may_not_read() {
    let (cluster, mut admin) = installed_by_hand(&flat_market());
    admin.run(&rising_candles());
    admin.run(
        "CREATE ROLE analyst LOGIN; GRANT pg_monitor TO analyst; CREATE ROLE visitor LOGIN;
         CREATE SCHEMA desk AUTHORIZATION analyst",
    );
    let mut visitor = cluster.session_as("visitor", POSTGRES);
    let error = visitor.error(&replay(CANDLES));
    assert_eq!(error.code().code(), "42501", "{error:?}");
    let mut analyst = cluster.session_as("analyst", POSTGRES);
    let error = analyst.error(&replay("SELECT * FROM public.candles ORDER BY open_time"));
    assert_eq!(error.message(), "permission denied for table candles");
    admin.run("GRANT SELECT ON candles TO analyst");
    // The query is looked up where its writer looks.
    analyst.run("CREATE VIEW desk.mine AS TABLE public.candles; SET search_path = desk, public");
    let signals: i64 = analyst.one(&format!(
        "SELECT count(*) FROM ({}) r",
        replay("TABLE mine ORDER BY open_time")
    ));
    assert_eq!(signals, 1);
}

#[test]
fn a_long_replay_shows_its_progress_and_is_cancelled_long_before_its_end() {
    let (cluster, mut admin) = installed_by_hand(&flat_market());
    let mut analyst = cluster.session(POSTGRES);
    let pid: i32 = analyst.one("SELECT pg_backend_pid()");
    // A hundred years of minutes.
    let endless = "SELECT 'BTCUSDT'::text AS symbol,
                          generate_series('1924-01-01'::timestamptz, '2024-01-01', '1 minute') AS open_time,
                          100.0 AS open, 100.0 AS high, 100.0 AS low, 100.0 AS close, 1.0 AS base_volume";
    let replaying = std::thread::spawn(move || {
        let error = analyst.error(&replay(endless));
        (error.code().code().to_owned(), Instant::now())
    });
    eventually(SOON, "progress is shown", || {
        let shown: Vec<String> = admin.list(&format!(
            "SELECT query FROM pg_stat_activity WHERE pid = {pid} AND query LIKE 'signal_hub: replayed % candles up to %'"
        ));
        !shown.is_empty()
    });
    let cancelled = Instant::now();
    admin.run(&format!("SELECT pg_cancel_backend({pid})"));
    let (sqlstate, ended) = replaying.join().expect("the session lives");
    assert_eq!(sqlstate, "57014");
    assert!(
        ended - cancelled < Duration::from_secs(20),
        "{:?}",
        ended - cancelled
    );
}

#[test]
fn recorded_candles_give_the_signals_that_another_evaluator_found() {
    let (_cluster, mut session) = installed_by_hand(&flat_market());
    if !load_dev5(&mut session) {
        return;
    }
    let of_first_rule: Vec<String> = session.list(&format!(
        "SELECT format('%s %s %s', reason, count(*), count(*) FILTER (WHERE state = 'settled'))
           FROM replay_signals('{DEV5}', overrides => '{FIRST_RULE}') GROUP BY reason ORDER BY reason"
    ));
    assert_eq!(
        of_first_rule,
        ["entered 8967 8966", "flipped 93 93", "renewed 9795 9792"]
    );
    let by_default: Vec<String> = session.list(&format!(
        "SELECT format('%s %s', reason, count(*))
           FROM replay_signals('{DEV5}', overrides => '{{\"max_signals_per_run\": 1000}}') GROUP BY reason ORDER BY reason"
    ));
    assert_eq!(by_default, ["entered 6319", "flipped 43"]);
}
