//! Whose code runs with the rights of the owner of the tables: nobody's but that of roles that may
//! act as the owner anyway. Otherwise nothing is done with the tables, and the error says whose.
//!
//! The catalogs are asked once; PostgreSQL then tells this process when anything of what was asked
//! about changes. A statement that writes first locks the tables whose triggers it can fire, as it
//! would do anyway, and then looks whether it was told of a change: from there to the end of the
//! transaction nobody can add a trigger.

use super::statements::text;
use super::transaction::with_identity;
use super::watch::{self, Object};
use super::{Db, Failure, lock, memory, process, waiters};
use pgrx::prelude::*;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The query that finds the code of others. Update scripts have it, too.
const UNTRUSTED_CODE: &str = include_str!("../../sql/queries/untrusted_code.sql");

/// Another end of that query: the objections, and what the answer depends on.
const AND_WHAT_MATTERS: &str = include_str!("../../sql/queries/and_what_matters.sql");

/// The tables and views of the extension and the tables that inherit from them (`ours`), and for
/// each of ours the tables whose rows are deleted or changed with its own (`cascade`), as in the
/// query above.
const TABLES: &str = "
    WITH RECURSIVE cascade (top, oid) AS (
        SELECT d.objid, d.objid
          FROM pg_depend d
          JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'p', 'v')
         WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = $1 AND d.deptype = 'e'
           AND d.classid = 'pg_class'::regclass
         UNION
        SELECT c.top, n.oid
          FROM cascade c
         CROSS JOIN LATERAL (
             SELECT f.conrelid AS oid
               FROM pg_trigger t JOIN pg_constraint f ON f.oid = t.tgconstraint AND f.confrelid = c.oid
              WHERE t.tgrelid = c.oid AND t.tgisinternal
                AND f.contype = 'f' AND f.confdeltype IN ('c', 'n', 'd')
              UNION ALL
             SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid) n
    )
    SELECT c.relname::text, t.oid, array_agg(t.top = t.oid) = '{t}'
      FROM cascade t JOIN pg_class c ON c.oid = t.top
     GROUP BY c.relname, t.top, t.oid
     ORDER BY t.top = t.oid DESC, t.top, t.oid";

const INDEXES: &str = "
    SELECT c.relname::text, i.indexrelid
      FROM pg_depend d
      JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'p')
      JOIN pg_index i ON i.indrelid = c.oid
     WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = $1 AND d.deptype = 'e'
       AND d.classid = 'pg_class'::regclass
     ORDER BY i.indexrelid";

/// Time between two lines in the log about statements that were in the way.
const TELL_EVERY: Duration = Duration::from_secs(60);

thread_local! {
    static TOLD_AT: Cell<Option<Instant>> = const { Cell::new(None) };
    /// What the catalogs said, while nothing has changed.
    static ANSWER: RefCell<Option<Rc<Answer>>> = const { RefCell::new(None) };
}

/// What the catalogs said about the tables.
struct Answer {
    extension: pg_sys::Oid,
    changes: u64,
    /// The extension's own, by name.
    tables: Vec<(String, pg_sys::Oid)>,
    /// Other tables that a DELETE from one of ours changes.
    cascades: Vec<(String, pg_sys::Oid)>,
    /// The indexes of the extension's own tables, by the name of the table.
    indexes: Vec<(String, pg_sys::Oid)>,
}

impl Answer {
    fn is_about_the_tables_of(&self, other: &Self) -> bool {
        self.tables == other.tables && self.cascades == other.cascades
    }
}

/// Makes sure that nobody's code would run who may not act as the owner of the tables.
///
/// # Errors
/// Whose it is, and what to do.
pub fn ensure_trusted(db: &Db) -> Result<(), Failure> {
    answer(db).map(drop)
}

/// The same for a statement that writes; locks the tables that it writes to.
///
/// # Errors
/// As above, and that a lock is not to be had in time.
pub fn ensure_trusted_to_write(db: &Db, statement: &str) -> Result<(), Failure> {
    let mut locked: Option<Rc<Answer>> = None;
    loop {
        // Taking a lock is where a process is told of changes. So once the tables are locked this
        // is the answer of now: the one from before, which nothing has changed, or a new one.
        let answer = answer(db)?;
        if locked.is_some_and(|before| before.is_about_the_tables_of(&answer)) {
            return Ok(());
        }
        for (table, deletes) in written_by(statement) {
            let with_it = match deletes {
                true => &answer.cascades[..],
                false => &[],
            };
            for (name, oid) in answer.tables.iter().chain(with_it) {
                if name == table {
                    let mode = pg_sys::RowExclusiveLock;
                    lock::lock_relation(*oid, mode, || push_ahead(db, *oid));
                }
            }
        }
        locked = Some(answer);
    }
}

/// Locks the indexes of the tables that a statement is about, in the weakest mode. The worker only:
/// some statements lock an index before they are refused, and would make it wait.
///
/// # Errors
/// What reading the catalogs raises, and that a lock is not to be had in time.
pub fn hold_indexes(db: &Db, statement: &str) -> Result<(), Failure> {
    if !process::is_background_worker() {
        return Ok(());
    }
    let answer = answer(db)?;
    for table in names_after(statement, "@extschema@.") {
        for (_, index) in answer.indexes.iter().filter(|(name, _)| name == table) {
            lock::lock_relation(*index, pg_sys::AccessShareLock, || push_ahead(db, *index));
        }
    }
    Ok(())
}

/// Locks a table of others, or an index of it, as a statement is about to.
pub(super) fn lock_ahead(db: &Db, relation: pg_sys::Oid, writes: bool) {
    let mode = match writes {
        true => pg_sys::RowExclusiveLock,
        false => pg_sys::AccessShareLock,
    };
    lock::lock_relation(relation, mode, || push_ahead(db, relation));
}

/// Who waits for a strong lock on a table or index, and has no right that goes with one. To write
/// some of the columns is none, which is what subscribers may.
const IN_THE_WAY: &str = "
    SELECT l.pid, a.usesysid, a.usename::text
      FROM pg_locks l
      JOIN pg_stat_activity a ON a.pid = l.pid
      JOIN pg_class c ON c.oid = l.relation
      LEFT JOIN pg_index i ON i.indexrelid = c.oid
      JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
     CROSS JOIN LATERAL (SELECT coalesce(i.indrelid, c.oid) AS oid,
                                current_setting('server_version_num')::integer AS version) t
     WHERE l.relation = $1 AND NOT l.granted
       AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
       AND a.backend_type = 'client backend'
       AND NOT pg_has_role(a.usesysid, c.relowner,
                           CASE WHEN t.version < 160000 THEN 'MEMBER' ELSE 'USAGE, SET, MEMBER WITH ADMIN OPTION' END)
       AND NOT has_table_privilege(a.usesysid, t.oid,
                                   CASE WHEN t.version < 170000 THEN 'UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'
                                        ELSE 'UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER, MAINTAIN' END)
       AND NOT has_any_column_privilege(a.usesysid, t.oid, 'REFERENCES')";

/// Cancels statements that wait for a strong lock on a table or index without any right to change
/// it: they are refused once they have it, but until then everybody has to wait behind them, for as
/// long as somebody holds a weak one. Only the worker does this, which nobody else looks after.
/// Returns whether there was one.
///
/// The role is that of the session: a statement of a function with SECURITY DEFINER may have a right
/// that the role has not, and is canceled all the same. Nothing in shared memory tells the two
/// apart.
fn push_ahead(db: &Db, relation: pg_sys::Oid) -> bool {
    if !process::is_background_worker() {
        return false;
    }
    // As the process itself: the owner of the tables may be a role that is not shown what kind of
    // process others are.
    let in_the_way = with_identity(pg_sys::BOOTSTRAP_SUPERUSERID.into(), || {
        db.read(IN_THE_WAY, &[relation.into()], |row| {
            let pid = row.get::<i32>(1)?;
            let pid = pid.ok_or_else(|| Failure::internal("a lock has no process"))?;
            Ok((
                pid,
                row.get(2)?.unwrap_or(pg_sys::InvalidOid),
                text(row, 3)?,
            ))
        })
    });
    let in_the_way = in_the_way.unwrap_or_default();
    let tag = lock::relation_tag(relation);
    for (pid, role_id, role) in &in_the_way {
        let canceled = waiters::cancel_if_waiting(*pid, *role_id, &tag);
        if canceled && TOLD_AT.get().is_none_or(|at| at.elapsed() > TELL_EVERY) {
            TOLD_AT.set(Some(Instant::now()));
            log!(
                "signal_hub: canceled a statement of process {pid} ({role}), which waited for a lock that it has no right to"
            );
        }
    }
    !in_the_way.is_empty()
}

/// The tables of the extension.
///
/// # Errors
/// What the query raises.
pub fn tables(db: &Db) -> Result<Vec<pg_sys::Oid>, Failure> {
    Ok(answer(db)?.tables.iter().map(|(_, oid)| *oid).collect())
}

fn answer(db: &Db) -> Result<Rc<Answer>, Failure> {
    let changes = watch::changes();
    let known = ANSWER.with_borrow(|answer| {
        let answer = answer.as_ref()?;
        let holds = answer.extension == db.extension() && answer.changes == changes;
        holds.then(|| answer.clone())
    });
    if let Some(answer) = known {
        return Ok(answer);
    }
    ask(db, changes)
}

fn ask(db: &Db, changes: u64) -> Result<Rc<Answer>, Failure> {
    ANSWER.set(None);
    watch::ask();
    let rows = db.read_now(TABLES, &[db.extension().into()], |row| {
        let oid: pg_sys::Oid = row.get(2)?.unwrap_or(pg_sys::InvalidOid);
        Ok((text(row, 1)?, oid, row.get(3)?.unwrap_or(false)))
    })?;
    let indexes = db.read_now(INDEXES, &[db.extension().into()], |row| {
        Ok((text(row, 1)?, row.get(2)?.unwrap_or(pg_sys::InvalidOid)))
    })?;
    let mut objections: Vec<String> = Vec::new();
    let mut matters: Vec<Object> = rows
        .iter()
        .map(|(_, oid, _)| Object::relation(*oid))
        .collect();
    let (beginning, _) = without_end(UNTRUSTED_CODE);
    let query = format!("{beginning}{AND_WHAT_MATTERS}");
    db.read_now(&query, &[], |row| {
        match row.get(1)? {
            Some(message) => objections.push(message),
            None => matters.extend(Object::of(row.get(2)?, row.get(3)?)),
        }
        Ok(())
    })?;
    // It took more than a megabyte, which is free again. Without this a session would keep it.
    memory::give_back_what_is_free();
    if let [first, others @ ..] = &objections[..] {
        return Err(untrusted(first, others.len()));
    }
    let (own, cascades): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, _, is_ours)| *is_ours);
    let names = |rows: Vec<(String, pg_sys::Oid, bool)>| -> Vec<(String, pg_sys::Oid)> {
        rows.into_iter().map(|(name, oid, _)| (name, oid)).collect()
    };
    let answer = Rc::new(Answer {
        extension: db.extension(),
        changes,
        tables: names(own),
        cascades: names(cascades),
        indexes,
    });
    watch::these(&matters);
    ANSWER.set(Some(answer.clone()));
    Ok(answer)
}

/// A query with a WITH clause in two, before the SELECT behind that clause.
fn without_end(query: &str) -> (&str, &str) {
    let end = query.rfind("\nSELECT").map_or(query.len(), |at| at + 1);
    query.split_at(end)
}

/// 42501: somebody has prepared what would run with rights that they do not have.
fn untrusted(first: &str, others: usize) -> Failure {
    let others = match others {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    Failure::new("42501", "nothing is done with the rights of the owner of the tables")
        .detail(format!("{first}{others}."))
        .hint(
            "Do what the detail says at its end; what waits is then delivered. Whoever owns code that the tables use \
             can have it do anything that the owner of the tables may do.",
        )
}

/// The tables that a statement writes to, by name, and whether it deletes from them.
fn written_by(statement: &str) -> impl Iterator<Item = (&str, bool)> {
    let verbs = [
        ("INSERT INTO @extschema@.", false),
        ("UPDATE @extschema@.", false),
        ("DELETE FROM @extschema@.", true),
    ];
    verbs.into_iter().flat_map(move |(verb, deletes)| {
        names_after(statement, verb).map(move |table| (table, deletes))
    })
}

/// The names that follow `mark` in a statement.
fn names_after<'a>(statement: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    statement.split(mark).skip(1).map(|rest| {
        let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        &rest[..end.unwrap_or(rest.len())]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_asked_together_with_the_objections() {
        let (beginning, end) = without_end(UNTRUSTED_CODE);
        assert!(beginning.ends_with(")\n"), "{beginning}");
        assert_eq!(end.lines().count(), 1, "{end}");
    }

    #[test]
    fn the_tables_that_a_statement_writes_to_are_found() {
        let found = |statement| written_by(statement).collect::<Vec<_>>();
        assert_eq!(found("SELECT FROM @extschema@.signals FOR UPDATE"), []);
        assert_eq!(
            found("UPDATE @extschema@.signals s SET a = 1 FROM @extschema@.signal_runs"),
            [("signals", false)]
        );
        assert_eq!(
            found(
                "WITH gone AS (DELETE FROM @extschema@.signal_delivery_ranges RETURNING 1)
                 INSERT INTO @extschema@.user_signals(user_id) SELECT 1"
            ),
            [("user_signals", false), ("signal_delivery_ranges", true)]
        );
    }
}
