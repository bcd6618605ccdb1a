//! Running a cycle by hand, and previewing one.

use super::or_raise;
use crate::cycle::by_hand;
use crate::postgres::encoding::prose;
use crate::postgres::process;
use crate::postgres::server_values::{ServerJson, ServerText};
use pgrx::prelude::*;
use serde_json::json;

#[pg_extern(sql = false)]
fn generate_signals_now() -> ServerJson {
    let outcome = or_raise(by_hand::run_by_hand);
    let mut report = json!({
        "run_id": outcome.run_id,
        "success": outcome.success,
        "signals_generated": outcome.signals_generated,
        "deliveries": outcome.delivered.rows,
        "symbols_evaluated": outcome.symbols_evaluated,
        "timestamp": TimestampWithTimeZone::try_from(process::wall_clock()).ok(),
        "message": prose(&outcome.message),
    });
    if let Some(failure) = outcome.delivered.error.or(outcome.delivered.refusal) {
        report["delivery_error"] = failure.line().into();
    }
    if let Some(failure) = outcome.settled.failure {
        report["settling_error"] = failure.line().into();
    }
    ServerJson(report)
}

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn preview_signals() -> TableIterator<
    'static,
    (
        name!(symbol, ServerText),
        name!(signal_type, Option<&'static str>),
        name!(gate, &'static str),
        name!(value, Option<ServerText>),
        name!(threshold, ServerText),
        name!(passed, Option<bool>),
        name!(verdict, ServerText),
    ),
> {
    let mut rows = Vec::new();
    for verdict in or_raise(by_hand::preview) {
        let side = verdict.side.map(|side| side.as_str());
        for gate in verdict.gates {
            rows.push((
                verdict.symbol.clone().into(),
                side,
                gate.name,
                gate.value.clone().map(ServerText::from),
                gate.threshold.clone().into(),
                gate.verdict(),
                prose(&verdict.why).into(),
            ));
        }
    }
    TableIterator::new(rows)
}
