//! What a run decided: signals, episodes, and what is known of the symbols.

use crate::failure::Failure;
use crate::installation::Installation;
use crate::market::UnixMillis;
use crate::strategy::{Episode, Rule, Side, Signal, Verdict};
use pgrx::datum::JsonB;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Writes what the verdicts changed: signals, episodes, and what is known of the symbols.
/// Untouched rows are not written.
pub fn record_verdicts(
    db: &Installation,
    run_id: i64,
    rule: &Rule,
    now: UnixMillis,
    verdicts: &[Verdict],
    before: &HashMap<String, Episode>,
) -> Result<(), Failure> {
    let signals: Vec<Value> = verdicts
        .iter()
        .filter_map(|verdict| Some(signal_row(verdict, verdict.signal.as_deref()?)))
        .collect();
    if !signals.is_empty() {
        insert_signals(db, run_id, rule, now, signals)?;
    }
    let episodes: Vec<Value> = verdicts
        .iter()
        .filter(|verdict| {
            before.get(verdict.symbol).cloned().unwrap_or_default() != verdict.episode
        })
        .map(|verdict| {
            json!({
                "symbol": verdict.symbol,
                "side": verdict.episode.side.map(Side::as_str),
                "since": verdict.episode.since,
                "last_signal_at": verdict.episode.last_signal_at,
            })
        })
        .collect();
    if !episodes.is_empty() {
        upsert_episodes(db, &rule.strategy, episodes)?;
    }
    let symbols = verdicts
        .iter()
        .map(|verdict| {
            json!({
                "symbol": verdict.symbol,
                "tick_size": verdict.tick_size.map(|tick| tick.to_string()),
                "status": verdict.status,
                "why": (verdict.status != "TRADING").then(|| verdict.why()),
            })
        })
        .collect();
    update_symbols(db, symbols)
}

fn signal_row(verdict: &Verdict, signal: &Signal) -> Value {
    let ticker = &signal.ticker;
    json!({
        "symbol": signal.ticker.symbol,
        "signal_type": signal.side.as_str(),
        "reason": signal.reason.as_str(),
        "why": verdict.why(),
        "confidence": signal.confidence.to_string(),
        "quality_score": signal.quality_score.to_string(),
        "entry_price": signal.levels.entry_price.to_string(),
        "take_profit": signal.levels.take_profit.iter().map(Decimal::to_string).collect::<Vec<_>>(),
        "stop_loss": signal.levels.stop_loss.to_string(),
        "expires_at": signal.expires_at,
        "price_change_percent": ticker.price_change_percent.to_string(),
        "last_price": ticker.last_price.to_string(),
        "open_price": ticker.open_price.to_string(),
        "high_price": ticker.high_price.to_string(),
        "low_price": ticker.low_price.to_string(),
        "bid_price": ticker.bid_price.to_string(),
        "ask_price": ticker.ask_price.to_string(),
        "weighted_average_price": ticker.weighted_average_price.to_string(),
        "base_volume": ticker.base_volume.to_string(),
        "quote_volume": ticker.quote_volume.to_string(),
        "trade_count": ticker.trade_count,
        "open_time": ticker.open_time,
        "close_time": ticker.close_time,
        "gates": verdict.gates().iter().map(|gate| json!({
            "gate": gate.name, "value": gate.value, "threshold": gate.threshold, "passed": gate.passed,
        })).collect::<Vec<_>>(),
    })
}

fn insert_signals(
    db: &Installation,
    run_id: i64,
    rule: &Rule,
    now: UnixMillis,
    rows: Vec<Value>,
) -> Result<(), Failure> {
    db.run(
        "INSERT INTO @extschema@.signals (run_id, strategy, symbol, signal_type, reason, why, confidence, quality_score,
                              entry_price, take_profit, stop_loss, expires_at, price_change_percent,
                              last_price, open_price, high_price, low_price, bid_price, ask_price,
                              weighted_average_price, base_volume, quote_volume, trade_count,
                              open_time, close_time, gates, created_at)
         SELECT $1, $2, r.symbol, r.signal_type, r.reason, r.why, r.confidence, r.quality_score,
                r.entry_price, r.take_profit, r.stop_loss, to_timestamp(r.expires_at / 1000), r.price_change_percent,
                r.last_price, r.open_price, r.high_price, r.low_price, r.bid_price, r.ask_price,
                r.weighted_average_price, r.base_volume, r.quote_volume, r.trade_count,
                to_timestamp(r.open_time / 1000), to_timestamp(r.close_time / 1000), r.gates,
                to_timestamp($3::double precision / 1000)
           FROM jsonb_to_recordset($4) AS r (
                symbol text, signal_type text, reason text, why text, confidence numeric, quality_score numeric,
                entry_price numeric, take_profit numeric[], stop_loss numeric, expires_at double precision,
                price_change_percent numeric, last_price numeric, open_price numeric, high_price numeric,
                low_price numeric, bid_price numeric, ask_price numeric, weighted_average_price numeric,
                base_volume numeric, quote_volume numeric, trade_count bigint,
                open_time double precision, close_time double precision, gates jsonb)",
        &[run_id.into(), rule.strategy.clone().into(), now.into(), JsonB(rows.into()).into()],
    )?;
    Ok(())
}

fn upsert_episodes(db: &Installation, strategy: &str, rows: Vec<Value>) -> Result<(), Failure> {
    db.run(
        "INSERT INTO @extschema@.signal_episodes AS e (strategy, symbol, side, since, last_signal_at)
         SELECT $1, r.symbol, r.side, to_timestamp(r.since / 1000), to_timestamp(r.last_signal_at / 1000)
           FROM jsonb_to_recordset($2) AS r (
                symbol text, side text, since double precision, last_signal_at double precision)
         ON CONFLICT (strategy, symbol) DO UPDATE
            SET side = excluded.side, since = excluded.since, last_signal_at = excluded.last_signal_at",
        &[strategy.into(), JsonB(rows.into()).into()],
    )?;
    Ok(())
}

fn update_symbols(db: &Installation, rows: Vec<Value>) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_symbols s
            SET tick_size = coalesce(r.tick_size, s.tick_size), status = r.status, status_why = r.why,
                checked_at = now(),
                last_seen_at = CASE r.status WHEN 'TRADING' THEN now() ELSE s.last_seen_at END
           FROM jsonb_to_recordset($1) AS r (symbol text, tick_size numeric, status text, why text)
          WHERE s.symbol = r.symbol
            AND (s.status IS DISTINCT FROM r.status
                 OR s.tick_size IS DISTINCT FROM coalesce(r.tick_size, s.tick_size)
                 OR r.status = 'TRADING' AND s.last_seen_at NOT BETWEEN now() - interval '1 hour' AND now()
                 OR r.status = 'UNKNOWN' AND s.checked_at NOT BETWEEN now() - interval '1 day' AND now())",
        &[JsonB(rows.into()).into()],
    )?;
    Ok(())
}
