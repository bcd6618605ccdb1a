//! The track record as clients get it: aggregates over all signals, which every subscriber may know.

use postgres_protocol::escape::escape_identifier;

/// The record begins this many UTC days before today's midnight.
const DAYS: u32 = 89;
/// Most symbols in a record, those with the most signals.
const SYMBOLS: u32 = 100;
/// Whoever leaves wholly at this target is reckoned with.
const EXIT: u32 = 1;

/// Of the whole record, and of a side or a symbol.
const GROUP: &str = "signals, settled, target1, target1_rate, target1_low, target1_high, stop_first, \
                     stop_first_rate, stop_first_low, stop_first_high, mean_percent, mean_low, mean_high, \
                     mirror_percent, edge_percent, edge_low, edge_high, days, n_effective, verdict";
/// Of the whole record only.
const TOTAL: &str = "open, void, target2, target2_rate, target2_low, target2_high, target3, target3_rate, \
                     target3_low, target3_high, untouched, win_rate, gross_percent, profit_factor, \
                     max_drawdown_percent, exposure_percent, deff, ambiguous, sampled";

/// One row with one text, a JSON object.
pub fn statement(schema: &str) -> String {
    let since = format!(
        "pg_catalog.date_trunc('day', pg_catalog.now()) - pg_catalog.make_interval(days => {DAYS})"
    );
    // All parts see the same rows, and now() is the same in them.
    let record = |by: &str| {
        format!(
            "{schema}.signal_track_record(since => {since}, until => pg_catalog.now(), by => '{{{by}}}', exit => {EXIT})",
            schema = escape_identifier(schema),
        )
    };
    let list = |rows: &str, order: &str| {
        format!(
            "(SELECT coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(g)), '[]')
                FROM (SELECT * FROM {rows} ORDER BY {order}) g)"
        )
    };
    format!(
        "WITH total AS (SELECT {GROUP}, {TOTAL} FROM {total}),
              sides AS (SELECT signal_type, {GROUP} FROM {by_side}),
              symbols AS MATERIALIZED (SELECT symbol, {GROUP} FROM {by_symbol}),
              days AS (SELECT day, settled, mean_percent, mirror_percent FROM {by_day})
         SELECT pg_catalog.jsonb_build_object(
                    'since', {since}, 'until', pg_catalog.now(), 'exit', {EXIT},
                    'total', (SELECT pg_catalog.to_jsonb(t) FROM total t),
                    'sides', {sides},
                    'symbols', {symbols},
                    'symbols_total', (SELECT pg_catalog.count(*) FROM symbols),
                    'days', {days})::pg_catalog.text AS record",
        total = record(""),
        by_side = record("signal_type"),
        by_symbol = record("symbol"),
        by_day = record("day"),
        sides = list("sides", "signal_type"),
        symbols = list("symbols", &format!("signals DESC, symbol LIMIT {SYMBOLS}")),
        days = list("days", "day"),
    )
}
