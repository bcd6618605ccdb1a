//! The schema of the extension is renamed, and somebody puts other objects under its old name.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{flat_market, generate, subscribe, user};
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::options;

/// Everything that was named in the bodies of functions, as traps.
const TRAPS: &str = "
    CREATE SCHEMA hub;
    CREATE FUNCTION hub.spring() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        RAISE LOG 'a trap was sprung as %', current_user;
        RAISE EXCEPTION 'a trap was sprung';
    END $$;
    CREATE FUNCTION hub.is_fine(value text) RETURNS boolean LANGUAGE plpgsql
        AS 'BEGIN PERFORM hub.spring(); RETURN true; END';
    CREATE TABLE hub.rows (user_id uuid, signal_id bigint, viewed boolean, clicked boolean);
    CREATE DOMAIN hub.user_signals AS hub.rows CHECK (hub.is_fine(VALUE::text));
    CREATE VIEW hub.signals AS SELECT hub.is_fine('x') AS x;
    CREATE VIEW hub.signal_tiers AS SELECT 'MAX'::text AS tier, 1 AS priority WHERE hub.is_fine('x');
    CREATE VIEW hub.signal_hub_shipped_parts AS
        SELECT 'signals'::name AS table_name, 'column'::text AS kind, 'x'::name AS name WHERE hub.is_fine('x');
    CREATE FUNCTION hub.signal_hub_transactions(OUT history text, OUT next_xid bigint) RETURNS SETOF record LANGUAGE plpgsql
        AS 'BEGIN PERFORM hub.spring(); END'";

#[test]
fn everything_works_after_the_schema_was_renamed_and_nothing_planted_is_called() {
    let market = flat_market();
    let cluster = options(&market).set("signal_hub.enabled", "off").start();
    let mut admin = cluster.session(POSTGRES);
    admin.run(
        "CREATE ROLE authenticated; CREATE ROLE anon; CREATE ROLE service_role BYPASSRLS; CREATE ROLE mallory;
         CREATE SCHEMA hub; CREATE EXTENSION signal_hub SCHEMA hub; SET search_path = hub, public",
    );
    subscribe(&mut admin, "MAX", 1, 2);
    market.set_change("BTCUSDT", "3.5");
    generate(&mut admin);
    let before: String = admin.one("SELECT watermark FROM signals_since()");
    admin.run(&format!(
        "ALTER SCHEMA hub RENAME TO \"new home\"; GRANT CREATE ON DATABASE postgres TO mallory;
         SET ROLE mallory; {TRAPS}; RESET ROLE; SET search_path = \"new home\", public"
    ));
    let done: String = admin.one("SELECT enable_realtime(include_signals => true)");
    assert!(done.contains("\"new home\".user_signals added"), "{done}");
    let granted: Vec<String> = admin.list("SELECT grant_realtime_access()");
    assert_eq!(granted.len(), 3, "{granted:?}");
    market.set_change("ETHUSDT", "3.5");
    assert_eq!(generate(&mut admin)["deliveries"], 2);

    let mut client = cluster.session(POSTGRES);
    client.run(&format!(
        "SET search_path = public; SET request.jwt.claims = '{{\"sub\": \"{}\"}}'; SET ROLE authenticated",
        user(1)
    ));
    let count = |client: &mut Session, watermark: &str| -> i64 {
        client.one(&format!(
            "SELECT cardinality(signals)::bigint FROM \"new home\".signals_since({watermark})"
        ))
    };
    assert_eq!(count(&mut client, "NULL"), 2);
    assert_eq!(count(&mut client, "NULL, 1"), 1);
    assert_eq!(
        count(&mut admin, &format!("'{before}'")),
        2,
        "those of the signal since"
    );
    let pages: i64 = admin.one(
        "WITH RECURSIVE page AS (
             SELECT 1 AS n, p.* FROM signals_since('0000000000000000-0', 1) p
              UNION ALL
             SELECT n + 1, p.* FROM page, LATERAL signals_since(page.watermark, 1) p WHERE page.more)
         SELECT count(DISTINCT (r.signal_id, r.user_id)) FROM page, unnest(page.signals) r",
    );
    assert_eq!(pages, 4, "page by page");

    // Subscribers come, and an administrator wants to know what was added to the tables.
    subscribe(&mut admin, "MAX", 3, 3);
    let error = admin.error("UPDATE user_subscriptions SET tier = 'max'");
    assert!(
        error
            .detail()
            .is_some_and(|tiers| tiers.contains("MAX, PRO, FREE")),
        "{:?}",
        error.detail()
    );
    admin.run("ALTER TABLE user_subscriptions ADD COLUMN note text");
    let additions: Vec<String> = admin.list("SELECT statement FROM dump_user_additions()");
    assert_eq!(
        additions[0],
        "ALTER TABLE \"new home\".user_subscriptions ADD COLUMN note text;"
    );

    let done: String = admin.one("SELECT disable_realtime()");
    assert!(done.contains("\"new home\".signals taken out"), "{done}");
    admin.run("SELECT * FROM signal_health; SELECT * FROM signal_stats; SELECT pause_signals(); SELECT resume_signals()");
    assert!(!cluster.log().contains("a trap was sprung"));
}
