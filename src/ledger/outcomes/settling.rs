//! From open to settled or void, once.

use crate::ledger::recordset::Kind::{
    BigInt, Boolean, Integer, Numeric, NumericArray, Text, Time, TimeArray,
};
use crate::ledger::recordset::{self, Column, column};
use crate::postgres::encoding::prose;
use crate::postgres::statements::{Row, text};
use crate::postgres::{Db, Failure};
use market::UnixMillis;
use rust_decimal::Decimal;
use serde_json::Value;
use std::time::Duration;
use strategy::outcome::sampled::{Samples, sampled};
use strategy::outcome::{Ended, FirstTouch, Outcome, Terms};
use strategy::{Levels, Side};

/// From its expiry on, an outcome waits so long for the last candle to be there.
const CANDLES_COME_AFTER: Duration = Duration::from_secs(5);
/// After so long without candles an outcome is void.
pub const VOID_AFTER: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What settles the outcomes of an exchange without candles.
const SAMPLED: &str = "sampled";

/// A signal whose time has passed and whose outcome is open.
#[derive(Clone, Debug)]
pub struct DueOutcome {
    pub signal_id: i64,
    pub symbol: String,
    /// What its outcome is judged by; or what in the row cannot be read, then it can only be void.
    pub terms: Result<Terms, String>,
    /// Whether it has been due for seven days: without candles now it is void.
    pub is_last_try: bool,
}

/// At most `limit` outcomes that are to be settled now, the one that expired first first: those
/// judged on the exchange `source`, from 5 seconds after their expiry on; those of which no exchange is
/// known are the preferred one's. Reads one index.
///
/// # Errors
/// What the query raises.
pub fn due(
    db: &Db,
    limit: i64,
    source: &str,
    is_preferred: bool,
) -> Result<Vec<DueOutcome>, Failure> {
    db.read(
        "SELECT signal_id, symbol, signal_type, entry_price::text, stop_loss::text, array_to_string(take_profit, ' ', 'NULL'),
                stop_loss_percent::text, array_to_string(take_profit_percents, ' ', 'NULL'),
                (extract(epoch FROM signal_at) * 1000)::bigint, (extract(epoch FROM expires_at) * 1000)::bigint,
                expires_at < clock_timestamp() - $3 * interval '1 second'
           FROM @extschema@.signal_outcomes
          WHERE state = 'open' AND expires_at <= clock_timestamp() - $2 * interval '1 second'
            AND (source = $4 OR $5 AND source IS NULL)
          ORDER BY expires_at, symbol, signal_id LIMIT $1",
        &[
            limit.into(),
            CANDLES_COME_AFTER.as_secs_f64().into(),
            VOID_AFTER.as_secs_f64().into(),
            source.into(),
            is_preferred.into(),
        ],
        |row| {
            Ok(DueOutcome {
                signal_id: row.get(1)?.unwrap_or_default(),
                symbol: text(row, 2)?,
                terms: terms(row, 3),
                is_last_try: row.get(11)?.unwrap_or(false),
            })
        },
    )
}

/// Reads eight columns from `first` on: side, entry, stop, targets, both percentages, and the times.
fn terms(row: &Row, first: usize) -> Result<Terms, String> {
    let field = |place: usize| text(row, first + place).map_err(|failure| failure.message);
    let side = field(0)?;
    let time = |place: usize| -> Result<UnixMillis, String> {
        let read = row.get(first + place).map_err(|failure| failure.message)?;
        read.ok_or_else(|| "a time is null".to_owned())
    };
    Ok(Terms {
        side: Side::parse(&side).ok_or_else(|| format!("signal_type {side} is unknown"))?,
        levels: Levels {
            entry_price: positive(&field(1)?)?,
            stop_loss: decimal(&field(2)?)?,
            take_profit: decimals(&field(3)?)?,
        },
        stop_loss_percent: decimal(&field(4)?)?,
        take_profit_percents: decimals(&field(5)?)?,
        signal_at: time(6)?,
        expires_at: time(7)?,
    })
}

fn decimal(number: &str) -> Result<Decimal, String> {
    Decimal::from_str_exact(number).map_err(|_| format!("{number} is out of range"))
}

fn positive(number: &str) -> Result<Decimal, String> {
    match decimal(number)? {
        price if price > Decimal::ZERO => Ok(price),
        _ => Err(format!("a price of {number} is out of range")),
    }
}

fn decimals(numbers: &str) -> Result<Vec<Decimal>, String> {
    numbers.split(' ').map(decimal).collect()
}

/// An outcome with all that is written when it is settled.
struct Settled<'a> {
    signal_id: i64,
    outcome: &'a Outcome,
    resolution: &'a str,
    fee_percent: Decimal,
}

fn exact(number: Decimal) -> Value {
    number.to_string().into()
}

fn all_exact(numbers: &[Decimal]) -> Value {
    numbers.iter().copied().map(exact).collect()
}

/// What settling writes, after the number of the signal.
fn settled_columns<'a>() -> [Column<Settled<'a>>; 18] {
    [
        column("best_target", Integer, |s| s.outcome.best_target.into()),
        column("first_touch", Text, |s| {
            match s.outcome.first_touch {
                FirstTouch::Target => "target",
                FirstTouch::Stop => "stop",
                FirstTouch::None => "none",
            }
            .into()
        }),
        column("ended", Text, |s| {
            match s.outcome.ended {
                Ended::Target => "target",
                Ended::Stop => "stop",
                Ended::Expired => "expired",
            }
            .into()
        }),
        column("target_at", TimeArray, |s| {
            s.outcome.target_at.clone().into()
        }),
        column("stop_at", Time, |s| s.outcome.stop_at.into()),
        column("ended_at", Time, |s| s.outcome.ended_at.into()),
        column("returns_percent", NumericArray, |s| {
            all_exact(&s.outcome.returns_percent)
        }),
        column("ladder_percent", Numeric, |s| {
            exact(s.outcome.ladder_percent)
        }),
        column("hold_percent", Numeric, |s| exact(s.outcome.hold_percent)),
        column("mirror_percent", Numeric, |s| {
            s.outcome.mirror_percent.first().copied().map(exact).into()
        }),
        column("mirror_returns_percent", NumericArray, |s| {
            let mirror = &s.outcome.mirror_percent;
            (!mirror.is_empty()).then(|| all_exact(mirror)).into()
        }),
        column("mfe_percent", Numeric, |s| exact(s.outcome.mfe_percent)),
        column("mae_percent", Numeric, |s| exact(s.outcome.mae_percent)),
        column("fee_percent", Numeric, |s| exact(s.fee_percent)),
        column("resolution", Text, |s| s.resolution.into()),
        column("ambiguous", Boolean, |s| s.outcome.ambiguous.into()),
        column("gap", Boolean, |s| s.outcome.gap.into()),
        column("signal_id", BigInt, |s| s.signal_id.into()),
    ]
}

/// Settles the outcome of a signal: the row is written, and taken into the chain, for good. False,
/// and nothing is written, when it is not open any more.
///
/// `resolution` names the finest candles that were used, such as `1s` or `1m`; `fee_percent` is the
/// fee that `outcome` was made with. Only for what [`due`] returned.
///
/// # Errors
/// What the statement raises.
pub fn settle(
    db: &Db,
    signal_id: i64,
    outcome: &Outcome,
    resolution: &str,
    fee_percent: Decimal,
) -> Result<bool, Failure> {
    let columns = settled_columns();
    let settled = Settled {
        signal_id,
        outcome,
        resolution,
        fee_percent,
    };
    let written = db.run(
        &format!(
            "UPDATE @extschema@.signal_outcomes o SET state = 'settled', {}
               FROM {} WHERE o.signal_id = r.signal_id AND o.state = 'open'",
            recordset::assignments(&columns, &["signal_id"]),
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, [settled]).into()],
    )?;
    Ok(written > 0)
}

/// Settles the outcome of a signal whose exchange has no candles, by the last prices that were
/// seen and `last_price`, the one of now: `resolution` is `sampled`. False when it is not open any
/// more, or a number does not fit.
///
/// # Errors
/// What the statements raise.
pub fn settle_by_samples(
    db: &Db,
    due: &DueOutcome,
    last_price: Decimal,
    fee_percent: Decimal,
) -> Result<bool, Failure> {
    let Ok(terms) = &due.terms else {
        return Ok(false);
    };
    let samples = db.read(
        "SELECT high_seen::text, low_seen::text, coalesce((extract(epoch FROM stop_at) * 1000)::bigint, 0), stop_at IS NOT NULL,
                ARRAY(SELECT (extract(epoch FROM t) * 1000)::bigint FROM unnest(target_at) WITH ORDINALITY AS u (t, n) ORDER BY n)
           FROM @extschema@.signal_outcomes WHERE signal_id = $1 AND state = 'open'",
        &[due.signal_id.into()],
        |row| {
            let price = |place| -> Result<Option<Decimal>, Failure> {
                let number = row.get::<String>(place)?;
                Ok(number.and_then(|number| decimal(&number).ok()))
            };
            let is_stopped = row.get(4)?.unwrap_or(false);
            Ok(Samples {
                high: price(1)?,
                low: price(2)?,
                stop_at: row.get(3)?.filter(|_| is_stopped),
                target_at: row.get(5)?.unwrap_or_default(),
                last: last_price,
            })
        },
    )?;
    let outcome = samples
        .first()
        .and_then(|samples| sampled(terms, samples, fee_percent));
    match outcome {
        Some(outcome) => settle(db, due.signal_id, &outcome, SAMPLED, fee_percent),
        None => Ok(false),
    }
}

/// Finds the outcome of a signal void, for good, and says why, as in `no candles for 7 days`. False
/// when it is not open any more.
///
/// # Errors
/// What the statement raises.
pub fn void(db: &Db, signal_id: i64, why: &str) -> Result<bool, Failure> {
    let written = db.run(
        &format!(
            "UPDATE @extschema@.signal_outcomes o SET state = 'void', {VOIDED}, void_why = $2
              WHERE o.signal_id = $1 AND o.state = 'open'"
        ),
        &[signal_id.into(), prose(why).into()],
    )?;
    Ok(written > 0)
}

/// What the last prices showed is not kept where nothing is known for certain.
const VOIDED: &str = "best_target = NULL, first_touch = NULL, ended = NULL, target_at = NULL, \
                      stop_at = NULL, ended_at = NULL";

/// Finds those outcomes void, at most `limit`, whose time has passed seven days ago and whose
/// exchange was not asked any more. Returns how many.
///
/// # Errors
/// What the statement raises.
pub fn void_of_other_exchanges(db: &Db, limit: i64, sources: &[String]) -> Result<usize, Failure> {
    db.run(
        &format!(
            "UPDATE @extschema@.signal_outcomes o SET state = 'void', {VOIDED},
                    void_why = 'the exchange that it was judged on was not asked for 7 days'
              WHERE o.signal_id = ANY (ARRAY(
                        SELECT signal_id FROM @extschema@.signal_outcomes
                         WHERE state = 'open' AND expires_at < clock_timestamp() - $2 * interval '1 second'
                           AND source <> ALL (string_to_array($3, ' '))
                         ORDER BY expires_at LIMIT $1))
                AND o.state = 'open'"
        ),
        &[
            limit.into(),
            VOID_AFTER.as_secs_f64().into(),
            sources.join(" ").into(),
        ],
    )
}
