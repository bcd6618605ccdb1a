//! What of PostgreSQL is different where Citus shards the tables: which servers there are, and how
//! statements reach them.

use super::installation::{Installation, Layout};
use super::scoped_settings::with_settings;
use super::statements::{self, Kind, Row};
use super::transaction::{idle, with_identity};
use super::{Failure, process};
use pgrx::prelude::*;
use pgrx::spi::SpiClient;
use std::ffi::CStr;
use std::time::{Duration, Instant};

/// A node that hangs takes connections and says nothing.
const PATIENT_WITH_NODES: (&CStr, &CStr) = (c"citus.node_connection_timeout", c"5s");

/// Plans are made with the values of a statement in them: Citus finds the shards by these, and
/// refuses plans that are made once for all values.
const FOR_SHARDS: &[(&CStr, &CStr)] = &[
    (c"plan_cache_mode", c"force_custom_plan"),
    (c"max_parallel_workers_per_gather", c"0"),
    (c"jit", c"off"),
    PATIENT_WITH_NODES,
];

/// Longest wait for rows that are prepared on the nodes to become visible.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between two looks at them.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// Where the tables of the extension are, in a database that has Citus.
///
/// # Errors
/// What reading its catalogs raises.
pub(super) fn layout(client: &SpiClient, extension: pg_sys::Oid) -> Result<Layout, Failure> {
    let args = [extension.into()];
    let query = statements::kept(
        client,
        Kind::Reads,
        "SELECT g.groupid <> 0,
                EXISTS (SELECT FROM pg_catalog.pg_dist_partition s
                          JOIN pg_catalog.pg_class c ON c.oid = s.logicalrelid AND c.relname = 'user_signals'
                          JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.refobjid = $1 AND d.deptype = 'e'
                           AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass
                         WHERE s.partmethod = 'h')
           FROM pg_catalog.pg_dist_local_group g",
        &args,
    )?;
    let rows = client.select(query, None, &args)?;
    let Some(row) = rows.into_iter().next().map(Row) else {
        return Ok(Layout::OneServer);
    };
    Ok(match (row.get(1)?, row.get(2)?) {
        (Some(true), _) => Layout::Node,
        (_, Some(true)) => Layout::Sharded,
        _ => Layout::OneServer,
    })
}

/// 0A000: signals are made elsewhere.
pub(super) fn on_a_node() -> Failure {
    Failure::new(
        "0A000",
        "this server is a worker node of Citus, where no signals are made",
    )
    .detail("Its coordinator makes and delivers the signals of all nodes.")
    .hint("Call this on the coordinator.")
}

/// Whether rows of `user_signals` have the transaction numbers of other servers.
///
/// # Errors
/// What reading the catalogs raises.
pub fn numbers_are_of_others() -> Result<bool, Failure> {
    // SAFETY: reads a catalog, in a transaction.
    let citus = unsafe { pg_sys::get_extension_oid(c"citus".as_ptr(), true) };
    if citus == pg_sys::InvalidOid {
        return Ok(false);
    }
    Ok(match Installation::find()?.map(|found| found.layout()) {
        None | Some(Layout::OneServer) => false,
        Some(Layout::Sharded | Layout::Node) => true,
    })
}

/// The number by which Citus knows this server; 0 is the coordinator.
///
/// # Errors
/// That there is no Citus in the database.
pub fn number_of_this_server() -> Result<i32, Failure> {
    let number = Spi::get_one::<i32>("SELECT g.groupid FROM pg_catalog.pg_dist_local_group g")?;
    number.ok_or_else(|| Failure::internal("pg_dist_local_group is empty"))
}

/// Runs `work` with plans that walk tables in the order of `user_id`, on each node. The nodes are
/// told by statements: what is set in this process alone does not reach them. Citus hands such
/// statements on only in a transaction that was begun by one, or in a DO block, as here.
///
/// # Errors
/// What `work` returns.
pub(super) fn walking_indexes<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    with_settings(FOR_SHARDS, || {
        let lock_timeout = process::setting(c"lock_timeout").unwrap_or_default();
        Spi::run(&format!(
            "DO LANGUAGE plpgsql $$
             BEGIN
                 SET LOCAL citus.propagate_set_commands = 'local';
                 SET LOCAL lock_timeout = {};
                 SET LOCAL enable_seqscan = off;
                 SET LOCAL enable_bitmapscan = off;
             END
             $$",
            milliseconds(&lock_timeout)
        ))?;
        work()
    })
}

/// A time as PostgreSQL shows it, such as 500ms or 5s, in milliseconds; 0 for what is none.
fn milliseconds(time: &str) -> u64 {
    let digits = time.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &time[digits.len()..] {
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 1,
    };
    digits.parse::<u64>().unwrap_or(0) * unit
}

/// Transactions of this coordinator that are prepared on the nodes and not visible there, by name;
/// of a node that does not answer, what is wrong, behind an exclamation mark.
const PREPARED: &str = r"
    SELECT g.gid
      FROM (SELECT r.nodename, r.nodeport, r.success, r.result
              FROM pg_catalog.run_command_on_workers(
                  'SELECT coalesce(string_agg(gid, '' ''), '''') FROM pg_prepared_xacts
                    WHERE database = current_database() AND gid LIKE ''citus\_0\_%''') r
             WHERE NOT r.success OR r.result <> '') a
     CROSS JOIN LATERAL unnest(CASE WHEN a.success THEN string_to_array(a.result, ' ')
         ELSE ARRAY[format('!%s:%s: %s', a.nodename, a.nodeport, a.result)] END) g (gid)";

/// Runs `work`, which asks each node by a connection of its own, as the process itself: the owner of
/// the tables need not be a superuser.
fn asking_nodes<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    with_identity(pg_sys::BOOTSTRAP_SUPERUSERID.into(), || {
        with_settings(&[PATIENT_WITH_NODES], work)
    })
}

/// Whether all nodes answer now.
///
/// # Errors
/// What asking them raises.
pub fn all_nodes_answer() -> Result<bool, Failure> {
    asking_nodes(|| {
        let answer = Spi::get_one::<bool>(
            "SELECT coalesce(bool_and(r.success), true) FROM pg_catalog.run_command_on_workers('SELECT 1') r",
        )?;
        Ok(answer.unwrap_or(true))
    })
}

/// Waits until all rows of transactions that have committed here are visible on the nodes, and
/// ends those that a crash has left half done.
///
/// # Errors
/// That a node does not answer, or that rows are still pending after five seconds.
pub fn make_all_visible() -> Result<(), Failure> {
    let began = Instant::now();
    asking_nodes(|| {
        let mut pending = prepared()?;
        while !pending.is_empty() {
            if began.elapsed() > PATIENCE {
                return Err(still_pending(pending.len()));
            }
            Spi::run("SELECT pg_catalog.recover_prepared_transactions()")?;
            let now = prepared()?;
            pending.retain(|name| now.contains(name));
            if !pending.is_empty() {
                idle(LOOK_AGAIN_AFTER);
            }
        }
        Ok(())
    })
}

fn prepared() -> Result<Vec<String>, Failure> {
    let names: Vec<String> = Spi::connect(|client| {
        let query = statements::kept(client, Kind::Reads, PREPARED, &[])?;
        let rows = client.select(query, None, &[])?;
        rows.map(|row| statements::text(&Row(row), 1))
            .collect::<Result<_, Failure>>()
    })?;
    match names.iter().find_map(|name| name.strip_prefix('!')) {
        Some(trouble) => Err(Failure::new(
            "08006",
            format!("a node of Citus does not answer: {trouble}"),
        )
        .hint("Delivery goes on by itself when it does.")),
        None => Ok(names),
    }
}

fn still_pending(transactions: usize) -> Failure {
    Failure::new(
        "55000",
        format!(
            "{transactions} transaction(s) of deliveries are prepared on nodes of Citus and not visible yet"
        ),
    )
    .detail("No signal counts as delivered before its rows are visible.")
    .hint("See pg_prepared_xacts on the nodes; they end by themselves when nothing is in the way.")
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn times_are_read_as_postgresql_shows_them() {
        assert_eq!(milliseconds("500ms"), 500);
        assert_eq!(milliseconds("5s"), 5000);
        assert_eq!(milliseconds("2min"), 120_000);
        assert_eq!(milliseconds("0"), 0);
    }
}
