//! The stages that every run goes through, whoever starts it.

use super::fetch::Fetched;
use super::settle::Settled;
use super::summary::summary;
use crate::delivery::Delivered;
use crate::ledger::{self, OfRun, Plan, Run, Status, Trigger};
use crate::postgres::process::unix_millis;
use crate::postgres::{Db, Failure, Scope, as_owner, wanted};
use crate::settings;
use market::{Tickers, UnixMillis, backoff};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use strategy::{Episode, Signal, Verdict};

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// `None` when nothing was run.
    pub run_id: Option<i64>,
    /// Whether the run was carried out, signals or not.
    pub success: bool,
    pub signals_generated: usize,
    pub symbols_evaluated: usize,
    /// What came of it, in words.
    pub message: String,
    /// Rows of rules and symbols that it could not work with.
    pub unusable: Vec<String>,
    /// Of this run's signals and of what was left from before. The run is good whatever came of
    /// it.
    pub delivered: Delivered,
    /// What came of settling outcomes. The run is good whatever came of it.
    pub settled: Settled,
}

impl Outcome {
    /// Nothing was run, and why.
    pub fn not_run(message: impl Into<String>) -> Self {
        Self {
            run_id: None,
            success: false,
            signals_generated: 0,
            symbols_evaluated: 0,
            message: message.into(),
            unusable: Vec::new(),
            delivered: Delivered::default(),
            settled: Settled::default(),
        }
    }
}

/// The times of a run: when it began, by a clock to show and one to measure by, and how long each
/// stage took that is done.
pub struct RunTimes {
    pub started_at: UnixMillis,
    pub began: Instant,
    pub fetch_ms: Option<f64>,
    judge_ms: Option<f64>,
}

impl RunTimes {
    pub fn begin() -> Self {
        Self {
            started_at: unix_millis(),
            began: Instant::now(),
            fetch_ms: None,
            judge_ms: None,
        }
    }

    /// The record of the run, with the times that are known so far.
    pub fn run(&self) -> Run {
        Run {
            started_at: self.started_at,
            fetch_ms: self.fetch_ms,
            judge_ms: self.judge_ms,
            ..Run::default()
        }
    }
}

/// Looks whether the numbers of the next signals are free, before anybody waits for these. When
/// that cannot be told, as while somebody has the table locked, it is seen to when there are
/// signals to record: a run without any does not need it.
///
/// # Errors
/// That it was canceled.
pub fn look_ahead(scope: Scope, plan: &mut Plan) -> Result<(), Failure> {
    let most = plan.most_signals();
    let in_doubt = as_owner(scope, c"signal_hub: looking ahead", |db| {
        Ok(!db.try_lock_cycle()? || ledger::look_ahead(db, most)?)
    });
    match in_doubt {
        Err(failure) if failure.is_canceled() => Err(failure),
        in_doubt => {
            plan.numbers_in_doubt = in_doubt.unwrap_or(true);
            Ok(())
        }
    }
}

/// An error when this is a worker and somebody needs the database without sessions.
pub fn make_way_for_drop_database(scope: Scope) -> Result<(), Failure> {
    if scope == Scope::Caller {
        return Ok(());
    }
    scope.atomically(c"signal_hub: fetching tickers", || {
        if wanted::database_is_wanted()? {
            Err(Failure::database_is_wanted())
        } else {
            Ok(())
        }
    })
}

/// One strategy's verdicts, and the memory they were judged with.
pub struct Judged<'a> {
    pub strategy: &'a str,
    pub verdicts: Vec<Verdict<'a>>,
    episodes: HashMap<String, Episode>,
}

/// Judges the watched symbols by every enabled rule. Writes nothing.
///
/// # Errors
/// The memory of episodes cannot be read.
pub fn judge<'a>(
    db: &Db,
    plan: &'a Plan,
    fetched: &'a Fetched,
) -> Result<Vec<Judged<'a>>, Failure> {
    plan.rules
        .iter()
        .map(|rule| {
            let episodes = ledger::episodes(db, &rule.strategy)?;
            let verdicts = strategy::judge(
                rule,
                &fetched.watched,
                &fetched.tickers,
                &episodes,
                fetched.at,
            );
            Ok(Judged {
                strategy: &rule.strategy,
                verdicts,
                episodes,
            })
        })
        .collect()
}

/// A run whose signals are on record.
pub struct Recorded {
    pub run_id: i64,
    pub signals_generated: usize,
    symbols_evaluated: usize,
    message: String,
    unusable: Vec<String>,
    /// The time by the exchange's clock, as far as its reply tells it.
    pub exchange_time: Option<UnixMillis>,
    /// The only exchange says stop, after it has given the tickers: for how long it is to be left
    /// alone, from now.
    pub leave_alone: Option<Duration>,
}

impl Recorded {
    pub fn into_outcome(self, delivered: Delivered, settled: Settled) -> Outcome {
        Outcome {
            run_id: Some(self.run_id),
            success: true,
            signals_generated: self.signals_generated,
            symbols_evaluated: self.symbols_evaluated,
            message: self.message,
            unusable: self.unusable,
            delivered,
            settled,
        }
    }
}

/// Judges and writes what was decided, in one transaction and under the lock, so that no other
/// cycle sees the memory of episodes in between. `None` when signals were paused while the
/// exchange was asked: who pauses them sees no further one.
pub fn record(
    scope: Scope,
    trigger: Trigger,
    plan: &Plan,
    fetched: Fetched,
    times: &mut RunTimes,
) -> Result<Option<Recorded>, Failure> {
    as_owner(scope, c"signal_hub: recording signals", |db| {
        if !db.try_lock_cycle()? {
            return Err(Failure::another_cycle());
        }
        if ledger::paused(db)?.is_some() {
            return Ok(None);
        }
        let judging = Instant::now();
        let judged = judge(db, plan, &fetched)?;
        times.judge_ms = Some(millis(judging));
        let verdicts = || judged.iter().flat_map(|j| &j.verdicts);
        let signals_generated = verdicts().filter(|v| v.signal.is_some()).count();
        let watched = plan.watched.iter().map(|watched| &watched.symbol);
        let symbols_evaluated = watched
            .filter(|symbol| matches!(fetched.tickers.rows.get(*symbol), Some(Ok(_))))
            .count();
        let signals: Vec<(&str, &Signal)> = plan
            .rules
            .iter()
            .zip(&judged)
            .flat_map(|(rule, judged)| {
                let signals = judged.verdicts.iter().filter_map(|v| v.signal.as_deref());
                signals.map(|signal| (rule.strategy.as_str(), signal))
            })
            .collect();
        let withheld = ledger::protections::withheld(db, &signals)?;
        let mut message = summary(plan, verdicts());
        if let Some(note) = &fetched.note {
            message = format!("{message}; {note}");
        }
        if let Some(withheld) = withheld.message() {
            message = format!("{message}; {withheld}");
        }
        if let Some(trouble) = &fetched.days.trouble {
            message = format!("{message}; {trouble}");
        }
        let fit = verdicts().filter(|verdict| verdict.is_fit());
        let judged_symbols: HashSet<&str> = fit.map(|verdict| verdict.symbol).collect();
        let has_to_judge = !plan.rules.is_empty() && !plan.watched.is_empty();

        let recording = Instant::now();
        let run = Run {
            symbols_evaluated,
            symbols_watched: has_to_judge.then_some(plan.watched.len()),
            symbols_judged: has_to_judge.then_some(judged_symbols.len()),
            signals_generated,
            message: Some(message.clone()),
            exchange: plan.exchanges.get(fetched.place).cloned(),
            ..times.run()
        };
        let run_id = ledger::record_run(
            db,
            trigger,
            &run,
            &Status::Ok {
                finished: signals_generated == withheld.count(),
            },
        )?;
        let tickers = fetched.tickers.rows.values().flatten();
        let sources = fetched.sources(plan);
        ledger::outcomes::look(db, &plan.open, &sources, tickers.clone())?;
        let mut unusable = plan.unusable.clone();
        unusable.extend(ledger::prices::keep(db, tickers.clone())?);
        unusable.extend(ledger::path::keep(db, &plan.open, tickers)?);
        fetched.enter_standings(db, plan)?;
        if !fetched.days.candles.is_empty() {
            ledger::days::keep(db, &fetched.days.candles)?;
        }
        if plan.numbers_in_doubt && signals_generated > 0 {
            let count = i64::try_from(signals_generated).unwrap_or(i64::MAX);
            ledger::go_beyond_deliveries(db, count)?;
        }
        let of_run = OfRun {
            run_id,
            now: fetched.at,
            withheld: &withheld,
            sources,
        };
        for (rule, judged) in plan.rules.iter().zip(&judged) {
            ledger::record_verdicts(db, &of_run, rule, &judged.verdicts, &judged.episodes)?;
        }
        if signals_generated > 0 {
            ledger::record_times(db, run_id, millis(recording))?;
        }
        let leave_alone = match fetched.stop(plan) {
            Some(stop) => {
                let delay = backoff::delay(stop, 1, settings::interval(), 0.5);
                let retry_at = unix_millis().saturating_add(delay.as_millis() as i64);
                ledger::record_leave_alone(db, run_id, &stop.clone().into(), retry_at)?;
                Some(delay)
            }
            None => None,
        };
        Ok(Some(Recorded {
            run_id,
            signals_generated,
            symbols_evaluated,
            message,
            unusable,
            exchange_time: exchange_time(&fetched.tickers),
            leave_alone,
        }))
    })
}

/// The latest time that a reply names: its own, or the end of its newest statistics.
fn exchange_time(tickers: &Tickers) -> Option<UnixMillis> {
    let rows = tickers.rows.values().flatten();
    let newest = rows.map(|ticker| ticker.close_time).max();
    newest.max(tickers.exchange_time)
}

pub fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
