//! The server's clock is set while work goes on: the rate is kept, nothing is repeated, and
//! quotas count for the UTC day that the clock shows.

use crate::ground::{
    cluster_for, each_signal_once_each, each_signal_once_each_whatever_the_runs_say, in_a_hurry,
};
use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::scene::{SOON, by_itself, flat_market, wait_for_good_run, worker_pid};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::{eventually, within};
use signal_hub_simulator::{Simulator, UnixMillis};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const SUBSCRIBERS: u32 = 3;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY;

/// Seconds since 1970 by the machine's clock, which shows the right time.
fn machine_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_secs() as i64
}

/// How many seconds a clock that shows noon, UTC, of tomorrow is ahead of the machine's. Noon is
/// far from midnight.
fn noon() -> i64 {
    let now = machine_time();
    now - now % DAY + DAY + DAY / 2 - now
}

/// A server's clock, and an exchange whose clock is set with it: for both, the new time is right.
struct Story {
    market: Simulator,
    clock: Clocks,
    /// See [`noon`].
    noon: i64,
}

impl Story {
    fn at_noon() -> Self {
        let story = Self {
            market: flat_market(),
            clock: Clocks::to_set(),
            noon: noon(),
        };
        story.set_both(0);
        story
    }

    /// Sets both clocks to this many seconds after noon.
    fn set_both(&self, after_noon: i64) {
        let ahead = self.noon + after_noon;
        self.clock.set_ahead(ahead);
        let millis: UnixMillis = (machine_time() + ahead) * 1000;
        self.market.drive_time(millis);
    }
}

/// Watches the exchange for some intervals of a second: it is asked once in each of them,
/// whatever the clock shows.
#[track_caller]
fn the_rate_is_kept(market: &Simulator) {
    const INTERVALS: usize = 3;
    // A run asks once for tickers. Candles are for signals whose time has passed.
    let count = || {
        let requests = market.requests();
        let of_runs = requests.iter().filter(|target| target.contains("/ticker/"));
        of_runs.count()
    };
    let ask = |number| {
        let what = format!("request {number}");
        eventually(SOON, &what, || count() >= number);
        Instant::now()
    };
    let began = Instant::now();
    let before = count();
    let mut took = 0.0;
    // A busy machine may skip a beat, or let this thread see a request late. No measurement would
    // fit if the rate were wrong.
    let fits = within(SOON, || {
        let seen = count();
        // After a jump, the simulator computes a whole day for its reply, and counts the request
        // late.
        ask(seen + 1);
        let first = ask(seen + 2);
        let last = ask(seen + 2 + INTERVALS);
        took = (last - first).as_secs_f64() / INTERVALS as f64;
        (0.7..3.0).contains(&took)
    });
    let asked = count() - before;
    let in_all = began.elapsed();
    // If beats followed the clock, there would be thousands of them.
    assert!(
        asked as f64 <= in_all.as_secs_f64() + 2.0,
        "{asked} requests in {in_all:?}"
    );
    assert!(fits.is_some(), "{took} s from run to run");
}

/// Signals on record of one symbol, in the order in which they were made.
fn signals_of(session: &mut Session, symbol: &str) -> Vec<String> {
    session.list(&format!(
        "SELECT signal_type || ' ' || reason FROM signals WHERE symbol = '{symbol}' ORDER BY signal_id"
    ))
}

/// Waits until there are this many signals in all, and each is delivered as far as quotas allow.
#[track_caller]
fn wait_for_signals(session: &mut Session, number: i64) {
    eventually(SOON, &format!("{number} signals"), || {
        session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL") >= number
    });
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), number);
}

#[test]
fn a_wrong_clock_costs_no_run_and_sends_nothing_until_it_is_right_again() {
    let market = flat_market();
    let clock = Clocks::to_set();
    let (_cluster, mut session) = cluster_for(clock.of(by_itself(&market)), SUBSCRIBERS);
    wait_for_good_run(&mut session);
    let worker = worker_pid(&mut session);
    let mut expected = 0;
    for (ahead, mover) in [(-HOUR, "BTCUSDT"), (DAY, "ETHUSDT")] {
        clock.set_ahead(ahead);
        let off: f64 = session.one(&format!(
            "SELECT extract(epoch FROM clock_timestamp())::float8 - {}",
            machine_time()
        ));
        assert!(
            (off - ahead as f64).abs() < 60.0,
            "the clock is {off} s off"
        );
        the_rate_is_kept(&market);
        // To the server, the statistics of the exchange are of another time.
        market.set_change(mover, "3.5");
        the_rate_is_kept(&market);
        wait_for_signals(&mut session, expected);
        let why: String = session.one(&format!(
            "SELECT verdict FROM preview_signals() WHERE symbol = '{mover}' AND gate = 'fresh' AND NOT passed"
        ));
        let expected_word = if ahead < 0 {
            "ahead of this server's clock"
        } else {
            "old"
        };
        assert!(why.contains(expected_word), "{why}");
        // No symbol can be judged, and health says that it is for the clock.
        eventually(SOON, "health says that the clock is wrong", || {
            session
                .one::<bool>("SELECT state = 'blind' AND message LIKE '%clock%' FROM signal_health")
        });
        eventually(SOON, &format!("{ahead} s: its times are right"), || {
            session.one::<bool>(
                "SELECT heartbeat_age < '5 s' AND next_run - clock_timestamp() < '2 s' FROM signal_health",
            )
        });

        clock.set_ahead(0);
        expected += 1;
        wait_for_signals(&mut session, expected);
        the_rate_is_kept(&market);
        wait_for_signals(&mut session, expected);
    }
    each_signal_once_each(&mut session, SUBSCRIBERS);
    assert_eq!(worker_pid(&mut session), worker, "the same process");
}

#[test]
fn quotas_count_for_the_utc_day_that_the_clock_shows() {
    let story = Story::at_noon();
    let market = &story.market;
    let (_cluster, mut session) = cluster_for(story.clock.of(by_itself(market)), SUBSCRIBERS);
    session.run(
        "UPDATE signal_tiers SET daily_quota = 2;
         UPDATE signal_rules SET lifetime = '30 days'",
    );
    let mut signals = 0;
    // Which symbol moves when, and how many of its signals fit into the day's quota.
    for (after_noon, moves) in [
        (
            0,
            [("BTCUSDT", 1), ("ETHUSDT", 1), ("SOLUSDT", 0)].as_slice(),
        ),
        // A new day, then back to the day before, and the new day again.
        (DAY, &[("XRPUSDT", 1)]),
        (HOUR, &[("ADAUSDT", 0)]),
        (-HOUR, &[("BNBUSDT", 0)]),
        (DAY, &[("DOGEUSDT", 1), ("AVAXUSDT", 0)]),
    ] {
        story.set_both(after_noon);
        the_rate_is_kept(market);
        for (mover, each) in moves {
            market.set_change(mover, "3.5");
            signals += 1;
            wait_for_signals(&mut session, signals);
            let received: i64 = session.one(&format!(
                "SELECT count(*) FROM user_signals WHERE symbol = '{mover}'"
            ));
            assert_eq!(received, each * i64::from(SUBSCRIBERS), "{mover}");
        }
    }
    the_rate_is_kept(market);
    wait_for_signals(&mut session, signals);
    let charged: Vec<String> = session.list(
        "SELECT format('%s users, %s signals', count(*), string_agg(DISTINCT received::text, ', '))
           FROM user_signal_quotas GROUP BY day ORDER BY day",
    );
    assert_eq!(charged, ["3 users, 2 signals"; 2], "two days, both used up");
}

#[test]
fn an_episode_is_not_repeated_when_the_clock_is_set_back_and_goes_on_from_there() {
    let story = Story::at_noon();
    let market = &story.market;
    let (_cluster, mut session) = cluster_for(story.clock.of(by_itself(market)), SUBSCRIBERS);
    session.run("UPDATE signal_rules SET renew = true, cooldown = '30 minutes'");
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        market.set_change(symbol, "3.5");
    }
    wait_for_signals(&mut session, 2);
    // The signal of each has expired: one more for each.
    story.set_both(DAY);
    wait_for_signals(&mut session, 4);
    // By this clock, those were made tomorrow.
    story.set_both(HOUR);
    the_rate_is_kept(market);
    wait_for_signals(&mut session, 4);
    // ETHUSDT falls back, and has a signal again after the cooldown of 30 minutes, not after a
    // day.
    market.set_change("ETHUSDT", "0");
    eventually(SOON, "the episode ends", || {
        session.one::<bool>("SELECT side IS NULL FROM signal_episodes WHERE symbol = 'ETHUSDT'")
    });
    market.set_change("ETHUSDT", "3.5");
    the_rate_is_kept(market);
    wait_for_signals(&mut session, 4);
    story.set_both(HOUR + 31 * MINUTE);
    wait_for_signals(&mut session, 5);
    // BTCUSDT is renewed after the lifetime of 4 hours, and ETHUSDT is not yet.
    story.set_both(5 * HOUR + MINUTE);
    wait_for_signals(&mut session, 6);
    the_rate_is_kept(market);
    wait_for_signals(&mut session, 6);
    assert_eq!(
        signals_of(&mut session, "BTCUSDT"),
        ["LONG entered", "LONG renewed", "LONG renewed"]
    );
    assert_eq!(
        signals_of(&mut session, "ETHUSDT"),
        ["LONG entered", "LONG renewed", "LONG entered"]
    );
    each_signal_once_each(&mut session, SUBSCRIBERS);
}

#[test]
fn history_goes_at_its_age_also_when_the_clock_jumps_and_nothing_else_goes() {
    /// At this speed, the ten minutes from purge to purge take five seconds.
    const FASTER: u32 = 120;
    let market = flat_market();
    let clocks = Clocks::faster(FASTER);
    let (_cluster, mut session) = cluster_for(in_a_hurry(&market, &clocks), SUBSCRIBERS);
    session.run("UPDATE signal_rules SET max_ticker_age = '1000 days', lifetime = '1000 days'");
    // The first signal is made while the clock is wrong, and so expires in more than a year.
    clocks.set_ahead(YEAR);
    market.set_change("SOLUSDT", "3.5");
    wait_for_signals(&mut session, 1);
    clocks.set_ahead(0);
    // Two more; one of them will soon be 90 days old.
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        market.set_change(symbol, "3.5");
    }
    wait_for_signals(&mut session, 3);
    let last_day: i64 = session.one("SELECT signals_24h FROM signal_health");
    assert_eq!(last_day, 2, "what is to come in a year is not of today");
    session.run(
        "UPDATE signals SET created_at = created_at - interval '91 days' WHERE symbol = 'BTCUSDT';
         UPDATE user_signals SET created_at = created_at - interval '91 days' WHERE symbol = 'BTCUSDT';
         INSERT INTO signal_runs (trigger, status, started_at, finished_at, message)
         SELECT 'manual', 'ok', now() - age, now() - age, age::text
           FROM (VALUES (interval '31 days'), (interval '29.5 days'), (interval '28 days')) AS old (age)",
    );
    let old_runs = |session: &mut Session, expected: &[&str]| {
        eventually(
            SOON,
            &format!("of the old runs {expected:?} are left"),
            || {
                let left = session.list::<String>(
                "SELECT message FROM signal_runs WHERE started_at < now() - interval '2 days' ORDER BY 1",
            );
                left == expected
            },
        );
    };
    old_runs(&mut session, &["28 days", "29 days 12:00:00"]);
    for table in ["signals", "user_signals"] {
        let left = format!("SELECT DISTINCT symbol FROM {table} ORDER BY 1");
        eventually(SOON, &format!("{table} are purged"), || {
            session.list::<String>(&left) == ["ETHUSDT", "SOLUSDT"]
        });
    }
    let rows: i64 = session.one("SELECT count(*) FROM user_signals");
    assert_eq!(rows, 2 * i64::from(SUBSCRIBERS));
    let first: i64 = session.one("SELECT min(run_id) FROM signal_runs");

    // By this clock it is a day later: what has less than a day left is purged, and nothing else.
    clocks.set_ahead(DAY);
    old_runs(&mut session, &["28 days"]);
    clocks.set_ahead(0);
    let later: i64 = session.one("SELECT max(run_id) FROM signal_runs");
    eventually(SOON, "some purges more", || {
        session.one::<i64>("SELECT max(run_id) FROM signal_runs")
            > later + 1_200 / i64::from(FASTER)
    });
    assert_eq!(
        session.one::<i64>("SELECT min(run_id) FROM signal_runs"),
        first
    );
    wait_for_signals(&mut session, 2);

    // What was recorded a year ahead is purged at its own age, although later signals were purged
    // before it.
    session.run(
        "UPDATE signals SET created_at = created_at - interval '2 years' WHERE symbol = 'SOLUSDT'",
    );
    eventually(SOON, "it is purged", || {
        session.list::<String>("SELECT DISTINCT symbol FROM user_signals") == ["ETHUSDT"]
    });
}

#[test]
fn a_clock_that_jumps_a_year_ahead_deletes_no_signal() {
    /// At this speed, the ten minutes from purge to purge take five seconds.
    const FASTER: u32 = 120;
    let market = flat_market();
    let clocks = Clocks::faster(FASTER);
    let (_cluster, mut session) = cluster_for(in_a_hurry(&market, &clocks), SUBSCRIBERS);
    // Long for a clock that runs fast, and short for one that is a year ahead.
    session.run(
        "UPDATE signal_rules SET max_ticker_age = '30 days';
         INSERT INTO signal_runs (trigger, status, started_at, finished_at, message)
         SELECT 'manual', 'ok', now(), now(), 'of the right time'",
    );
    market.set_change("BTCUSDT", "3.5");
    wait_for_signals(&mut session, 1);
    clocks.set_ahead(YEAR);
    // The history has the times that the clock showed: when it is purged, there was a purge.
    eventually(SOON, "a purge by the wrong clock", || {
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE message = 'of the right time'")
            == 0
    });
    wait_for_signals(&mut session, 1);
    each_signal_once_each_whatever_the_runs_say(&mut session, SUBSCRIBERS);
    clocks.set_ahead(0);
    market.set_change("ETHUSDT", "3.5");
    wait_for_signals(&mut session, 2);
    each_signal_once_each_whatever_the_runs_say(&mut session, SUBSCRIBERS);
}
