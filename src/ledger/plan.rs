//! What a run reads: rules, watchlist, memory, and how the runs before it went.

use super::days::{self, DAY_MS};
use super::exchanges::{self, OnRecord};
use super::instruments::{self, Instruments};
use super::outcomes::{self, Open};
use super::rules::rules;
use super::uptime;
use crate::postgres::process::unix_millis;
use crate::postgres::statements::text;
use crate::postgres::{Db, Failure};
use crate::settings::{self, Configured};
use market::choice::next_at;
use market::{Asked, LastLook, UnixMillis};
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::time::Duration;
use strategy::{Episode, Rule, Side, Watched, strategies};

/// The runs that tell how it goes with the exchange, as a query. `signal_health` has it, too.
const RUNS_THAT_COUNT: &str = include_str!("../../sql/queries/runs_that_count.sql");

/// What a run needs to know before it asks the exchange.
#[derive(Debug)]
pub struct Plan {
    /// The exchanges in the order of preference, at least one; how each stands; and the pairs that
    /// each is known to list.
    pub exchanges: Vec<Configured>,
    pub on_record: Vec<OnRecord>,
    pub instruments: Instruments,
    /// Enabled rows of the watchlist.
    pub watched: Vec<Watched>,
    /// The same symbols, with what the last look at them found, when there is a strategy to judge
    /// them; and those whose price is looked at for an open outcome.
    pub asked: Vec<Asked>,
    pub open: Open,
    /// Enabled strategies.
    pub rules: Vec<Rule>,
    /// Watched symbols without a daily candle of yesterday, when a strategy needs some.
    pub lacking_days: Vec<String>,
    /// Rows that a run cannot work with, and why: each costs only itself.
    pub unusable: Vec<String>,
    /// Whether a fan-out is incomplete.
    pub undelivered: bool,
    /// Whether numbers of the next signals may have been used before, see `ledger::look_ahead`.
    pub numbers_in_doubt: bool,
    /// Who paused and why, when signals are paused.
    pub paused: Option<String>,
    pub standing: Standing,
}

impl Plan {
    /// Most signals that a run of this plan can generate.
    pub fn most_signals(&self) -> i64 {
        let rules = self.rules.iter();
        rules.map(|rule| i64::from(rule.max_signals_per_run)).sum()
    }
}

/// How the runs before stand with the exchange.
#[derive(Debug)]
pub struct Standing {
    /// Failed runs of the worker since the last good one.
    pub consecutive_failures: u32,
    /// Until when exchanges are to be left alone, all of them, by the last run.
    pub retry_at: Option<UnixMillis>,
    /// Whether that is because they said so.
    pub asked_to_wait: bool,
    /// 0 to 1, drawn at random each time.
    pub jitter: f64,
}

impl Standing {
    /// Takes over how several exchanges stand.
    pub fn stand_as(&mut self, on_record: &[OnRecord]) {
        let standings = on_record.iter().map(|known| known.standing.clone());
        let standings: Vec<_> = standings.collect();
        let now = unix_millis();
        let waits = |at: Option<UnixMillis>| at.filter(|at| *at > now);
        self.retry_at = waits(next_at(&standings));
        self.asked_to_wait = standings
            .iter()
            .all(|standing| standing.asked_to_wait && waits(standing.retry_at).is_some());
    }
}

/// Reads the plan of the next run.
pub fn plan(db: &Db) -> Result<Plan, Failure> {
    let exchanges = configured()?;
    let on_record = exchanges::on_record(db, &exchanges)?;
    let mut unusable = Vec::new();
    let symbols = db.read(
        "SELECT symbol, tick_size::text, status IN ('TRADING', 'HALTED', 'STALE', 'INVALID'), status = 'UNKNOWN',
                -- A look in the future means that the clock was set back since.
                checked_at NOT BETWEEN now() - $1 * interval '1 millisecond' AND now()
           FROM @extschema@.signal_symbols WHERE enabled ORDER BY symbol",
        &[ask_again_after(settings::interval()).into()],
        |row| {
            let symbol = text(row, 1)?;
            let stored = row.get::<String>(2)?;
            let tick_size = stored.as_deref().and_then(usable_tick);
            if let (Some(stored), None) = (stored, tick_size) {
                unusable.push(format!(
                    "tick_size {stored} of {symbol} in signal_symbols cannot be used, so it is learned again: \
                     set it to null"
                ));
            }
            let is = |ordinal| -> Result<bool, Failure> { Ok(row.get(ordinal)?.unwrap_or(false)) };
            let last_look = match (is(3)?, is(4)?) {
                (true, _) => LastLook::Listed,
                (_, false) => LastLook::Never,
                (_, true) if row.get(5)?.unwrap_or(true) => LastLook::UnknownDue,
                (_, true) => LastLook::UnknownLately,
            };
            let asked = Asked {
                symbol: symbol.clone(),
                last_look,
            };
            let watched = Watched {
                symbol,
                learned_tick: tick_size,
                ..Watched::default()
            };
            Ok((watched, asked))
        },
    )?;
    let (mut watched, mut asked): (Vec<Watched>, Vec<Asked>) = symbols.into_iter().unzip();
    let under_way = db.read(
        &format!(
            "SELECT EXISTS (SELECT FROM @extschema@.signals WHERE delivered_at IS NULL), symbols, first_expires_at FROM {}",
            outcomes::OPEN
        ),
        &[],
        |row| Ok((row.get(1)?.unwrap_or(false), outcomes::open_ones(row, 2)?)),
    )?;
    let (undelivered, open) = under_way.into_iter().next().unwrap_or_default();
    let rules = rules(db, &mut unusable)?;
    if rules.is_empty() {
        asked.clear();
    }
    ask_for_open(&mut asked, &open);
    let lacking_days = if rules.iter().any(needs_days) {
        read_days(db, &mut watched)?
    } else {
        Vec::new()
    };
    let standing = standing_of(db, &exchanges, &on_record)?;
    Ok(Plan {
        instruments: instruments::known(db, &exchanges)?,
        exchanges,
        on_record,
        watched,
        asked,
        open,
        rules,
        lacking_days,
        unusable,
        undelivered,
        numbers_in_doubt: false,
        paused: paused(db)?,
        standing,
    })
}

fn needs_days(rule: &Rule) -> bool {
    strategies::named(&rule.strategy).is_some_and(|strategy| strategy.days() > 0)
}

/// Gives the watched symbols their daily candles. Returns those without one of yesterday.
fn read_days(db: &Db, watched: &mut [Watched]) -> Result<Vec<String>, Failure> {
    let today = unix_millis().div_euclid(DAY_MS) * DAY_MS;
    let mut known = days::known(db, today)?;
    let mut lacking = Vec::new();
    for watched in watched {
        match known.remove(&watched.symbol) {
            Some(days) => watched.days = days,
            None => lacking.push(watched.symbol.clone()),
        }
    }
    Ok(lacking)
}

/// Adds the symbols of open outcomes that are not watched any more.
fn ask_for_open(asked: &mut Vec<Asked>, open: &Open) {
    let mut others = open.symbols.clone();
    others.retain(|symbol| !asked.iter().any(|asked| asked.symbol == *symbol));
    asked.extend(others.into_iter().map(|symbol| Asked {
        symbol,
        // The signal was judged on a row of it.
        last_look: LastLook::Listed,
    }));
}

/// After how many milliseconds a symbol that the exchange did not know is asked for again: at the
/// next run, so that a new listing waits for none; but where several come in ten seconds, at the
/// last of them. That is a second request of a run, and one for the list of all where several
/// symbols are not known.
fn ask_again_after(interval: Duration) -> f64 {
    const ASK_AGAIN: Duration = Duration::from_secs(10);
    let latest = ASK_AGAIN.saturating_sub(interval);
    let least = interval.min(ASK_AGAIN) / 2;
    // A run begins a moment earlier or later than its time.
    let slack = (interval / 2).min(Duration::from_secs(1));
    (latest.max(least) + slack).as_secs_f64() * 1000.0
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

/// Stops the generation of signals until [`resume`].
pub fn pause(db: &Db, reason: Option<&str>) -> Result<(), Failure> {
    db.run(
        "INSERT INTO @extschema@.signal_pause AS p (reason) VALUES ($1)
         ON CONFLICT (only_row) DO UPDATE
             SET reason = excluded.reason, paused_at = excluded.paused_at, paused_by = excluded.paused_by",
        &[reason.into()],
    )?;
    Ok(())
}

/// Ends a pause. Returns whether there was one.
pub fn resume(db: &Db) -> Result<bool, Failure> {
    let was_paused = db.run("DELETE FROM @extschema@.signal_pause", &[])? > 0;
    if was_paused {
        // The worker, which accounts for everything else, may not be there.
        uptime::account(db, uptime::Event::Resumed, unix_millis())?;
    }
    Ok(was_paused)
}

/// Has the signals that are still valid, and of which rows were given up, delivered once more.
/// Returns how many these are. Their runs will tell of the new delivery; the refusals on record until
/// now go over to the counter of signal_metrics, which must not fall.
pub fn reopen_refused(db: &Db) -> Result<i64, Failure> {
    let reopened = db.write(
        "WITH reopened AS (
             UPDATE @extschema@.signals s
                SET delivered_at = NULL, delivered_tiers = '{}', delivery_changed_only = false, delivery_failures = 0
               FROM (SELECT signal_id, run_id, delivery_failures AS failures FROM @extschema@.signals
                      WHERE delivery_failures > 0 AND delivered_at IS NOT NULL AND expires_at > clock_timestamp()
                        FOR UPDATE) o
              WHERE s.signal_id = o.signal_id
             RETURNING o.run_id, o.failures
         ), lowered AS (
             UPDATE @extschema@.signal_runs r SET delivery_failures = greatest(r.delivery_failures - o.failures, 0)
               FROM (SELECT run_id, sum(failures)::bigint AS failures FROM reopened GROUP BY run_id) o
              WHERE r.run_id = o.run_id
             RETURNING r.run_id, o.failures
         ), counted AS (
             INSERT INTO @extschema@.signal_run_totals AS t (name, labels, value, through)
             SELECT 'signal_hub_delivery_failures_total', '{}', sum(l.failures), c.through
               FROM (SELECT coalesce(max(through), 0) AS through FROM @extschema@.signal_run_totals) c
               JOIN lowered l ON l.run_id > c.through
              GROUP BY c.through
                 ON CONFLICT (name, labels) DO UPDATE SET value = t.value + excluded.value
         )
         SELECT count(*) FROM reopened",
        &[],
        |row| row.get(1),
    )?;
    Ok(reopened.into_iter().next().flatten().unwrap_or_default())
}

/// The exchanges that are configured.
///
/// # Errors
/// 22023 when the setting cannot be used.
fn configured() -> Result<Vec<Configured>, Failure> {
    settings::exchanges().map_err(|reason| {
        Failure::bad_settings(format!("signal_hub.exchanges cannot be used: {reason}"))
            .hint("Correct signal_hub.exchanges and reload the configuration.")
    })
}

/// Reads how the runs before stand with the exchanges.
pub fn standing(db: &Db) -> Result<Standing, Failure> {
    let exchanges = configured()?;
    let on_record = exchanges::on_record(db, &exchanges)?;
    standing_of(db, &exchanges, &on_record)
}

/// With several exchanges, each counts by what is on record of it; with one, the last run does.
fn standing_of(
    db: &Db,
    exchanges: &[Configured],
    on_record: &[OnRecord],
) -> Result<Standing, Failure> {
    let by_runs = standing_by_runs(db, exchanges)?;
    if exchanges.len() == 1 {
        return Ok(by_runs);
    }
    let mut standing = by_runs;
    standing.stand_as(on_record);
    Ok(standing)
}

fn standing_by_runs(db: &Db, exchanges: &[Configured]) -> Result<Standing, Failure> {
    let preferred = exchanges.first();
    let url = preferred.map_or("", |preferred| preferred.endpoint.base_url.as_str());
    let found = db.read(
        &format!(
            "SELECT (SELECT count(*) FROM @extschema@.signal_runs WHERE status = 'failed' AND trigger = 'worker' AND run_id >
                       coalesce((SELECT run_id FROM @extschema@.signal_runs WHERE status = 'ok' ORDER BY run_id DESC LIMIT 1), 0)),
                    -- No longer than was asked for, also when the clock was set back meanwhile.
                    (extract(epoch FROM least(last.retry_at, clock_timestamp() + (last.retry_at - last.started_at))) * 1000)::bigint,
                    last.sqlstate IS NOT DISTINCT FROM '08004',
                    random()
               FROM (VALUES (true)) AS one
               LEFT JOIN LATERAL (SELECT r.* FROM ({RUNS_THAT_COUNT}) r
                                   WHERE r.status <> 'skipped' ORDER BY r.run_id DESC LIMIT 1) AS last
                 ON last.retry_at > clock_timestamp() AND last.exchange_url = $1
                AND isfinite(last.retry_at) AND isfinite(last.started_at)"
        ),
        &[url.into()],
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
          WHERE trigger = 'worker' AND isfinite(started_at) ORDER BY run_id DESC LIMIT 1",
        &[],
        |row| row.get(1),
    )?;
    Ok(found.into_iter().next().flatten())
}

/// The memory of `strategy`, by symbol.
pub fn episodes(db: &Db, strategy: &str) -> Result<HashMap<String, Episode>, Failure> {
    let rows = db.read(
        // A time without end is no time: it cannot be counted from.
        "SELECT symbol, side, CASE WHEN isfinite(since) THEN (extract(epoch FROM since) * 1000)::bigint END,
                CASE WHEN isfinite(last_signal_at) THEN (extract(epoch FROM last_signal_at) * 1000)::bigint END,
                CASE WHEN isfinite(expires_at) THEN (extract(epoch FROM expires_at) * 1000)::bigint END
           FROM @extschema@.signal_episodes WHERE strategy = $1",
        &[strategy.into()],
        |row| {
            let side = row.get::<String>(2)?.and_then(|side| Side::parse(&side));
            Ok((
                text(row, 1)?,
                Episode { side, since: row.get(3)?, last_signal_at: row.get(4)?, expires_at: row.get(5)? },
            ))
        },
    )?;
    Ok(rows.into_iter().collect())
}

/// A tick that prices can be rounded to, with the bounds that signal_symbols has.
pub fn is_usable_tick(tick: Decimal) -> bool {
    Decimal::ZERO < tick && tick <= Decimal::from(1_000_000_000) && tick.scale() <= 18
}

pub fn usable_tick(number: &str) -> Option<Decimal> {
    let tick = Decimal::from_str_exact(number).ok();
    tick.filter(|tick| is_usable_tick(*tick))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_that_was_unknown_is_asked_for_at_the_next_run_or_after_ten_seconds() {
        for (interval, expected) in [(1, 10), (2, 10), (5, 10), (10, 10), (30, 30), (3600, 3600)] {
            let after = ask_again_after(Duration::from_secs(interval)) / 1000.0;
            let mut runs = (1..).map(|run| run * interval);
            // Runs come half a second early or late.
            let asked = runs.find(|at| *at as f64 - 0.25 > after);
            assert_eq!(asked, Some(expected), "every {interval} s");
        }
    }
}
