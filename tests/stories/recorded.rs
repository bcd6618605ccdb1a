//! Recorded replies of a real exchange, from the exchange to `user_signals`. They are not part of
//! the project: where their folder is missing, these stories report that they are skipped.

use flate2::read::GzDecoder;
use signal_hub_harness::scene::{flat_market, generate, installed_by_hand};
use signal_hub_harness::skip::report_skipped;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// A day on which BTC fell by 8.163 %: 2,161 rows, 707 of them all zero, 59 halted with frozen
/// statistics.
const SELL_OFF: &str = "binance/ticker24hr-2023-03-10T1434Z.json.gz";

/// The recorded reply, or `None` when the folder is missing.
fn recorded_reply(name: &str) -> Option<String> {
    let folder = std::env::var_os("SIGNAL_HUB_MARKET_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/market"),
        PathBuf::from,
    );
    let Ok(file) = File::open(folder.join(name)) else {
        report_skipped(format_args!("no recorded data in {}", folder.display()));
        return None;
    };
    let mut text = String::new();
    GzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("a recorded reply is text");
    Some(text)
}

#[test]
fn a_recorded_sell_off_becomes_rows_with_the_very_numbers_of_the_exchange() {
    let Some(reply) = recorded_reply(SELL_OFF) else {
        return;
    };
    let market = flat_market();
    market.replay(&reply).expect("a recorded reply");
    let (_cluster, mut session) = installed_by_hand(&market);
    session.run("UPDATE signal_rules SET max_signals_per_run = 5000");
    session.run(&format!(
        "CREATE TABLE recorded AS SELECT row ->> 'symbol' AS symbol, row
           FROM jsonb_array_elements($json${reply}$json$) AS row;
         INSERT INTO signal_symbols (symbol) SELECT symbol FROM recorded ON CONFLICT DO NOTHING;
         INSERT INTO user_subscriptions (user_id, tier) VALUES (gen_random_uuid(), 'MAX');
         UPDATE signal_tiers SET daily_quota = NULL"
    ));
    let report = generate(&mut session);
    assert_eq!(
        market.request_count(),
        1,
        "one request, whatever the watchlist"
    );
    let signals = report["signals_generated"].as_i64().expect("a count");
    assert!(signals > 100, "a sell-off has many: {report}");
    assert_eq!(report["symbols_evaluated"], 2161);
    assert_eq!(report["deliveries"], signals);

    let from_dead: Vec<String> = session.list(
        "SELECT s.symbol FROM signals s JOIN recorded r USING (symbol)
          WHERE (r.row ->> 'bidPrice')::numeric = 0 OR (r.row ->> 'count')::bigint = 0",
    );
    assert!(from_dead.is_empty(), "zero and frozen rows: {from_dead:?}");
    let stale: Vec<String> = session.list(
        "SELECT s.symbol FROM signals s JOIN recorded r USING (symbol)
          WHERE (r.row ->> 'closeTime')::bigint < (SELECT max((row ->> 'closeTime')::bigint) FROM recorded) - 300000",
    );
    assert!(stale.is_empty(), "old statistics: {stale:?}");
    // As text, so that even trailing zeros have to be equal.
    let altered: Vec<String> = session.list(
        "SELECT s.symbol FROM signals s JOIN recorded r USING (symbol)
          WHERE (s.price_change_percent::text, s.last_price::text, s.open_price::text, s.high_price::text,
                 s.low_price::text, s.bid_price::text, s.ask_price::text, s.weighted_average_price::text,
                 s.base_volume::text, s.quote_volume::text, s.trade_count::text)
             IS DISTINCT FROM
                (r.row ->> 'priceChangePercent', r.row ->> 'lastPrice', r.row ->> 'openPrice', r.row ->> 'highPrice',
                 r.row ->> 'lowPrice', r.row ->> 'bidPrice', r.row ->> 'askPrice', r.row ->> 'weightedAvgPrice',
                 r.row ->> 'volume', r.row ->> 'quoteVolume', r.row ->> 'count')",
    );
    assert!(
        altered.is_empty(),
        "numbers changed on the way: {altered:?}"
    );
    let off_the_tick: Vec<String> = session.list(
        "SELECT s.symbol FROM signals s JOIN signal_symbols y USING (symbol)
          WHERE EXISTS (SELECT FROM unnest(s.take_profit || s.entry_price || s.stop_loss) AS price
                         WHERE price % y.tick_size <> 0)",
    );
    assert!(off_the_tick.is_empty(), "{off_the_tick:?}");
    let bitcoin: Vec<String> =
        session.list("SELECT format('%s %s', signal_type, confidence) FROM user_signals WHERE symbol = 'BTCUSDT'");
    assert_eq!(bitcoin, ["SHORT 81.63"]);
    let again = generate(&mut session);
    assert_eq!(
        again["signals_generated"], 0,
        "one episode, one signal: {again}"
    );
}
