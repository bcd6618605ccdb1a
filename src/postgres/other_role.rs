//! Statements on tables of others, as their owner.
//!
//! Whatever such a table brings along (triggers, policies, expressions of its indexes) runs with
//! the rights of the one who made it, and in a security-restricted operation, in which it cannot
//! climb back to the rights underneath.

use super::encoding::to_server_c;
use super::scoped_settings::{SAFE_SEARCH_PATH, with_settings};
use super::server_values::ServerText;
use super::statements::{Row, read_catalogs_with};
use super::transaction::{WORKER_LOCK_TIMEOUT, set_constraints_immediate, with_identity};
use super::{Failure, Installation, process, time_limit, trust};
use pgrx::prelude::*;
use std::time::Duration;

/// The most that a statement on a table of others may take in the worker. One that copies a batch
/// takes milliseconds, unless the triggers of the table do much.
const THEIR_TIME: Duration = Duration::from_secs(2);

/// Runs one statement as `role`; returns the first column of its first row. `$1` in it is
/// `argument`, a text. Row-level security of the tables of others raises an error instead of hiding
/// rows.
///
/// Without a role (oid 0) it is the owner of the extension's tables, `@extschema@` stands for their
/// schema, and as with everything that is done as this owner, the tables that it writes to are
/// locked, and then nothing is done while they use code of others: see [`trust`].
///
/// # Errors
/// That the current user may not act as `role`, whose code the tables use, and what the statement
/// raises.
pub fn run_as(
    role: pg_sys::Oid,
    search_path: &str,
    statement: &str,
    argument: String,
) -> Result<Option<String>, Failure> {
    if role != pg_sys::InvalidOid {
        ensure_may_act_as(role)?;
        let path = to_server_c(search_path);
        let settings = [(c"search_path", path.as_c_str()), (c"row_security", c"off")];
        let name = process::role_name(role);
        return with_settings(&settings, || {
            time_limit::keeping(THEIR_TIME, &name, || run(role, statement, argument))
        });
    }
    // Of whatever release: the application's own writes come here, and an update may be due.
    let installation = Installation::find()?
        .ok_or_else(|| Failure::not_in_state("extension signal_hub is not installed"))?;
    ensure_may_act_as(installation.owner())?;
    let db = installation.db();
    with_settings(&[SAFE_SEARCH_PATH], || {
        trust::ensure_trusted_to_write(&db, statement)?;
        run(installation.owner(), &db.with_schema(statement), argument)
    })
}

fn ensure_may_act_as(role: pg_sys::Oid) -> Result<(), Failure> {
    let may =
        "SELECT pg_has_role($1, CASE WHEN current_setting('server_version_num')::int4 < 160000
                                           THEN 'MEMBER' ELSE 'SET' END)";
    if read_catalogs_with::<bool>(may, &[role.into()])? == Some(true) {
        return Ok(());
    }
    let name = process::role_name(role);
    Err(
        Failure::new("42501", format!("must be able to SET ROLE {name}"))
            .hint(format!("Call it as a superuser or as a member of {name}.")),
    )
}

fn run(role: pg_sys::Oid, statement: &str, argument: String) -> Result<Option<String>, Failure> {
    let statement = to_server_c(statement);
    with_identity(role, || {
        Spi::connect_mut(|client| {
            let types = [PgOid::from(pg_sys::TEXTOID)];
            let prepared = client.prepare_mut(statement.as_c_str(), &types)?;
            let rows = client.update(&prepared, None, &[ServerText(argument).into()])?;
            let first = rows.into_iter().next();
            Ok(first.map(|row| Row(row).get(1)).transpose()?.flatten())
        })
    })
}

/// In the worker, locks a table of others and its indexes as the next statement is about to.
/// Statements that wait for a stronger lock without any right to it are sent away.
///
/// # Errors
/// That the current user may not act as the owner of the table, and that a lock is not to be had in
/// time.
pub fn lock_adopted(table: pg_sys::Oid, writes: bool) -> Result<(), Failure> {
    const OWNER: &str = "SELECT relowner FROM pg_class WHERE oid = $1";
    const INDEXES: &str =
        "SELECT array_agg(indexrelid ORDER BY indexrelid) FROM pg_index WHERE indrelid = $1";
    let Some(owner) = read_catalogs_with::<pg_sys::Oid>(OWNER, &[table.into()])? else {
        return Ok(());
    };
    ensure_may_act_as(owner)?;
    if !process::is_background_worker() {
        return Ok(());
    }
    let Some(installation) = Installation::find()? else {
        return Ok(());
    };
    let db = installation.db();
    trust::lock_ahead(&db, table, writes);
    let indexes = read_catalogs_with::<Vec<pg_sys::Oid>>(INDEXES, &[table.into()])?;
    for index in indexes.unwrap_or_default() {
        trust::lock_ahead(&db, index, writes);
    }
    Ok(())
}

/// Calls signal_hub_renew_adopted() as the owner of the function by which user_subscriptions
/// follows an application's table, if it follows one. Begins behind where an earlier call ended, and
/// returns where this one did, or nothing when nobody was left.
///
/// # Errors
/// What the function raises.
pub fn renew_adopted(after: &str) -> Result<Option<String>, Failure> {
    let follower = "SELECT p.proowner
                      FROM pg_trigger t
                      JOIN pg_proc p ON p.oid = t.tgfoid AND p.proname = 'signal_hub_follow_subscriptions'
                      JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                                      AND d.refclassid = 'pg_extension'::regclass
                      JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'signal_hub'
                     WHERE t.tgenabled <> 'D' LIMIT 1";
    let Some(follower) = read_catalogs_with::<pg_sys::Oid>(follower, &[])? else {
        return Ok(None);
    };
    let Some(installation) = Installation::find()? else {
        return Ok(None);
    };
    let statement = installation
        .db()
        .with_schema("SELECT @extschema@.signal_hub_renew_adopted($1)");
    let settings = [SAFE_SEARCH_PATH, (c"lock_timeout", WORKER_LOCK_TIMEOUT)];
    set_constraints_immediate();
    with_settings(&settings, || run(follower, &statement, after.to_owned()))
}
