//! What is wrong with candles, so that they cannot be judged.

use market::UnixMillis;
use std::fmt;
use strategy::utc;

/// Why a candle was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whose candle it was; empty where the candles as a whole are at fault.
    pub symbol: String,
    pub open_time: UnixMillis,
    pub kind: FaultKind,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It comes behind a candle that begins later.
    Unordered { after: UnixMillis },
    /// The symbol has another candle that begins at the same time.
    Duplicate,
    /// It does not begin a whole number of steps after the first one.
    Misaligned { step_ms: i64 },
    /// The symbol has no candle at a time at which others do, between two candles of its own.
    Hole { since: UnixMillis },
    /// No symbol has a candle for more than a day.
    Silence { since: UnixMillis },
    /// A day is not a whole number of such steps.
    Step { step_ms: i64 },
    /// A price is zero or below.
    PriceNotPositive,
    /// A volume is below zero.
    NegativeVolume,
    /// The low is above, or the high below, another of its prices.
    Contradiction,
    /// A number, or a sum of them, has more than 28 digits.
    OutOfRange,
}

impl Fault {
    /// Whether a number is to blame, rather than times and their order.
    pub fn is_about_numbers(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::PriceNotPositive
                | FaultKind::NegativeVolume
                | FaultKind::Contradiction
                | FaultKind::OutOfRange
        )
    }

    /// What to do, in a full sentence.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self.kind {
            FaultKind::Unordered { .. } => "Add ORDER BY open_time to the query.",
            FaultKind::Duplicate => "A symbol has one candle at a time.",
            FaultKind::Misaligned { .. } | FaultKind::Step { .. } => {
                "All candles of a query are of one length, of which a day has a whole number."
            }
            FaultKind::Hole { .. } => {
                "Fill the gap from the exchange. Times at which no symbol has a candle count as \
                 an outage of the exchange and are no gap."
            }
            FaultKind::Silence { .. } => "Replay each side of the gap by a query of its own.",
            FaultKind::OutOfRange => "At most 28 significant digits can be worked with.",
            _ => return None,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (symbol, at) = (&self.symbol, utc(self.open_time));
        match self.kind {
            FaultKind::Unordered { after } => write!(
                f,
                "candles are not in the order of open_time: that of {symbol} at {at} comes after {}",
                utc(after)
            ),
            FaultKind::Duplicate => write!(f, "duplicate candle of {symbol} at {at}"),
            FaultKind::Misaligned { step_ms } => write!(
                f,
                "the candle of {symbol} at {at} does not fit candles of {}",
                interval(step_ms)
            ),
            FaultKind::Hole { since } => write!(
                f,
                "gap in the candles of {symbol}: none between {} and {at}",
                utc(since)
            ),
            FaultKind::Silence { since } => write!(
                f,
                "gap in the candles: none of any symbol between {} and {at}, more than a day",
                utc(since)
            ),
            FaultKind::Step { step_ms } => write!(
                f,
                "candles of {} cannot be used: a day is not a whole number of them",
                interval(step_ms)
            ),
            FaultKind::PriceNotPositive => {
                write!(
                    f,
                    "the candle of {symbol} at {at} has a price that is not above zero"
                )
            }
            FaultKind::NegativeVolume => {
                write!(f, "the candle of {symbol} at {at} has a negative volume")
            }
            FaultKind::Contradiction => write!(
                f,
                "the candle of {symbol} at {at} has a high or low that its other prices are beyond"
            ),
            FaultKind::OutOfRange => {
                write!(
                    f,
                    "the candles of {symbol} at {at} have numbers out of range"
                )
            }
        }
    }
}

/// A length of candles as exchanges name it: `1s`, `5m`, `1h`, `1d`.
pub fn interval(step_ms: i64) -> String {
    const UNITS: [(i64, &str); 4] = [
        (24 * 60 * 60 * 1000, "d"),
        (60 * 60 * 1000, "h"),
        (60 * 1000, "m"),
        (1000, "s"),
    ];
    let unit = UNITS.iter().find(|(length, _)| step_ms % length == 0);
    match unit {
        Some((length, name)) => format!("{}{name}", step_ms / length),
        None => format!("{step_ms}ms"),
    }
}
