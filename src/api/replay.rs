//! History through the judge.

use super::or_raise;
use crate::postgres::Failure;
use crate::postgres::numeric::Number;
use crate::postgres::server_values::{ServerBytes, ServerJson, ServerText};
use crate::replays::{self, Asked, Run};
use pgrx::prelude::*;
use serde_json::json;

/// Reads its candles while its rows are asked for, so that neither is ever in memory as a whole.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn replay_signals(
    candles: Option<ServerBytes<'_>>,
    strategy: Option<ServerBytes<'_>>,
    overrides: Option<ServerJson>,
    settle: Option<ServerBytes<'_>>,
    search_path: Option<ServerBytes<'_>>,
) -> TableIterator<
    'static,
    (
        name!(symbol, ServerText),
        name!(at, TimestampWithTimeZone),
        name!(signal_type, &'static str),
        name!(reason, &'static str),
        name!(confidence, Number),
        name!(quality_score, Number),
        name!(entry_price, Number),
        name!(stop_loss, Number),
        name!(take_profit, Vec<Number>),
        name!(expires_at, TimestampWithTimeZone),
        name!(price_change_percent, Number),
        name!(range_percent, Option<Number>),
        name!(state, &'static str),
        name!(void_why, Option<&'static str>),
        name!(best_target, Option<i32>),
        name!(first_touch, Option<&'static str>),
        name!(ended, Option<&'static str>),
        name!(target_at, Option<Vec<TimestampWithTimeZone>>),
        name!(stop_at, Option<TimestampWithTimeZone>),
        name!(ended_at, Option<TimestampWithTimeZone>),
        name!(returns_percent, Option<Vec<Number>>),
        name!(ladder_percent, Option<Number>),
        name!(hold_percent, Option<Number>),
        name!(mirror_percent, Option<Number>),
        name!(mirror_returns_percent, Option<Vec<Number>>),
        name!(mfe_percent, Option<Number>),
        name!(mae_percent, Option<Number>),
        name!(fee_percent, Number),
        name!(resolution, ServerText),
        name!(ambiguous, Option<bool>),
        name!(gap, Option<bool>),
        name!(superseded_at, Option<TimestampWithTimeZone>),
    ),
> {
    let mut run =
        or_raise(|| Run::begin(asked(candles, strategy, overrides, settle, search_path)?));
    TableIterator::new(std::iter::from_fn(move || {
        or_raise(|| run.as_mut().map_or(Ok(None), Run::next_row))
    }))
}

/// What the signals of a replay would have returned on other days.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn signal_hub_day_shifts(
    candles: Option<ServerBytes<'_>>,
    strategy: Option<ServerBytes<'_>>,
    overrides: Option<ServerJson>,
    exit: Option<i32>,
    search_path: Option<ServerBytes<'_>>,
) -> TableIterator<'static, (name!(shifts, i32), name!(mean_percent, f64), name!(p, f64))> {
    let exit = exit
        .and_then(|exit| usize::try_from(exit).ok())
        .unwrap_or(1);
    let null = or_raise(|| {
        replays::null(
            asked(candles, strategy, overrides, None, search_path)?,
            exit,
        )
    });
    let row = |null: replay::Null| (null.shifts as i32, null.mean_percent, null.p);
    TableIterator::new(null.map(row))
}

fn asked(
    candles: Option<ServerBytes<'_>>,
    strategy: Option<ServerBytes<'_>>,
    overrides: Option<ServerJson>,
    settle: Option<ServerBytes<'_>>,
    search_path: Option<ServerBytes<'_>>,
) -> Result<Asked, Failure> {
    let given = |text: Option<ServerBytes<'_>>, name: &str| {
        let text = text.map(|text| text.whole());
        text.ok_or_else(|| Failure::new("22004", format!("{name} must not be null")))
    };
    Ok(Asked {
        candles: given(candles, "candles")?,
        strategy: given(strategy, "strategy")?,
        overrides: overrides.map_or_else(|| json!({}), |overrides| overrides.0),
        settle: settle.map(|text| text.whole()),
        search_path: search_path.map(|text| text.whole()),
    })
}
