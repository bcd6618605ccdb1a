//! Replies come, and no symbol can be judged by them: `signal_health` says so, why, and what to do.

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{SOON, by_itself, flat_market, wait_for_good_run, worker_pid};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Corruption, Fault, Times};

fn started(market: &signal_hub_simulator::Simulator) -> (Cluster, Session) {
    let cluster = by_itself(market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    (cluster, session)
}

#[track_caller]
fn message_in_state(session: &mut Session, state: &str, what: &str) -> String {
    eventually(SOON, &format!("{state}: {what}"), || {
        let row = &session.rows("SELECT state, healthy, message FROM signal_health")[0];
        assert_eq!(
            row.get::<_, bool>("healthy"),
            row.get::<_, &str>("state") == "running",
            "{row:?}"
        );
        let message: String = row.get("message");
        (row.get::<_, &str>("state") == state).then_some(message)
    })
}

/// What makes a generator blind, what its message has to say, and what it must not.
fn cases() -> Vec<(Fault, &'static [&'static str], &'static str)> {
    const MINUTE: i64 = 60_000;
    vec![
        (
            Fault::Shifted(2 * MINUTE),
            &[
                "10 ahead of this server's clock",
                "this server's clock is 2 minutes behind the exchange's",
            ],
            "old",
        ),
        (
            Fault::Shifted(-6 * MINUTE),
            &[
                "10 with old statistics",
                "6 minutes old",
                "this server's clock is 6 minutes ahead of the exchange's",
            ],
            "contradict",
        ),
        (
            Fault::Stale,
            &["10 with old statistics", "60 minutes old"],
            "contradict",
        ),
        (
            Fault::Microseconds,
            &[
                "10 with times in another unit",
                "closeTime is in microseconds",
            ],
            "clock",
        ),
        (
            Fault::BadRows(Corruption::MissingAverageAndCount),
            &[
                "10 whose ticker cannot be read",
                "weightedAvgPrice is missing",
                "signal_hub.exchange_url",
            ],
            "contradict",
        ),
        (
            Fault::BadRows(Corruption::NoBook),
            &["10 without bid or ask", "order books"],
            "contradict",
        ),
        (
            Fault::BadRows(Corruption::NullBook),
            &["bidPrice is missing"],
            "contradict",
        ),
        (
            Fault::BadRows(Corruption::Inconsistent),
            &["10 with numbers that contradict each other"],
            "cannot be read",
        ),
        (Fault::Zeros, &["10 not trading"], "contradict"),
    ]
}

#[test]
fn a_generator_that_can_judge_no_symbol_is_blind_and_says_why_and_what_to_do() {
    let market = flat_market();
    let (_cluster, mut session) = started(&market);
    for (fault, words, never) in cases() {
        let name = format!("{fault:?}");
        market.inject(fault, Times::Forever);
        let message = message_in_state(&mut session, "blind", &name);
        for words in words {
            assert!(
                message.contains(words),
                "{name}: {words:?} is not in {message:?}"
            );
        }
        assert!(message.contains(" runs in a row"), "{message}");
        assert!(!message.contains(never), "{name}: {message}");
        let length: i32 = session.one("SELECT octet_length(h::text) FROM signal_health h");
        assert!(length < 1024, "{name}: {length} bytes");
        market.clear_faults();
        message_in_state(&mut session, "running", &name);
    }
}

#[test]
fn blindness_outlives_the_worker_that_found_it() {
    let market = flat_market();
    let (_cluster, mut session) = started(&market);
    market.inject(Fault::Stale, Times::Forever);
    let since = |message: &str| {
        message
            .split(" could judge")
            .next()
            .map(|m| m.split(" since ").last().map(str::to_owned))
    };
    let before = message_in_state(&mut session, "blind", "before");
    session.run("SELECT pg_terminate_backend(worker_pid) FROM signal_health");
    let after = eventually(SOON, "the next worker is blind, too", || {
        worker_pid(&mut session)?;
        let row = &session.rows("SELECT state, message FROM signal_health")[0];
        (row.get::<_, &str>(0) == "blind").then(|| row.get::<_, String>(1))
    });
    assert_eq!(since(&after), since(&before), "{after}");
}

#[test]
fn when_most_symbols_cannot_be_judged_the_message_warns_and_the_state_stays() {
    let market = flat_market();
    let (_cluster, mut session) = started(&market);
    let others: Vec<String> =
        session.list("SELECT symbol FROM signal_symbols WHERE symbol <> 'BTCUSDT' LIMIT 6");
    for symbol in &others {
        market.halt(symbol);
    }
    market.set_change("BTCUSDT", "4");
    eventually(SOON, "the warning, and the signal", || {
        let row = &session.rows("SELECT state, healthy, message FROM signal_health")[0];
        let message: &str = row.get(2);
        session.one::<i64>("SELECT count(*) FROM signals") == 1
            && row.get::<_, &str>(0) == "running"
            && row.get::<_, bool>(1)
            && message
                .contains("6 of 10 symbols could not be judged, most of them without bid or ask")
    });
}

#[test]
fn one_symbol_to_watch_and_it_is_halted_is_blind_and_none_to_watch_is_not() {
    let market = flat_market();
    let (_cluster, mut session) = started(&market);
    session.run("UPDATE signal_symbols SET enabled = symbol = 'BTCUSDT'");
    market.halt("BTCUSDT");
    message_in_state(&mut session, "blind", "halted");
    session.run("UPDATE signal_symbols SET enabled = false");
    let message = message_in_state(&mut session, "running", "nothing to watch");
    assert!(message.contains("no symbol is enabled"), "{message}");
}

#[test]
fn a_run_of_many_signals_has_a_short_message() {
    let market = flat_market();
    let (_cluster, mut session) = started(&market);
    session.run("UPDATE signal_rules SET max_signals_per_run = 1000");
    for n in 0..80 {
        let symbol = format!("LONGSYMBOL{n}");
        market.add_symbol(signal_hub_simulator::Instrument::usdt(
            &symbol,
            "25.00000000",
            "0.01",
            "5000000",
        ));
        market.set_change(&format!("{symbol}USDT"), "4");
    }
    session.run("INSERT INTO signal_symbols (symbol) SELECT 'LONGSYMBOL' || i || 'USDT' FROM generate_series(0, 79) i");
    eventually(SOON, "the run", || {
        session.one::<i64>("SELECT count(*) FROM signals") == 80
    });
    let message: String =
        session.one("SELECT message FROM signal_runs WHERE signals_generated = 80");
    assert!(
        message.starts_with("80 new signal(s): LONGSYMBOL"),
        "{message}"
    );
    assert!(message.ends_with(" more"), "{message}");
    assert!(message.len() < 600, "{message}");
    assert!(session.one::<i32>("SELECT octet_length(h::text) FROM signal_health h") < 1024);
}
