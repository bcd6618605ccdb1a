//! What stands between a signal and its candles.

use super::{DUE, HOUR, LIFETIME, MINUTE, SECOND, SETTLED_BY_SECONDS, Story};
use signal_hub_harness::cluster::{Options, POSTGRES};
use signal_hub_harness::scene::{SOON, flat_market, generate, worker_pid};
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{CandleFault, Fault, Times};
use std::thread;
use std::time::{Duration, Instant};

const DAY: i64 = 24 * HOUR;
/// Less than what a silent exchange is given, on a busy machine too: see [`Story::with`].
const AT_ONCE: Duration = Duration::from_secs(8);

impl Story {
    fn health(&mut self) -> String {
        self.session
            .one("SELECT format('%s: %s', state, message) FROM signal_health")
    }
}

#[test]
fn without_candles_for_seven_days_an_outcome_is_void() {
    let mut story = Story::begin();
    story.rise(&["BTCUSDT"]);
    story.market.halt("BTCUSDT");
    story.pass_to(DUE);
    eventually(SOON, "candles are asked for", || {
        !story.asked_for_candles().is_empty()
    });
    story.pass_to(LIFETIME + 7 * DAY - MINUTE);
    story.wait_for_runs();
    assert_eq!(story.count("state = 'open'"), 1, "it may still get candles");
    story.pass_to(LIFETIME + 7 * DAY + MINUTE);
    story.wait_until_none_is_open();
    let why: String = story
        .session
        .one("SELECT format('%s: %s', state, void_why) FROM signal_outcomes");
    assert_eq!(why, "void: no candles for 7 days");
    story.the_chain_holds();
}

#[test]
fn an_exchange_that_says_stop_when_asked_for_candles_is_left_alone_in_all() {
    let mut story = Story::begin();
    story.rise(&["BTCUSDT"]);
    story.up_then_down("BTCUSDT", 30 * MINUTE, 90 * MINUTE);
    let stop = Fault::TooManyRequests {
        retry_after: Some(600),
    };
    let fault = CandleFault::Reply(stop);
    story.market.inject_on_candles(fault, Times::Once);
    story.pass_to(DUE);
    let on_record = |story: &mut Story| -> Vec<String> {
        story.session.list(
            "SELECT format('%s, again %s later, %s', status, retry_at - started_at, sqlstate)
               FROM signal_runs WHERE retry_at IS NOT NULL",
        )
    };
    let expected = ["ok, again 00:10:00 later, 08004"];
    eventually(SOON, "the stop is on record", || {
        on_record(&mut story) == expected
    });
    eventually(SOON, "health says so", || {
        let health = story.health();
        health.starts_with("failing:") && health.contains("HTTP status 429")
    });
    let asked = story.market.request_count();

    // It holds after a restart. Ten minutes are half a minute of the machine.
    story.cluster.restart();
    story.session = story.cluster.session("postgres");
    eventually(SOON, "the worker is up again", || {
        worker_pid(&mut story.session)
    });
    let refused = story.session.error("SELECT generate_signals_now()");
    assert_eq!(refused.message(), "the exchange asked to be left alone");
    assert_eq!(
        story.market.request_count(),
        asked,
        "no request of any kind"
    );
    assert_eq!(story.count("state = 'open'"), 1);

    story.pass_to(DUE + 600 * SECOND);
    story.session.run("SELECT generate_signals_now()");
    eventually(4 * SOON, "the outcome is settled", || {
        story.count("state = 'open'") == 0
    });
    assert_eq!(story.result("BTCUSDT"), SETTLED_BY_SECONDS);
    eventually(SOON, "the trouble is over", || {
        story.health().starts_with("running:")
    });
}

#[test]
fn every_fault_of_candles_costs_time_and_nothing_else() {
    let symbols = [
        "ADAUSDT", "AVAXUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "LINKUSDT", "LTCUSDT",
        "SOLUSDT", "XRPUSDT",
    ];
    let mut story = Story::begin();
    story.cluster.configure("signal_hub.http_max_body", "64kB");
    story.rise(&symbols);
    for (place, symbol) in (0..).zip(symbols) {
        let up = (20 + place) * MINUTE;
        story.up_then_down(symbol, up, up + HOUR);
    }
    let replies = [
        Fault::InternalError,
        Fault::Truncated,
        Fault::EndlessBody,
        Fault::Reset,
        Fault::Redirect,
    ];
    let of_candles = [
        CandleFault::Gap,
        CandleFault::ShortPage(7),
        CandleFault::ShortPage(0),
        CandleFault::WrongOrder,
        CandleFault::Duplicate,
        CandleFault::BadRow,
        CandleFault::Lagging(2 * LIFETIME),
    ];
    // One after the other, for the pause grows with failures of the exchange in a row.
    let mut of_candles = of_candles.into_iter();
    for reply in replies.map(CandleFault::Reply) {
        for fault in [Some(reply), of_candles.next()].into_iter().flatten() {
            story.market.inject_on_candles(fault, Times::Once);
        }
    }
    story.pass_to(DUE);
    eventually(SOON, "health says what is wrong", || {
        story.health().starts_with("failing: exchange")
    });
    eventually(8 * SOON, "every outcome is settled", || {
        story.count("state = 'open'") == 0
    });
    for symbol in symbols {
        assert_eq!(story.result(symbol), SETTLED_BY_SECONDS, "{symbol}");
    }
    eventually(SOON, "the trouble is over", || {
        story.health().starts_with("running:")
    });
    assert_eq!(story.market.redirects_followed(), 0);
}

#[test]
fn candles_that_stay_missing_leave_a_gap_after_an_hour() {
    let mut story = Story::begin();
    story
        .market
        .inject_on_candles(CandleFault::Gap, Times::Forever);
    story.rise(&["BTCUSDT"]);
    story.up_then_down("BTCUSDT", 30 * MINUTE, 90 * MINUTE);
    story.pass_to(LIFETIME + HOUR - MINUTE);
    story.wait_for_runs();
    assert_eq!(story.count("state = 'open'"), 1, "they may still come");
    story.pass_to(LIFETIME + HOUR);
    story.wait_until_none_is_open();
    assert_eq!(
        story.result("BTCUSDT"),
        format!("{SETTLED_BY_SECONDS}, gap")
    );
}

#[test]
fn nothing_is_held_while_candles_are_waited_for_and_the_wait_ends_at_once() {
    let mut story = Story::begin();
    story.rise(&["BTCUSDT"]);
    let silence = CandleFault::Reply(Fault::Silence);
    story.market.inject_on_candles(silence, Times::Once);
    story.pass_to(DUE);
    eventually(SOON, "candles are asked for", || {
        story.asked_for_candles().len() == 1
    });
    let worker = worker_pid(&mut story.session).expect("a worker runs");
    eventually(SOON, "the worker waits for them", || {
        let stage = "SELECT stage FROM signal_worker_status()";
        story.session.one::<String>(stage) == "settling"
    });
    // Within the ten seconds of the wait. Every second it looks at the database for a moment.
    let holds = format!(
        "SELECT (SELECT count(*) FROM pg_stat_activity
                  WHERE pid = {worker} AND (xact_start, backend_xmin, backend_xid) IS DISTINCT FROM (NULL, NULL, NULL))
              + (SELECT count(*) FROM pg_locks WHERE pid = {worker})"
    );
    eventually(AT_ONCE, "no transaction and no lock is held", || {
        story.session.one::<i64>(&holds) == 0
    });
    story
        .session
        .run(&format!("SELECT pg_terminate_backend({worker})"));
    eventually(AT_ONCE, "the wait ends", || {
        worker_pid(&mut story.session) != Some(worker)
    });
    story.wait_until_none_is_open();
    assert_eq!(
        story.result("BTCUSDT"),
        "settled: 0 targets, none first, expired by 1s"
    );
}

#[test]
fn a_call_that_settles_ends_when_it_is_canceled() {
    let mut story = Story::with(flat_market(), |market, clock| {
        clock.of(Options::not_preloaded().set("signal_hub.exchange_url", &market.url()))
    });
    story.market.set_change("BTCUSDT", "3.5");
    generate(&mut story.session);
    let silence = CandleFault::Reply(Fault::Silence);
    story.market.inject_on_candles(silence, Times::Once);
    story.pass_to(DUE);
    let mut caller = story.cluster.session(POSTGRES);
    let pid: i32 = caller.one("SELECT pg_backend_pid()");
    let call = thread::spawn(move || {
        let error = caller.error("SELECT generate_signals_now()");
        (error.code().code().to_owned(), Instant::now())
    });
    eventually(SOON, "candles are asked for", || {
        story.asked_for_candles().len() == 1
    });
    let canceled = Instant::now();
    story
        .session
        .run(&format!("SELECT pg_cancel_backend({pid})"));
    let (code, ended) = call.join().expect("the call ends");
    assert_eq!(code, "57014");
    assert!(ended - canceled < AT_ONCE, "{:?}", ended - canceled);
    assert_eq!(story.count("state = 'open'"), 1);
    generate(&mut story.session);
    assert_eq!(story.count("state = 'settled'"), 1);
}
