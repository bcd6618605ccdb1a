//! A database with the extension whose signals are made by hand, and clients who read them.

use crate::cluster::{Cluster, Options, POSTGRES};
use crate::scene::{by_hand, flat_market, subscribe, user};
use crate::session::Session;
use signal_hub_simulator::Simulator;

/// The symbols that turn, each in its turn.
const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];

/// A server, its exchange, and an administrator's session.
pub struct Shop {
    pub cluster: Cluster,
    pub admin: Session,
    pub market: Market,
}

/// An exchange where one symbol after the other moves.
pub struct Market {
    simulator: Simulator,
    turns: usize,
}

impl Market {
    /// Moves one symbol to its other side: the next run has one signal.
    pub fn turn(&mut self) {
        let symbol = SYMBOLS[self.turns % SYMBOLS.len()];
        let rising = (self.turns / SYMBOLS.len()).is_multiple_of(2);
        self.simulator
            .set_change(symbol, if rising { "3.5" } else { "-3.5" });
        self.turns += 1;
    }
}

/// A server that publishes and where transactions can be prepared.
pub fn options(market: &Simulator) -> Options {
    by_hand(market)
        .set("wal_level", "logical")
        .set("max_prepared_transactions", "10")
}

impl Shop {
    /// Three MAX subscribers, and Supabase's roles with their grants.
    pub fn open() -> Self {
        let simulator = flat_market();
        let cluster = options(&simulator).start();
        let mut admin = cluster.session(POSTGRES);
        admin.run(
            "CREATE EXTENSION signal_hub;
             CREATE ROLE anon; CREATE ROLE authenticated; CREATE ROLE service_role BYPASSRLS;
             SELECT grant_realtime_access();
             UPDATE signal_tiers SET daily_quota = NULL",
        );
        subscribe(&mut admin, "MAX", 1, 3);
        Self {
            cluster,
            admin,
            market: Market {
                simulator,
                turns: 0,
            },
        }
    }

    /// The market turns and the signal is delivered.
    pub fn signal(&mut self) {
        self.market.turn();
        self.admin.run("SELECT generate_signals_now()");
    }

    /// A session of subscriber `number`, as an API in front of the database makes it.
    pub fn client(&self, number: u32) -> Session {
        client_of(&self.cluster, number)
    }
}

/// A session of subscriber `number` on a server.
pub fn client_of(cluster: &Cluster, number: u32) -> Session {
    let mut session = cluster.session(POSTGRES);
    claim(&mut session, number);
    session.run("SET ROLE authenticated");
    session
}

/// The session says it is subscriber `number`.
pub fn claim(session: &mut Session, number: u32) {
    session.run(&format!(
        r#"SET request.jwt.claims = '{{"sub": "{}", "role": "authenticated"}}'"#,
        user(number)
    ));
}

/// Adds a row of user_signals that no run made, as an import does.
pub fn import(subscriber: u32, signal_id: i64) -> String {
    format!(
        "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                   expires_at, full_details, metadata)
         VALUES ('{}', {signal_id}, 'MAX', 'BTCUSDT', 'LONG', 50, 50, 'infinity', false, '{{}}')",
        user(subscriber)
    )
}

/// What one call of signals_since() brought.
pub struct Page {
    pub watermark: String,
    pub more: bool,
    /// Signal numbers, in the order they came.
    pub signals: Vec<i64>,
}

/// One call of signals_since(). `watermark` and `max_rows` are SQL.
#[track_caller]
pub fn page(session: &mut Session, watermark: &str, max_rows: &str) -> Page {
    let rows = session.rows(&format!(
        "SELECT watermark, more, ARRAY(SELECT signal_id FROM unnest(signals)) FROM signals_since({watermark}, {max_rows})"
    ));
    assert_eq!(rows.len(), 1, "one page");
    Page {
        watermark: rows[0].get(0),
        more: rows[0].get(1),
        signals: rows[0].get(2),
    }
}

/// The page that a client who knows `watermark` gets, all in one.
#[track_caller]
pub fn since(session: &mut Session, watermark: &str) -> Page {
    page(session, &format!("'{watermark}'"), "NULL")
}

/// Where a client begins.
#[track_caller]
pub fn begin(session: &mut Session) -> Page {
    page(session, "NULL", "500")
}
