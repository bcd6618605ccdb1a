//! What becomes of signals, by the candles of the exchange: the clocks of server and exchange stand
//! still together, and jump to where something is due.

mod by_replay;
mod samples;
mod troubles;

use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::scene::{SOON, by_itself, flat_market, generate, runs};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{CandleFault, Simulator, Times, UnixMillis};
use std::time::{SystemTime, UNIX_EPOCH};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
/// Lifetime of the shipped rule.
const LIFETIME: i64 = 4 * HOUR;
/// When an outcome is due, counted from its signal.
const DUE: i64 = LIFETIME + 5 * SECOND;
/// How much faster than the machine's the worker's clocks for waiting run.
const FASTER: u32 = 20;

/// A time of today that is neither a whole minute nor a whole second.
pub fn some_time() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.expect("after 1970").as_millis() as i64;
    now - now % MINUTE + 12 * SECOND + 345
}

struct Story {
    market: Simulator,
    clock: Clocks,
    cluster: Cluster,
    session: Session,
    /// When the signals come.
    began: UnixMillis,
}

impl Story {
    /// A worker that runs every second, of the machine, and an exchange where nothing moves.
    fn begin() -> Self {
        Self::with(flat_market(), |market, clock| {
            clock
                .of(by_itself(market))
                .set("signal_hub.interval", &format!("{FASTER}s"))
        })
    }

    fn with(market: Simulator, options: impl FnOnce(&Simulator, &Clocks) -> Options) -> Self {
        let clock = Clocks::standing(FASTER);
        let began = some_time();
        clock.stand_at(&market, began);
        let cluster = options(&market, &clock)
            // Ten seconds, of the machine.
            .set("signal_hub.http_timeout", "200s")
            .start();
        let mut session = cluster.session(POSTGRES);
        session.run("CREATE EXTENSION signal_hub");
        Self {
            market,
            clock,
            cluster,
            session,
            began,
        }
    }

    /// Lets these symbols rise by 3.5 %, and waits for their signals.
    fn rise(&mut self, symbols: &[&str]) {
        for symbol in symbols {
            self.market.set_change(symbol, "3.5");
        }
        let signals = symbols.len() as i64;
        eventually(SOON, "the signals are on record", || {
            self.count("state = 'open'") == signals
        });
    }

    fn count(&mut self, which: &str) -> i64 {
        self.session.one(&format!(
            "SELECT count(*) FROM signal_outcomes WHERE {which}"
        ))
    }

    /// A level of the signal of `symbol`, such as `stop_loss` or `take_profit[1]`.
    fn level(&mut self, symbol: &str, column: &str) -> String {
        self.session.one(&format!(
            "SELECT {column}::text FROM signal_outcomes WHERE symbol = '{symbol}'"
        ))
    }

    /// A trade so long after the signal that no ticker shows.
    fn trade(&self, symbol: &str, after: i64, price: &str) {
        self.market.trade(symbol, self.began + after, price);
    }

    /// A trade at target 1, and one at the stop.
    fn up_then_down(&mut self, symbol: &str, up: i64, down: i64) {
        let target = self.level(symbol, "take_profit[1]");
        let stop = self.level(symbol, "stop_loss");
        self.trade(symbol, up, &target);
        self.trade(symbol, down, &stop);
    }

    /// Sets both clocks to so long after the signals.
    fn pass_to(&self, after: i64) {
        self.clock.stand_at(&self.market, self.began + after);
    }

    /// Waits for two more runs, of which the second began at what the clocks show now.
    #[track_caller]
    fn wait_for_runs(&mut self) {
        let before = runs(&mut self.session);
        eventually(SOON, "two runs", || runs(&mut self.session) >= before + 2);
    }

    /// Waits until no outcome is open.
    #[track_caller]
    fn wait_until_none_is_open(&mut self) {
        eventually(SOON, "every outcome is settled or void", || {
            self.count("state = 'open'") == 0
        });
    }

    /// What became of the signal of `symbol`: targets before the stop, end, and how it is known.
    fn result(&mut self, symbol: &str) -> String {
        self.session.one(&format!(
            "SELECT format('%s: %s targets, %s first, %s by %s%s%s', state, best_target, first_touch, ended, resolution,
                           CASE WHEN ambiguous THEN ', ambiguous' END, CASE WHEN gap THEN ', gap' END)
               FROM signal_outcomes WHERE symbol = '{symbol}'"
        ))
    }

    #[track_caller]
    fn the_chain_holds(&mut self) {
        let broken: Vec<Option<String>> = self
            .session
            .list("SELECT why FROM verify_track_record() WHERE NOT ok");
        assert!(broken.is_empty(), "{broken:?}");
    }

    /// Requests for candles so far.
    fn asked_for_candles(&self) -> Vec<String> {
        let mut requests = self.market.requests();
        requests.retain(|request| request.contains("/klines?"));
        requests
    }
}

const SETTLED_BY_SECONDS: &str = "settled: 1 targets, target first, stop by 1s";

#[test]
fn what_no_ticker_showed_is_found_in_the_candles() {
    let mut story = Story::begin();
    story.rise(&["BTCUSDT"]);
    story.up_then_down("BTCUSDT", 30 * MINUTE, 90 * MINUTE);
    // The last look before the expiry shows the price of the signal.
    story.pass_to(LIFETIME - MINUTE);
    story.wait_for_runs();
    story.pass_to(DUE - 1);
    story.wait_for_runs();
    assert_eq!(story.count("state = 'open'"), 1, "not due yet");
    assert!(story.asked_for_candles().is_empty());
    story.pass_to(DUE);
    story.wait_until_none_is_open();
    assert_eq!(story.result("BTCUSDT"), SETTLED_BY_SECONDS);
    let times: Vec<String> = story.session.list(
        "SELECT format('%s after %s, %s after %s', best_target, target_at[1] - signal_at < '31 minutes', ended,
                       stop_at - signal_at BETWEEN '90 minutes' AND '91 minutes')
           FROM signal_outcomes WHERE high_seen < take_profit[1] AND low_seen > stop_loss",
    );
    assert_eq!(times, ["1 after t, stop after t"], "samples did not see it");
    let returns: String = story.session.one(
        "SELECT format('%s ladder %s hold %s mirror %s fee %s', returns_percent, ladder_percent::numeric(9, 4),
                       hold_percent, mirror_returns_percent[1], fee_percent)
           FROM signal_outcomes",
    );
    assert_eq!(
        returns,
        "{1.3,-1.7,-1.7} ladder -0.7000 hold -0.2 mirror -1.7 fee 0.1"
    );
    // 1m for the whole minutes, 1s for the parts at both ends.
    let asked = story.asked_for_candles();
    assert_eq!(asked.len(), 3, "{asked:?}");
    story.the_chain_holds();
}

#[test]
fn a_signal_that_nothing_touches_expires() {
    let mut story = Story::begin();
    story.rise(&["BTCUSDT", "ETHUSDT"]);
    // What comes at the entry or after the expiry touches nothing.
    let far = story.level("BTCUSDT", "take_profit[3]");
    story.trade("BTCUSDT", 0, &far);
    story.trade("BTCUSDT", LIFETIME + SECOND, &far);
    story.pass_to(DUE);
    story.wait_until_none_is_open();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        assert_eq!(
            story.result(symbol),
            "settled: 0 targets, none first, expired by 1s"
        );
    }
    let returns: Vec<String> = story
        .session
        .list("SELECT DISTINCT returns_percent::text FROM signal_outcomes");
    assert_eq!(returns, ["{-0.2,-0.2,-0.2}"], "the fee on both sides");
}

#[test]
fn a_minute_with_target_and_stop_is_decided_by_its_seconds() {
    let mut story = Story::begin();
    story.rise(&["BTCUSDT", "ETHUSDT"]);
    let minute = HOUR - 12 * SECOND;
    story.up_then_down("BTCUSDT", minute + 5 * SECOND, minute + 45 * SECOND);
    // The same the other way round.
    story.up_then_down("ETHUSDT", minute + 45 * SECOND, minute + 5 * SECOND);
    story.pass_to(DUE);
    story.wait_until_none_is_open();
    assert_eq!(story.result("BTCUSDT"), SETTLED_BY_SECONDS);
    assert_eq!(
        story.result("ETHUSDT"),
        "settled: 0 targets, stop first, stop by 1s"
    );
    // Four requests each, of weight 2: within 2 for each begun 1,000 minutes and 6.
    assert_eq!(story.asked_for_candles().len(), 8);
}

#[test]
fn without_candles_of_a_second_a_minute_with_both_is_a_stop_that_says_so() {
    let mut story = Story::begin();
    let refused = CandleFault::RefusedInterval("1s");
    story.market.inject_on_candles(refused, Times::Forever);
    story.rise(&["BTCUSDT", "ETHUSDT"]);
    let minute = HOUR - 12 * SECOND;
    story.up_then_down("BTCUSDT", minute + 5 * SECOND, minute + 45 * SECOND);
    // In the first part of a minute, which is left out.
    story.up_then_down("ETHUSDT", 20 * SECOND, 30 * SECOND);
    story.pass_to(DUE);
    story.wait_until_none_is_open();
    assert_eq!(
        story.result("BTCUSDT"),
        "settled: 0 targets, stop first, stop by 1m, ambiguous"
    );
    assert_eq!(
        story.result("ETHUSDT"),
        "settled: 0 targets, none first, expired by 1m"
    );
    let asked = story.asked_for_candles();
    assert_eq!(asked.len(), 3, "it is asked for seconds once: {asked:?}");
}

#[test]
fn requests_for_candles_are_rationed_and_the_oldest_signal_comes_first() {
    let mut story = Story::begin();
    story
        .cluster
        .configure("signal_hub.settle_requests_per_run", "2");
    eventually(SOON, "the setting has come", || {
        let setting = "SELECT current_setting('signal_hub.settle_requests_per_run')";
        story.session.one::<String>(setting) == "2"
    });
    story.wait_for_runs();
    story.rise(&["BTCUSDT", "ETHUSDT", "XRPUSDT"]);
    story.pass_to(DUE);
    story.wait_until_none_is_open();
    let requests = story.market.requests();
    let in_runs = requests
        .split(|request| request.contains("/ticker/"))
        .map(<[String]>::len);
    assert_eq!(in_runs.max(), Some(2), "{requests:?}");
    assert_eq!(
        story.asked_for_candles().len(),
        9,
        "none is asked for twice"
    );
    let order: Vec<String> = story
        .session
        .list("SELECT symbol FROM signal_outcomes ORDER BY settled_position");
    assert_eq!(order, ["BTCUSDT", "ETHUSDT", "XRPUSDT"]);
}

#[test]
fn without_a_worker_a_call_settles_and_its_fee_is_that_of_the_setting() {
    let mut story = Story::with(flat_market(), |market, clock| {
        clock
            .of(Options::not_preloaded().set("signal_hub.exchange_url", &market.url()))
            .set("signal_hub.fee_percent", "0.25")
    });
    story.market.set_change("BTCUSDT", "3.5");
    generate(&mut story.session);
    story.up_then_down("BTCUSDT", 30 * MINUTE, 90 * MINUTE);
    story.pass_to(DUE);
    let report = generate(&mut story.session);
    assert_eq!(report["success"], true, "{report}");
    assert_eq!(report.get("settling_error"), None);
    assert_eq!(story.result("BTCUSDT"), SETTLED_BY_SECONDS);
    let returns: String = story
        .session
        .one("SELECT returns_percent::text FROM signal_outcomes WHERE state = 'settled'");
    assert_eq!(returns, "{1.00,-2.00,-2.00}");
}
