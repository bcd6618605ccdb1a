//! The forecasts of a day's signals: made of outcomes that were known when the day began, kept in
//! signal_forecasts.

use super::days::DAY_MS;
use super::recordset::Kind::{Boolean, Double, Integer, Prose, Text, Time};
use super::recordset::{self, Column, column};
use crate::postgres::statements::text;
use crate::postgres::{Db, Failure};
use market::UnixMillis;
use rust_decimal::prelude::ToPrimitive;
use strategy::Signal;
use strategy::distances::range_percent;
use strategy::forecast::{
    Example, FITTED_DAYS, Forecast, Model, TESTED_DAYS, Test, Tested, feature,
};
use strategy::outcome::FirstTouch;

/// What the signals of a strategy are forecast by on a day.
#[derive(Clone, Copy, Debug)]
struct OfDay {
    model: Option<Model>,
    /// Whether subscribers are shown the forecasts.
    shown: bool,
}

impl OfDay {
    /// The forecast of a signal, if there is a model.
    fn forecast(&self, signal: &Signal) -> Option<Forecast> {
        let range = range_percent(&signal.ticker)?.to_f64()?;
        let stop = signal.distances.stop_loss_percent.to_f64()?;
        let lifetime_ms = signal.expires_at.saturating_sub(signal.ticker.close_time) as f64;
        let x = feature(range, stop, lifetime_ms)?;
        Some(self.model?.forecast(x))
    }
}

/// A forecast as a signal carries it.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    pub forecast: Forecast,
    /// Whether subscribers are shown it.
    pub shown: bool,
}

/// The forecast of a signal by what its day has; `None` where the day has no model.
///
/// # Errors
/// What the statements raise.
pub fn made(db: &Db, strategy: &str, signal: &Signal) -> Result<Option<Made>, Failure> {
    let of_day = of_day(db, strategy, signal.ticker.close_time)?;
    Ok(of_day.forecast(signal).map(|forecast| Made {
        forecast,
        shown: of_day.shown,
    }))
}

/// What a row of signal_forecasts is made of.
struct Row<'a> {
    strategy: &'a str,
    day: UnixMillis,
    outcomes: usize,
    model: Option<Model>,
    test: Test,
    shown: bool,
    why: String,
}

fn columns<'a>() -> [Column<Row<'a>>; 17] {
    [
        column("strategy", Text, |r| r.strategy.into()),
        column("day", Time, |r| r.day.into()),
        column("outcomes", Integer, |r| r.outcomes.into()),
        column("touched", Integer, |r| r.model.map(|m| m.touched).into()),
        column("targets", Integer, |r| r.model.map(|m| m.targets).into()),
        column("intercept", Double, |r| r.model.map(|m| m.intercept).into()),
        column("slope", Double, |r| r.model.map(|m| m.slope).into()),
        column("base_target", Double, |r| {
            r.model.map(|m| m.base().target).into()
        }),
        column("base_stop", Double, |r| {
            r.model.map(|m| m.base().stop).into()
        }),
        column("forecasts", Integer, |r| r.test.forecasts.into()),
        column("forecast_days", Integer, |r| r.test.days.into()),
        // What is not a number is null.
        column("skill_percent", Double, |r| r.test.skill_percent.into()),
        column("skill_low_percent", Double, |r| {
            r.test.skill_low_percent.into()
        }),
        column("target_error", Double, |r| r.test.target_error.into()),
        column("stop_error", Double, |r| r.test.stop_error.into()),
        column("shown", Boolean, |r| r.shown.into()),
        column("why", Prose, |r| r.why.clone().into()),
    ]
}

/// What the signals of `strategy` at `at` are forecast by. The first signal of a UTC day has it
/// made.
///
/// # Errors
/// What the statements raise.
fn of_day(db: &Db, strategy: &str, at: UnixMillis) -> Result<OfDay, Failure> {
    let day = at.div_euclid(DAY_MS) * DAY_MS;
    match stored(db, strategy, day)? {
        Some(found) => Ok(found),
        None => make(db, strategy, day),
    }
}

fn stored(db: &Db, strategy: &str, day: UnixMillis) -> Result<Option<OfDay>, Failure> {
    let found = db.read(
        "SELECT outcomes, touched, targets, intercept, slope, shown FROM @extschema@.signal_forecasts
          WHERE strategy = $1 AND day = (to_timestamp($2 / 1000) AT TIME ZONE 'UTC')::date",
        &[strategy.into(), day.into()],
        |row| {
            let count = |ordinal| -> Result<usize, Failure> {
                let count = row.get::<i32>(ordinal)?.unwrap_or_default();
                Ok(usize::try_from(count).unwrap_or_default())
            };
            let line = row.get::<f64>(4)?.zip(row.get::<f64>(5)?);
            let (outcomes, touched, targets) = (count(1)?, count(2)?, count(3)?);
            Ok(OfDay {
                model: line.map(|(intercept, slope)| Model {
                    outcomes,
                    touched,
                    targets,
                    intercept,
                    slope,
                }),
                shown: row.get::<bool>(6)?.unwrap_or(false),
            })
        },
    )?;
    Ok(found.into_iter().next())
}

fn make(db: &Db, strategy: &str, day: UnixMillis) -> Result<OfDay, Failure> {
    let examples = examples(db, strategy, day)?;
    let model = Model::fit(&examples);
    let test = Test::of(&tested(db, strategy, day)?);
    let objection = test.objection();
    let shown = model.is_some() && objection.is_none();
    let why = match (model, objection) {
        (None, _) => format!(
            "no model: {} outcomes of the last {FITTED_DAYS} days are too few, of too few days, or all alike",
            examples.len()
        ),
        (Some(_), Some(objection)) => format!("not shown: {objection}"),
        (Some(_), None) => format!(
            "shown: of {} forecasts of {} days the skill is {:.2} %, at least {:.2} %",
            test.forecasts, test.days, test.skill_percent, test.skill_low_percent
        ),
    };
    let row = Row {
        strategy,
        day,
        outcomes: examples.len(),
        model,
        test,
        shown,
        why,
    };
    /// A time, which is to be a day.
    const DAY: &str = "to_timestamp(r.day / 1000)";
    let columns = columns();
    db.run(
        &format!(
            "INSERT INTO @extschema@.signal_forecasts ({}) SELECT {} FROM {} ON CONFLICT DO NOTHING",
            recordset::names(&columns),
            recordset::values(&columns).replacen(DAY, &format!("({DAY} AT TIME ZONE 'UTC')::date"), 1),
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, [row]).into()],
    )?;
    Ok(OfDay { model, shown })
}

/// The outcomes that were known when the day began.
fn examples(db: &Db, strategy: &str, day: UnixMillis) -> Result<Vec<Example>, Failure> {
    let rows = db.read(
        "SELECT floor(extract(epoch FROM signal_at) / 86400)::bigint, range_percent::float8, stop_loss_percent::float8,
                (extract(epoch FROM expires_at - signal_at) * 1000)::float8, first_touch
           FROM @extschema@.signal_outcomes
          WHERE strategy = $1 AND state = 'settled' AND resolution <> 'sampled'
            AND expires_at < to_timestamp($2 / 1000)
            AND expires_at >= to_timestamp($2 / 1000) - $3 * interval '1 day'",
        &[strategy.into(), day.into(), FITTED_DAYS.into()],
        |row| {
            let numbers = (row.get::<f64>(2)?, row.get::<f64>(3)?, row.get::<f64>(4)?);
            let (Some(range), Some(stop), Some(lifetime_ms)) = numbers else {
                return Ok(None);
            };
            let known = (row.get(1)?, feature(range, stop, lifetime_ms), touch(&text(row, 5)?));
            Ok(match known {
                (Some(day), Some(x), Some(first_touch)) => Some(Example { day, x, first_touch }),
                _ => None,
            })
        },
    )?;
    Ok(rows.into_iter().flatten().collect())
}

/// The forecasts of the last days that were stored before their outcome, and have one now.
fn tested(db: &Db, strategy: &str, day: UnixMillis) -> Result<Vec<Tested>, Failure> {
    let rows = db.read(
        "SELECT floor(extract(epoch FROM o.signal_at) / 86400)::bigint, o.forecast_target::float8, o.forecast_stop::float8,
                f.base_target, f.base_stop, o.first_touch
           FROM @extschema@.signal_outcomes o
           JOIN @extschema@.signal_forecasts f
             ON f.strategy = o.strategy AND f.day = (o.signal_at AT TIME ZONE 'UTC')::date
          WHERE o.strategy = $1 AND o.state = 'settled' AND o.resolution <> 'sampled'
            AND o.expires_at < to_timestamp($2 / 1000)
            AND o.signal_at >= to_timestamp($2 / 1000) - $3 * interval '1 day'",
        &[strategy.into(), day.into(), TESTED_DAYS.into()],
        |row| {
            let pair = |first: usize| -> Result<Option<Forecast>, Failure> {
                let pair = row.get::<f64>(first)?.zip(row.get::<f64>(first + 1)?);
                Ok(pair.map(|(target, stop)| Forecast { target, stop }))
            };
            let known = (row.get(1)?, pair(2)?, pair(4)?, touch(&text(row, 6)?));
            Ok(match known {
                (Some(day), Some(forecast), Some(base), Some(first_touch)) => Some(Tested {
                    day,
                    forecast,
                    base,
                    first_touch,
                }),
                _ => None,
            })
        },
    )?;
    Ok(rows.into_iter().flatten().collect())
}

fn touch(name: &str) -> Option<FirstTouch> {
    match name {
        "target" => Some(FirstTouch::Target),
        "stop" => Some(FirstTouch::Stop),
        "none" => Some(FirstTouch::None),
        _ => None,
    }
}
