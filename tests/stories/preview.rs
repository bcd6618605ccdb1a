//! `preview_signals()` shows what a run would do, and writes nothing.

use signal_hub_harness::cluster::{Options, POSTGRES};
use signal_hub_harness::scene::{
    SOON, contents, generate, installed_by_hand, rising_market, subscribe,
};
use signal_hub_harness::wait::eventually;

#[test]
fn preview_shows_every_symbol_with_every_gate_and_writes_nothing() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    let before = contents(&mut session);
    let rows =
        session.rows("SELECT symbol, gate, threshold, verdict, passed FROM preview_signals()");
    assert_eq!(market.request_count(), 1);
    let symbols: Vec<String> = session.list("SELECT symbol FROM signal_symbols ORDER BY symbol");
    let gates = [
        "listed",
        "valid",
        "trading",
        "fresh",
        "momentum",
        "volume",
        "spread",
        "confidence",
        "quality",
        "levels",
        "book",
        "agreement",
        "episode",
        "max_per_run",
    ];
    let shown: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected: Vec<(String, String)> = symbols
        .iter()
        .flat_map(|symbol| gates.map(|gate| (symbol.clone(), gate.to_owned())))
        .collect();
    assert_eq!(shown, expected);
    for row in &rows {
        assert!(
            !row.get::<_, String>(2).is_empty() && !row.get::<_, String>(3).is_empty(),
            "{row:?}"
        );
    }
    let all_passed: Vec<String> = session
        .list("SELECT symbol FROM preview_signals() GROUP BY symbol HAVING bool_and(passed)");
    assert_eq!(all_passed, ["BTCUSDT"]);
    assert_eq!(contents(&mut session), before);
    assert_eq!(
        generate(&mut session)["signals_generated"],
        1,
        "the preview did not use it up"
    );
}

#[test]
fn preview_works_where_nothing_can_be_written() {
    let market = rising_market();
    let options = Options::preloaded()
        .set("signal_hub.exchange_url", &market.url())
        .set("signal_hub.enabled", "off");
    let primary = options.start();
    let mut session = primary.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let passing = "SELECT symbol FROM preview_signals() GROUP BY symbol HAVING bool_and(passed)";
    session.run("BEGIN READ ONLY");
    assert_eq!(session.list::<String>(passing), ["BTCUSDT"]);
    session.run("COMMIT");

    let standby = primary.standby();
    let mut reader = standby.session(POSTGRES);
    assert!(reader.one::<bool>("SELECT pg_is_in_recovery()"));
    eventually(SOON, "the standby has the extension", || {
        reader.one::<i64>("SELECT count(*) FROM pg_extension WHERE extname = 'signal_hub'") == 1
    });
    assert_eq!(reader.list::<String>(passing), ["BTCUSDT"]);
    let error = reader.error("SELECT generate_signals_now()");
    assert_eq!(error.code().code(), "25006", "{}", error.message());
}
