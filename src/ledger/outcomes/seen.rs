//! What was seen of prices while outcomes are open.

use super::source;
use crate::ledger::exchanges::Sources;
use crate::ledger::recordset::Kind::{Numeric, Text, Time};
use crate::ledger::recordset::{self, Column, column};
use crate::postgres::statements::Row;
use crate::postgres::{Db, Failure};
use market::{Ticker, UnixMillis};
use std::collections::HashSet;

/// The outcomes that are open, as a plan knows them.
#[derive(Clone, Debug, Default)]
pub struct Open {
    /// Symbols whose price is to be looked at, in the order of their names: an outcome's time has
    /// not passed.
    pub symbols: Vec<String>,
    /// When the time of the first one passes that is not settled: 5 seconds later it is due. `None`
    /// when no outcome is open.
    pub first_expires_at: Option<UnixMillis>,
}

/// What reads [`Open`], in one row of two columns, from the index of open outcomes: an entry of a
/// FROM clause.
pub const OPEN: &str = "
    (SELECT string_agg(DISTINCT symbol, ' ' ORDER BY symbol) FILTER (WHERE expires_at > clock_timestamp()) AS symbols,
            (extract(epoch FROM min(expires_at)) * 1000)::bigint AS first_expires_at
       FROM @extschema@.signal_outcomes WHERE state = 'open') AS open_outcomes";

/// Reads the two columns of [`OPEN`], of which `first` is the number of the first.
///
/// # Errors
/// When they are of other types.
pub fn open_ones(row: &Row, first: usize) -> Result<Open, Failure> {
    // No symbol has white space, see signal_symbols.
    let symbols = row.get::<String>(first)?.unwrap_or_default();
    Ok(Open {
        symbols: symbols.split_whitespace().map(str::to_owned).collect(),
        first_expires_at: row.get(first + 1)?,
    })
}

fn ticker_columns<'a>() -> [Column<(&'a Ticker, Option<String>)>; 4] {
    [
        column("symbol", Text, |(t, _)| t.symbol.as_str().into()),
        column("last_price", Numeric, |(t, _)| {
            t.last_price.to_string().into()
        }),
        column("close_time", Time, |(t, _)| t.close_time.into()),
        column("source", Text, |(_, source)| source.clone().into()),
    ]
}

/// Widens what was seen of the prices of open outcomes by the last prices of `tickers`, and says
/// which levels these touched. Rows of which nothing new was seen are not written, and without an
/// open outcome of a symbol no statement is run.
///
/// The high and the low of a ticker are not used: they are of 24 hours, and would show touches of
/// targets more often than touches of the stop.
///
/// # Errors
/// What the statement raises.
pub fn look<'a>(
    db: &Db,
    open: &Open,
    sources: &Sources,
    tickers: impl IntoIterator<Item = &'a Ticker>,
) -> Result<(), Failure> {
    let symbols: HashSet<&str> = open.symbols.iter().map(String::as_str).collect();
    let wanted = |ticker: &&Ticker| symbols.contains(ticker.symbol.as_str());
    let source_of = |ticker: &Ticker| sources.of(&ticker.symbol).map(source);
    let tickers = tickers.into_iter().filter(wanted);
    let tickers: Vec<(&Ticker, Option<String>)> =
        tickers.map(|ticker| (ticker, source_of(ticker))).collect();
    if tickers.is_empty() {
        return Ok(());
    }
    let columns = ticker_columns();
    db.run(
        &format!(
            "WITH seen AS MATERIALIZED (
                 SELECT o.signal_id, r.last_price, to_timestamp(r.close_time / 1000) AS at,
                        CASE o.signal_type WHEN 'LONG' THEN r.last_price <= o.stop_loss
                                           ELSE r.last_price >= o.stop_loss END AS stopped,
                        (SELECT count(*)::integer FROM unnest(o.take_profit) AS target
                          WHERE CASE o.signal_type WHEN 'LONG' THEN r.last_price >= target
                                                   ELSE r.last_price <= target END) AS targets
                   FROM @extschema@.signal_outcomes o JOIN {} ON r.symbol = o.symbol
                  WHERE o.state = 'open' AND (o.source IS NULL OR o.source = r.source)
                    AND to_timestamp(r.close_time / 1000) > o.signal_at
                    AND to_timestamp(r.close_time / 1000) <= o.expires_at
                    AND (r.last_price BETWEEN o.low_seen AND o.high_seen) IS NOT TRUE
             )
             UPDATE @extschema@.signal_outcomes o
                SET high_seen = greatest(o.high_seen, s.last_price), low_seen = least(o.low_seen, s.last_price),
                    best_target = CASE WHEN o.ended IS NULL AND NOT s.stopped
                                       THEN greatest(o.best_target, s.targets) ELSE coalesce(o.best_target, 0) END,
                    target_at = CASE WHEN o.ended IS NULL AND NOT s.stopped AND s.targets > coalesce(o.best_target, 0)
                                     THEN coalesce(o.target_at, '{{}}')
                                          || array_fill(s.at, ARRAY[s.targets - coalesce(o.best_target, 0)])
                                     ELSE coalesce(o.target_at, '{{}}') END,
                    first_touch = coalesce(o.first_touch, CASE WHEN s.stopped THEN 'stop' WHEN s.targets > 0 THEN 'target' END),
                    stop_at = CASE WHEN o.ended IS NULL AND s.stopped THEN s.at ELSE o.stop_at END,
                    ended_at = CASE WHEN o.ended IS NULL AND (s.stopped OR s.targets = cardinality(o.take_profit))
                                    THEN s.at ELSE o.ended_at END,
                    ended = coalesce(o.ended, CASE WHEN s.stopped THEN 'stop'
                                                   WHEN s.targets = cardinality(o.take_profit) THEN 'target' END)
               FROM seen s WHERE o.signal_id = s.signal_id AND o.state = 'open'",
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, tickers).into()],
    )?;
    Ok(())
}
