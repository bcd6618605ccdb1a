//! Where the rows are on several servers: which these are, and how far the log of each is.

use super::connections::{Valid, in_time, pool};
use super::hosts::elsewhere;
use super::publication::fingerprint;
use super::reports::value;
use super::{Database, LogReport, Refusal, Statement};
use crate::error::Failure;
use crate::options::{DatabaseAddress, Serve};
use deadpool_postgres::Pool;
use postgres_protocol::escape::escape_identifier;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// A server that has rows of subscribers, beside the one that the service asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// Above 0; resume points begin with it.
    pub number: i32,
    pub host: String,
    pub port: u16,
}

impl Node {
    /// A row of the answer to [`Statement::Nodes`].
    ///
    /// # Errors
    /// When it is not as expected.
    pub fn new(row: &tokio_postgres::Row) -> Result<Self, Refusal> {
        Ok(Self {
            number: value(row, "node")?,
            host: value(row, "host")?,
            port: u16::try_from(value::<i32>(row, "port")?).unwrap_or_default(),
        })
    }

    /// How to reach it: with the login, the database and the encryption of the address given.
    pub fn address(&self, given: &DatabaseAddress) -> DatabaseAddress {
        elsewhere(given, &self.host, self.port)
    }
}

/// Asks a node how far its log is.
pub struct NodeLog {
    number: i32,
    connection: Pool,
    parameters: [String; 2],
    text: String,
}

impl NodeLog {
    /// Connects when it is asked.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(options: &Serve, schema: &str, node: &Node) -> Result<Self, Failure> {
        let address = node.address(&options.source.database);
        Ok(Self {
            number: node.number,
            connection: pool(&address, 1, &Valid::default())?,
            parameters: [options.publication.clone(), options.source.slot.clone()],
            text: Statement::NodeLogReport.text(schema),
        })
    }

    /// How far the log is, and whether nothing is missing in what is followed.
    ///
    /// # Errors
    /// What the node answers, or that it does not.
    pub async fn report(&self) -> Result<LogReport, Refusal> {
        let asked = Instant::now();
        let connection = self.connection.get().await?;
        let ([publication, slot], text) = (&self.parameters, &self.text);
        let work = async {
            let statement = connection.prepare_cached(text).await?;
            connection.query_one(&statement, &[publication, slot]).await
        };
        LogReport::new(&in_time(work).await?, asked, self.number)
    }
}

impl Database {
    /// The nodes that have rows of subscribers, none where all rows are on one server.
    ///
    /// # Errors
    /// What the database answers, or that it does not.
    pub async fn nodes(&self) -> Result<Vec<Node>, Refusal> {
        let own = self.connections.own().await?;
        let work = async {
            let statement = own.prepare_cached(&self.texts.nodes).await?;
            own.query(&statement, &[]).await
        };
        let rows = self.connections.in_time(work).await?;
        rows.iter().map(Node::new).collect()
    }

    /// Whether claims have to be taken along to nodes.
    pub fn set_has_nodes(&self, has_nodes: bool) {
        self.has_nodes.store(has_nodes, Ordering::Relaxed);
    }
}

/// The statement that lists the nodes.
pub fn list(schema: &str) -> String {
    format!(
        "SELECT n.node::integer AS node, n.host::pg_catalog.text AS host, n.port::integer AS port
           FROM {}.signal_hub_nodes_to_follow() n",
        escape_identifier(schema)
    )
}

/// How far the log is, and whether the slot is read and the publication whole. The function named
/// flushes the log before its end is read; the snapshot is older.
pub fn log_report(schema: &str, function: &str) -> String {
    format!(
        "SELECT pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::pg_catalog.text::bigint AS ended,
                pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::pg_catalog.text::bigint AS next,
                (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                      ELSE pg_catalog.pg_current_wal_flush_lsn() END
                 - '0/0'::pg_catalog.pg_lsn)::bigint AS position,
                {fingerprint} AS publication,
                s.active_pid IS NOT NULL AS is_held,
                pg_catalog.pg_wal_lsn_diff(
                    CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                         ELSE pg_catalog.pg_current_wal_lsn() END,
                    s.confirmed_flush_lsn)::bigint AS lag
           FROM {schema}.{function}
           LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = $2::pg_catalog.text",
        fingerprint = fingerprint(schema),
        schema = escape_identifier(schema),
    )
}
