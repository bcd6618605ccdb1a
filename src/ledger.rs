//! Reads the rules, the watchlist and the memory of episodes; writes signals and
//! the history of runs. Everything here runs inside a transaction, as the owner
//! of the tables, which are named with their schema.

use crate::failure::Failure;
use crate::installation::Installation;
use crate::market::UnixMillis;
use crate::settings;
use crate::strategy::{Episode, Rule, Side, Signal, Verdict, Watched};
use pgrx::datum::JsonB;
use pgrx::spi::SpiHeapTupleData;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What starts a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Worker,
    Manual,
}

impl Trigger {
    fn as_str(self) -> &'static str {
        match self {
            Trigger::Worker => "worker",
            Trigger::Manual => "manual",
        }
    }
}

/// What a run needs to know before it asks the exchange.
#[derive(Debug)]
pub struct Plan {
    /// Enabled rows of the watchlist.
    pub watched: Vec<Watched>,
    /// Those of them to ask for.
    pub asked: Vec<String>,
    /// The others: found not to be listed within the last day.
    pub unlisted: Vec<String>,
    /// Enabled strategies.
    pub rules: Vec<Rule>,
    /// Whether a fan-out is incomplete.
    pub undelivered: bool,
    /// Who paused and why, when signals are paused.
    pub paused: Option<String>,
    pub standing: Standing,
}

/// How the runs before stand with the exchange.
#[derive(Debug)]
pub struct Standing {
    /// Failed runs of the worker since the last good one.
    pub consecutive_failures: u32,
    /// Until when this exchange is to be left alone, by the last run.
    pub retry_at: Option<UnixMillis>,
    /// Whether that is because the exchange said so.
    pub told_to_wait: bool,
    /// 0 to 1, drawn anew each time.
    pub jitter: f64,
}

/// Reads the plan of the next run.
pub fn plan(db: &Installation) -> Result<Plan, Failure> {
    let symbols = db.read(
        "SELECT symbol, tick_size::text,
                -- A look in the future means that the clock was set back since.
                status IS DISTINCT FROM 'UNKNOWN' OR checked_at NOT BETWEEN now() - interval '1 day' AND now()
           FROM @extschema@.signal_symbols WHERE enabled ORDER BY symbol",
        &[],
        |row| {
            let watched = Watched {
                symbol: text(row, 1)?,
                tick_size: optional_decimal(row, 2)?,
            };
            Ok((watched, row.get(3)?.unwrap_or(true)))
        },
    )?;
    let (ask, leave): (Vec<_>, Vec<_>) = symbols.iter().partition(|(_, ask)| *ask);
    let names = |symbols: Vec<&(Watched, bool)>| -> Vec<String> {
        symbols.into_iter().map(|(w, _)| w.symbol.clone()).collect()
    };
    let (asked, unlisted) = (names(ask), names(leave));
    let watched = symbols.into_iter().map(|(watched, _)| watched).collect();
    let undelivered = db.read(
        "SELECT EXISTS (SELECT FROM @extschema@.signals WHERE delivered_at IS NULL)",
        &[],
        |row| Ok(row.get(1)?.unwrap_or(false)),
    )?;
    let paused = db.read(
        "SELECT format('paused by %s since %s%s', paused_by, paused_at::timestamptz(0), coalesce(' (' || reason || ')', '')) FROM @extschema@.signal_pause",
        &[],
        |row| text(row, 1),
    )?;
    Ok(Plan {
        watched,
        asked,
        unlisted,
        rules: rules(db)?,
        undelivered: undelivered.contains(&true),
        paused: paused.into_iter().next(),
        standing: standing(db)?,
    })
}

/// Reads how the runs before stand with the exchange.
pub fn standing(db: &Installation) -> Result<Standing, Failure> {
    let found = db.read(
        "SELECT (SELECT count(*) FROM @extschema@.signal_runs WHERE status = 'failed' AND trigger = 'worker' AND run_id >
                   coalesce((SELECT run_id FROM @extschema@.signal_runs WHERE status = 'ok' ORDER BY run_id DESC LIMIT 1), 0)),
                -- No longer than was asked for, also when the clock was set back meanwhile.
                (extract(epoch FROM least(last.retry_at, clock_timestamp() + (last.retry_at - last.started_at))) * 1000)::bigint,
                last.sqlstate IS NOT DISTINCT FROM '08004',
                random()
           FROM (VALUES (true)) AS one
           -- A failed call tells something of the exchange only when that asked to be left alone.
           LEFT JOIN LATERAL (SELECT * FROM @extschema@.signal_runs
                               WHERE status <> 'skipped' AND NOT (trigger = 'manual' AND status = 'failed' AND retry_at IS NULL)
                               ORDER BY run_id DESC LIMIT 1) AS last
             ON last.retry_at > clock_timestamp() AND last.exchange_url = $1",
        &[settings::endpoint().base_url.into()],
        |row| {
            Ok(Standing {
                consecutive_failures: row.get::<i64>(1)?.and_then(|n| n.try_into().ok()).unwrap_or(0),
                retry_at: row.get(2)?,
                told_to_wait: row.get(3)?.unwrap_or(false),
                jitter: row.get(4)?.unwrap_or(0.5),
            })
        },
    )?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| Failure::internal("no standing"))
}

/// Start of the last run of the worker. Looks through all runs by hand since.
pub fn last_worker_run(db: &Installation) -> Result<Option<UnixMillis>, Failure> {
    let found = db.read(
        "SELECT (extract(epoch FROM started_at) * 1000)::bigint FROM @extschema@.signal_runs
          WHERE trigger = 'worker' ORDER BY run_id DESC LIMIT 1",
        &[],
        |row| Ok(row.get(1)?),
    )?;
    Ok(found.into_iter().next().flatten())
}

fn rules(db: &Installation) -> Result<Vec<Rule>, Failure> {
    db.read(
        "SELECT strategy, enter_change_percent::text, exit_change_percent::text, min_quote_volume::text,
                confidence_per_percent::text, max_confidence::text, min_confidence::text, min_quality::text,
                stop_loss_percent::text, array_to_string(take_profit_percents, ' '),
                (extract(epoch FROM lifetime) * 1000)::bigint, (extract(epoch FROM cooldown) * 1000)::bigint,
                (extract(epoch FROM max_ticker_age) * 1000)::bigint, max_signals_per_run
           FROM @extschema@.signal_rules WHERE enabled ORDER BY strategy",
        &[],
        |row| {
            Ok(Rule {
                strategy: text(row, 1)?,
                enter_change_percent: decimal(row, 2)?,
                exit_change_percent: decimal(row, 3)?,
                min_quote_volume: decimal(row, 4)?,
                confidence_per_percent: decimal(row, 5)?,
                max_confidence: decimal(row, 6)?,
                min_confidence: decimal(row, 7)?,
                min_quality: decimal(row, 8)?,
                stop_loss_percent: decimal(row, 9)?,
                take_profit_percents: text(row, 10)?
                    .split(' ')
                    .map(|number| parse_decimal(number, "take_profit_percents"))
                    .collect::<Result<_, _>>()?,
                lifetime_ms: row.get(11)?.unwrap_or_default(),
                cooldown_ms: row.get(12)?.unwrap_or_default(),
                max_ticker_age_ms: row.get(13)?.unwrap_or_default(),
                max_signals_per_run: row.get(14)?.unwrap_or_default(),
            })
        },
    )
}

/// The memory of `strategy`, by symbol.
pub fn episodes(db: &Installation, strategy: &str) -> Result<HashMap<String, Episode>, Failure> {
    let rows = db.read(
        "SELECT symbol, side, (extract(epoch FROM since) * 1000)::bigint, (extract(epoch FROM last_signal_at) * 1000)::bigint
           FROM @extschema@.signal_episodes WHERE strategy = $1",
        &[strategy.into()],
        |row| {
            let side = row.get::<String>(2)?.and_then(|side| Side::parse(&side));
            Ok((text(row, 1)?, Episode { side, since: row.get(3)?, last_signal_at: row.get(4)? }))
        },
    )?;
    Ok(rows.into_iter().collect())
}

/// A run as it is entered into the history.
#[derive(Debug, Default)]
pub struct Run {
    pub started_at: UnixMillis,
    /// `None` is now.
    pub finished_at: Option<UnixMillis>,
    pub symbols_evaluated: usize,
    pub signals_generated: usize,
    pub fetch_ms: Option<f64>,
    pub judge_ms: Option<f64>,
    pub message: Option<String>,
    pub retry_at: Option<UnixMillis>,
}

/// How a run that is entered into the history went.
pub enum Status<'a> {
    /// `finished` is false while its signals are yet to be delivered.
    Ok {
        finished: bool,
    },
    Failed(&'a Failure),
    Skipped,
}

/// Enters a run and returns its number.
pub fn record_run(
    db: &Installation,
    trigger: Trigger,
    run: &Run,
    status: &Status,
) -> Result<i64, Failure> {
    let (status, finished, failure) = match status {
        Status::Ok { finished } => ("ok", *finished, None),
        Status::Failed(failure) => ("failed", true, Some(failure)),
        Status::Skipped => ("skipped", true, None),
    };
    let run_ids = db.write(
        "INSERT INTO @extschema@.signal_runs (trigger, status, started_at, finished_at, symbols_evaluated, signals_generated,
                                  fetch_ms, judge_ms, message, retry_at, error, sqlstate, exchange_url)
         VALUES ($1, $2, to_timestamp($3::double precision / 1000), CASE WHEN $4 THEN coalesce(to_timestamp($14::double precision / 1000), clock_timestamp()) END, $5, $6,
                 $7, $8, $9, to_timestamp($10::double precision / 1000), $11, $12, $13)
         RETURNING run_id",
        &[
            trigger.as_str().into(),
            status.into(),
            run.started_at.into(),
            finished.into(),
            count(run.symbols_evaluated).into(),
            count(run.signals_generated).into(),
            run.fetch_ms.into(),
            run.judge_ms.into(),
            run.message.clone().into(),
            run.retry_at.into(),
            failure.map(|f| f.line()).into(),
            failure.map(|f| f.sqlstate.to_string()).into(),
            settings::endpoint().base_url.into(),
            run.finished_at.into(),
        ],
        |row| Ok(row.get(1)?.unwrap_or_default()),
    )?;
    run_ids
        .into_iter()
        .next()
        .ok_or_else(|| Failure::internal("no run_id"))
}

/// Writes what the verdicts changed: signals, episodes, and what is known of the
/// symbols. Untouched rows are not written.
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

/// Enters how long recording took; known only once it is done.
pub fn record_times(db: &Installation, run_id: i64, record_ms: f64) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_runs SET record_ms = $2 WHERE run_id = $1",
        &[run_id.into(), record_ms.into()],
    )?;
    Ok(())
}

/// Enters into its run that a signal is delivered, or that a subscriber was
/// passed over: rows so far, time, and the end when it was the run's last.
pub fn record_delivery(db: &Installation, signal_id: i64, spent_ms: f64) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_runs r
            SET deliveries = d.deliveries, delivery_failures = d.failures,
                deliver_ms = coalesce(r.deliver_ms, 0) + $2,
                finished_at = CASE WHEN d.complete THEN clock_timestamp() END
           FROM (SELECT run_id, sum(deliveries) AS deliveries, sum(delivery_failures) AS failures,
                        bool_and(delivered_at IS NOT NULL) AS complete
                   FROM @extschema@.signals
                  WHERE run_id = (SELECT run_id FROM @extschema@.signals WHERE signal_id = $1)
                  GROUP BY run_id) AS d
          WHERE r.run_id = d.run_id",
        &[signal_id.into(), spent_ms.into()],
    )?;
    Ok(())
}

/// Enters into the run of a signal what went wrong in delivering it.
pub fn record_delivery_error(
    db: &Installation,
    signal_id: i64,
    error: &str,
    sqlstate: &str,
) -> Result<(), Failure> {
    db.run(
        "UPDATE @extschema@.signal_runs SET error = $2, sqlstate = $3
          WHERE run_id = (SELECT run_id FROM @extschema@.signals WHERE signal_id = $1)",
        &[signal_id.into(), error.into(), sqlstate.into()],
    )?;
    Ok(())
}

/// Whether a dump is being restored by this session, or by pg_restore's others.
pub fn restore_is_running(db: &Installation, restorer_pid: i32) -> Result<bool, Failure> {
    let running = db.read(
        "SELECT EXISTS (SELECT FROM pg_stat_activity
                         WHERE pid = $1 OR datname = current_database() AND application_name = 'pg_restore')",
        &[restorer_pid.into()],
        |row| Ok(row.get(1)?.unwrap_or(false)),
    )?;
    Ok(running.contains(&true))
}

/// A column that cannot be null.
pub fn text(row: &SpiHeapTupleData, ordinal: usize) -> Result<String, Failure> {
    row.get(ordinal)?
        .ok_or_else(|| Failure::internal(format!("column {ordinal} of an internal query is null")))
}

fn decimal(row: &SpiHeapTupleData, ordinal: usize) -> Result<Decimal, Failure> {
    parse_decimal(&text(row, ordinal)?, "a number in signal_rules")
}

fn optional_decimal(row: &SpiHeapTupleData, ordinal: usize) -> Result<Option<Decimal>, Failure> {
    row.get::<String>(ordinal)?
        .map(|number| parse_decimal(&number, "tick_size"))
        .transpose()
}

fn parse_decimal(number: &str, what: &str) -> Result<Decimal, Failure> {
    Decimal::from_str_exact(number)
        .map_err(|_| Failure::out_of_range(&format!("{what} ({number})")))
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
