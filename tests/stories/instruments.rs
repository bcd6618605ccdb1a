//! What the exchange says of its pairs: ticks, assets and status, in signal_instruments.

use crate::settlement::some_time;
use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{
    SOON, by_itself, by_itself_at, flat_market, generate, installed_by_hand, runs,
    wait_for_good_run,
};
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Dialect, Fault, Instrument, Times};

#[test]
fn levels_lie_on_the_tick_that_the_exchange_says_today() {
    let market = flat_market();
    market.set_tick_size("BTCUSDT", "0.5");
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "the list is read", || {
        session.one::<i64>("SELECT count(*) FROM signal_instruments") == 10
    });
    let row: String = session.one(
        "SELECT format('%s %s %s %s %s', exchange, exchange_symbol, base_asset, quote_asset, trim_scale(tick_size))
           FROM signal_instruments WHERE symbol = 'BTCUSDT' AND status = 'TRADING'",
    );
    assert_eq!(row, "binance BTCUSDT BTC USDT 0.5");
    market.set_change("BTCUSDT", "3.5");
    eventually(SOON, "the signal", || {
        session.one::<i64>("SELECT count(*) FROM signals") == 1
    });
    assert!(session.one::<bool>(
        "SELECT entry_price % 0.5 = 0 AND stop_loss % 0.5 = 0 AND 0 = ALL (ARRAY(SELECT t % 0.5 FROM unnest(take_profit) t))
           FROM signals"
    ));
    assert!(
        session.one::<bool>("SELECT tick_size = 0.5 FROM signal_symbols WHERE symbol = 'BTCUSDT'")
    );
    // Once a day: a change is seen when the list is a day old.
    let asked = market
        .requests()
        .iter()
        .filter(|it| it.contains("exchangeInfo"))
        .count();
    assert_eq!(asked, 1);
}

#[test]
fn a_tick_that_became_coarser_is_that_of_signals_a_day_later() {
    let market = flat_market();
    let clock = Clocks::standing(20);
    let began = some_time();
    clock.stand_at(&market, began);
    let mut cluster = clock
        .of(by_itself(&market))
        .set("signal_hub.interval", "20s")
        .set("signal_hub.http_timeout", "200s")
        .start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let tick =
        "SELECT trim_scale(tick_size)::text FROM signal_instruments WHERE symbol = 'BTCUSDT'";
    eventually(SOON, "the list is read", || {
        session.list::<String>(tick) == ["0.01"]
    });
    market.set_tick_size("BTCUSDT", "0.5");
    // The process, whose own clock goes on as before, asks for a list once an hour at most.
    cluster.restart();
    clock.stand_at(&market, began + 25 * 60 * 60 * 1000);
    let mut session = cluster.session(POSTGRES);
    eventually(SOON, "the list is read again", || {
        session.list::<String>(tick) == ["0.5"]
    });
    market.set_change("BTCUSDT", "3.5");
    eventually(SOON, "the signal", || {
        session.one::<i64>("SELECT count(*) FROM signals") == 1
    });
    assert!(session.one::<bool>(
        "SELECT stop_loss % 0.5 = 0 AND 0 = ALL (ARRAY(SELECT t % 0.5 FROM unnest(take_profit) t)) FROM signals"
    ));
}

#[test]
fn a_pair_that_is_new_is_asked_for_when_it_has_a_price() {
    let market = flat_market();
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "the list is read", || {
        session.one::<i64>("SELECT count(*) FROM signal_instruments") == 10
    });
    market.add_symbol(Instrument::usdt("NEW", "7.5", "0.05", "50000000"));
    session.run("INSERT INTO signal_symbols (symbol) VALUES ('NEWUSDT')");
    eventually(SOON, "its tick is known", || {
        session.one::<i64>("SELECT count(*) FROM signal_instruments WHERE symbol = 'NEWUSDT'") == 1
    });
    let asked = market.requests();
    let lists = asked
        .iter()
        .filter(|it| it.contains("exchangeInfo"))
        .count();
    assert_eq!(lists, 2, "{asked:?}");
}

#[test]
fn replies_that_lack_a_listed_pair_again_and_again_do_not_make_it_unknown() {
    let market = flat_market();
    let okx = market
        .beside(Dialect::Okx)
        .expect("another exchange starts");
    let cluster = by_itself_at(&[&okx]).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    eventually(SOON, "the list is read", || {
        session.one::<i64>("SELECT count(*) FROM signal_instruments") == 10
    });
    okx.inject(Fault::Partial(2), Times::Forever);
    let before = runs(&mut session);
    eventually(SOON, "four runs", || runs(&mut session) >= before + 4);
    let status = "SELECT string_agg(status || ' ' || n, ', ' ORDER BY status)
                    FROM (SELECT status, count(*) AS n FROM signal_symbols GROUP BY status) s";
    assert_eq!(session.one::<String>(status), "MISSING 8, TRADING 2");
    okx.clear_faults();
    eventually(SOON, "all are there again", || {
        session.one::<String>(status) == "TRADING 10"
    });
}

#[test]
fn without_a_list_runs_go_by_what_prices_show() {
    let market = flat_market();
    market.inject_on_instruments(Fault::InternalError, Times::Forever);
    market.set_change("BTCUSDT", "3.5");
    let cluster = by_itself(&market).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    wait_for_good_run(&mut session);
    eventually(SOON, "the signal", || {
        session.one::<i64>("SELECT count(*) FROM signals") == 1
    });
    assert!(session.one::<bool>("SELECT healthy FROM signal_health"));
    assert_eq!(
        session.one::<i64>("SELECT count(*) FROM signal_instruments"),
        0
    );
}

#[test]
fn a_pair_in_bitcoin_is_judged_by_what_bitcoin_costs_in_the_same_reply() {
    let market = flat_market();
    // 200 bitcoin a day: far more than a million dollars, and far less than a million bitcoin.
    market.add_symbol(Instrument {
        symbol: "ETHBTC".to_owned(),
        quote_asset: "BTC".to_owned(),
        ..Instrument::usdt("ETH", "0.05", "0.00001", "200")
    });
    market.set_change("ETHBTC", "3.5");
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("INSERT INTO signal_symbols (symbol) VALUES ('ETHBTC')");
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 1, "{report}");
    assert!(session.one::<bool>("SELECT quote_volume < 1000 FROM signals WHERE symbol = 'ETHBTC'"));
    market.set_change("ETHBTC", "-3.5");
    session.run(
        "UPDATE signal_rules SET cooldown_flips = false;
         UPDATE signal_symbols SET enabled = false WHERE symbol = 'BTCUSDT'",
    );
    let report = generate(&mut session);
    assert_eq!(report["signals_generated"], 0, "{report}");
    let message = report["message"].as_str().expect("words");
    assert!(
        message.contains("without a rate in US dollars (ETHBTC)"),
        "{message}"
    );
}
