//! A signal and its outcome as a row.

use crate::postgres::Failure;
use crate::postgres::numeric::Number;
use crate::postgres::server_values::ServerText;
use market::UnixMillis;
use pgrx::prelude::*;
use replay::{Fate, Replayed};
use rust_decimal::Decimal;
use strategy::distances;
use strategy::outcome::{Ended, FirstTouch, Outcome};

/// Microseconds from the Unix epoch to that of PostgreSQL, 2000-01-01.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// The columns of `replay_signals()`, in their order.
pub type Row = (
    ServerText,
    TimestampWithTimeZone,
    &'static str,
    &'static str,
    Number,
    Number,
    Number,
    Number,
    Vec<Number>,
    TimestampWithTimeZone,
    Number,
    Option<Number>,
    &'static str,
    Option<&'static str>,
    Option<i32>,
    Option<&'static str>,
    Option<&'static str>,
    Option<Vec<TimestampWithTimeZone>>,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
    Option<Vec<Number>>,
    Option<Number>,
    Option<Number>,
    Option<Number>,
    Option<Vec<Number>>,
    Option<Number>,
    Option<Number>,
    Number,
    ServerText,
    Option<bool>,
    Option<bool>,
    Option<TimestampWithTimeZone>,
);

/// The row of a signal.
///
/// # Errors
/// When a time is beyond what PostgreSQL can tell.
pub fn row(replayed: Replayed, resolution: &str, fee_percent: Decimal) -> Result<Row, Failure> {
    let signal = &replayed.signal;
    let ticker = &signal.ticker;
    let (state, void_why) = match &replayed.fate {
        Fate::Open => ("open", None),
        Fate::Void(why) => ("void", Some(*why)),
        Fate::Settled(_) => ("settled", None),
    };
    let outcome = match &replayed.fate {
        Fate::Settled(outcome) => Some(&**outcome),
        Fate::Open | Fate::Void(_) => None,
    };
    let number = |of: fn(&Outcome) -> Decimal| outcome.map(of).map(Number);
    let numbers = |of: fn(&Outcome) -> &[Decimal]| outcome.map(of).map(as_numbers);
    Ok((
        replayed.symbol.to_string().into(),
        time(ticker.close_time)?,
        signal.side.as_str(),
        signal.reason.as_str(),
        Number(signal.confidence),
        Number(signal.quality_score),
        Number(signal.levels.entry_price),
        Number(signal.levels.stop_loss),
        as_numbers(&signal.levels.take_profit),
        time(signal.expires_at)?,
        Number(ticker.price_change_percent),
        distances::range_percent(ticker).map(Number),
        state,
        void_why,
        outcome.and_then(|outcome| i32::try_from(outcome.best_target).ok()),
        outcome.map(|outcome| first_touch(outcome.first_touch)),
        outcome.map(|outcome| ended(outcome.ended)),
        outcome
            .map(|outcome| times(&outcome.target_at))
            .transpose()?,
        outcome
            .and_then(|outcome| outcome.stop_at)
            .map(time)
            .transpose()?,
        outcome.map(|outcome| time(outcome.ended_at)).transpose()?,
        numbers(|outcome| &outcome.returns_percent),
        number(|outcome| outcome.ladder_percent),
        number(|outcome| outcome.hold_percent),
        outcome
            .and_then(|outcome| outcome.mirror_percent.first().copied())
            .map(Number),
        numbers(|outcome| &outcome.mirror_percent),
        number(|outcome| outcome.mfe_percent),
        number(|outcome| outcome.mae_percent),
        Number(fee_percent),
        resolution.to_owned().into(),
        outcome.map(|outcome| outcome.ambiguous),
        outcome.map(|outcome| outcome.gap),
        replayed.superseded_at.map(time).transpose()?,
    ))
}

fn first_touch(touch: FirstTouch) -> &'static str {
    match touch {
        FirstTouch::Target => "target",
        FirstTouch::Stop => "stop",
        FirstTouch::None => "none",
    }
}

fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Target => "target",
        Ended::Stop => "stop",
        Ended::Expired => "expired",
    }
}

fn as_numbers(decimals: &[Decimal]) -> Vec<Number> {
    decimals.iter().copied().map(Number).collect()
}

fn times(millis: &[UnixMillis]) -> Result<Vec<TimestampWithTimeZone>, Failure> {
    millis.iter().copied().map(time).collect()
}

fn time(millis: UnixMillis) -> Result<TimestampWithTimeZone, Failure> {
    millis
        .checked_mul(1000)
        .and_then(|micros| micros.checked_sub(POSTGRES_EPOCH_US))
        .and_then(|micros| TimestampWithTimeZone::try_from(micros).ok())
        .ok_or_else(|| Failure::new("22008", "a time of a signal is out of range"))
}
