//! Each exchange alone: whatever it tells and leaves out, a move at it is one signal, with what it
//! does not tell absent from the record, and what becomes of the signal is read from its candles.

use signal_hub_harness::clocks::Clocks;
use signal_hub_harness::cluster::POSTGRES;
use signal_hub_harness::scene::{SOON, beside, by_hand_at, flat_market, generate, in_order};
use signal_hub_harness::session::Session;
use signal_hub_harness::wait::eventually;
use signal_hub_simulator::{Dialect, Instrument, Simulator};
use std::iter;
use std::time::{SystemTime, UNIX_EPOCH};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Lets the database ask these exchanges, the first of them first.
fn ask(session: &mut Session, exchanges: &[&Simulator]) {
    let entry = in_order(exchanges);
    session.run(&format!(
        "ALTER SYSTEM SET signal_hub.exchanges = '{entry}'"
    ));
    session.run("SELECT pg_reload_conf()");
    eventually(SOON, "the setting is in force", || {
        session.one::<String>("SELECT current_setting('signal_hub.exchanges')") == entry
    });
}

/// Asks this exchange alone until it can judge all symbols: Kraken is asked for the price of 24
/// hours ago of one pair after the other, which may take more than one run.
fn get_to_know(session: &mut Session, exchange: &Simulator) {
    ask(session, &[exchange]);
    eventually(3 * SOON, "all symbols are judged", || {
        generate(session);
        session.one::<i32>("SELECT symbols_judged FROM signal_runs ORDER BY run_id DESC LIMIT 1")
            == 10
    });
}

/// What the record has of the numbers that not every exchange tells, and whose time it is.
fn told(session: &mut Session, symbol: &str) -> String {
    session.one(&format!(
        "SELECT concat_ws(', ', CASE WHEN bid_price < ask_price THEN 'book' END,
                          CASE WHEN weighted_average_price > 0 THEN 'average' END,
                          CASE WHEN trade_count > 0 THEN 'count' END,
                          'time of the ' || close_time_source)
           FROM signals WHERE symbol = '{symbol}'"
    ))
}

#[test]
fn a_move_at_any_exchange_is_one_signal_and_what_it_does_not_tell_is_absent() {
    let market = flat_market();
    let cluster = by_hand_at(&[&market]).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let symbols = Instrument::ten_liquid_pairs().into_iter();
    for (dialect, instrument) in Dialect::ALL.into_iter().zip(symbols) {
        let (name, symbol) = (dialect.name(), instrument.symbol);
        let exchange = beside(&market, dialect);
        get_to_know(&mut session, &exchange);
        market.set_change(&symbol, "3.5");
        let report = generate(&mut session);
        assert_eq!(report["signals_generated"], 1, "{name}: {report}");
        let signal: String = session.one(&format!(
            "SELECT format('%s %s at %s by %s %%', signal_type, symbol, exchange, round(price_change_percent, 1))
               FROM signals WHERE symbol = '{symbol}' AND entry_price = {}",
            market.day(&symbol).last
        ));
        assert_eq!(signal, format!("LONG {symbol} at {name} by 3.5 %"));
        let expected = match dialect {
            Dialect::Binance | Dialect::BinanceUs => "book, average, count, time of the exchange",
            Dialect::Bybit | Dialect::Okx | Dialect::Kucoin | Dialect::Mexc => {
                "book, time of the exchange"
            }
            Dialect::Gate => "book, time of the date",
            Dialect::Kraken => "book, average, count, time of the date",
            Dialect::Coinbase => "time of the date",
        };
        assert_eq!(told(&mut session, &symbol), expected, "{name}");
    }
    // No episode began anew because another exchange was asked.
    assert_eq!(session.one::<i64>("SELECT count(*) FROM signals"), 9);
}

#[test]
fn what_becomes_of_a_signal_is_read_from_the_candles_of_its_exchange() {
    settled_from_candles(&Dialect::ALL, MINUTE / 2);
}

/// By a time of whole seconds, the candle of that minute would count, with the rise in it.
#[test]
fn a_rise_just_before_the_entry_touches_nothing_where_whole_seconds_are_told() {
    let dated = [
        Dialect::Binance,
        Dialect::Gate,
        Dialect::Kraken,
        Dialect::Coinbase,
    ];
    settled_from_candles(&dated, 400);
}

/// Lets each exchange have a signal so long after a minute has begun, which reaches its first target
/// and then its stop. The first exchange is Binance, whose market the others show.
fn settled_from_candles(dialects: &[Dialect], into_the_minute: i64) {
    let market = flat_market();
    let clock = Clocks::standing(1);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.expect("after 1970").as_millis() as i64;
    let began = now - now % MINUTE + into_the_minute;
    clock.stand_at(&market, began);
    let cluster = clock.of(by_hand_at(&[&market])).start();
    let mut session = cluster.session(POSTGRES);
    session.run("CREATE EXTENSION signal_hub");
    let others = dialects[1..].iter();
    let others: Vec<Simulator> = others.map(|other| beside(&market, *other)).collect();
    let mut exchanges: Vec<&Simulator> = iter::once(&market).chain(&others).collect();
    let symbols = Instrument::ten_liquid_pairs().into_iter();
    for symbol in symbols
        .map(|instrument| instrument.symbol)
        .take(exchanges.len())
    {
        get_to_know(&mut session, exchanges[0]);
        ask(&mut session, &exchanges);
        market.set_change(&symbol, "3.5");
        let report = generate(&mut session);
        assert_eq!(report["signals_generated"], 1, "{symbol}: {report}");
        exchanges.rotate_left(1);
    }
    let levels =
        session.rows("SELECT symbol, take_profit[1]::text, stop_loss::text FROM signal_outcomes");
    for row in levels {
        let (symbol, target, stop): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        market.trade(&symbol, began + 10 * MINUTE, &target);
        market.trade(&symbol, began + 20 * MINUTE, &stop);
    }
    clock.stand_at(&market, began + 5 * HOUR);
    eventually(3 * SOON, "every outcome is settled", || {
        generate(&mut session);
        session.one::<i64>("SELECT count(*) FROM signal_outcomes WHERE state = 'open'") == 0
    });
    let results: Vec<String> = session.list(
        "SELECT format('%s: %s, target %s, ended by %s, %s', exchange, state, best_target, ended, resolution)
           FROM signal_outcomes JOIN signals USING (signal_id) ORDER BY signal_id",
    );
    // Only Binance has candles of a second, with which the edges are read.
    let expected = dialects.iter().map(|dialect| {
        let finest = match dialect {
            Dialect::Binance | Dialect::BinanceUs => "1s",
            _ => "1m",
        };
        let name = dialect.name();
        format!("{name}: settled, target 1, ended by stop, {finest}")
    });
    let expected: Vec<String> = expected.collect();
    assert_eq!(results, expected);
}
