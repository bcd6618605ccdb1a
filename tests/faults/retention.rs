//! What is purged and what is not: what a longer retention keeps, and what somebody holds.

use crate::ground::{CROWD, LATER, cluster_for, in_a_hurry};
use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, flat_market, user};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::Simulator;

/// At this speed, the ten minutes from purge to purge take ten seconds.
const FASTER: u32 = 60;

/// Gives everybody a signal of each of these symbols, although the server's clock runs faster
/// than the exchange's.
#[track_caller]
fn signals_to_all(market: &Simulator, session: &mut Session, symbols: &[&str]) {
    session.run("UPDATE signal_rules SET max_ticker_age = '1000 days', lifetime = '1000 days'");
    for (number, symbol) in (1..).zip(symbols) {
        market.set_change(symbol, "3.5");
        eventually(LATER, "the signal is delivered", || {
            session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL")
                == number
        });
    }
}

#[test]
fn a_row_that_somebody_keeps_or_holds_keeps_no_other_from_being_purged() {
    let market = flat_market();
    let clocks = Clocks::faster(FASTER);
    let (cluster, mut session) = cluster_for(in_a_hurry(&market, &clocks), CROWD);
    signals_to_all(&market, &mut session, &["BTCUSDT", "ETHUSDT", "SOLUSDT"]);
    // One foreign key refers to a delivered row, one to a signal, and one delivered row is
    // locked.
    let (refers, holds) = (user(CROWD / 2), user(CROWD / 2 + 1));
    session.run(&format!(
        "CREATE TABLE trades (user_id uuid, signal_id bigint,
                              FOREIGN KEY (user_id, signal_id) REFERENCES user_signals (user_id, signal_id));
         CREATE TABLE notes (signal_id bigint REFERENCES signals (signal_id));
         INSERT INTO trades SELECT user_id, signal_id FROM user_signals WHERE user_id = '{refers}' AND symbol = 'BTCUSDT';
         INSERT INTO notes SELECT signal_id FROM signals WHERE symbol = 'ETHUSDT'"
    ));
    let mut holder = cluster.session(POSTGRES);
    holder.run(&format!(
        "BEGIN; UPDATE user_signals SET viewed = true WHERE user_id = '{holds}' AND symbol = 'SOLUSDT'"
    ));
    session.run("UPDATE signals SET created_at = created_at - interval '91 days'");
    eventually(LATER, "all the others are purged", || {
        session.list::<String>("SELECT symbol FROM signals") == ["ETHUSDT"]
    });
    let kept = session.list::<String>(
        "SELECT format('%s %s', user_id, count(*)) FROM user_signals GROUP BY user_id ORDER BY user_id",
    );
    assert_eq!(kept, [format!("{refers} 3"), format!("{holds} 3")]);
    holder.run("COMMIT");
    // The purge of the next expired signal also purges what nobody holds any more.
    session.run("TRUNCATE trades");
    market.set_change("XRPUSDT", "3.5");
    eventually(LATER, "one more is delivered", || {
        session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL") == 2
    });
    session.run(
        "UPDATE signals SET created_at = created_at - interval '91 days' WHERE symbol = 'XRPUSDT'",
    );
    eventually(LATER, "it is purged, and what was left before", || {
        session.one::<i64>("SELECT count(*) FROM user_signals") == 0
    });
}

#[test]
fn a_purge_under_way_keeps_what_a_longer_retention_is_to_keep() {
    let market = flat_market();
    let clocks = Clocks::faster(FASTER);
    let (cluster, mut session) = cluster_for(in_a_hurry(&market, &clocks), CROWD);
    signals_to_all(&market, &mut session, &["BTCUSDT"]);
    // Each step of a purge takes half a second by the machine's clock.
    session.run(&format!(
        "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN PERFORM pg_sleep({}); RETURN NULL; END';
         CREATE TRIGGER take_time AFTER DELETE ON user_signals EXECUTE FUNCTION take_time();
         UPDATE signals SET created_at = created_at - interval '91 days'",
        FASTER / 2
    ));
    let left = |session: &mut Session| session.one::<i64>("SELECT count(*) FROM user_signals");
    eventually(SOON, "a purge is under way", || {
        left(&mut session) < CROWD.into()
    });
    cluster.configure("signal_hub.signal_retention", "1000d");
    the_rate_of_a_fast_clock_goes_on(&mut session);
    let kept = left(&mut session);
    assert!(kept > 0, "too fast: nothing to keep");
    the_rate_of_a_fast_clock_goes_on(&mut session);
    assert_eq!(left(&mut session), kept);
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 1);
    // The old retention purges it, from the first subscriber to the last.
    session.run("DROP TRIGGER take_time ON user_signals");
    cluster.configure("signal_hub.signal_retention", "90d");
    eventually(LATER, "all of it is purged", || {
        session.one::<i64>("SELECT count(*) FROM signals") == 0
    });
    assert_eq!(left(&mut session), 0);
}

/// Waits for as many runs as would let a purge get far.
#[track_caller]
fn the_rate_of_a_fast_clock_goes_on(session: &mut Session) {
    let last = |session: &mut Session| session.one::<i64>("SELECT max(run_id) FROM signal_runs");
    let before = last(session);
    eventually(SOON, "some runs more", || last(session) >= before + 30);
}
