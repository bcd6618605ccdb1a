//! One run, in four stages: fetch (no transaction open), judge, record, deliver.
//! The worker and `generate_signals_now()` both come through here.

use crate::delivery::{self, Delivered, Role};
use crate::failed_calls;
use crate::failure::Failure;
use crate::heartbeat::{self, Stage};
use crate::installation::Installation;
use crate::interrupt;
use crate::ledger::{self, Plan, Run, Standing, Status, Trigger};
use crate::lock;
use crate::market::{self, Endpoint, MarketError, Tickers, UnixMillis, backoff};
use crate::process::{self, unix_millis};
use crate::retention::{self, Walk};
use crate::settings;
use crate::strategy::{self, Episode, Explanation, Verdict};
use crate::transaction::{self, Scope, catch};
use std::collections::HashMap;
use std::ffi::CStr;
use std::time::{Duration, Instant};

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// `None` when nothing was run.
    pub run_id: Option<i64>,
    /// Whether the run was carried out, signals or not.
    pub success: bool,
    pub signals_generated: usize,
    pub deliveries: i64,
    pub symbols_evaluated: usize,
    /// What came of it, in words.
    pub message: String,
    /// A row that was refused, or why delivery stopped; the run itself is good.
    pub delivery_error: Option<Failure>,
    /// Whether signals are left undelivered.
    pub incomplete: bool,
    /// The lock that the worker waits for, when that is why.
    pub waits_for: Option<Failure>,
}

impl Outcome {
    /// Nothing was run, and why.
    fn not_run(message: impl Into<String>) -> Self {
        Self {
            run_id: None,
            success: false,
            signals_generated: 0,
            deliveries: 0,
            symbols_evaluated: 0,
            message: message.into(),
            delivery_error: None,
            incomplete: false,
            waits_for: None,
        }
    }
}

/// What a beat of the worker came to.
pub enum Beat {
    Ran(Outcome),
    /// The failure is on record; the exchange, if it was its fault, is to be
    /// left alone for `leave_alone`, counted from the start of the beat.
    Failed {
        failure: Failure,
        leave_alone: Option<Duration>,
    },
}

/// How long a caller waits for another cycle of the database to end, before it
/// is told that one is running.
const CALLER_PATIENCE: Duration = Duration::from_secs(2);
const CALLER_RETRY: Duration = Duration::from_millis(20);

/// Runs a cycle in the caller's transaction.
///
/// # Errors
/// Whatever fails; the caller's transaction is then as it was.
pub fn run_by_hand() -> Result<Outcome, Failure> {
    let scope = Scope::Caller;
    process::refuse_if_read_only(c"generate_signals_now()");
    if transaction::has_one_snapshot() {
        return Err(Failure::one_snapshot());
    }
    let patience_ends = Instant::now() + CALLER_PATIENCE;
    while !as_owner(scope, c"", |db| Ok(db.try_lock_cycle()))? {
        if Instant::now() >= patience_ends {
            return Ok(Outcome::not_run(
                "another cycle is running in this database; nothing was done",
            ));
        }
        process::wait(CALLER_RETRY, None);
    }
    let mut progress = Progress::begin();
    let plan = as_owner(scope, c"", ledger::plan)?;
    if let Some(paused) = plan.paused {
        return Ok(Outcome::not_run(format!("{paused}; nothing was done")));
    }
    refuse_if_told_to_wait(&plan.standing)?;
    failed_calls::noted(progress.started_at, || {
        let fetched = match fetch_timed(scope, &plan, &mut progress) {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(error)) => return Err((error.clone().into(), told_to_wait_until(&error))),
            Err(failure) => return Err((failure, None)),
        };
        catch(|| finish_by_hand(scope, &plan, fetched, &mut progress))
            .map_err(|failure| (failure, None))
    })
}

/// What a call does with the exchange's reply.
fn finish_by_hand(
    scope: Scope,
    plan: &Plan,
    fetched: Fetched,
    progress: &mut Progress,
) -> Result<Outcome, Failure> {
    let recorded = record(scope, Trigger::Manual, plan, fetched, progress)?;
    let delivered = delivery::deliver_all(Role::Caller);
    match delivered.error {
        // Refused rows are on record; anything else is the caller's to know.
        Some(failure) if delivered.incomplete => Err(failure),
        _ => Ok(recorded.into_outcome(delivered)),
    }
}

/// Puts the failed calls of this database on record. Returns for how long the
/// exchange asked one of them to be left alone.
pub fn record_failed_calls() -> Result<Option<Duration>, Failure> {
    let notes = failed_calls::of(heartbeat::this_database());
    if notes.is_empty() {
        return Ok(None);
    }
    as_owner(Scope::Worker, c"signal_hub: recording failed calls", |db| {
        for note in &notes {
            let run = Run {
                started_at: note.started_at,
                finished_at: Some(note.finished_at),
                retry_at: note.retry_at,
                ..Run::default()
            };
            let failure = note.failure();
            ledger::record_run(db, Trigger::Manual, &run, &Status::Failed(&failure))?;
        }
        Ok(())
    })?;
    // Only now: what could not be recorded is tried again.
    failed_calls::remove(&notes);
    let until = notes.iter().filter_map(|note| note.retry_at).max();
    Ok(until.map(|until| Duration::from_millis((until - unix_millis()).max(0) as u64)))
}

/// Until when an exchange that says stop is to be left alone, from now.
fn told_to_wait_until(error: &MarketError) -> Option<UnixMillis> {
    let MarketError::LeftAlone { .. } = error else {
        return None;
    };
    let delay = backoff::delay(error, 1, Duration::ZERO, 0.5);
    Some(unix_millis().saturating_add(delay.as_millis() as i64))
}

/// Runs a cycle of the worker and puts it on record, whatever comes of it.
/// `None` while signals are paused.
pub fn run_beat() -> Result<Option<Beat>, Failure> {
    let scope = Scope::Worker;
    let mut progress = Progress::begin();
    let planned = as_owner(scope, c"signal_hub: planning a run", |db| {
        Ok((ledger::plan(db)?, db.try_lock_cycle()))
    });
    let (plan, locked) = match planned {
        Ok(planned) => planned,
        Err(failure) => return stopped(&progress, failure).map(Some),
    };
    if plan.paused.is_some() {
        return Ok(None);
    }
    if !locked {
        return stopped(&progress, Failure::another_cycle()).map(Some);
    }
    heartbeat::beat(Stage::Fetching);
    process::report_activity(Some(c"signal_hub: fetching tickers"));
    let fetched = match fetch_timed(scope, &plan, &mut progress) {
        Ok(Ok(fetched)) => fetched,
        Ok(Err(error)) => {
            let failures = plan.standing.consecutive_failures + 1;
            let delay =
                backoff::delay(&error, failures, settings::interval(), plan.standing.jitter);
            // What the exchange asks for counts from its reply, the rest from
            // the beat.
            let answered_after = match error {
                MarketError::LeftAlone { .. } => progress.began.elapsed(),
                _ => Duration::ZERO,
            };
            return fail(&progress, error.into(), Some(answered_after + delay)).map(Some);
        }
        Err(failure) => return stopped(&progress, failure).map(Some),
    };
    heartbeat::beat(Stage::Recording);
    let recorded = match record(scope, Trigger::Worker, &plan, fetched, &mut progress) {
        Ok(recorded) => recorded,
        Err(failure) => return stopped(&progress, failure).map(Some),
    };
    let delivered = if plan.undelivered || recorded.signals_generated > 0 {
        delivery::deliver_all(Role::Worker)
    } else {
        Delivered::default()
    };
    Ok(Some(Beat::Ran(recorded.into_outcome(delivered))))
}

/// What the first beat of a worker is to wait for: the end of the interval in
/// which its predecessor ran, and the time the exchange asked for.
pub fn wait_before_first_beat() -> Result<Duration, Failure> {
    let (last_run, standing) =
        as_owner(Scope::Worker, c"signal_hub: reading the last runs", |db| {
            Ok((ledger::last_worker_run(db)?, ledger::standing(db)?))
        })?;
    let now = unix_millis();
    let interval = settings::interval();
    let rest = last_run.map_or(0, |last| last + interval.as_millis() as i64 - now);
    // A last run in the future means that the clock was set back: one interval
    // is the most to wait for then.
    let rest = Duration::from_millis(rest.max(0) as u64).min(interval);
    let told = standing.retry_at.map_or(0, |until| until - now);
    Ok(rest.max(Duration::from_millis(told.max(0) as u64)))
}

/// Whether the session that created the extension, or pg_restore, is still at
/// restoring a dump into this database.
pub fn restore_is_running(restorer_pid: i32) -> Result<bool, Failure> {
    as_owner(Scope::Worker, c"signal_hub: waiting for a restore", |db| {
        ledger::restore_is_running(db, restorer_pid)
    })
}

/// Removes a batch of what outlived its retention; true when there may be more.
pub fn purge(walk: &mut Walk) -> Result<bool, Failure> {
    let scope = Scope::Worker;
    scope.atomically(c"signal_hub: purging", || {
        let more = Installation::current()?.as_owner(scope, |db| retention::purge(db, walk))?;
        // What a crash brings back is removed again.
        transaction::commit_without_waiting();
        Ok(more)
    })
}

/// Fetches what the plan asks for and judges it, writing nothing.
///
/// # Errors
/// Whatever fails.
pub fn preview() -> Result<Vec<Explanation>, Failure> {
    let scope = Scope::Caller;
    let plan = as_owner(scope, c"", ledger::plan)?;
    refuse_if_told_to_wait(&plan.standing)?;
    let fetched = fetch(scope, &plan)?.map_err(Failure::from)?;
    let judged = as_owner(scope, c"", |db| judge(db, &plan, &fetched))?;
    let verdicts = judged.iter().flat_map(|j| &j.verdicts);
    Ok(verdicts.map(Verdict::explain).collect())
}

/// When a run began, by a clock to show and one to measure by, and how long each
/// stage that it has come through took.
struct Progress {
    started_at: UnixMillis,
    began: Instant,
    fetch_ms: Option<f64>,
    judge_ms: Option<f64>,
}

impl Progress {
    fn begin() -> Self {
        Self {
            started_at: unix_millis(),
            began: Instant::now(),
            fetch_ms: None,
            judge_ms: None,
        }
    }

    /// The run as far as it is known.
    fn run(&self) -> Run {
        Run {
            started_at: self.started_at,
            fetch_ms: self.fetch_ms,
            judge_ms: self.judge_ms,
            ..Run::default()
        }
    }
}

fn as_owner<T>(
    scope: Scope,
    activity: &CStr,
    work: impl FnOnce(&Installation) -> Result<T, Failure>,
) -> Result<T, Failure> {
    scope.atomically(activity, || Installation::current()?.as_owner(scope, work))
}

fn refuse_if_told_to_wait(standing: &Standing) -> Result<(), Failure> {
    match standing.retry_at {
        Some(until) if standing.told_to_wait => {
            let seconds = (until - unix_millis()).max(0) / 1000;
            Err(Failure::new("08004", "the exchange asked to be left alone")
                .detail(format!(
                    "It is not asked again for {seconds} s; signal_runs.retry_at has the time."
                ))
                .hint("Wait, or set signal_hub.exchange_url to another host of the exchange."))
        }
        _ => Ok(()),
    }
}

/// The exchange's reply and when it was there.
struct Fetched {
    tickers: Tickers,
    at: UnixMillis,
}

/// [`fetch`], with the time it took whatever comes of it.
fn fetch_timed(
    scope: Scope,
    plan: &Plan,
    progress: &mut Progress,
) -> Result<Result<Fetched, MarketError>, Failure> {
    let began = Instant::now();
    let fetched = catch(|| fetch(scope, plan));
    progress.fetch_ms = Some(millis(began));
    fetched
}

/// One request for all the symbols asked for. The outer error is ours, the inner
/// one the exchange's.
fn fetch(scope: Scope, plan: &Plan) -> Result<Result<Fetched, MarketError>, Failure> {
    let endpoint: Endpoint = settings::endpoint();
    let asked = plan.asked.clone();
    let tickers = if asked.is_empty() || plan.rules.is_empty() {
        Ok(Tickers {
            rows: HashMap::new(),
            unknown: Vec::new(),
        })
    } else {
        interrupt::run_on_helper(
            move || market::fetch_tickers(&endpoint, &asked),
            || {
                heartbeat::beat(Stage::Fetching);
                make_way(scope)
            },
        )?
    };
    Ok(tickers.map(|mut tickers| {
        tickers.unknown.extend(plan.unlisted.clone());
        Fetched {
            tickers,
            at: unix_millis(),
        }
    }))
}

/// An error when a worker waits and somebody needs the database without sessions.
fn make_way(scope: Scope) -> Result<(), Failure> {
    if scope == Scope::Caller {
        return Ok(());
    }
    scope.atomically(c"signal_hub: fetching tickers", || {
        if lock::database_is_wanted() {
            Err(Failure::database_is_wanted())
        } else {
            Ok(())
        }
    })
}

/// One strategy's verdicts, and the memory they were judged with.
struct Judged<'a> {
    verdicts: Vec<Verdict<'a>>,
    episodes: HashMap<String, Episode>,
}

fn judge<'a>(
    db: &Installation,
    plan: &'a Plan,
    fetched: &'a Fetched,
) -> Result<Vec<Judged<'a>>, Failure> {
    plan.rules
        .iter()
        .map(|rule| {
            let episodes = ledger::episodes(db, &rule.strategy)?;
            let verdicts =
                strategy::judge(rule, &plan.watched, &fetched.tickers, &episodes, fetched.at);
            Ok(Judged { verdicts, episodes })
        })
        .collect()
}

/// A run whose signals are on record.
struct Recorded {
    run_id: i64,
    signals_generated: usize,
    symbols_evaluated: usize,
    message: String,
}

impl Recorded {
    fn into_outcome(self, delivered: Delivered) -> Outcome {
        Outcome {
            run_id: Some(self.run_id),
            success: true,
            signals_generated: self.signals_generated,
            deliveries: delivered.rows,
            symbols_evaluated: self.symbols_evaluated,
            message: self.message,
            delivery_error: delivered.error,
            incomplete: delivered.incomplete,
            waits_for: delivered.waits_for,
        }
    }
}

/// Judges and writes what was decided, in one transaction and under the lock, so
/// that no other cycle sees the memory of episodes in between.
fn record(
    scope: Scope,
    trigger: Trigger,
    plan: &Plan,
    fetched: Fetched,
    progress: &mut Progress,
) -> Result<Recorded, Failure> {
    as_owner(scope, c"signal_hub: recording signals", |db| {
        if !db.try_lock_cycle() {
            return Err(Failure::another_cycle());
        }
        let judging = Instant::now();
        let judged = judge(db, plan, &fetched)?;
        progress.judge_ms = Some(millis(judging));
        let verdicts = || judged.iter().flat_map(|j| &j.verdicts);
        let signals_generated = verdicts().filter(|v| v.signal.is_some()).count();
        let symbols_evaluated = fetched
            .tickers
            .rows
            .values()
            .filter(|row| row.is_ok())
            .count();
        let message = summary(plan, verdicts());

        let recording = Instant::now();
        let run = Run {
            symbols_evaluated,
            signals_generated,
            message: Some(message.clone()),
            ..progress.run()
        };
        let run_id = ledger::record_run(
            db,
            trigger,
            &run,
            &Status::Ok {
                finished: signals_generated == 0,
            },
        )?;
        for (rule, judged) in plan.rules.iter().zip(&judged) {
            ledger::record_verdicts(
                db,
                run_id,
                rule,
                fetched.at,
                &judged.verdicts,
                &judged.episodes,
            )?;
        }
        if signals_generated > 0 {
            ledger::record_times(db, run_id, millis(recording))?;
        }
        Ok(Recorded {
            run_id,
            signals_generated,
            symbols_evaluated,
            message,
        })
    })
}

/// Puts a beat on record that something other than the exchange stopped: as
/// skipped when somebody else has a lock that it needs, else as failed.
fn stopped(progress: &Progress, failure: Failure) -> Result<Beat, Failure> {
    if !failure.is_lock_not_available() {
        return fail(progress, failure, None);
    }
    let mut outcome = Outcome::not_run(failure.message);
    let run = Run {
        message: Some(outcome.message.clone()),
        ..progress.run()
    };
    outcome.run_id = Some(as_owner(
        Scope::Worker,
        c"signal_hub: recording a skipped run",
        |db| ledger::record_run(db, Trigger::Worker, &run, &Status::Skipped),
    )?);
    Ok(Beat::Ran(outcome))
}

/// Puts a failed beat on record.
fn fail(
    progress: &Progress,
    failure: Failure,
    leave_alone: Option<Duration>,
) -> Result<Beat, Failure> {
    let run = Run {
        retry_at: leave_alone
            .map(|delay| progress.started_at.saturating_add(delay.as_millis() as i64)),
        ..progress.run()
    };
    as_owner(Scope::Worker, c"signal_hub: recording a failed run", |db| {
        ledger::record_run(db, Trigger::Worker, &run, &Status::Failed(&failure))
    })?;
    Ok(Beat::Failed {
        failure,
        leave_alone,
    })
}

/// What came of a run in words: the signals, or which gate kept each symbol out.
fn summary<'a>(plan: &Plan, verdicts: impl Iterator<Item = &'a Verdict<'a>>) -> String {
    if plan.rules.is_empty() {
        return "no new signal: no strategy is enabled in signal_rules".into();
    }
    if plan.watched.is_empty() {
        return "no new signal: no symbol is enabled in signal_symbols".into();
    }
    let mut signals = Vec::new();
    let mut refused: Vec<(&str, Vec<&str>)> = Vec::new();
    for verdict in verdicts {
        if let Some(signal) = &verdict.signal {
            signals.push(format!("{} {}", signal.ticker.symbol, signal.side.as_str()));
        } else if let Some(gate) = verdict.refused_by() {
            match refused.iter_mut().find(|(name, _)| *name == gate) {
                Some((_, symbols)) => symbols.push(verdict.symbol),
                None => refused.push((gate, vec![verdict.symbol])),
            }
        }
    }
    if !signals.is_empty() {
        return format!("{} new signal(s): {}", signals.len(), signals.join(", "));
    }
    let refused: Vec<String> = refused
        .iter()
        .map(|(gate, symbols)| in_words(gate, symbols))
        .collect();
    format!("no new signal: {}", refused.join("; "))
}

/// Which symbols one gate kept out.
fn in_words(gate: &str, symbols: &[&str]) -> String {
    const NAMED: usize = 5;
    let what = match gate {
        "listed" => "not listed by the exchange",
        "valid" => "with numbers that contradict each other",
        "trading" => "not trading",
        "fresh" => "with old statistics",
        "momentum" => "inside the entry threshold",
        "volume" => "below the volume floor",
        "confidence" => "below the least confidence",
        "quality" => "below the least quality",
        "levels" => "whose tick is too coarse for targets and stop",
        "episode" => "signalled already in this episode",
        _ => "left for a later run",
    };
    if symbols.len() > NAMED {
        format!("{} {what}", symbols.len())
    } else {
        format!("{} {what} ({})", symbols.len(), symbols.join(", "))
    }
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}
