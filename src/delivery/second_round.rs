//! The second round of a fan-out: subscribers who changed during the first may have moved from a
//! tier that was still to come to one that had been served.

use crate::postgres::{Db, Failure};
use pgrx::datum::TimestampWithTimeZone;

/// Whether subscribers changed since the signal, and the round that looks for these has not begun.
pub fn is_due(db: &Db, signal_id: i64) -> Result<bool, Failure> {
    let first_round = db.read(
        "SELECT FROM @extschema@.signals WHERE signal_id = $1 AND NOT delivery_changed_only",
        &[signal_id.into()],
        |_| Ok(()),
    )?;
    if first_round.is_empty() {
        return Ok(false);
    }
    let changed = db.read(
        "SELECT u.user_id FROM @extschema@.user_subscriptions u
          WHERE u.updated_at <> u.created_at AND u.updated_at > $1 LIMIT 1",
        &[changed_since(db, signal_id)?.into()],
        |_| Ok(()),
    )?;
    Ok(!changed.is_empty())
}

/// Who changed after this time may have changed after the signal was made: rows are stamped before
/// they become visible, and the margin covers transactions that are long in committing.
pub fn changed_since(db: &Db, signal_id: i64) -> Result<Option<TimestampWithTimeZone>, Failure> {
    let since = db.read(
        "SELECT created_at - interval '5 minutes' FROM @extschema@.signals WHERE signal_id = $1",
        &[signal_id.into()],
        |row| row.get(1),
    )?;
    Ok(since.into_iter().next().flatten())
}
