//! Quotas are of UTC days, also on the days on which the zone of a server or a database begins or
//! ends daylight saving.

use signal_hub_harness::scene::{by_hand, flat_market, generate, subscribe};
use signal_hub_harness::session::Session;

/// Lets the ten signals on record be of these times, a minute apart, and delivers them to the
/// three subscribers. Returns how many each of them received, and of which UTC days.
fn deliver_as_of(session: &mut Session, first: &str) -> Vec<String> {
    session.run(&format!(
        "TRUNCATE user_signals;
         UPDATE signals SET created_at = timestamptz '{first}' + (signal_id - 1) * interval '1 minute',
                            delivered_at = NULL, delivered_tiers = '{{}}', delivery_changed_only = false"
    ));
    let report = generate(session);
    assert_eq!(
        report["delivery_error"],
        serde_json::Value::Null,
        "{report}"
    );
    session.list("SELECT DISTINCT day || ' ' || received FROM user_signal_quotas ORDER BY 1")
}

#[test]
fn on_days_of_daylight_saving_nobody_gets_more_than_their_quota() {
    let market = flat_market();
    let server = by_hand(&market).set("timezone", "America/New_York").start();
    for database in ["zone_of_server", "zone_of_database"] {
        let mut session = server.create_database(database);
        if database == "zone_of_database" {
            session.run("ALTER DATABASE zone_of_database SET timezone = 'Australia/Lord_Howe'");
            session = server.session(database);
        }
        session.run("CREATE EXTENSION signal_hub; UPDATE signal_tiers SET daily_quota = 2 WHERE tier = 'MAX'");
        for symbol in session.list::<String>("SELECT symbol FROM signal_symbols") {
            market.set_change(&symbol, "3.5");
        }
        generate(&mut session);
        assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 10);
        subscribe(&mut session, "MAX", 1, 3);
        // Begin and end of daylight saving in New York and on Lord Howe Island, whose clocks move
        // by half an hour, and an ordinary day.
        for day in [
            "2026-03-08",
            "2026-11-01",
            "2026-10-03",
            "2026-04-04",
            "2026-06-15",
        ] {
            for time in ["00:00", "12:00", "23:00", "23:50"] {
                let received = deliver_as_of(&mut session, &format!("{day} {time}+00"));
                assert_eq!(received, [format!("{day} 2")], "{database} {day} {time}");
            }
            // Five signals before midnight, five after it.
            let received = deliver_as_of(&mut session, &format!("{day} 23:55+00"));
            assert_eq!(received.len(), 2, "{database} {day}: {received:?}");
            assert!(received.iter().all(|r| r.ends_with(" 2")), "{received:?}");
        }
    }
}
