//! What moving in needs of the library: the tables of an application are read and written as
//! their owner.

use super::or_raise;
use crate::postgres::other_role::{lock_adopted, run_as};
use crate::postgres::server_values::{ServerBytes, ServerText};
use pgrx::prelude::*;

#[pg_extern(sql = false)]
fn signal_hub_run_as(
    role: pg_sys::Oid,
    path: ServerBytes<'_>,
    statement: ServerBytes<'_>,
    argument: ServerBytes<'_>,
) -> Option<ServerText> {
    let (path, statement, argument) = (path.whole(), statement.whole(), argument.whole());
    or_raise(|| run_as(role, &path, &statement, argument)).map(ServerText)
}

#[pg_extern(sql = false)]
fn signal_hub_lock_adopted(adopted: pg_sys::Oid, writes: bool) {
    or_raise(|| lock_adopted(adopted, writes));
}
