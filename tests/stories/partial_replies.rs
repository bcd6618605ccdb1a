//! The exchange leaves symbols out: one reply that lacks a row switches no symbol off, and a symbol
//! that is not listed is asked for again.

use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, flat_market, generate, installed_by_hand, runs, wait_for_good_run,
};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Fault, Instrument, Simulator, Times};
use std::time::Duration;

/// Where the list of all symbols is.
const LIST_OF_ALL: &str = "/api/v3/ticker/24hr";

/// How often tickers were asked for. Other questions, for instruments say, come beside them.
fn ticker_requests(market: &Simulator) -> usize {
    let requests = market.requests();
    let is_for_tickers = |target: &&String| target.starts_with(LIST_OF_ALL);
    requests.iter().filter(is_for_tickers).count()
}

fn new_symbol(market: &Simulator) {
    market.add_symbol(Instrument::usdt("NEW", "25.00000000", "0.01", "5000000"));
    market.set_change("NEWUSDT", "4");
}

fn status(session: &mut Session, symbol: &str) -> Option<String> {
    session.one(&format!(
        "SELECT status FROM signal_symbols WHERE symbol = '{symbol}'"
    ))
}

#[test]
fn a_reply_with_two_of_ten_rows_costs_the_other_symbols_one_run() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    let known = "SELECT array_agg(tick_size::text ORDER BY symbol)::text FROM signal_symbols";
    let ticks: String = session.one(known);

    // The first two in alphabetical order; BTCUSDT is none of them.
    market.inject(Fault::Partial(2), Times::Once);
    eventually(SOON, "the run with the partial reply", || {
        session.one::<bool>(
            "SELECT EXISTS (SELECT FROM signal_runs
                             WHERE message LIKE '%8 missing from the exchange''s reply%'
                               AND message LIKE '%8 of 10 symbols could not be judged%'
                               AND symbols_watched = 10 AND symbols_judged = 2)",
        )
    });
    market.set_change("BTCUSDT", "4");
    eventually(SOON, "all are judged again", || {
        session.one::<i64>("SELECT count(*) FROM signal_symbols WHERE status = 'TRADING'") == 10
            && session.one::<i64>("SELECT count(*) FROM signals WHERE symbol = 'BTCUSDT'") == 1
    });
    assert_eq!(session.one::<String>(known), ticks, "what was known stays");
}

#[test]
fn a_symbol_left_out_of_a_reply_is_missing_and_not_unknown() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    generate(&mut session);
    market.inject(Fault::Without("BTCUSDT"), Times::Once);
    generate(&mut session);
    assert_eq!(status(&mut session, "BTCUSDT").as_deref(), Some("MISSING"));
    generate(&mut session);
    assert_eq!(status(&mut session, "BTCUSDT").as_deref(), Some("TRADING"));
    // The list of all is one reply, too; that two of them lack it says that it is gone.
    session.run(
        "INSERT INTO signal_symbols (symbol) SELECT 'GONE' || i FROM generate_series(1, 100) i",
    );
    generate(&mut session);
    market.inject(Fault::Without("BTCUSDT"), Times::N(2));
    generate(&mut session);
    assert_eq!(status(&mut session, "BTCUSDT").as_deref(), Some("MISSING"));
    generate(&mut session);
    assert_eq!(status(&mut session, "BTCUSDT").as_deref(), Some("UNKNOWN"));
    generate(&mut session);
    assert_eq!(status(&mut session, "BTCUSDT").as_deref(), Some("TRADING"));
}

#[test]
fn above_a_hundred_symbols_a_row_in_the_list_is_used_even_if_it_was_unknown_before() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run(
        "INSERT INTO signal_symbols (symbol) VALUES ('NEWUSDT');
         INSERT INTO signal_symbols (symbol) SELECT 'GONE' || i FROM generate_series(1, 100) i",
    );
    generate(&mut session);
    assert_eq!(status(&mut session, "NEWUSDT").as_deref(), Some("UNKNOWN"));
    new_symbol(&market);
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
    assert_eq!(status(&mut session, "NEWUSDT").as_deref(), Some("TRADING"));
    assert_eq!(market.requests(), [LIST_OF_ALL; 2]);
}

#[test]
fn a_symbol_watched_before_its_listing_signals_within_a_minute_of_its_first_price() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session
        .run("CREATE EXTENSION signal_hub; INSERT INTO signal_symbols (symbol) VALUES ('NEWUSDT')");
    eventually(SOON, "the exchange says that it does not list it", || {
        status(&mut session, "NEWUSDT").as_deref() == Some("UNKNOWN")
    });
    new_symbol(&market);
    let (requests, first) = (ticker_requests(&market), runs(&mut session));
    eventually(Duration::from_secs(64), "the signal", || {
        session.one::<i64>("SELECT count(*) FROM signals WHERE symbol = 'NEWUSDT'") == 1
    });
    // One request a run, and one more for the symbol alone.
    let more = (ticker_requests(&market) - requests) as i64 - (runs(&mut session) - first);
    assert!(more <= 3, "{more} requests more than runs");
    assert!(
        market
            .requests()
            .iter()
            .filter(|target| *target == LIST_OF_ALL)
            .count()
            <= 1
    );
}

#[test]
fn several_unknown_symbols_are_asked_for_again_by_one_list_of_all() {
    let market = flat_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    session
        .run("INSERT INTO signal_symbols (symbol) VALUES ('NEWUSDT'), ('GONEUSDT'), ('AWAYUSDT')");
    // After some seconds they are asked for again.
    let just_checked =
        "UPDATE signal_symbols SET checked_at = clock_timestamp() WHERE status = 'UNKNOWN'";
    generate(&mut session);
    session.run(just_checked);
    generate(&mut session);
    assert_eq!(market.request_count(), 3, "left out of the second run");
    new_symbol(&market);
    session.run("UPDATE signal_symbols SET checked_at = checked_at - interval '1 minute'");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
    assert_eq!(market.request_count(), 4);
    assert_eq!(status(&mut session, "GONEUSDT").as_deref(), Some("UNKNOWN"));
    session.run(just_checked);
    let report = generate(&mut session);
    assert_eq!(report["success"], true);
    assert_eq!(market.request_count(), 5, "the others are left out again");
}
