//! An app's server that triggers runs, as PostgREST's `rpc/generate_signals_now` does.

use serde_json::Value;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::user;
use signal_hub_harness::session::Session;
use signal_hub_harness::shop::Shop;

/// A session as PostgREST sets it up for a request with these claims.
fn request(shop: &Shop, role: &str, claims: &str) -> Session {
    let mut session = shop.cluster.session(POSTGRES);
    session.run(&format!(
        "SELECT set_config('request.jwt.claims', '{claims}', false); SET ROLE {role}"
    ));
    session
}

#[test]
fn the_app_server_triggers_a_run_and_subscribers_cannot() {
    let mut shop = Shop::open();
    shop.market.turn();
    let subscriber = format!(r#"{{"role":"authenticated","sub":"{}"}}"#, user(1));
    for (role, claims) in [
        ("anon", r#"{"role":"anon"}"#),
        ("authenticated", &subscriber),
        // The claims alone give nobody anything.
        ("authenticated", r#"{"role":"service_role"}"#),
    ] {
        let error = request(&shop, role, claims).error("SELECT generate_signals_now()");
        assert_eq!(error.code().code(), "42501", "{role}: {}", error.message());
    }
    let mut server = request(&shop, "service_role", r#"{"role":"service_role"}"#);
    let report: Value = server.one("SELECT generate_signals_now()");
    assert_eq!(report["success"], true, "{report}");
    assert_eq!(report["signals_generated"], 1, "{report}");
    assert_eq!(report["deliveries"], 3, "{report}");
    assert_eq!(
        shop.admin.one::<i64>("SELECT count(*) FROM user_signals"),
        3
    );
    // What decides for others stays with the operator.
    for sql in ["SELECT pause_signals()", "SELECT * FROM preview_signals()"] {
        assert_eq!(server.error(sql).code().code(), "42501", "{sql}");
    }
}
