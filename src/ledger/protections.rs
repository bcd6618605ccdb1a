//! Which signals of a run are withheld, by the enabled rows of signal_protections and what became
//! of earlier signals.

use crate::postgres::statements::text;
use crate::postgres::{Db, Failure};
use std::collections::HashMap;
use strategy::protection::{Ending, Kind, Protection, Scope, withheld_by};
use strategy::{Side, Signal};

/// What protections say of the signals of a run.
#[derive(Debug, Default)]
pub struct Withheld {
    /// The protection that withholds a signal, by strategy and symbol.
    by: HashMap<(String, String), String>,
    /// Rows that cannot be used, and why: each withholds nothing.
    unusable: Vec<String>,
}

impl Withheld {
    /// The protection that withholds the strategy's signal of a symbol.
    pub fn by(&self, strategy: &str, symbol: &str) -> Option<&str> {
        let key = (strategy.to_owned(), symbol.to_owned());
        self.by.get(&key).map(String::as_str)
    }

    /// How many signals are withheld.
    pub fn count(&self) -> usize {
        self.by.len()
    }

    /// What is to be said of a run.
    pub fn message(&self) -> Option<String> {
        let mut parts = self.unusable.clone();
        if !self.by.is_empty() {
            let mut names: Vec<&str> = self.by.values().map(String::as_str).collect();
            names.sort_unstable();
            names.dedup();
            parts.push(format!(
                "{} of them withheld by {}",
                self.by.len(),
                names.join(", ")
            ));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Decides of each signal of a run, given with its strategy. Without signals, or without an enabled
/// protection, outcomes are not read.
///
/// # Errors
/// What the statements raise.
pub fn withheld(db: &Db, signals: &[(&str, &Signal)]) -> Result<Withheld, Failure> {
    let mut withheld = Withheld::default();
    if signals.is_empty() {
        return Ok(withheld);
    }
    let protections = enabled(db, &mut withheld.unusable)?;
    let Some(reach_ms) = protections.iter().map(|it| it.lookback_ms).max() else {
        return Ok(withheld);
    };
    let mut endings: HashMap<&str, Vec<Ending>> = HashMap::new();
    for (strategy, signal) in signals {
        if !endings.contains_key(strategy) {
            endings.insert(strategy, ended(db, strategy, reach_ms)?);
        }
        let ticker = &signal.ticker;
        let by = withheld_by(
            &protections,
            endings.get(strategy).map_or(&[][..], Vec::as_slice),
            &ticker.symbol,
            signal.side,
            ticker.close_time,
        );
        if let Some(protection) = by {
            let key = ((*strategy).to_owned(), ticker.symbol.clone());
            withheld.by.insert(key, protection.name.clone());
        }
    }
    Ok(withheld)
}

fn enabled(db: &Db, unusable: &mut Vec<String>) -> Result<Vec<Protection>, Failure> {
    let rows = db.read(
        "SELECT protection, kind, scope, (extract(epoch FROM lookback) * 1000)::float8, max_count,
                (extract(epoch FROM duration) * 1000)::float8
           FROM @extschema@.signal_protections WHERE enabled ORDER BY protection",
        &[],
        |row| {
            let name = text(row, 1)?;
            let milliseconds = |ordinal| -> Result<Option<i64>, Failure> {
                let found = row.get::<f64>(ordinal)?;
                Ok(found.filter(|ms| *ms > 0.0).map(|ms| ms as i64))
            };
            let kind = Kind::parse(&text(row, 2)?);
            let scope = Scope::parse(&text(row, 3)?);
            let max_count = row
                .get::<i32>(5)?
                .and_then(|count| usize::try_from(count).ok());
            let found = (kind, scope, milliseconds(4)?, max_count, milliseconds(6)?);
            Ok(match found {
                (
                    Some(kind),
                    Some(scope),
                    Some(lookback_ms),
                    Some(max_count),
                    Some(duration_ms),
                ) => Ok(Protection {
                    name,
                    kind,
                    scope,
                    lookback_ms,
                    max_count,
                    duration_ms,
                }),
                _ => Err(format!(
                    "protection {name} of signal_protections cannot be used: correct or disable it"
                )),
            })
        },
    )?;
    let mut usable = Vec::new();
    for row in rows {
        match row {
            Ok(protection) => usable.push(protection),
            Err(why) => unusable.push(why),
        }
    }
    Ok(usable)
}

/// How the signals of a strategy ended, as far as is known: an outcome that is open counts by what
/// the last prices showed, for a guard that waits for candles comes too late.
fn ended(db: &Db, strategy: &str, reach_ms: i64) -> Result<Vec<Ending>, Failure> {
    let rows = db.read(
        "SELECT symbol, signal_type, (extract(epoch FROM ended_at) * 1000)::bigint, first_touch = 'stop',
                withheld_by IS NOT NULL
           FROM @extschema@.signal_outcomes
          WHERE strategy = $1 AND state <> 'void'
            AND ended_at > now() - $2 * interval '1 millisecond' AND isfinite(ended_at)",
        &[strategy.into(), (reach_ms as f64).into()],
        |row| {
            let side = Side::parse(&text(row, 2)?);
            let Some((side, ended_at)) = side.zip(row.get::<i64>(3)?) else {
                return Ok(None);
            };
            Ok(Some(Ending {
                symbol: text(row, 1)?,
                side,
                ended_at,
                stop_first: row.get::<bool>(4)?.unwrap_or(false),
                was_withheld: row.get::<bool>(5)?.unwrap_or(false),
            }))
        },
    )?;
    Ok(rows.into_iter().flatten().collect())
}
