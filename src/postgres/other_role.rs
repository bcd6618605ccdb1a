//! Statements on tables of others, as their owner.
//!
//! Whatever such a table brings along (triggers, policies, expressions of its indexes) runs with
//! the rights of the one who made it, and in a security-restricted operation, in which it cannot
//! climb back to the rights underneath.

use super::encoding::to_server_c;
use super::scoped_settings::with_settings;
use super::server_values::ServerText;
use super::statements::{Row, read_catalogs_with};
use super::transaction::with_identity;
use super::{Failure, process};
use pgrx::prelude::*;

/// Runs one statement as `role`; returns the first column of its first row. `$1` in it is
/// `argument`, a text. Row-level security raises an error instead of hiding rows.
///
/// # Errors
/// That the current user may not act as `role`, and what the statement raises.
pub fn run_as(
    role: pg_sys::Oid,
    search_path: &str,
    statement: &str,
    argument: String,
) -> Result<Option<String>, Failure> {
    let may =
        "SELECT pg_has_role($1, CASE WHEN current_setting('server_version_num')::int4 < 160000
                                           THEN 'MEMBER' ELSE 'SET' END)";
    if read_catalogs_with::<bool>(may, &[role.into()])? != Some(true) {
        return Err(Failure::new(
            "42501",
            format!("must be able to SET ROLE {}", process::role_name(role)),
        ));
    }
    let (path, statement) = (to_server_c(search_path), to_server_c(statement));
    let settings = [(c"search_path", path.as_c_str()), (c"row_security", c"off")];
    with_settings(&settings, || {
        with_identity(role, || {
            Spi::connect_mut(|client| {
                let types = [PgOid::from(pg_sys::TEXTOID)];
                let prepared = client.prepare_mut(statement.as_c_str(), &types)?;
                let rows = client.update(&prepared, None, &[ServerText(argument).into()])?;
                let first = rows.into_iter().next();
                Ok(first.map(|row| Row(row).get(1)).transpose()?.flatten())
            })
        })
    })
}
