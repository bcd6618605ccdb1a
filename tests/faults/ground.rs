//! What most faults strike: a crowd of subscribers and a market that keeps moving.

use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::cluster::{Cluster, Options, POSTGRES};
use signal_hub_harness::scene::{FLIPS_AT_ONCE, SOON, Turns, by_itself, subscribe};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::Simulator;
use std::time::Duration;

/// Enough subscribers that a fault can strike in the middle of a fan-out.
pub const CROWD: u32 = 20_000;

/// Long enough for some fan-outs to a crowd, even on a busy machine.
pub const LATER: Duration = Duration::from_secs(120);

/// A server that asks every second and delivers in batches of 250.
pub fn small_batches(market: &Simulator) -> Options {
    by_itself(market).set("signal_hub.delivery_batch", "250")
}

/// A server whose clocks run fast. It waits for the exchange for some seconds of the machine's
/// clock, as one with its clock does.
pub fn in_a_hurry(market: &Simulator, clocks: &Clocks) -> Options {
    let options = clocks.of(by_itself(market));
    options.set("signal_hub.http_timeout", "300s")
}

/// Creates the extension with this many subscribers without a quota, and flips at once.
pub fn extension_for(session: &mut Session, subscribers: u32) {
    session.run("BEGIN; CREATE EXTENSION signal_hub");
    subscribe(session, "MAX", 1, subscribers);
    session.run(FLIPS_AT_ONCE);
    session.run("UPDATE signal_tiers SET daily_quota = NULL; COMMIT");
}

/// A cluster with the extension and this many subscribers.
pub fn cluster_for(options: Options, subscribers: u32) -> (Cluster, Session) {
    let cluster = options.start();
    let mut session = cluster.session(POSTGRES);
    extension_for(&mut session, subscribers);
    (cluster, session)
}

/// Slows down every batch, so that a fan-out to the crowd takes 8 s in one process: on any
/// machine, a fault can strike in its middle.
pub fn slow_down(session: &mut Session) {
    batches_take(session, 0.1);
    session
        .run("CREATE TRIGGER take_time AFTER INSERT ON user_signals EXECUTE FUNCTION take_time()");
}

/// Lets every batch take so much longer from now on, instead of what [`slow_down`] says.
pub fn batches_take(session: &mut Session, seconds: f64) {
    session.run(&format!(
        "CREATE OR REPLACE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END'"
    ));
}

/// Lets a fan-out end soon, when the fault has struck.
pub fn hurry(session: &mut Session) {
    batches_take(session, 0.0);
}

/// Waits for the middle of the fan-out of the last signal.
#[track_caller]
pub fn wait_for_the_middle_of_a_fan_out(session: &mut Session) {
    let mut seen = 0;
    eventually(SOON, "a fan-out is under way", || {
        seen = session.one::<i64>(
            "SELECT count(*) FROM user_signals WHERE signal_id IN
                    (SELECT signal_id FROM signals WHERE delivered_at IS NULL)",
        );
        seen >= 1_000
    });
    assert!(seen < CROWD.into(), "too fast: nothing to interrupt");
}

/// Rows delivered so far, including those of unfinished fan-outs.
pub fn delivered(session: &mut Session) -> i64 {
    session.one(
        "SELECT ((SELECT coalesce(sum(deliveries), 0) FROM signals)
                 + (SELECT coalesce(sum(deliveries), 0) FROM signal_delivery_ranges))::bigint",
    )
}

/// A market where one symbol after the other moves to its other side, which makes a signal each
/// time.
pub struct Tide<'a> {
    market: &'a Simulator,
    turns: Turns,
}

impl<'a> Tide<'a> {
    pub fn new(market: &'a Simulator) -> Self {
        Self {
            market,
            turns: Turns::default(),
        }
    }

    /// Moves the next symbol.
    pub fn turn(&mut self) {
        self.turns.turn(self.market);
    }

    /// Moves the next symbol unless the last one's signal is still to come or to be delivered.
    pub fn turn_when_settled(&mut self, session: &mut Session) {
        if self.is_settled(session) {
            self.turn();
        }
    }

    /// How often a symbol moved, which is how many signals there must be in the end.
    pub fn turns(&self) -> i64 {
        self.turns.made().try_into().expect("few")
    }

    /// Whether every turn has its signal, and every signal is delivered.
    pub fn is_settled(&self, session: &mut Session) -> bool {
        session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL")
            == self.turns()
    }

    /// The proof: there are as many signals as turns, and everybody has each of them once.
    #[track_caller]
    pub fn everybody_has_everything_once(&self, session: &mut Session, subscribers: u32) {
        let what = format!("{} signals are delivered", self.turns());
        eventually(LATER, &what, || self.is_settled(session));
        assert_eq!(
            session.one::<i64>("SELECT count(*) FROM signals"),
            self.turns()
        );
        each_signal_once_each(session, subscribers);
    }
}

/// Checks that every signal on record is delivered to each subscriber once, and that what runs
/// counted agrees.
#[track_caller]
pub fn each_signal_once_each(session: &mut Session, subscribers: u32) {
    each_signal_once_each_whatever_the_runs_say(session, subscribers);
    let rows: i64 = session.one("SELECT count(*) FROM user_signals");
    let on_record: i64 =
        session.one("SELECT coalesce(sum(deliveries), 0)::bigint FROM signal_runs");
    assert_eq!(on_record, rows, "as counted by the runs");
    let open: i64 = session.one("SELECT count(*) FROM signal_runs WHERE finished_at IS NULL");
    assert_eq!(open, 0, "runs that have not ended");
}

/// Like [`each_signal_once_each`], when runs were purged or could not be recorded.
#[track_caller]
pub fn each_signal_once_each_whatever_the_runs_say(session: &mut Session, subscribers: u32) {
    let subscribers = i64::from(subscribers);
    let signals: i64 = session.one("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL");
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), signals);
    let rows = signals * subscribers;
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM user_signals"),
        rows
    );
    let complete: i64 = session.one(&format!(
        "SELECT count(*) FROM signals JOIN
                (SELECT signal_id, count(*) AS rows, count(DISTINCT user_id) AS users
                   FROM user_signals GROUP BY signal_id) AS received USING (signal_id)
          WHERE rows = {subscribers} AND users = {subscribers} AND deliveries = {subscribers}"
    ));
    assert_eq!(complete, signals, "signals that everybody has once");
    let charged: i64 =
        session.one("SELECT coalesce(sum(received), 0)::bigint FROM user_signal_quotas");
    assert_eq!(charged, rows, "as counted by the quotas");
}
