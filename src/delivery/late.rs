//! Late joiners: who becomes entitled while signals are open, by being new, by another tier or by
//! a subscription that goes on, receives these, marked `late`, where the tier says so.
//!
//! They are found by when their row was written. A transaction may commit long after that, so a
//! look must not begin where the last one ended. It begins at the time of an earlier look, of
//! which it is known that all transactions have ended that had a number then: whatever was not to
//! be seen has a later number, and so a later time, but for the time that a statement may take
//! before it writes its first row. What is seen twice does no harm: each row is looked for before
//! it is written. So nothing needs to be remembered beyond the process: its first look begins with
//! the oldest open signal.

use super::batch::{self, Day, Which};
use super::layout;
use super::range::{self, Range};
use super::{Delivered, Role, delivering};
use crate::postgres::process::now;
use crate::postgres::{Db, Failure};
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use std::cell::RefCell;
use std::ffi::CStr;

/// Subscribers per transaction.
const BATCH: i64 = 1000;
/// Looks that are remembered.
const MOST_LOOKS: usize = 1000;
const ACTIVITY: &CStr = c"signal_hub: delivering to late joiners";

/// Whom to look for: each kind has its index.
const KINDS: [&str; 2] = [
    "u.updated_at <> u.created_at",
    "u.updated_at = u.created_at",
];

thread_local! {
    static LOOKS: RefCell<Looks<TimestampWithTimeZone>> = const { RefCell::new(Looks::none()) };
}

/// What a worker remembers of its looks, the oldest first.
struct Looks<Time> {
    /// From when on the next one has to look.
    since: Option<Time>,
    /// When, and the number that the next transaction was to have.
    made: Vec<(Time, i64)>,
}

/// A look at the subscribers.
struct Look<Time> {
    at: Time,
    /// All transactions with lower numbers have ended.
    oldest_running: i64,
    next: i64,
}

impl<Time: Copy> Looks<Time> {
    const fn none() -> Self {
        Self {
            since: None,
            made: Vec::new(),
        }
    }

    /// Puts a look on record that has seen everybody since `self.since`.
    fn made(&mut self, look: &Look<Time>) {
        self.made.push((look.at, look.next));
        let ended = self
            .made
            .iter()
            .rposition(|(_, next)| *next <= look.oldest_running);
        if let Some(ended) = ended {
            self.since = Some(self.made[ended].0);
            self.made.drain(..ended);
        }
        // Any may be left out: the next one then begins earlier than it would have to.
        if self.made.len() > MOST_LOOKS {
            self.made.remove(MOST_LOOKS / 2);
        }
    }
}

/// An open signal, and the tiers whose late joiners receive it.
struct Open {
    signal_id: i64,
    day: Day,
    tiers: Vec<Range>,
}

/// Delivers open signals to whoever became entitled to them, unless others are still undelivered.
pub fn serve(role: Role, done: &mut Delivered) {
    if done.incomplete {
        return;
    }
    let mut served = Served::default();
    let looked = serve_all(role, &mut served);
    done.rows += served.rows;
    // Not given up: the next look begins no later than this one, and serves them when it can.
    if let Some(refusal) = served.refusal {
        done.error.get_or_insert(refusal);
    }
    match looked {
        Ok(()) => {}
        Err(failure) if role != Role::Caller && failure.is_lock_not_available() => {
            done.waits_for = Some(failure);
        }
        Err(failure) => {
            done.error.get_or_insert(failure);
        }
    }
}

/// What came of one look.
#[derive(Default)]
struct Served {
    /// Rows written.
    rows: i64,
    /// Why the first subscriber whose row was refused has none.
    refusal: Option<Failure>,
}

fn serve_all(role: Role, served: &mut Served) -> Result<(), Failure> {
    // What a caller has seen may be rolled back.
    let since = match role {
        Role::Caller => None,
        Role::Worker | Role::Helper => LOOKS.with_borrow(|looks| looks.since),
    };
    let Some((look, since)) = delivering(role, ACTIVITY, |db| look(db, since))? else {
        return Ok(());
    };
    for kind in KINDS {
        let mut after = (since, range::least());
        loop {
            let found = delivering(role, ACTIVITY, |db| candidates(db, kind, after))?;
            let Some(last) = found.last() else {
                break;
            };
            after = *last;
            let users: Vec<Uuid> = found.iter().map(|(_, user_id)| *user_id).collect();
            serve_some(role, &users, served)?;
        }
    }
    if role != Role::Caller && served.refusal.is_none() {
        LOOKS.with_borrow_mut(|looks| looks.made(&look));
    }
    Ok(())
}

/// Where to begin. `None` when there is nothing for late joiners.
fn look(
    db: &Db,
    since: Option<TimestampWithTimeZone>,
) -> Result<Option<(Look<TimestampWithTimeZone>, TimestampWithTimeZone)>, Failure> {
    let found = db.read(
        "SELECT clock_timestamp() AS at,
                pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_running,
                pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next,
                coalesce($1, o.first_at) - interval '1 minute' AS since
           FROM (SELECT min(s.created_at) AS first_at FROM @extschema@.signals s
                  WHERE s.expires_at > clock_timestamp() AND s.withheld_by IS NULL) o
          WHERE o.first_at IS NOT NULL
            AND EXISTS (SELECT FROM @extschema@.signal_tiers t WHERE t.enabled AND t.late_joiners)",
        &[since.into()],
        |row| {
            let look = Look {
                at: named(row.get_by_name("at")?)?,
                oldest_running: layout::of(db)
                    .ended_below(named(row.get_by_name("oldest_running")?)?),
                next: named(row.get_by_name("next")?)?,
            };
            Ok((look, named(row.get_by_name("since")?)?))
        },
    )?;
    Ok(found.into_iter().next())
}

fn named<T>(value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::internal("a look at late joiners lacks a value"))
}

/// Subscribers of one kind in tiers that have late joiners, in the order of when they were written.
fn candidates(
    db: &Db,
    kind: &str,
    (since, after): (TimestampWithTimeZone, Uuid),
) -> Result<Vec<(TimestampWithTimeZone, Uuid)>, Failure> {
    db.read(
        &format!(
            "SELECT u.updated_at, u.user_id FROM @extschema@.user_subscriptions u
              WHERE {kind} AND (u.updated_at, u.user_id) > ($1, $2)
                AND u.status = 'active'
                AND u.tier IN (SELECT t.tier FROM @extschema@.signal_tiers t WHERE t.enabled AND t.late_joiners)
              ORDER BY u.updated_at, u.user_id LIMIT $3"
        ),
        &[since.into(), after.into(), BATCH.into()],
        |row| Ok((named(row.get(1)?)?, named(row.get(2)?)?)),
    )
}

/// Serves some, in one transaction. When it is refused because of a row it is done again in
/// halves; who is refused alone is left out for now.
fn serve_some(role: Role, users: &[Uuid], served: &mut Served) -> Result<(), Failure> {
    match delivering(role, ACTIVITY, |db| write_all(db, users)) {
        Ok(rows) => served.rows += rows,
        Err(refusal) if refusal.is_of_the_row() => match users {
            [] => {}
            [user] => {
                served.refusal.get_or_insert_with(|| Failure {
                    message: format!(
                        "could not deliver open signals to subscriber {user}: {}",
                        refusal.message
                    ),
                    ..refusal
                });
            }
            _ => {
                let (one, other) = users.split_at(users.len() / 2);
                serve_some(role, one, served)?;
                serve_some(role, other, served)?;
            }
        },
        Err(failure) => return Err(failure),
    }
    Ok(())
}

fn write_all(db: &Db, users: &[Uuid]) -> Result<i64, Failure> {
    let mut rows = 0;
    for open in open_signals(db)? {
        let mut new = 0;
        for tier in &open.tiers {
            if tier.full_details {
                add_prices(db, open.signal_id, tier, users)?;
            }
            let which = Which::Late(users);
            new += batch::write(db, open.signal_id, &open.day, tier, tier.last, &which)?;
        }
        if new > 0 {
            db.run(
                "UPDATE @extschema@.signals SET deliveries = deliveries + $2 WHERE signal_id = $1",
                &[open.signal_id.into(), new.into()],
            )?;
        }
        rows += new;
    }
    Ok(rows)
}

/// The signals that are open and delivered: the newest run first, and of a run the best, so that a
/// quota is used for those.
fn open_signals(db: &Db) -> Result<Vec<Open>, Failure> {
    let numbers: Vec<i64> = db.read(
        "SELECT s.signal_id FROM @extschema@.signals s
          WHERE s.expires_at > clock_timestamp() AND s.withheld_by IS NULL AND s.delivered_at IS NOT NULL
          ORDER BY s.run_id DESC, s.quality_score DESC, s.signal_id",
        &[],
        |row| Ok(row.get(1)?.unwrap_or_default()),
    )?;
    let open = |signal_id| {
        Ok(Open {
            signal_id,
            day: batch::day(db, signal_id)?,
            tiers: range::of_late_joiners(db, signal_id)?,
        })
    };
    numbers.into_iter().map(open).collect()
}

/// Who has the signal without prices gets them with a tier that has them.
fn add_prices(db: &Db, signal_id: i64, tier: &Range, users: &[Uuid]) -> Result<(), Failure> {
    // Taken along as values, as the rows may be elsewhere than the signal.
    let signals = db.read(
        "SELECT s.entry_price::text, array_to_string(s.take_profit, ','), s.stop_loss::text, s.created_at
           FROM @extschema@.signals s WHERE s.signal_id = $1",
        &[signal_id.into()],
        |row| {
            let (entry, targets, stop): (Option<String>, Option<String>, Option<String>) =
                (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((entry, targets, stop, row.get::<TimestampWithTimeZone>(4)?))
        },
    )?;
    for (entry_price, take_profit, stop_loss, created_at) in signals {
        db.run(
            "UPDATE @extschema@.user_signals e
                SET full_details = true,
                    entry_price = $4::numeric,
                    take_profit = string_to_array($5, ',')::numeric[],
                    stop_loss = $6::numeric
               FROM @extschema@.user_subscriptions u
              WHERE e.user_id = u.user_id AND e.signal_id = $1 AND NOT e.full_details
                AND e.created_at >= $7
                AND u.user_id = ANY ($3) AND u.tier = $2 AND u.status = 'active'
                AND (u.current_period_end IS NULL OR u.current_period_end > $8)",
            &[
                signal_id.into(),
                tier.tier.clone().into(),
                users.to_vec().into(),
                entry_price.into(),
                take_profit.into(),
                stop_loss.into(),
                created_at.into(),
                now().into(),
            ],
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(at: i32, oldest_running: i64, next: i64) -> Look<i32> {
        Look {
            at,
            oldest_running,
            next,
        }
    }

    #[test]
    fn a_look_begins_where_all_that_ran_has_ended() {
        let mut looks = Looks::none();
        looks.made(&look(10, 100, 105));
        assert_eq!(looks.since, None, "100 to 104 may commit later");
        looks.made(&look(20, 104, 110));
        assert_eq!(looks.since, None, "104 may");
        looks.made(&look(30, 107, 112));
        assert_eq!(looks.since, Some(10), "all of the first look have ended");
        looks.made(&look(40, 112, 112));
        assert_eq!(looks.since, Some(40), "nothing runs");
        looks.made(&look(50, 112, 113));
        assert_eq!(looks.since, Some(40));
    }
}
