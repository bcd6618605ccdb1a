//! Where the tables of subscribers are on several servers: statements that the shards run whole, in
//! place of those that walk an index from user to user.

use super::keys;
use crate::postgres::{Db, Failure, citus};
use pgrx::datum::Uuid;

/// A statement over all shards takes about as long for many users as for a few.
const TIMES_AS_MANY: i64 = 20;

/// Removes the rows of the signals from `first` to `last` of about as many users behind `after` as
/// are worth it where one server removes those of `size`. Returns the last of these users, `None`
/// when there is nobody left, and how many rows were removed.
///
/// # Errors
/// What the statements raise.
pub fn purge_users(
    db: &Db,
    (first, last): (i64, i64),
    after: Option<Uuid>,
    size: i64,
) -> Result<(Option<Uuid>, usize), Failure> {
    db.walking_indexes(|db| {
        let least = Uuid::from_bytes([0; 16]);
        let greatest = Uuid::from_bytes([0xff; 16]);
        let end = match size {
            // A row may be what failed: only its user will do.
            1 => next_user(db, after)?,
            _ => {
                let many = size.saturating_mul(TIMES_AS_MANY);
                keys::after(db, after.unwrap_or(least), many, None)?
            }
        };
        let removed = db.run(
            "DELETE FROM @extschema@.user_signals
              WHERE user_id BETWEEN $1 AND $2 AND (user_id > $1 OR NOT $3) AND signal_id BETWEEN $4 AND $5",
            &[
                after.unwrap_or(least).into(),
                end.unwrap_or(greatest).into(),
                after.is_some().into(),
                first.into(),
                last.into(),
            ],
        )?;
        Ok((end, removed))
    })
}

/// The user behind `after` who has rows.
///
/// # Errors
/// What the statement raises.
pub fn next_user(db: &Db, after: Option<Uuid>) -> Result<Option<Uuid>, Failure> {
    let found = db.read(
        "SELECT e.user_id FROM @extschema@.user_signals e
          WHERE e.user_id >= $1 AND (e.user_id > $1 OR NOT $2) ORDER BY e.user_id LIMIT 1",
        &[
            after.unwrap_or(Uuid::from_bytes([0; 16])).into(),
            after.is_some().into(),
        ],
        |row| row.get(1),
    )?;
    Ok(found.into_iter().next().flatten())
}

/// Whether any of the first subscribers, or of the users who have rows, has one of a signal from
/// `first` to `last`. Not asked while a node is away: signals are made all the same, and wait for it.
///
/// # Errors
/// What the statements raise.
pub fn has_rows_of(db: &Db, first: i64, last: i64) -> Result<bool, Failure> {
    if !citus::all_nodes_answer()? {
        return Ok(false);
    }
    let mut users: Vec<Uuid> = db.read(
        "SELECT u.user_id FROM @extschema@.user_subscriptions u ORDER BY u.user_id LIMIT 20",
        &[],
        |row| Ok(row.get(1)?.unwrap_or(Uuid::from_bytes([0; 16]))),
    )?;
    users.extend(next_user(db, None)?);
    let found = db.read(
        "SELECT e.signal_id FROM @extschema@.user_signals e
          WHERE e.user_id = ANY ($1) AND e.signal_id BETWEEN $2 AND $3 LIMIT 1",
        &[users.into(), first.into(), last.into()],
        |_| Ok(()),
    )?;
    Ok(!found.is_empty())
}

/// The highest number that rows of `user_signals` have.
///
/// # Errors
/// What the statement raises.
pub fn highest_delivered(db: &Db) -> Result<Option<i64>, Failure> {
    let highest = db.read(
        "SELECT max(e.signal_id) FROM @extschema@.user_signals e",
        &[],
        |row| row.get(1),
    )?;
    Ok(highest.into_iter().next().flatten())
}
