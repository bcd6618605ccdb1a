//! Tickers.

use super::*;
use market::{Ticker, TimeSource};
use signal_hub_simulator::Instrument;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

for_each_exchange!(
    prices_volumes_and_change_are_those_of_the_market,
    the_day_goes_on_with_time,
    what_an_exchange_does_not_tell_is_absent,
    the_time_is_the_exchanges,
    one_request_brings_all,
    a_symbol_that_is_not_listed_costs_no_other,
    a_pair_that_does_not_trade_brings_no_price_of_now,
    a_reply_that_lacks_a_symbol_costs_no_other,
    prices_may_be_small_and_ticks_odd,
    pairs_of_other_assets_have_our_names,
    a_stale_reply_tells_its_old_time
);

fn ticker(tickers: &Tickers, symbol: &str) -> Ticker {
    match tickers.rows.get(symbol) {
        Some(Ok(ticker)) => ticker.clone(),
        other => panic!("{symbol}: {other:?}"),
    }
}

fn prices_volumes_and_change_are_those_of_the_market(asking: &Asking) {
    asking.simulator.set_change("BTCUSDT", "-8.163");
    // A minute after the change, so that also candles have it.
    asking.simulator.advance(Duration::from_secs(60));
    let tickers = asking.tickers(&SYMBOLS);
    for symbol in SYMBOLS {
        let (row, day) = (ticker(&tickers, symbol), asking.simulator.day(symbol));
        assert_eq!(row.symbol, symbol);
        assert_eq!(row.last_price, day.last, "{symbol}");
        assert_eq!(row.high_price, day.high, "{symbol}");
        assert_eq!(row.low_price, day.low, "{symbol}");
        assert_eq!(row.base_volume, day.volume, "{symbol}");
        match asking.dialect {
            Dialect::Kraken => assert_rolled(&row, &asking.simulator),
            // A change in percent with 2 decimals tells the open no better than that.
            Dialect::Gate => assert_close(row.open_price, day.open, "0.00006", "open"),
            _ => assert_eq!(row.open_price, day.open, "{symbol}"),
        }
        assert_eq!(row.price_change, row.last_price - row.open_price);
        let off = (row.price_change_percent - day.percent).abs();
        let places = match asking.dialect {
            Dialect::Bybit | Dialect::Gate => Decimal::new(5, 3),
            Dialect::Kucoin | Dialect::Mexc => Decimal::new(1, 2),
            Dialect::Kraken => Decimal::ONE,
            _ => Decimal::new(5, 4),
        };
        assert!(
            off <= places,
            "{symbol}: {} %, not {} %",
            row.price_change_percent,
            day.percent
        );
        // Coinbase tells the base volume alone.
        let quote = match asking.dialect {
            Dialect::Coinbase => "0.05",
            Dialect::BinanceUs => "0.0000001",
            // The average price, which has 5 decimals, times the base volume.
            Dialect::Kraken => "0.00001",
            _ => "0",
        };
        assert_close(row.quote_volume, day.quote_volume, quote, "quote volume");
    }
}

/// The price 24 hours ago is that of a candle of five minutes.
fn assert_rolled(row: &Ticker, market: &Simulator) {
    let length = 5 * MINUTE;
    let begin = (market.now() - DAY).div_euclid(length) * length;
    let candles = market.candles(&row.symbol, length, begin, begin + length);
    let opens: Vec<Decimal> = candles.iter().map(|candle| candle.open).collect();
    assert!(
        opens.contains(&row.open_price),
        "{} is none of {opens:?}",
        row.open_price
    );
    let percent = row.price_change * Decimal::ONE_HUNDRED / row.open_price;
    assert!((percent - row.price_change_percent).abs() <= Decimal::new(5, 4));
}

fn the_day_goes_on_with_time(asking: &Asking) {
    asking.tickers(&SYMBOLS);
    for hours in [7, 30, 100] {
        asking.simulator.advance(Duration::from_hours(hours));
        let tickers = asking.tickers(&SYMBOLS);
        for symbol in SYMBOLS {
            let (row, day) = (ticker(&tickers, symbol), asking.simulator.day(symbol));
            assert_eq!(row.last_price, day.last, "{symbol}");
            match asking.dialect {
                Dialect::Kraken => assert_rolled(&row, &asking.simulator),
                _ => assert_close(row.open_price, day.open, "0.00006", "open"),
            }
        }
    }
}

fn what_an_exchange_does_not_tell_is_absent(asking: &Asking) {
    let tickers = asking.tickers(&SYMBOLS);
    let without_book = asking.dialect == Dialect::Coinbase;
    let counts = asking.is_one_of(&[Dialect::Binance, Dialect::BinanceUs, Dialect::Kraken]);
    for symbol in SYMBOLS {
        let (row, day) = (ticker(&tickers, symbol), asking.simulator.day(symbol));
        let book = (!without_book).then_some((day.bid, day.ask));
        assert_eq!(row.bid_price.zip(row.ask_price), book, "{symbol}");
        assert_eq!(row.trade_count, counts.then_some(day.count), "{symbol}");
        assert_eq!(row.weighted_average_price.is_some(), counts, "{symbol}");
    }
}

fn the_time_is_the_exchanges(asking: &Asking) {
    let tickers = asking.tickers(&SYMBOLS);
    let dated = asking.is_one_of(&[Dialect::Gate, Dialect::Coinbase, Dialect::Kraken]);
    for symbol in SYMBOLS {
        let row = ticker(&tickers, symbol);
        if dated {
            assert_eq!(row.time_source, TimeSource::Date, "{symbol}");
        } else {
            assert_eq!(row.time_source, TimeSource::Exchange, "{symbol}");
            assert_eq!(row.close_time, A_TIME);
        }
        // The header has whole seconds.
        assert!(
            (A_TIME - row.close_time) <= 1_000,
            "{symbol}: {}",
            row.close_time
        );
        assert!(
            row.close_time <= A_TIME + 1_000,
            "{symbol}: {}",
            row.close_time
        );
    }
}

fn one_request_brings_all(asking: &Asking) {
    asking.tickers(&SYMBOLS);
    let most = match asking.dialect {
        // One for each pair's price of 24 hours ago.
        Dialect::Kraken => SYMBOLS.len() as u64 + 1,
        _ => 1,
    };
    let requests = asking.simulator.requests();
    assert!(asking.simulator.request_count() <= most, "{requests:?}");
}

fn a_symbol_that_is_not_listed_costs_no_other(asking: &Asking) {
    asking.simulator.unlist("XRPUSDT");
    // Where one unknown symbol fails a request, the next one leaves it out.
    let mut tickers = asking.tickers(&SYMBOLS);
    for _ in 0..3 {
        if tickers.rows.len() == 2 {
            break;
        }
        tickers = asking.tickers(&SYMBOLS);
    }
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        assert_eq!(
            ticker(&tickers, symbol).last_price,
            asking.simulator.day(symbol).last
        );
    }
    assert!(!tickers.rows.contains_key("XRPUSDT"));
    let told = tickers.unknown.iter().any(|symbol| symbol == "XRPUSDT")
        || tickers.missing.contains("XRPUSDT");
    assert!(told, "{tickers:?}");
}

fn a_pair_that_does_not_trade_brings_no_price_of_now(asking: &Asking) {
    asking.simulator.zero("XRPUSDT");
    let tickers = asking.tickers(&SYMBOLS);
    match tickers.rows.get("XRPUSDT") {
        // Nothing was traded, or its row cannot be used.
        Some(Ok(row)) => assert!(row.base_volume.is_zero(), "{row:?}"),
        Some(Err(reason)) => assert!(!reason.is_empty()),
        None => assert!(tickers.missing.contains("XRPUSDT"), "{tickers:?}"),
    }
    ticker(&tickers, "BTCUSDT");
}

fn a_reply_that_lacks_a_symbol_costs_no_other(asking: &Asking) {
    asking
        .simulator
        .inject(Fault::Without("ETHUSDT"), Times::Once);
    let tickers = asking.tickers(&SYMBOLS);
    assert!(tickers.missing.contains("ETHUSDT"), "{tickers:?}");
    assert!(tickers.unknown.is_empty(), "{tickers:?}");
    ticker(&tickers, "BTCUSDT");
    ticker(&asking.tickers(&SYMBOLS), "ETHUSDT");
}

fn prices_may_be_small_and_ticks_odd(asking: &Asking) {
    let coin = Instrument::usdt("1000SATS", "0.00031250", "0.00000001", "5000000");
    asking.simulator.add_symbol(coin);
    let half = Instrument::usdt("HALF", "345.5", "0.5", "5000000");
    asking.simulator.add_symbol(half);
    let tickers = asking.tickers(&["1000SATSUSDT", "HALFUSDT"]);
    for symbol in ["1000SATSUSDT", "HALFUSDT"] {
        let row = ticker(&tickers, symbol);
        assert_eq!(row.last_price, asking.simulator.day(symbol).last);
    }
}

fn pairs_of_other_assets_have_our_names(asking: &Asking) {
    let pair = |base: &str, quote: &str, price: &str, tick_size: &str| Instrument {
        symbol: format!("{base}{quote}"),
        quote_asset: quote.to_owned(),
        ..Instrument::usdt(base, price, tick_size, "5000000")
    };
    let pairs = [
        pair("BTC", "USD", "64250", "0.1"),
        pair("ETH", "BTC", "0.05310", "0.00001"),
        pair("DOGE", "EUR", "0.1150", "0.0001"),
    ];
    let symbols = pairs.clone().map(|pair| pair.symbol);
    let symbols = symbols.each_ref().map(String::as_str);
    for pair in pairs {
        asking.simulator.add_symbol(pair);
    }
    let tickers = asking.tickers(&symbols);
    for symbol in symbols {
        let row = ticker(&tickers, symbol);
        assert_eq!(row.last_price, asking.simulator.day(symbol).last);
    }
}

fn a_stale_reply_tells_its_old_time(asking: &Asking) {
    asking.simulator.inject(Fault::Stale, Times::Once);
    let tickers = asking.tickers(&SYMBOLS);
    for symbol in SYMBOLS {
        let age = A_TIME - ticker(&tickers, symbol).close_time;
        assert!((age - 60 * MINUTE).abs() <= 1_000, "{symbol}: {age} ms");
    }
}
