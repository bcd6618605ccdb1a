//! A row for each signal that is recorded.

use crate::ledger::recordset::Kind::{Numeric, NumericArray, Text, Time};
use crate::ledger::recordset::{self, Column, column};
use crate::postgres::{Db, Failure};
use market::UnixMillis;
use pgrx::datum::DatumWithOid;
use rust_decimal::Decimal;
use serde_json::Value;
use strategy::forecast::Forecast;

/// What an outcome needs of a signal beyond its row of `signals`.
#[derive(Clone, Debug)]
pub struct Opened<'a> {
    pub symbol: &'a str,
    /// The exchange that it was judged on, see [`super::source`].
    pub source: Option<String>,
    /// LONG or SHORT.
    pub signal_type: &'static str,
    /// Close time of the ticker.
    pub signal_at: UnixMillis,
    /// Distances that the levels were made of, in percent.
    pub stop_loss_percent: Decimal,
    pub take_profit_percents: &'a [Decimal],
    /// 24-hour range in percent.
    pub range_percent: Decimal,
    /// That the first target, or the stop, is touched first, 0 to 1; `None` where nothing was
    /// forecast.
    pub forecast: Option<Forecast>,
}

fn opened_columns<'a>() -> [Column<Opened<'a>>; 9] {
    [
        column("symbol", Text, |o| o.symbol.into()),
        column("source", Text, |o| o.source.clone().into()),
        column("signal_type", Text, |o| o.signal_type.into()),
        column("signal_at", Time, |o| o.signal_at.into()),
        column("stop_loss_percent", Numeric, |o| exact(o.stop_loss_percent)),
        column("take_profit_percents", NumericArray, |o| {
            o.take_profit_percents.iter().copied().map(exact).collect()
        }),
        column("range_percent", Numeric, |o| exact(o.range_percent)),
        column("forecast_target", Numeric, |o| {
            o.forecast.map(|made| probability(made.target)).into()
        }),
        column("forecast_stop", Numeric, |o| {
            o.forecast.map(|made| probability(made.stop)).into()
        }),
    ]
}

/// With as many places as are kept.
fn probability(probability: f64) -> Value {
    format!("{probability:.6}").into()
}

fn exact(number: Decimal) -> Value {
    number.to_string().into()
}

/// The statement that inserts signals as `insert` does, an INSERT INTO signals without RETURNING,
/// and opens their outcomes. Its arguments are that of `insert` and [`argument`].
pub fn opening(insert: &str) -> String {
    format!(
        "WITH new AS ({insert} RETURNING *)
         INSERT INTO @extschema@.signal_outcomes
                (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price, stop_loss,
                 take_profit, stop_loss_percent, take_profit_percents, confidence, quality_score,
                 price_change_percent, range_percent, forecast_target, forecast_stop, withheld_by, source,
                 high_seen, low_seen)
         SELECT n.signal_id, n.strategy, n.symbol, n.signal_type, n.reason, n.close_time, n.expires_at, n.entry_price,
                n.stop_loss, n.take_profit, r.stop_loss_percent, r.take_profit_percents, n.confidence,
                n.quality_score, n.price_change_percent, r.range_percent, r.forecast_target, r.forecast_stop,
                n.withheld_by, r.source, n.entry_price,
                n.entry_price
           FROM new n JOIN {} ON r.symbol = n.symbol
          ORDER BY n.signal_id",
        recordset::source_in(&opened_columns(), 2)
    )
}

/// What [`opening`] is told of the signals, which are of one strategy, no two of one symbol: $2.
pub fn argument<'a>(opened: impl IntoIterator<Item = Opened<'a>>) -> DatumWithOid<'static> {
    recordset::rows(&opened_columns(), opened).into()
}

/// Marks the outcomes of a strategy that are open while an opposite signal of their symbol comes.
/// That changes nothing in what becomes of them. To be called before the new ones are opened, or
/// after it: a signal is not opposite to itself.
///
/// # Errors
/// What the statement raises.
pub fn supersede<'a>(
    db: &Db,
    strategy: &str,
    opened: impl IntoIterator<Item = Opened<'a>>,
) -> Result<(), Failure> {
    let columns = opened_columns();
    db.run(
        &format!(
            "UPDATE @extschema@.signal_outcomes o SET superseded_at = to_timestamp(r.signal_at / 1000)
               FROM {}
              WHERE o.state = 'open' AND o.strategy = $2 AND o.symbol = r.symbol AND o.signal_type <> r.signal_type
                AND o.superseded_at IS NULL
                AND to_timestamp(r.signal_at / 1000) BETWEEN o.signal_at AND o.expires_at",
            recordset::source(&columns)
        ),
        &[recordset::rows(&columns, opened).into(), strategy.into()],
    )?;
    Ok(())
}
