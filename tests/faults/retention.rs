//! What cannot be purged: it stays, and keeps nothing else.

use crate::clocks::Clocks;
use crate::ground::{CROWD, LATER, cluster_for};
use crate::scene::{by_itself, flat_market, user};
use crate::wait::eventually;

#[test]
fn a_row_that_somebody_keeps_or_holds_keeps_no_other_from_being_purged() {
    /// Ten minutes from purge to purge, in ten seconds.
    const FASTER: u32 = 60;
    let market = flat_market();
    let clocks = Clocks::faster(FASTER);
    let (cluster, mut session) = cluster_for(clocks.of(by_itself(&market)), CROWD);
    session.run("UPDATE signal_rules SET max_ticker_age = '1000 days', lifetime = '1000 days'");
    for (number, symbol) in (1..).zip(["BTCUSDT", "ETHUSDT", "SOLUSDT"]) {
        market.set_change(symbol, "3.5");
        eventually(LATER, "the signal is delivered", || {
            session.one::<i64>("SELECT count(*) FROM signals WHERE delivered_at IS NOT NULL")
                == number
        });
    }
    // One refers to a row of theirs, one to a signal, and one is just changing a row of theirs.
    let (refers, holds) = (user(CROWD / 2), user(CROWD / 2 + 1));
    session.run(&format!(
        "CREATE TABLE trades (user_id uuid, signal_id bigint,
                              FOREIGN KEY (user_id, signal_id) REFERENCES user_signals (user_id, signal_id));
         CREATE TABLE notes (signal_id bigint REFERENCES signals (signal_id));
         INSERT INTO trades SELECT user_id, signal_id FROM user_signals WHERE user_id = '{refers}' AND symbol = 'BTCUSDT';
         INSERT INTO notes SELECT signal_id FROM signals WHERE symbol = 'ETHUSDT'"
    ));
    let mut holder = cluster.session(crate::cluster::POSTGRES);
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
    // The next that expires takes along what nobody holds any more.
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
