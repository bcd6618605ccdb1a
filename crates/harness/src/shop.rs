//! A database whose signals are made by hand, and clients who read them.

use crate::cluster::{Cluster, Options, POSTGRES};
use crate::scene::{FLIPS_AT_ONCE, Turns, by_hand, flat_market, subscribe, user};
use crate::session::Session;
use signal_hub_simulator::Simulator;

/// A server, its exchange, and an administrator's session.
pub struct Shop {
    /// The server.
    pub cluster: Cluster,
    /// A superuser's session of the database.
    pub admin: Session,
    /// Its exchange.
    pub market: Market,
}

/// An exchange where one symbol after the other changes side.
pub struct Market {
    simulator: Simulator,
    turns: Turns,
}

impl Market {
    /// Moves one symbol to its other side, so that the next run has one signal.
    pub fn turn(&mut self) {
        self.turns.turn(&self.simulator);
    }
}

/// A server that can publish and where transactions can be prepared.
pub fn options(market: &Simulator) -> Options {
    by_hand(market)
        .set("wal_level", "logical")
        .set("max_prepared_transactions", "10")
}

impl Shop {
    /// A server with the extension, three MAX subscribers without a quota, and the roles that
    /// Supabase has, with their grants.
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
        admin.run(FLIPS_AT_ONCE);
        subscribe(&mut admin, "MAX", 1, 3);
        Self {
            cluster,
            admin,
            market: Market {
                simulator,
                turns: Turns::default(),
            },
        }
    }

    /// Moves the market, and runs a cycle that delivers the signal.
    pub fn signal(&mut self) {
        self.market.turn();
        self.admin.run("SELECT generate_signals_now()");
    }

    /// A session of subscriber `number`, set up as by an API in front of the database.
    pub fn client(&self, number: u32) -> Session {
        client_of(&self.cluster, number)
    }
}

/// A session of subscriber `number` on any server, set up as by an API in front of the database.
pub fn client_of(cluster: &Cluster, number: u32) -> Session {
    let mut session = cluster.session(POSTGRES);
    claim(&mut session, number);
    session.run("SET ROLE authenticated");
    session
}

/// Gives a session the claims of subscriber `number`.
pub fn claim(session: &mut Session, number: u32) {
    session.run(&format!(
        r#"SET request.jwt.claims = '{{"sub": "{}", "role": "authenticated"}}'"#,
        user(number)
    ));
}

/// A statement that adds a row of user_signals that no run made, as an import does.
pub fn import(subscriber: u32, signal_id: i64) -> String {
    format!(
        "INSERT INTO user_signals (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                   expires_at, full_details, metadata)
         VALUES ('{}', {signal_id}, 'MAX', 'BTCUSDT', 'LONG', 50, 50, 'infinity', false, '{{}}')",
        user(subscriber)
    )
}

/// What one call of signals_since() returned.
pub struct Page {
    /// What the next call has to pass.
    pub watermark: String,
    /// Whether there is more already.
    pub more: bool,
    /// Their signal_id, in the order of the reply.
    pub signals: Vec<i64>,
}

/// Calls signals_since() once. `watermark` and `max_rows` are SQL expressions.
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

/// All that a client with this watermark has not seen, in one page.
#[track_caller]
pub fn since(session: &mut Session, watermark: &str) -> Page {
    page(session, &format!("'{watermark}'"), "NULL")
}

/// The first call of a new client.
#[track_caller]
pub fn begin(session: &mut Session) -> Page {
    page(session, "NULL", "500")
}
