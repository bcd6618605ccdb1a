//! Databases whose encoding is not UTF-8: whatever a name, a reason or the exchange says, runs and
//! fan-outs go on, and every client can read what is shown.

use signal_hub_harness::cluster::{Cluster, POSTGRES};
use signal_hub_harness::scene::{
    SOON, by_itself, generate, rising_market, subscribe, wait_for_deliveries, wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Instrument, Simulator};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};

/// What an exchange of this test says when it refuses: Chinese, German, a zero character, and a
/// character that turns the direction of text around.
const REFUSAL: &str = "\u{975e}\u{6cd5}\u{53c2}\u{6570} M\u{fc}ll \\u0000 \\u202eend";

/// An exchange that refuses every request with [`REFUSAL`]. It lives as long as the process.
fn refusing_exchange() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 8192];
            let _ = connection.read(&mut request);
            let body = format!("{{\"code\":-1100,\"msg\":\"{REFUSAL}\"}}");
            let head =
                "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json";
            let _ = write!(
                connection,
                "{head}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    format!("http://127.0.0.1:{port}")
}

/// A server whose databases have this encoding, and an exchange that lists `symbol`, too.
fn scene(encoding: &str, symbol: &str) -> (Simulator, Cluster, Session) {
    let market = rising_market();
    market.add_symbol(Instrument {
        symbol: symbol.to_owned(),
        ..Instrument::ten_liquid_pairs().remove(0)
    });
    market.set_change(symbol, "3.5");
    let cluster = by_itself(&market).encoding(encoding, "C").start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    assert_eq!(
        session.one::<String>("SHOW server_encoding"),
        encoding,
        "the database has the encoding of the test"
    );
    (market, cluster, session)
}

fn health(session: &mut Session) -> (String, String) {
    let rows = session.rows("SELECT * FROM signal_health");
    (rows[0].get("state"), rows[0].get("message"))
}

/// Names in the language of the encoding are found again; what the exchange says is shown as far
/// as the encoding can.
fn names_and_texts(encoding: &str, tier: &str, symbol: &str, reason: &str, refusal: &str) {
    let (_market, cluster, mut session) = scene(encoding, symbol);
    session.run(&format!(
        "INSERT INTO signal_tiers (tier, enabled, full_details, priority) VALUES ('{tier}', true, true, 40)"
    ));
    subscribe(&mut session, tier, 1, 2);
    subscribe(&mut session, "MAX", 3, 3);
    session.run(&format!(
        "INSERT INTO signal_symbols (symbol) VALUES ('{symbol}')"
    ));
    eventually(SOON, "the symbol is signalled", || {
        session.one::<i64>(&format!(
            "SELECT count(*) FROM signals WHERE symbol = '{symbol}' AND delivered_at IS NOT NULL"
        )) == 1
    });
    let received = format!("SELECT count(*) FROM user_signals WHERE symbol = '{symbol}'");
    assert_eq!(session.one::<i64>(&received), 3);
    let of_tier = format!("{received} AND tier = '{tier}'");
    assert_eq!(session.one::<i64>(&of_tier), 2);
    assert_eq!(
        session.list::<String>(&format!(
            "SELECT DISTINCT symbol FROM preview_signals() WHERE symbol = '{symbol}'"
        )),
        [symbol]
    );
    wait_for_good_run(&mut session);
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE status = 'failed'"),
        0
    );

    session.run(&format!("SELECT pause_signals('{reason}')"));
    let (state, message) = health(&mut session);
    assert_eq!(state, "paused");
    assert!(message.contains(reason), "{message}");
    let report = generate(&mut session);
    let message = report["message"].as_str().unwrap_or_default();
    assert!(message.contains(reason), "{message}");
    session.run("SELECT resume_signals()");
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signal_runs WHERE status = 'failed'"),
        0
    );

    cluster.configure("signal_hub.exchange_url", &refusing_exchange());
    let message = eventually(SOON, "health says what the exchange said", || {
        let (state, message) = health(&mut session);
        Some(message).filter(|_| state == "failing")
    });
    assert!(message.contains(refusal), "{message}");
    assert!(!message.contains('\u{202e}'), "{message}");
    let recorded: String =
        session.one("SELECT error FROM signal_runs WHERE error IS NOT NULL LIMIT 1");
    assert!(recorded.contains(refusal), "{recorded}");
    let error = session.error("SELECT generate_signals_now()");
    let detail = error.detail().unwrap_or_default();
    assert!(detail.contains(refusal), "{detail}");
}

#[test]
fn latin1_has_its_own_names_and_shows_others_by_their_number() {
    names_and_texts(
        "LATIN1",
        "PR\u{c9}MIUM",
        "\u{c9}CUUSDT",
        "\u{dc}berpr\u{fc}fung",
        "\\u{975E}\\u{6CD5}\\u{53C2}\\u{6570} M\u{fc}ll",
    );
}

#[test]
fn win1252_has_its_own_names_and_shows_others_by_their_number() {
    names_and_texts(
        "WIN1252",
        "PR\u{c9}MIUM",
        "\u{152}USDT",
        "\u{dc}berpr\u{fc}fung",
        "\\u{975E}\\u{6CD5}\\u{53C2}\\u{6570} M\u{fc}ll",
    );
}

#[test]
fn euc_jp_has_its_own_names_and_shows_others_by_their_number() {
    names_and_texts(
        "EUC_JP",
        "\u{5186}",
        "\u{5186}USDT",
        "\u{691c}\u{67fb}",
        "\u{975e}\u{6cd5}\u{53c2}\u{6570} M\u{fc}ll",
    );
}

#[test]
fn euc_cn_has_its_own_names_and_shows_others_by_their_number() {
    names_and_texts(
        "EUC_CN",
        "\u{9ad8}\u{7ea7}",
        "\u{5e01}USDT",
        "\u{68c0}\u{67e5}",
        "\u{975e}\u{6cd5}\u{53c2}\u{6570} M\u{fc}ll",
    );
}

#[test]
fn sql_ascii_keeps_the_bytes_of_names() {
    names_and_texts(
        "SQL_ASCII",
        "PR\u{c9}MIUM",
        "\u{c9}CUUSDT",
        "\u{dc}berpr\u{fc}fung",
        "\u{975e}\u{6cd5}\u{53c2}\u{6570} M\u{fc}ll",
    );
}

/// Bytes that are no character of the encoding are legal in names.
fn names_of_no_characters(encoding: &str, byte: u8) {
    let (_market, _cluster, mut session) = scene(encoding, "NEWUSDT");
    session.run(&format!(
        "INSERT INTO signal_tiers (tier, enabled, priority) VALUES ('PR' || chr({byte}), true, 40);
         INSERT INTO signal_symbols (symbol) VALUES ('A' || chr({byte}) || 'USDT');
         INSERT INTO user_subscriptions (user_id, tier)
         SELECT '00000000-0000-4000-8000-000000000001', 'PR' || chr({byte});
         INSERT INTO signal_symbols (symbol) VALUES ('NEWUSDT')"
    ));
    eventually(SOON, "the symbol beside it is signalled", || {
        session.one::<i64>(
            "SELECT count(*) FROM user_signals WHERE symbol = 'NEWUSDT' AND tier LIKE 'PR_'",
        ) == 1
    });
    eventually(SOON, "the symbol is marked as unknown", || {
        session.one::<i64>(&format!(
            "SELECT count(*) FROM signal_symbols WHERE symbol = 'A' || chr({byte}) || 'USDT' AND status = 'UNKNOWN'"
        )) == 1
    });
    wait_for_good_run(&mut session);
    let (state, message) = health(&mut session);
    assert_eq!(state, "running", "{message}");
    session.rows("SELECT message, error FROM signal_runs");
    session.rows("SELECT metadata FROM user_signals");
    let report = generate(&mut session);
    let message = report["message"].as_str().unwrap_or_default();
    assert!(message.contains(&format!("\\x{{{byte:02X}}}")), "{message}");
    // Refused by a constraint whose name is not ASCII either.
    session.run(&format!(
        "DO $$ BEGIN EXECUTE format('ALTER TABLE user_signals ADD CONSTRAINT %I CHECK (false) NOT VALID', 'c' || chr({byte})); END $$;
         DELETE FROM signal_episodes"
    ));
    eventually(SOON, "the refusal is on record", || {
        session
            .list::<String>("SELECT error FROM signal_runs WHERE error IS NOT NULL")
            .iter()
            .any(|error| error.contains(&format!("\\x{{{byte:02X}}}")))
    });
}

#[test]
fn sql_ascii_names_that_are_no_text_harm_nobody() {
    names_of_no_characters("SQL_ASCII", 0xc9);
}

#[test]
fn win1252_names_that_are_no_text_harm_nobody() {
    names_of_no_characters("WIN1252", 0x81);
}

#[test]
fn a_message_of_postgresql_is_recorded_as_the_database_writes_it() {
    let (_market, _cluster, mut session) = scene("LATIN1", "\u{c9}CUUSDT");
    session.run("ALTER TABLE user_signals ADD CONSTRAINT \"pr\u{fc}fung\" CHECK (false) NOT VALID");
    subscribe(&mut session, "MAX", 1, 1);
    session.run("INSERT INTO signal_symbols (symbol) VALUES ('\u{c9}CUUSDT')");
    eventually(SOON, "the refusal is on record", || {
        session
            .list::<String>("SELECT error FROM signal_runs WHERE error IS NOT NULL")
            .iter()
            .any(|error| error.contains("pr\u{fc}fung"))
    });
}

#[test]
fn a_schema_with_an_accent_is_found() {
    let market = rising_market();
    let cluster = by_itself(&market).encoding("LATIN1", "C").start();
    let mut session = cluster.session(POSTGRES);
    session.run(
        "BEGIN; CREATE SCHEMA \"sch\u{e9}ma\"; CREATE EXTENSION signal_hub SCHEMA \"sch\u{e9}ma\";
         SET search_path = \"sch\u{e9}ma\"",
    );
    subscribe(&mut session, "MAX", 1, 1);
    session.run("COMMIT");
    wait_for_deliveries(&mut session, 1);
    wait_for_good_run(&mut session);
}
