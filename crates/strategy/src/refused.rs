//! What a run says of the symbols that a gate refused, and what to do when a gate refuses all.

use crate::episode::Step;
use crate::finding::Finding;
use crate::gates::Gate;
use crate::text::span;
use market::UnixMillis;

/// How far two clocks may be apart, in milliseconds, before that explains why tickers look old.
const CLOCKS_AGREE_MS: i64 = 60_000;

/// How a summary of a run describes the symbols that `gate` refused like this one.
pub fn of_refused_symbols(gate: Gate, found: &Finding) -> &'static str {
    match gate {
        Gate::Listed if found.is_missing => "missing from the exchange's reply",
        Gate::Listed => "not listed by the exchange",
        Gate::Valid if found.ticker().is_none() => "whose ticker cannot be read",
        Gate::Valid if found.unit_of_time().is_some() => "with times in another unit",
        Gate::Valid => "with numbers that contradict each other",
        Gate::Trading if found.has_no_book() => "without bid or ask",
        Gate::Trading => "not trading",
        Gate::Fresh if found.is_ahead() => "ahead of this server's clock",
        Gate::Fresh => "with old statistics",
        Gate::Condition if found.lacks_days() => "with too few daily candles",
        Gate::Condition => "inside the entry threshold",
        Gate::Volume if found.dollar_volume().is_none() => {
            "whose volume is in an asset without a rate in US dollars"
        }
        Gate::Volume => "below the volume floor",
        Gate::Spread => "with too wide a spread",
        Gate::Confidence => "below the least confidence",
        Gate::Quality => "below the least quality",
        Gate::Levels => "whose targets and stop cannot be made of price, percentages and tick",
        Gate::Book => "whose order book has left entry or stop behind",
        Gate::Agreement => "on whose price two exchanges disagree",
        Gate::Episode => match found.step {
            Some(Step::Cool { .. } | Step::HoldBack { .. }) => "in the cooldown of the last signal",
            _ => "signalled already in this episode",
        },
        Gate::MaxPerRun => "left for a later run",
    }
}

/// What to do when symbols cannot be judged because of `gate`, by what was found of one of them.
pub fn remedy(gate: Gate, found: &Finding) -> Option<String> {
    const INCOMPATIBLE: &str = "check that signal_hub.exchange_url is the base URL of the first \
                                exchange in signal_hub.exchanges";
    Some(match gate {
        Gate::Listed if found.is_missing => {
            "its replies are incomplete: check what answers at signal_hub.exchange_url".to_owned()
        }
        Gate::Listed => {
            "check the symbols in signal_symbols and signal_hub.exchange_url".to_owned()
        }
        Gate::Valid => format!("{}: {INCOMPATIBLE}", found.fault.as_deref()?),
        Gate::Trading => "the exchange shows markets that are closed, or no order books: wait, or \
                          set signal_hub.exchange_url to another host of it"
            .to_owned(),
        Gate::Fresh => of_old(found.age_ms()?, found.now, found.exchange_time),
        _ => return None,
    })
}

/// What to do about tickers of this age, which is negative for those ahead.
fn of_old(age_ms: i64, now: UnixMillis, exchange_time: Option<UnixMillis>) -> String {
    if age_ms < 0 {
        let behind = span(age_ms.saturating_neg());
        return format!("this server's clock is {behind} behind the exchange's: set it");
    }
    let stands_still = format!("the exchange's statistics are {} old", span(age_ms));
    match exchange_time.map(|time| now.saturating_sub(time)) {
        Some(ahead) if ahead > CLOCKS_AGREE_MS => {
            format!(
                "this server's clock is {} ahead of the exchange's: set it",
                span(ahead)
            )
        }
        Some(_) => {
            format!("{stands_still}: wait, or set signal_hub.exchange_url to another host of it")
        }
        None => format!(
            "{stands_still}, or this server's clock is {} ahead of the exchange's: set the clock, \
             or signal_hub.exchange_url to another host",
            span(age_ms)
        ),
    }
}
