//! Protections: signals are withheld for a time after too many of late ended badly, or at all.
//!
//! They know nothing but how earlier signals of the strategy ended. A signal that is withheld is on
//! record like any other, and what becomes of it, so that everybody can see what the protection
//! cost or saved.

use crate::Side;
use market::UnixMillis;

/// What a protection counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Signals that touched their stop first, those that were withheld too: what the market does to
    /// them tells as much.
    StopGuard,
    /// Signals that were sent and ended, however. One that was withheld is not counted: otherwise a
    /// cooldown would keep itself going.
    Cooldown,
}

/// Which signals a protection takes together: it withholds those whose fellows it counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    All,
    Symbol,
    SymbolSide,
    Side,
}

impl Kind {
    /// The kind of that name in signal_protections, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "stop_guard" => Some(Self::StopGuard),
            "cooldown" => Some(Self::Cooldown),
            _ => None,
        }
    }
}

impl Scope {
    /// The scope of that name in signal_protections, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "symbol" => Some(Self::Symbol),
            "symbol_side" => Some(Self::SymbolSide),
            "side" => Some(Self::Side),
            _ => None,
        }
    }
}

/// One enabled row of signal_protections.
#[derive(Clone, Debug)]
pub struct Protection {
    pub name: String,
    pub kind: Kind,
    pub scope: Scope,
    /// How long ago, at most, the counted ends are.
    pub lookback_ms: i64,
    /// From how many on signals are withheld.
    pub max_count: usize,
    /// For how long after the last of them; beyond the lookback it is not counted any more.
    pub duration_ms: i64,
}

/// How a signal ended.
#[derive(Clone, Debug)]
pub struct Ending {
    pub symbol: String,
    pub side: Side,
    pub ended_at: UnixMillis,
    /// Whether at its stop, before any target was touched.
    pub stop_first: bool,
    /// Whether nobody was sent it.
    pub was_withheld: bool,
}

/// The first protection that withholds a signal of `symbol` and `side` at `now`, by the endings that
/// are known then, in any order.
pub fn withheld_by<'a>(
    protections: &'a [Protection],
    endings: &[Ending],
    symbol: &str,
    side: Side,
    now: UnixMillis,
) -> Option<&'a Protection> {
    let mut protections = protections.iter();
    protections.find(|protection| protection.withholds(endings, symbol, side, now))
}

impl Protection {
    fn withholds(&self, endings: &[Ending], symbol: &str, side: Side, now: UnixMillis) -> bool {
        let is_counted = |ending: &&Ending| {
            let of_kind = match self.kind {
                Kind::StopGuard => ending.stop_first,
                Kind::Cooldown => !ending.was_withheld,
            };
            let of_scope = match self.scope {
                Scope::All => true,
                Scope::Symbol => ending.symbol == symbol,
                Scope::SymbolSide => ending.symbol == symbol && ending.side == side,
                Scope::Side => ending.side == side,
            };
            let since = now.saturating_sub(self.lookback_ms);
            of_kind && of_scope && (since..=now).contains(&ending.ended_at)
        };
        let counted = endings.iter().filter(is_counted);
        let times = counted.map(|ending| ending.ended_at);
        times.clone().count() >= self.max_count.max(1)
            && times
                .max()
                .is_some_and(|last| now < last.saturating_add(self.duration_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{HOUR, NOW};

    fn guard(scope: Scope) -> Protection {
        Protection {
            name: "stop_guard".to_owned(),
            kind: Kind::StopGuard,
            scope,
            lookback_ms: 24 * HOUR,
            max_count: 2,
            duration_ms: 12 * HOUR,
        }
    }

    fn stopped(symbol: &str, side: Side, hours_ago: i64) -> Ending {
        Ending {
            symbol: symbol.to_owned(),
            side,
            ended_at: NOW - hours_ago * HOUR,
            stop_first: true,
            was_withheld: false,
        }
    }

    fn withholds(protection: Protection, endings: &[Ending]) -> bool {
        withheld_by(&[protection], endings, "BTCUSDT", Side::Long, NOW).is_some()
    }

    #[test]
    fn two_stops_within_the_lookback_withhold_for_the_duration_after_the_second() {
        let at = |hours: [i64; 2]| hours.map(|ago| stopped("BTCUSDT", Side::Long, ago));
        let guard = || guard(Scope::SymbolSide);
        assert!(withholds(guard(), &at([1, 5])));
        assert!(withholds(guard(), &at([24, 11])));
        assert!(!withholds(guard(), &at([13, 12])), "it is over");
        assert!(!withholds(guard(), &at([25, 1])), "too long ago");
        assert!(!withholds(guard(), &at([1, 5])[..1]), "one is not two");
        assert!(!withholds(guard(), &at([-1, 1])), "not known yet");
    }

    #[test]
    fn a_scope_says_which_are_counted_together() {
        let others = [
            stopped("ETHUSDT", Side::Long, 1),
            stopped("BTCUSDT", Side::Short, 2),
        ];
        let mixed = |one: &Ending| [one.clone(), stopped("BTCUSDT", Side::Long, 3)];
        for (scope, with_other_symbol, with_other_side) in [
            (Scope::All, true, true),
            (Scope::Symbol, false, true),
            (Scope::SymbolSide, false, false),
            (Scope::Side, true, false),
        ] {
            let [other_symbol, other_side] = &others;
            assert_eq!(
                withholds(guard(scope), &mixed(other_symbol)),
                with_other_symbol
            );
            assert_eq!(withholds(guard(scope), &mixed(other_side)), with_other_side);
        }
    }

    #[test]
    fn a_cooldown_counts_every_end_and_a_guard_only_stops() {
        let well = [
            Ending {
                stop_first: false,
                ..stopped("BTCUSDT", Side::Long, 1)
            },
            stopped("BTCUSDT", Side::Long, 2),
        ];
        assert!(!withholds(guard(Scope::Symbol), &well));
        assert!(withholds(cooldown(1), &well));
    }

    fn cooldown(max_count: usize) -> Protection {
        Protection {
            kind: Kind::Cooldown,
            max_count,
            ..guard(Scope::Symbol)
        }
    }

    #[test]
    fn a_guard_counts_what_was_withheld_and_a_cooldown_does_not() {
        let withheld = |hours_ago| Ending {
            was_withheld: true,
            ..stopped("BTCUSDT", Side::Long, hours_ago)
        };
        let endings = [withheld(1), stopped("BTCUSDT", Side::Long, 3)];
        assert!(withholds(guard(Scope::Symbol), &endings));
        assert!(withholds(cooldown(1), &endings));
        assert!(!withholds(cooldown(2), &endings));
    }

    #[test]
    fn names_are_those_of_the_table() {
        assert_eq!(Kind::parse("stop_guard"), Some(Kind::StopGuard));
        assert_eq!(Kind::parse("cooldown"), Some(Kind::Cooldown));
        assert_eq!(Kind::parse("luck"), None);
        assert_eq!(Scope::parse("symbol_side"), Some(Scope::SymbolSide));
        assert_eq!(Scope::parse("pair"), None);
    }
}
