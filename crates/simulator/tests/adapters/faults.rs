//! Replies that are good but for something in them: what is wrong costs itself alone, and nothing
//! wrong is believed.

use super::*;
use market::{Candle, CandleQuery, Client, Interval, Ticker};
use signal_hub_simulator::{CandleFault, Corruption};

const MINUTE: i64 = 60_000;

for_each_exchange!(
    a_bad_row_costs_its_symbol_alone,
    a_lie_about_the_change_is_not_believed,
    an_empty_book_is_no_price,
    bad_candles_are_refused_or_left_out
);

/// The row of BTCUSDT, spoiled, after those of the others were found to be good.
fn spoiled(asking: &Asking, how: Corruption) -> Option<Result<Ticker, String>> {
    asking.simulator.corrupt_row("BTCUSDT", how);
    let mut tickers = asking.tickers(&SYMBOLS);
    asking.simulator.release("BTCUSDT");
    for symbol in ["ETHUSDT", "XRPUSDT"] {
        let row = tickers.rows[symbol].as_ref();
        let row = row.unwrap_or_else(|reason| panic!("{how:?}, {symbol}: {reason}"));
        assert_eq!(row.last_price, asking.simulator.day(symbol).last);
    }
    tickers.rows.remove("BTCUSDT")
}

fn a_bad_row_costs_its_symbol_alone(asking: &Asking) {
    for how in [
        Corruption::MissingField,
        Corruption::NotANumber,
        Corruption::WrongType,
    ] {
        match spoiled(asking, how) {
            None | Some(Err(_)) => {}
            Some(Ok(row)) => panic!("{how:?}: {row:?}"),
        }
    }
}

fn a_lie_about_the_change_is_not_believed(asking: &Asking) {
    let Some(Ok(row)) = spoiled(asking, Corruption::Inconsistent) else {
        return;
    };
    // Then it was computed from prices, or left to whoever judges the row.
    let percent = row.price_change * Decimal::ONE_HUNDRED / row.open_price;
    let judged = asking.is_one_of(&[Dialect::Binance, Dialect::BinanceUs, Dialect::Gate]);
    let agrees = (percent - row.price_change_percent).abs() <= Decimal::new(1, 2);
    assert!(judged || agrees, "{row:?}");
    let open = asking.simulator.day("BTCUSDT").open;
    // Gate tells no open: what a lie makes of it lies far outside of low and high.
    let inside = row.low_price <= row.open_price && row.open_price <= row.high_price;
    if asking.dialect == Dialect::Gate {
        assert!(!inside, "{row:?}");
    } else if asking.dialect != Dialect::Kraken {
        assert_close(row.open_price, open, "0.00006", "open");
    }
}

fn an_empty_book_is_no_price(asking: &Asking) {
    for how in [Corruption::NoBook, Corruption::NullBook] {
        if let Some(Ok(row)) = spoiled(asking, how) {
            let side = |price: Option<Decimal>| price.is_none_or(|price| price.is_zero());
            assert!(
                side(row.bid_price) && side(row.ask_price),
                "{how:?}: {row:?}"
            );
        }
    }
}

fn bad_candles_are_refused_or_left_out(asking: &Asking) {
    let query = CandleQuery {
        symbol: "ETHUSDT".to_owned(),
        interval: Interval::Minute,
        from: A_TIME - 20 * MINUTE,
        until: A_TIME,
    };
    let (begin, end) = (query.begin(), query.end());
    let market = asking
        .simulator
        .candles("ETHUSDT", MINUTE, begin, end - MINUTE);
    for fault in [
        CandleFault::WrongOrder,
        CandleFault::Duplicate,
        CandleFault::BadRow,
        CandleFault::ShortPage(5),
        CandleFault::Gap,
    ] {
        asking
            .simulator
            .inject_on_candles(fault.clone(), Times::Once);
        let endpoint = asking.endpoint();
        let client = Client::new(&endpoint).expect("a client");
        let Ok(page) = asking.adapter.candles(&client, &query) else {
            continue;
        };
        let in_order = |pair: &[Candle]| pair[0].open_time < pair[1].open_time;
        assert!(page.rows.windows(2).all(in_order), "{fault:?}");
        for row in &page.rows {
            let wanted = market
                .iter()
                .find(|candle| candle.open_time == row.open_time);
            let wanted = wanted.unwrap_or_else(|| panic!("{fault:?}: {row:?}"));
            assert_eq!(
                (row.high, row.close),
                (wanted.high, wanted.close),
                "{fault:?}"
            );
        }
    }
}
