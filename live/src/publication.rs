//! Whether `user_signals` is published, wholly and without interruption.
//!
//! A row that is written while its table is not published never comes, and nothing in the stream
//! tells. But a table that is taken out and put back has another row in the catalog then: as long
//! as the catalog's rows are the same, there was no hole.

use crate::quoting::{identifier, literal};
use crate::row::NAMES;

/// An expression for what the catalog has of the publication `$1` and the table, as a bigint; null
/// unless inserts and updates of all rows are published, with the columns that are used.
pub fn fingerprint(schema: &str) -> String {
    let table = literal(&format!("{}.user_signals", identifier(schema)));
    let schema = literal(schema);
    let columns = NAMES.join(",");
    format!(
        "(SELECT hashtextextended(concat_ws(' ', p.oid, p.xmin, c.oid,
                     (SELECT concat_ws(' ', r.oid, r.xmin) FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prrelid = c.oid),
                     '/',
                     (SELECT concat_ws(' ', n.oid, n.xmin) FROM pg_publication_namespace n WHERE n.pnpubid = p.oid AND n.pnnspid = c.relnamespace)), 0)
            FROM pg_publication p, pg_class c
           WHERE p.pubname = $1 AND p.pubinsert AND p.pubupdate AND c.oid = to_regclass({table})
             AND EXISTS (SELECT FROM pg_publication_tables t
                          WHERE t.pubname = $1 AND t.schemaname = {schema} AND t.tablename = 'user_signals'
                            AND t.rowfilter IS NULL AND t.attnames @> '{{{columns}}}'))"
    )
}

/// What publishes it.
pub fn remedy(schema: &str, name: &str) -> String {
    let (schema, name) = (identifier(schema), literal(name));
    format!("SELECT {schema}.enable_realtime({name})")
}
