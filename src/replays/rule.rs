//! The rule of a replay: a row of signal_rules with some of its columns overridden, held to the
//! same bounds as the row itself.

use crate::ledger;
use crate::postgres::server_values::ServerJson;
use crate::postgres::statements::text;
use crate::postgres::{Db, Failure, catch};
use serde_json::{Map, Value};
use strategy::Rule;

/// The row of `strategy` under the name `r`, with the overrides in argument $2.
const OVERRIDDEN: &str = "(SELECT (jsonb_populate_record(s, $2)).* FROM @extschema@.signal_rules s
                            WHERE s.strategy = $1) AS signal_rules";

/// The rule of a strategy with `overrides`, whose keys are columns of signal_rules.
///
/// # Errors
/// When there is no such strategy or column, and when signal_rules would refuse a value.
pub fn overridden(db: &Db, strategy: &str, overrides: Value) -> Result<Rule, Failure> {
    let Value::Object(overrides) = overrides else {
        return Err(bad("overrides must be a JSON object").hint(
            "Its keys are columns of signal_rules, as in '{\"cooldown\": \"30 minutes\"}'.",
        ));
    };
    check_keys(db, strategy, &overrides)?;
    for (key, value) in &overrides {
        check_value(db, strategy, key, value)?;
    }
    check_bounds(db, strategy, &overrides)?;
    let columns = ledger::RULE_COLUMNS;
    let query = format!("SELECT {columns} FROM {OVERRIDDEN}");
    let args = [strategy.into(), ServerJson(overrides.into()).into()];
    let rules = db.read(&query, &args, |row| ledger::rule(row, strategy.to_owned()))?;
    let rule = rules.into_iter().next();
    rule.ok_or_else(|| Failure::internal("the rule has gone"))
}

/// A value that cannot be worked with.
fn bad(message: impl Into<String>) -> Failure {
    Failure::new("22023", message)
}

fn check_keys(db: &Db, strategy: &str, overrides: &Map<String, Value>) -> Result<(), Failure> {
    let columns = db.read(
        "SELECT a.attname::text
           FROM @extschema@.signal_rules r
           JOIN pg_attribute a ON a.attrelid = r.tableoid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE r.strategy = $1 AND a.attname NOT IN ('strategy', 'enabled', 'shipped')
          ORDER BY a.attnum",
        &[strategy.into()],
        |row| text(row, 1),
    )?;
    if columns.is_empty() {
        let strategies = db.read(
            "SELECT strategy FROM @extschema@.signal_rules ORDER BY strategy",
            &[],
            |row| text(row, 1),
        )?;
        return Err(bad(format!("unknown strategy \"{strategy}\""))
            .detail(format!("signal_rules has {}.", strategies.join(", "))));
    }
    match overrides.keys().find(|key| !columns.contains(key)) {
        Some(key) => Err(bad(format!("unknown override \"{key}\"")).detail(format!(
            "These columns of signal_rules can be overridden: {}.",
            columns.join(", ")
        ))),
        None => Ok(()),
    }
}

/// Whether the value is of the column's type.
fn check_value(db: &Db, strategy: &str, key: &str, value: &Value) -> Result<(), Failure> {
    let args = [
        strategy.into(),
        key.into(),
        ServerJson(value.clone()).into(),
    ];
    let read = catch(|| {
        db.read(
            "SELECT to_jsonb(jsonb_populate_record(s, jsonb_build_object($2, $3))) -> $2 = 'null'
                    AND EXISTS (SELECT FROM pg_attribute a
                                 WHERE a.attrelid = s.tableoid AND a.attname = $2 AND a.attnotnull)
               FROM @extschema@.signal_rules s WHERE s.strategy = $1",
            &args,
            |row| Ok(row.get::<bool>(1)?.unwrap_or(false)),
        )
    });
    match read {
        Ok(is_null) if is_null.contains(&true) => {
            Err(bad(format!("override \"{key}\" must not be null")))
        }
        Ok(_) => Ok(()),
        Err(failure) if failure.sqlstate.starts_with("22") => {
            let message = format!("override \"{key}\" cannot be used: {}", failure.message);
            Err(Failure { message, ..failure })
        }
        Err(failure) => Err(failure),
    }
}

/// Whether the row would pass the checks of its table.
fn check_bounds(db: &Db, strategy: &str, overrides: &Map<String, Value>) -> Result<(), Failure> {
    let checks = db.read(
        "SELECT pg_get_expr(c.conbin, c.conrelid), array_to_string(ARRAY(
                    SELECT a.attname FROM unnest(c.conkey) k
                      JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k), ' ')
           FROM @extschema@.signal_rules r
           JOIN pg_constraint c ON c.conrelid = r.tableoid AND c.contype = 'c'
          WHERE r.strategy = $1 ORDER BY c.conname",
        &[strategy.into()],
        |row| Ok((text(row, 1)?, text(row, 2)?)),
    )?;
    for (expression, columns) in checks {
        let query = format!("SELECT ({expression}) IS NOT FALSE FROM {OVERRIDDEN}");
        let args = [strategy.into(), ServerJson(overrides.clone().into()).into()];
        let passed = db.read(&query, &args, |row| row.get::<bool>(1))?;
        if passed.contains(&Some(true)) {
            continue;
        }
        let blamed: Vec<String> = columns
            .split(' ')
            .filter(|column| overrides.contains_key(*column))
            .map(|column| format!("\"{column}\""))
            .collect();
        return Err(
            bad(format!("override {} is out of range", blamed.join(", "))).detail(format!(
                "signal_rules accepts what passes CHECK {expression}."
            )),
        );
    }
    Ok(())
}
