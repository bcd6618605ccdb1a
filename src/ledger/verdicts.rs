//! What a run decided: signals, episodes, and what is known of the symbols.

use super::exchanges::Sources;
use super::forecasts;
use super::outcomes::{self, Opened};
use super::plan::is_usable_tick;
use super::protections::Withheld;
use super::recordset::Kind::{BigInt, Json, Numeric, NumericArray, Prose, Text, Time};
use super::recordset::{self, Column, column};
use crate::postgres::{Db, Failure};
use crate::settings::Configured;
use market::{Ticker, UnixMillis};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::collections::HashMap;
use strategy::distances::range_percent;
use strategy::{Episode, Rule, Side, Signal, Verdict};

/// What all verdicts of a run have in common.
pub struct OfRun<'a> {
    pub run_id: i64,
    /// When the tickers had arrived.
    pub now: UnixMillis,
    pub withheld: &'a Withheld,
    pub sources: Sources<'a>,
}

/// A signal with all that its row is made of.
struct NewSignal<'a> {
    run_id: i64,
    rule: &'a Rule,
    verdict: &'a Verdict<'a>,
    signal: &'a Signal,
    created_at: UnixMillis,
    /// The protection that withholds it.
    withheld_by: Option<&'a str>,
    forecast: Option<forecasts::Made>,
    /// The exchange that its ticker is from.
    exchange: Option<&'a Configured>,
}

impl NewSignal<'_> {
    fn ticker(&self) -> &Ticker {
        &self.signal.ticker
    }
}

/// What a run writes of a signal; the columns of its delivery are filled later.
fn signal_columns<'a>() -> [Column<NewSignal<'a>>; 32] {
    [
        column("run_id", BigInt, |s| s.run_id.into()),
        column("strategy", Text, |s| s.rule.strategy.clone().into()),
        column("symbol", Text, |s| s.ticker().symbol.clone().into()),
        column("signal_type", Text, |s| s.signal.side.as_str().into()),
        column("reason", Text, |s| s.signal.reason.as_str().into()),
        column("why", Prose, |s| s.verdict.why().into()),
        column("confidence", Numeric, |s| exact(s.signal.confidence)),
        column("quality_score", Numeric, |s| exact(s.signal.quality_score)),
        column("entry_price", Numeric, |s| {
            exact(s.signal.levels.entry_price)
        }),
        column("take_profit", NumericArray, |s| {
            s.signal
                .levels
                .take_profit
                .iter()
                .copied()
                .map(exact)
                .collect()
        }),
        column("stop_loss", Numeric, |s| exact(s.signal.levels.stop_loss)),
        column("expires_at", Time, |s| s.signal.expires_at.into()),
        column("price_change_percent", Numeric, |s| {
            exact(s.ticker().price_change_percent)
        }),
        column("last_price", Numeric, |s| exact(s.ticker().last_price)),
        column("open_price", Numeric, |s| exact(s.ticker().open_price)),
        column("high_price", Numeric, |s| exact(s.ticker().high_price)),
        column("low_price", Numeric, |s| exact(s.ticker().low_price)),
        column("bid_price", Numeric, |s| {
            s.ticker().bid_price.map(exact).into()
        }),
        column("ask_price", Numeric, |s| {
            s.ticker().ask_price.map(exact).into()
        }),
        column("weighted_average_price", Numeric, |s| {
            s.ticker().weighted_average_price.map(exact).into()
        }),
        column("base_volume", Numeric, |s| exact(s.ticker().base_volume)),
        column("quote_volume", Numeric, |s| exact(s.ticker().quote_volume)),
        column("trade_count", BigInt, |s| s.ticker().trade_count.into()),
        column("open_time", Time, |s| s.ticker().open_time.into()),
        column("close_time", Time, |s| s.ticker().close_time.into()),
        column("close_time_source", Text, |s| {
            s.ticker().time_source.name().into()
        }),
        column("exchange", Text, |s| {
            s.exchange.map(Configured::name).into()
        }),
        column("gates", Json, |s| gates(s.verdict)),
        column("created_at", Time, |s| s.created_at.into()),
        column("withheld_by", Text, |s| s.withheld_by.into()),
        column("forecast", Json, shown_forecast),
        // What is withheld is not delivered: its fan-out is over before it begins.
        column("delivered_at", Time, |s| {
            s.withheld_by.map(|_| s.created_at).into()
        }),
    ]
}

/// What is remembered of a symbol, after the strategy that remembers it.
fn episode_columns<'a>() -> [Column<(&'a str, &'a Verdict<'a>)>; 6] {
    [
        column("strategy", Text, |(strategy, _)| (*strategy).into()),
        column("symbol", Text, |(_, v)| v.symbol.into()),
        column("side", Text, |(_, v)| {
            v.episode.side.map(Side::as_str).into()
        }),
        column("since", Time, |(_, v)| v.episode.since.into()),
        column("last_signal_at", Time, |(_, v)| {
            v.episode.last_signal_at.into()
        }),
        column("expires_at", Time, |(_, v)| v.episode.expires_at.into()),
    ]
}

/// What the exchange showed of a symbol.
fn symbol_columns<'a>() -> [Column<&'a Verdict<'a>>; 4] {
    [
        column("symbol", Text, |v| v.symbol.into()),
        column("tick_size", Numeric, |v| {
            let tick = v.tick_size.filter(|tick| is_usable_tick(*tick));
            tick.map(exact).into()
        }),
        column("status", Text, |v| v.status.into()),
        column("why", Prose, |v| {
            (v.status != "TRADING").then(|| v.why()).into()
        }),
    ]
}

/// Writes what the verdicts changed: signals, episodes, and what is known of the symbols.
/// Untouched rows are not written.
///
/// # Errors
/// What the statements raise.
pub fn record_verdicts(
    db: &Db,
    run: &OfRun,
    rule: &Rule,
    verdicts: &[Verdict],
    before: &HashMap<String, Episode>,
) -> Result<(), Failure> {
    let mut signals = Vec::new();
    for verdict in verdicts {
        let Some(signal) = verdict.signal.as_deref() else {
            continue;
        };
        signals.push(NewSignal {
            run_id: run.run_id,
            rule,
            verdict,
            signal,
            created_at: run.now,
            withheld_by: run.withheld.by(&rule.strategy, verdict.symbol),
            forecast: forecasts::made(db, &rule.strategy, signal)?,
            exchange: run.sources.of(verdict.symbol),
        });
    }
    if !signals.is_empty() {
        insert_signals(db, rule, signals)?;
    }
    let remembered = |v: &&Verdict| before.get(v.symbol).cloned().unwrap_or_default();
    let changed: Vec<(&str, &Verdict)> = verdicts
        .iter()
        .filter(|verdict| remembered(verdict) != verdict.episode)
        .map(|verdict| (rule.strategy.as_str(), verdict))
        .collect();
    if !changed.is_empty() {
        upsert_episodes(db, changed)?;
    }
    update_symbols(db, verdicts)
}

/// Records signals of one strategy and opens their outcomes, which is the same statement.
fn insert_signals(db: &Db, rule: &Rule, signals: Vec<NewSignal>) -> Result<(), Failure> {
    // What nobody received supersedes nothing.
    let sent = signals.iter().filter(|new| new.withheld_by.is_none());
    outcomes::supersede(db, &rule.strategy, sent.map(opened))?;
    let opened: Vec<Opened> = signals.iter().map(opened).collect();
    let columns = signal_columns();
    let insert = format!(
        "INSERT INTO @extschema@.signals ({}) SELECT {} FROM {}",
        recordset::names(&columns),
        recordset::values(&columns),
        recordset::source(&columns)
    );
    db.run(
        &outcomes::opening(&insert),
        &[
            recordset::rows(&columns, signals).into(),
            outcomes::argument(opened),
        ],
    )?;
    Ok(())
}

fn opened<'a>(new: &NewSignal<'a>) -> Opened<'a> {
    Opened {
        symbol: &new.signal.ticker.symbol,
        source: new.exchange.map(outcomes::source),
        signal_type: new.signal.side.as_str(),
        signal_at: new.signal.ticker.close_time,
        stop_loss_percent: new.signal.distances.stop_loss_percent,
        take_profit_percents: &new.signal.distances.take_profit_percents,
        // Every price of a ticker that was judged is above zero.
        range_percent: range_percent(&new.signal.ticker).unwrap_or_default(),
        forecast: new.forecast.map(|made| made.forecast),
    }
}

fn upsert_episodes(db: &Db, changed: Vec<(&str, &Verdict)>) -> Result<(), Failure> {
    let columns = episode_columns();
    db.run(
        &format!(
            "INSERT INTO @extschema@.signal_episodes AS e ({}) SELECT {} FROM {}
             ON CONFLICT (strategy, symbol) DO UPDATE
                SET side = excluded.side, since = excluded.since, last_signal_at = excluded.last_signal_at,
                    expires_at = excluded.expires_at",
            recordset::names(&columns),
            recordset::values(&columns),
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, changed).into()],
    )?;
    Ok(())
}

fn update_symbols(db: &Db, verdicts: &[Verdict]) -> Result<(), Failure> {
    let columns = symbol_columns();
    // Of one that was left out nothing new is known, and when it was asked for last has to stay.
    let asked = verdicts.iter().filter(|verdict| !verdict.is_not_asked());
    db.run(
        &format!(
            "UPDATE @extschema@.signal_symbols s
                SET tick_size = coalesce(r.tick_size, s.tick_size), status = r.status, status_why = r.why,
                    checked_at = now(),
                    last_seen_at = CASE r.status WHEN 'TRADING' THEN now() ELSE s.last_seen_at END
               FROM {}
              WHERE s.symbol = r.symbol
                AND (s.status IS DISTINCT FROM r.status
                     OR s.tick_size IS DISTINCT FROM coalesce(r.tick_size, s.tick_size)
                     OR r.status = 'TRADING' AND s.last_seen_at NOT BETWEEN now() - interval '1 hour' AND now()
                     OR r.status = 'UNKNOWN')",
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, asked).into()],
    )?;
    Ok(())
}

/// The forecast for subscribers, if they are shown it: shares of a hundred signals like this one, and
/// for how long it holds.
fn shown_forecast(new: &NewSignal) -> Value {
    let Some(forecasts::Made {
        forecast,
        shown: true,
    }) = new.forecast
    else {
        return Value::Null;
    };
    let rounded = |probability: f64| (probability * 1000.0).round() / 1000.0;
    json!({
        "target": rounded(forecast.target),
        "stop": rounded(forecast.stop),
        "neither": rounded(forecast.neither()),
        "within": hours(new.signal.expires_at.saturating_sub(new.created_at)),
    })
}

/// A length of time as PostgreSQL prints it: `04:00:00`.
fn hours(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// A decimal as JSON carries it without losing a digit.
fn exact(number: Decimal) -> Value {
    number.to_string().into()
}

fn gates(verdict: &Verdict) -> Value {
    let gate = |gate: strategy::GateReading| {
        json!({
            "gate": gate.name,
            "value": gate.value,
            "threshold": gate.threshold,
            "passed": gate.passed,
        })
    };
    verdict.gates().into_iter().map(gate).collect()
}
