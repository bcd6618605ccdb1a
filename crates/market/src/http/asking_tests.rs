//! Which requests ask for symbols of which the last look found different things.

use super::tests::{Peer, UNKNOWN_SYMBOL, answer, asked, ticker_list};
use crate::{Asked, BINANCE, Exchange, LastLook, MarketError};

#[test]
fn a_symbol_that_was_listed_is_not_unknown_because_one_list_of_all_lacks_it() {
    let peer = Peer::answering(&[&ticker_list(), &ticker_list()]);
    let listed = |last_look| -> Vec<Asked> {
        let symbols = (0..101).map(|n| asked(&format!("S{n}USDT"), last_look));
        symbols.collect()
    };
    let tickers = BINANCE
        .tickers(&peer.endpoint, &listed(LastLook::Listed))
        .unwrap();
    assert_eq!(tickers.missing.len(), 101);
    // A row in it is used whatever was known before.
    let mut symbols = listed(LastLook::UnknownLately);
    symbols.push(asked("BTCUSDT", LastLook::UnknownLately));
    let tickers = BINANCE.tickers(&peer.endpoint, &symbols).unwrap();
    assert!(tickers.rows["BTCUSDT"].is_ok());
    assert_eq!(tickers.unknown.len(), 101);
    assert!(tickers.not_asked.is_empty(), "all were looked for");
}

#[test]
fn of_several_that_are_gone_from_the_list_of_all_none_is_the_one_refused() {
    let refusal = answer("400 Bad Request", "", UNKNOWN_SYMBOL);
    let peer = Peer::answering(&[&refusal, &ticker_list(), &refusal, &ticker_list()]);
    let both = ["ETHUSDT", "GONEUSDT"].map(|symbol| asked(symbol, LastLook::Listed));
    let tickers = BINANCE.tickers(&peer.endpoint, &both).unwrap();
    assert_eq!(tickers.unknown, [""; 0]);
    assert_eq!(tickers.missing.len(), 2);
    let tickers = peer.fetch_after(LastLook::Listed).unwrap();
    assert_eq!(tickers.unknown, ["GONEUSDT"], "it can only be this one");
}

#[test]
fn an_unknown_symbol_is_left_out_and_then_asked_for_alone() {
    let refusal = answer("400 Bad Request", "", UNKNOWN_SYMBOL);
    let peer = Peer::answering(&[&ticker_list(), &ticker_list(), &refusal]);
    let tickers = peer.fetch_after(LastLook::UnknownLately).unwrap();
    assert_eq!(tickers.unknown, ["GONEUSDT"]);
    assert!(tickers.not_asked.contains("GONEUSDT"));
    let tickers = peer.fetch_after(LastLook::UnknownDue).unwrap();
    assert!(tickers.rows["BTCUSDT"].is_ok());
    assert_eq!(tickers.unknown, ["GONEUSDT"]);
    assert!(tickers.not_asked.is_empty());
    let of = |symbol| format!("GET /api/v3/ticker/24hr?symbols=%5B%22{symbol}%22%5D HTTP/1.1");
    assert_eq!(
        peer.request_lines(),
        [of("BTCUSDT"), of("BTCUSDT"), of("GONEUSDT")]
    );
}

#[test]
fn whether_an_unknown_symbol_is_listed_by_now_costs_the_others_nothing() {
    let trouble = answer("500 No", "", "busy");
    let peer = Peer::answering(&[&ticker_list(), &trouble]);
    let tickers = peer.fetch_after(LastLook::UnknownDue).unwrap();
    assert!(tickers.rows["BTCUSDT"].is_ok());
    let stop = answer("429 Stop", "Retry-After: 7\r\n", "");
    let peer = Peer::answering(&[&ticker_list(), &stop]);
    assert!(matches!(
        peer.fetch_after(LastLook::UnknownDue),
        Err(MarketError::LeftAlone { .. })
    ));
}

#[test]
fn several_unknown_symbols_are_asked_for_again_in_one_request() {
    let peer = Peer::answering(&[&ticker_list()]);
    let symbols = ["BTCUSDT", "GONEUSDT", "AWAYUSDT"].map(|s| asked(s, LastLook::UnknownDue));
    let tickers = BINANCE.tickers(&peer.endpoint, &symbols).unwrap();
    assert!(tickers.rows["BTCUSDT"].is_ok());
    assert_eq!(tickers.unknown, ["GONEUSDT", "AWAYUSDT"]);
    assert_eq!(peer.request_lines(), ["GET /api/v3/ticker/24hr HTTP/1.1"]);
}
