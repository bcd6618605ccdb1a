//! Whether `user_signals` is published, wholly and without interruption; and `signal_outcomes`,
//! without which outcomes come only when clients read.
//!
//! A row that is written while its table is not published never comes, and nothing in the stream
//! shows it. But a table that was taken out and put back has another row in the catalog: as long
//! as the catalog's rows are the same, there was no hole.

use crate::signal::{Column, Columns, OutcomeColumn};
use postgres_protocol::escape::{escape_identifier, escape_literal};

/// An expression for what the catalog has of the publication `$1` and the table, as a bigint; null
/// unless inserts and updates of all rows are published, with the columns that are used.
pub fn fingerprint(schema: &str) -> String {
    let table = literal_in(schema, Column::TABLE);
    let outcomes = literal_in(schema, OutcomeColumn::TABLE);
    let schema = escape_literal(schema);
    let columns = names::<Column>();
    format!(
        "(SELECT pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', p.oid, p.xmin, c.oid,
                     (SELECT pg_catalog.concat_ws(' ', r.oid, r.xmin)
                        FROM pg_catalog.pg_publication_rel r
                       WHERE r.prpubid = p.oid AND r.prrelid = c.oid),
                     '/',
                     (SELECT pg_catalog.concat_ws(' ', r.oid, r.xmin)
                        FROM pg_catalog.pg_publication_rel r
                       WHERE r.prpubid = p.oid AND r.prrelid = pg_catalog.to_regclass({outcomes})),
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

/// The name of a table in the schema, as a literal.
fn literal_in(schema: &str, table: &str) -> String {
    escape_literal(&format!("{}.{table}", escape_identifier(schema)))
}

/// An expression for whether the publication `$1` has `signal_outcomes`, with the columns that are
/// used.
pub fn outcomes_published(schema: &str) -> String {
    let schema = escape_literal(schema);
    format!(
        "EXISTS (SELECT FROM pg_catalog.pg_publication_tables t
                  WHERE t.pubname = $1::pg_catalog.text AND t.schemaname = {schema}
                    AND t.tablename = '{table}' AND t.rowfilter IS NULL
                    AND t.attnames @> '{{{columns}}}'::pg_catalog.name[])",
        table = OutcomeColumn::TABLE,
        columns = names::<OutcomeColumn>(),
    )
}

fn names<C: Columns>() -> String {
    let names: Vec<_> = C::ALL.iter().map(|column| column.name()).collect();
    names.join(",")
}

/// The statement that publishes the tables.
pub fn remedy(schema: &str, name: &str) -> String {
    let (schema, name) = (escape_identifier(schema), escape_literal(name));
    format!("SELECT {schema}.enable_realtime({name})")
}
