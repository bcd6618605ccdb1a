//! The market a signal would be traded on: volume in one currency, spread, order book, another
//! exchange's price, and the tick of today.

use super::*;

/// The verdict on a ticker that is watched like this, in a reply with others.
fn told(watched: Watched, rows: impl IntoIterator<Item = Ticker>) -> Told {
    told_by(&rule(), watched, rows)
}

fn told_by(rule: &Rule, watched: Watched, rows: impl IntoIterator<Item = Ticker>) -> Told {
    judge(rule, &[watched], &tickers(rows), &HashMap::new(), NOW).remove(0)
}

fn with_volume(symbol: &str, quote_volume: &str) -> Ticker {
    let quote_volume = number(quote_volume);
    Ticker {
        quote_volume,
        base_volume: quote_volume / Decimal::ONE_THOUSAND,
        ..ticker(symbol, "5")
    }
}

fn priced(symbol: &str, price: &str) -> Ticker {
    let price = number(price);
    Ticker {
        price_change: Decimal::ZERO,
        price_change_percent: Decimal::ZERO,
        weighted_average_price: Some(price),
        last_price: price,
        open_price: price,
        high_price: price,
        low_price: price,
        bid_price: Some(price),
        ask_price: Some(price),
        ..ticker(symbol, "0")
    }
}

#[test]
fn a_pair_in_bitcoin_is_measured_by_what_its_volume_is_worth() {
    let ethbtc = with_volume("ETHBTC", "5000");
    let verdict = told(
        watch("ETHBTC"),
        [ethbtc.clone(), priced("BTCUSDT", "28200")],
    );
    let volume = gate(&verdict, "volume");
    assert_eq!(volume.value.as_deref(), Some("141000000"));
    assert!(verdict.signal.is_some(), "{}", verdict.why);
    let alone = told(watch("ETHBTC"), [ethbtc]);
    assert_eq!(
        alone.why,
        "its 24h volume of 5000 BTC cannot be told in US dollars: the exchange's reply has no rate of BTC"
    );
}

#[test]
fn a_pair_in_rupiah_does_not_pass_by_large_numbers() {
    let rupiah = with_volume("XYZIDR", "100000000");
    let verdict = told(watch("XYZIDR"), [rupiah, priced("USDTIDR", "16000")]);
    assert_eq!(
        verdict.why,
        "24h volume of 100000000 IDR, 6250 US dollars at 0.0000625, is not above 1000000"
    );
    assert!(verdict.signal.is_none());
}

#[test]
fn what_the_list_of_instruments_says_counts_before_how_the_symbol_ends() {
    let watched = Watched {
        quote: Some("XYZ".to_owned()),
        ..watch("ABCUSDT")
    };
    let verdict = told(watched, [with_volume("ABCUSDT", "50000000")]);
    assert!(
        verdict.why.ends_with("has no rate of XYZ"),
        "{}",
        verdict.why
    );
    let verdict = told(watch("WORD"), [with_volume("WORD", "50000000")]);
    assert!(
        verdict.why.ends_with("its quote asset is not known"),
        "{}",
        verdict.why
    );
    assert_eq!(
        gate(&verdict, "volume").value,
        None,
        "what is not known is not measured"
    );
}

#[test]
fn a_rate_that_stands_still_is_no_rate() {
    let mut halted = priced("BTCUSDT", "28200");
    (halted.bid_price, halted.ask_price) = (Some(Decimal::ZERO), Some(Decimal::ZERO));
    let mut old = priced("BTCUSDC", "28200");
    old.close_time = NOW - HOUR;
    let verdict = told(
        watch("ETHBTC"),
        [with_volume("ETHBTC", "5000"), halted, old],
    );
    assert!(
        verdict.why.ends_with("has no rate of BTC"),
        "{}",
        verdict.why
    );
}

#[test]
fn liquidity_is_scored_in_dollars_too() {
    let quality = |verdict: Told| verdict.signal.unwrap().quality_score;
    let dollars = quality(told(
        watch("ETHUSDT"),
        [with_volume("ETHUSDT", "100000000")],
    ));
    let bitcoin = with_volume("ETHBTC", "5000");
    let bitcoin = quality(told(watch("ETHBTC"), [bitcoin, priced("BTCUSDT", "20000")]));
    assert_eq!(dollars, bitcoin);
}

#[test]
fn a_spread_that_is_too_wide_is_refused() {
    let mut wide = ticker("BTCUSDT", "5");
    (wide.bid_price, wide.ask_price) = (Some(number("1045")), Some(number("1055.6")));
    let verdict = told(watch("BTCUSDT"), [wide.clone()]);
    assert_eq!(verdict.why, "its spread of 1.009 % is wider than 0.5 %");
    assert_eq!(failed(&verdict), ["spread", "max_per_run"]);
    let any = Rule {
        max_spread_percent: None,
        ..rule()
    };
    assert!(told_by(&any, watch("BTCUSDT"), [wide]).signal.is_some());
}

#[test]
fn a_stop_that_the_book_has_crossed_gives_no_signal() {
    // SHORT at 950, stop at 964.3, and nobody sells below 985.
    let mut crossed = ticker("BTCUSDT", "-5");
    (crossed.bid_price, crossed.ask_price) = (Some(number("984.9")), Some(number("985")));
    let verdict = told(watch("BTCUSDT"), [crossed]);
    assert_eq!(
        verdict.why,
        "its ask of 985 has crossed the stop at 964.3 already"
    );
    // LONG at 1050, stop at 1034.25, where the bid is.
    let mut crossed = ticker("BTCUSDT", "5");
    (crossed.bid_price, crossed.ask_price) = (Some(number("1034.25")), Some(number("1035")));
    let verdict = told(watch("BTCUSDT"), [crossed]);
    assert_eq!(
        verdict.why,
        "its bid of 1034.25 has crossed the stop at 1034.25 already"
    );
    assert_eq!(failed(&verdict), ["book", "max_per_run"]);
}

#[test]
fn half_a_book_that_lies_beyond_the_stop_has_crossed_it() {
    let no_limit = Rule {
        max_spread_percent: None,
        ..rule()
    };
    let mut half = ticker("BTCUSDT", "-5");
    (half.bid_price, half.ask_price) = (Some(number("970")), None);
    let verdict = told_by(&no_limit, watch("BTCUSDT"), [half]);
    assert_eq!(
        verdict.why,
        "its bid of 970 has crossed the stop at 964 already"
    );
}

#[test]
fn an_entry_far_outside_of_the_book_gives_no_signal() {
    let mut away = ticker("BTCUSDT", "5");
    (away.bid_price, away.ask_price) = (Some(number("1056")), Some(number("1057")));
    let verdict = told(watch("BTCUSDT"), [away.clone()]);
    assert_eq!(
        verdict.why,
        "its last price of 1050 is 0.571 % outside of bid and ask"
    );
    // By no more than the widest spread: the book has moved a little since the last trade.
    (away.bid_price, away.ask_price) = (Some(number("1051")), Some(number("1052")));
    assert!(told(watch("BTCUSDT"), [away]).signal.is_some());
}

#[test]
fn what_an_exchange_does_not_tell_refuses_nothing_and_is_said() {
    let mut without_book = ticker("BTCUSDT", "5");
    (without_book.bid_price, without_book.ask_price) = (None, None);
    let verdict = told(watch("BTCUSDT"), [without_book]);
    assert!(verdict.signal.is_some(), "{}", verdict.why);
    assert_eq!(gate(&verdict, "spread").value.as_deref(), Some("not told"));
    let book = gate(&verdict, "book").value.as_deref();
    assert_eq!(
        book,
        Some("entry 1050, stop 1034, bid not told, ask not told")
    );
}

#[test]
fn two_exchanges_that_disagree_give_no_signal_where_the_rule_asks_for_agreement() {
    let strict = Rule {
        max_disagreement_percent: Some(Decimal::ONE),
        ..rule()
    };
    let elsewhere = |price: &str| Watched {
        elsewhere: Some(Elsewhere {
            exchange: "okx".to_owned(),
            last_price: number(price),
        }),
        ..watch("BTCUSDT")
    };
    let told = |watched| told_by(&strict, watched, [ticker("BTCUSDT", "5")]);
    let verdict = told(elsewhere("1071"));
    assert_eq!(
        verdict.why,
        "its last price of 1050 is 1071 at okx, more than 1 % apart"
    );
    assert_eq!(failed(&verdict), ["agreement", "max_per_run"]);
    assert!(told(elsewhere("1060")).signal.is_some());
    assert!(
        told(watch("BTCUSDT")).signal.is_some(),
        "no other one lists it"
    );
    let any = told_by(&rule(), elsewhere("2000"), [ticker("BTCUSDT", "5")]);
    assert!(any.signal.is_some());
}

#[test]
fn levels_lie_on_the_tick_of_today_also_when_the_last_trade_was_made_at_a_finer_one() {
    let watched = Watched {
        tick_size: Some(number("0.1")),
        learned_tick: Some(number("0.01")),
        ..watch("BTCUSDT")
    };
    let verdict = told(watched, [ticker("BTCUSDT", "3.003")]);
    let levels = verdict.signal.unwrap().levels;
    assert_eq!(levels.entry_price.to_string(), "1030.0");
    assert_eq!(levels.stop_loss.to_string(), "1014.6");
    assert_eq!(verdict.tick_size, Some(number("0.1")));
}

#[test]
fn what_is_learned_from_prices_grows_coarser_again_and_one_noisy_price_does_not_poison_it() {
    let mut row = ticker("BTCUSDT", "3");
    (row.bid_price, row.ask_price) = (Some(number("1029.9")), Some(number("1030.1")));
    (row.high_price, row.low_price) = (number("1050.3"), number("990.2"));
    row.weighted_average_price = Some(number("1000"));
    row.open_price = number("1000.1");
    row.last_price = number("1030.0");
    row.price_change = number("29.9");
    row.price_change_percent = number("2.990");
    let learned = |row: Ticker| {
        let watched = Watched {
            learned_tick: Some(number("0.01")),
            ..watch("BTCUSDT")
        };
        let verdict = told(watched, [row]);
        assert_eq!(verdict.status, "TRADING", "{}", verdict.why);
        (
            verdict.tick_size.unwrap(),
            verdict.signal.unwrap().levels.stop_loss,
        )
    };
    assert_eq!(learned(row.clone()), (number("0.1"), number("1014.6")));
    row.bid_price = Some(number("1029.9000000000001"));
    assert_eq!(learned(row), (number("0.1"), number("1014.6")));
}
