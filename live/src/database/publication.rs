//! Whether `user_signals` is published, wholly and without interruption.
//!
//! A row that is written while its table is not published never comes, and nothing in the stream
//! shows it. But a table that was taken out and put back has another row in the catalog: as long
//! as the catalog's rows are the same, there was no hole.

use crate::signal::Column;
use postgres_protocol::escape::{escape_identifier, escape_literal};

/// An expression for what the catalog has of the publication `$1` and the table, as a bigint; null
/// unless inserts and updates of all rows are published, with the columns that are used.
pub fn fingerprint(schema: &str) -> String {
    let table = escape_literal(&format!("{}.user_signals", escape_identifier(schema)));
    let schema = escape_literal(schema);
    let columns = Column::ALL.map(Column::name).join(",");
    format!(
        "(SELECT pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', p.oid, p.xmin, c.oid,
                     (SELECT pg_catalog.concat_ws(' ', r.oid, r.xmin)
                        FROM pg_catalog.pg_publication_rel r
                       WHERE r.prpubid = p.oid AND r.prrelid = c.oid),
                     '/',
                     (SELECT pg_catalog.concat_ws(' ', n.oid, n.xmin)
                        FROM pg_catalog.pg_publication_namespace n
                       WHERE n.pnpubid = p.oid AND n.pnnspid = c.relnamespace)), 0)
            FROM pg_catalog.pg_publication p, pg_catalog.pg_class c
           WHERE p.pubname = $1::pg_catalog.text AND p.pubinsert AND p.pubupdate
             AND c.oid = pg_catalog.to_regclass({table})
             AND EXISTS (SELECT FROM pg_catalog.pg_publication_tables t
                          WHERE t.pubname = $1::pg_catalog.text AND t.schemaname = {schema}
                            AND t.tablename = 'user_signals' AND t.rowfilter IS NULL
                            AND t.attnames @> '{{{columns}}}'::pg_catalog.name[]))"
    )
}

/// The statement that publishes the table.
pub fn remedy(schema: &str, name: &str) -> String {
    let (schema, name) = (escape_identifier(schema), escape_literal(name));
    format!("SELECT {schema}.enable_realtime({name})")
}
