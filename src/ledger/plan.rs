//! What a run reads: rules, watchlist, memory, and how the runs before it went.

use crate::postgres::statements::{Row, text};
use crate::postgres::{Db, Failure};
use crate::settings;
use market::UnixMillis;
use rust_decimal::Decimal;
use std::collections::HashMap;
use strategy::{Episode, Rule, Side, Watched};

/// What a run needs to know before it asks the exchange.
#[derive(Debug)]
pub struct Plan {
    /// Enabled rows of the watchlist.
    pub watched: Vec<Watched>,
    /// Those of them to ask for.
    pub asked: Vec<String>,
    /// The others: within the last day the exchange did not list them.
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
    pub asked_to_wait: bool,
    /// 0 to 1, drawn at random each time.
    pub jitter: f64,
}

/// Reads the plan of the next run.
pub fn plan(db: &Db) -> Result<Plan, Failure> {
    let symbols = db.read(
        "SELECT symbol, tick_size::text,
                -- A look in the future means that the clock was set back since.
                status IS DISTINCT FROM 'UNKNOWN' OR checked_at NOT BETWEEN now() - interval '24 hours' AND now()
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
    Ok(Plan {
        watched,
        asked,
        unlisted,
        rules: rules(db)?,
        undelivered: undelivered.contains(&true),
        paused: paused(db)?,
        standing: standing(db)?,
    })
}

/// Who paused and why, when signals are paused.
pub fn paused(db: &Db) -> Result<Option<String>, Failure> {
    let paused = db.read(
        "SELECT format('paused by %s since %s%s', paused_by, paused_at::timestamptz(0), coalesce(' (' || reason || ')', '')) FROM @extschema@.signal_pause",
        &[],
        |row| text(row, 1),
    )?;
    Ok(paused.into_iter().next())
}

/// Reads how the runs before stand with the exchange.
pub fn standing(db: &Db) -> Result<Standing, Failure> {
    let found = db.read(
        "SELECT (SELECT count(*) FROM @extschema@.signal_runs WHERE status = 'failed' AND trigger = 'worker' AND run_id >
                   coalesce((SELECT run_id FROM @extschema@.signal_runs WHERE status = 'ok' ORDER BY run_id DESC LIMIT 1), 0)),
                -- No longer than was asked for, also when the clock was set back meanwhile.
                (extract(epoch FROM least(last.retry_at, clock_timestamp() + (last.retry_at - last.started_at))) * 1000)::bigint,
                last.sqlstate IS NOT DISTINCT FROM '08004',
                random()
           FROM (VALUES (true)) AS one
           -- A failed call says something about the exchange only when that asked to be left alone.
           LEFT JOIN LATERAL (SELECT * FROM @extschema@.signal_runs
                               WHERE status <> 'skipped' AND NOT (trigger = 'manual' AND status = 'failed' AND retry_at IS NULL)
                               ORDER BY run_id DESC LIMIT 1) AS last
             ON last.retry_at > clock_timestamp() AND last.exchange_url = $1",
        &[settings::endpoint().base_url.into()],
        |row| {
            Ok(Standing {
                consecutive_failures: row.get::<i64>(1)?.and_then(|n| n.try_into().ok()).unwrap_or(0),
                retry_at: row.get(2)?,
                asked_to_wait: row.get(3)?.unwrap_or(false),
                jitter: row.get(4)?.unwrap_or(0.5),
            })
        },
    )?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| Failure::internal("no standing"))
}

/// Start of the last run of the worker. Reads all runs by hand since then.
pub fn last_worker_run(db: &Db) -> Result<Option<UnixMillis>, Failure> {
    let found = db.read(
        "SELECT (extract(epoch FROM started_at) * 1000)::bigint FROM @extschema@.signal_runs
          WHERE trigger = 'worker' ORDER BY run_id DESC LIMIT 1",
        &[],
        |row| row.get(1),
    )?;
    Ok(found.into_iter().next().flatten())
}

fn rules(db: &Db) -> Result<Vec<Rule>, Failure> {
    db.read(
        "SELECT strategy, enter_change_percent::text, exit_change_percent::text, min_quote_volume::text,
                confidence_per_percent::text, max_confidence::text, min_confidence::text, min_quality::text,
                stop_loss_percent::text,
                array_to_string(ARRAY(SELECT p FROM unnest(take_profit_percents) p ORDER BY p), ' ') AS take_profit_percents,
                (extract(epoch FROM lifetime) * 1000)::bigint AS lifetime_ms,
                (extract(epoch FROM cooldown) * 1000)::bigint AS cooldown_ms,
                (extract(epoch FROM max_ticker_age) * 1000)::bigint AS max_ticker_age_ms, max_signals_per_run
           FROM @extschema@.signal_rules WHERE enabled ORDER BY strategy",
        &[],
        |row| {
            let text = |column| named_text(row, column);
            let decimal = |column: &str| parse_decimal(&named_text(row, column)?, column);
            Ok(Rule {
                strategy: text("strategy")?,
                enter_change_percent: decimal("enter_change_percent")?,
                exit_change_percent: decimal("exit_change_percent")?,
                min_quote_volume: decimal("min_quote_volume")?,
                confidence_per_percent: decimal("confidence_per_percent")?,
                max_confidence: decimal("max_confidence")?,
                min_confidence: decimal("min_confidence")?,
                min_quality: decimal("min_quality")?,
                stop_loss_percent: decimal("stop_loss_percent")?,
                take_profit_percents: text("take_profit_percents")?
                    .split(' ')
                    .map(|number| parse_decimal(number, "take_profit_percents"))
                    .collect::<Result<_, _>>()?,
                lifetime_ms: row.get_by_name("lifetime_ms")?.unwrap_or_default(),
                cooldown_ms: row.get_by_name("cooldown_ms")?.unwrap_or_default(),
                max_ticker_age_ms: row.get_by_name("max_ticker_age_ms")?.unwrap_or_default(),
                max_signals_per_run: row.get_by_name("max_signals_per_run")?.unwrap_or_default(),
            })
        },
    )
}

/// The memory of `strategy`, by symbol.
pub fn episodes(db: &Db, strategy: &str) -> Result<HashMap<String, Episode>, Failure> {
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

/// Whether a dump is being restored by this session, or by pg_restore's others.
pub fn restore_is_running(db: &Db, restorer_pid: i32) -> Result<bool, Failure> {
    let running = db.read(
        "SELECT EXISTS (SELECT FROM pg_stat_activity
                         WHERE pid = $1 OR datname = current_database() AND application_name = 'pg_restore')",
        &[restorer_pid.into()],
        |row| Ok(row.get(1)?.unwrap_or(false)),
    )?;
    Ok(running.contains(&true))
}

fn named_text(row: &Row, column: &str) -> Result<String, Failure> {
    row.get_by_name(column)?
        .ok_or_else(|| Failure::internal(format!("column {column} of an internal query is null")))
}

fn optional_decimal(row: &Row, ordinal: usize) -> Result<Option<Decimal>, Failure> {
    row.get::<String>(ordinal)?
        .map(|number| parse_decimal(&number, "tick_size"))
        .transpose()
}

fn parse_decimal(number: &str, what: &str) -> Result<Decimal, Failure> {
    Decimal::from_str_exact(number)
        .map_err(|_| Failure::out_of_range(&format!("{what} ({number})")))
}
