//! The gates: what each wants, whether it passed, what a refusal means, and the words for a person.
//!
//! Whether a gate passed is asked of every symbol at every run. Its words are asked only for a
//! signal, a preview and a ticker that is not fit: making them is most of what judging would cost.
//!
//! A gate that is added to the list does not compile until [`Gate::refusal`] says what its refusal
//! means and the other functions have its words. A signal is sent when every gate of the list
//! passed: no gate is left out by its place.

use crate::episode::{Reason, Step};
use crate::finding::{Finding, MISSING, TRADING};
use crate::market_gates;
use crate::text::{plain, seconds, utc};
use crate::{Levels, Side};
use market::UnixMillis;
use rust_decimal::Decimal;

macro_rules! gates {
    ($($gate:ident = $name:literal,)+) => {
        /// One condition of a signal.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Gate {
            $(#[doc = concat!("Shown as `", $name, "`.")] $gate,)+
        }

        impl Gate {
            /// All gates in the order in which they are shown; the first that does not pass says
            /// why not.
            pub const ALL: &[Self] = &[$(Self::$gate,)+];

            /// The name in tables and in `preview_signals()`, but that of the condition, see
            /// [`Gate::name_in`].
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$gate => $name,)+
                }
            }
        }
    };
}

gates! {
    Listed = "listed",
    Valid = "valid",
    Trading = "trading",
    Fresh = "fresh",
    Condition = "condition",
    Volume = "volume",
    Spread = "spread",
    Confidence = "confidence",
    Quality = "quality",
    Levels = "levels",
    Book = "book",
    Agreement = "agreement",
    Episode = "episode",
    MaxPerRun = "max_per_run",
}

/// An episode that nothing was asked of.
const ARMED: &str = "armed";

/// What it means that a gate refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The ticker is not fit to be judged: nothing is remembered of it, and this is the trading
    /// status of the symbol.
    Unfit(&'static str),
    /// The symbol gives no signal now; what it remembers goes on from here.
    NoSignal,
    /// Other symbols come first: the symbol remembers nothing of this run, so that the next run
    /// may send its signal.
    PutOff,
}

/// One gate as it was measured, for a person to read.
#[derive(Clone, Debug, PartialEq)]
pub struct GateReading {
    /// The name of the gate, see [`Gate::name`].
    pub name: &'static str,
    /// What was found; `None` when it could not be measured, and then the gate has not passed.
    pub value: Option<String>,
    /// What is wanted.
    pub threshold: String,
    pub passed: bool,
}

impl GateReading {
    /// Whether the gate passed; `None` when there was nothing to measure, since a gate before it
    /// refused.
    pub fn verdict(&self) -> Option<bool> {
        let value = self.value.as_deref()?;
        let waits_for_a_side = self.name == Gate::Episode.name() && value == ARMED;
        (!waits_for_a_side).then_some(self.passed)
    }
}

impl Gate {
    /// What it means that this gate refuses, and so whether the symbol may still be ranked.
    pub(crate) fn refusal(self) -> Refusal {
        match self {
            Self::Listed => Refusal::Unfit("UNKNOWN"),
            Self::Valid => Refusal::Unfit("INVALID"),
            Self::Trading => Refusal::Unfit("HALTED"),
            Self::Fresh => Refusal::Unfit("STALE"),
            Self::Condition
            | Self::Volume
            | Self::Spread
            | Self::Confidence
            | Self::Quality
            | Self::Levels
            | Self::Book
            | Self::Agreement
            | Self::Episode => Refusal::NoSignal,
            Self::MaxPerRun => Refusal::PutOff,
        }
    }

    /// The name as it is shown: the condition has that of the strategy.
    pub(crate) fn name_in(self, found: &Finding) -> &'static str {
        match (self, found.strategy) {
            (Self::Condition, Some(strategy)) => strategy.name(),
            _ => self.name(),
        }
    }

    /// Whether the gate could be measured and passed.
    pub(crate) fn passed(self, found: &Finding) -> bool {
        let rule = found.rule;
        match self {
            Self::Listed => found.is_listed(),
            Self::Valid => found.is_valid(),
            Self::Trading => found.is_trading(),
            Self::Fresh => found.is_fresh(),
            Self::Condition => found.side.is_some(),
            Self::Volume => found
                .dollar_volume()
                .is_some_and(|volume| volume > rule.min_quote_volume),
            Self::Spread => market_gates::is_narrow(found),
            Self::Confidence => found.confidence().is_some_and(|c| c >= rule.min_confidence),
            Self::Quality => found.quality().is_some_and(|q| q >= rule.min_quality),
            Self::Levels => found
                .side
                .zip(found.levels())
                .is_some_and(|(side, levels)| levels.are_ordered(side)),
            Self::Book => market_gates::has_room(found),
            Self::Agreement => market_gates::agrees(found),
            Self::Episode => matches!(found.step, Some(Step::Fire(..))),
            Self::MaxPerRun => found.rank.is_some_and(|rank| rank <= most(found)),
        }
    }

    /// The gate with its words.
    pub(crate) fn reading(self, found: &Finding) -> GateReading {
        GateReading {
            name: self.name_in(found),
            value: self.value(found),
            threshold: self.threshold(found),
            passed: self.passed(found),
        }
    }

    /// What was found; `None` when it could not be measured.
    fn value(self, found: &Finding) -> Option<String> {
        Some(match self {
            Self::Listed if found.is_listed() => "listed".to_owned(),
            Self::Listed if found.is_missing => "missing from the reply".to_owned(),
            Self::Listed => "not listed".to_owned(),
            Self::Valid => {
                found.row?;
                found.fault.as_deref().unwrap_or("consistent").to_owned()
            }
            Self::Trading => {
                let ticker = found.ticker()?;
                let price = |price: Option<Decimal>| price.map_or_else(unknown, plain);
                format!(
                    "bid {}, ask {}, {} trades",
                    price(ticker.bid_price),
                    price(ticker.ask_price),
                    ticker
                        .trade_count
                        .map_or_else(unknown, |count| count.to_string())
                )
            }
            Self::Fresh => seconds(found.age_ms()?),
            Self::Condition => plain(found.measure?),
            Self::Volume => plain(found.dollar_volume()?),
            Self::Spread => market_gates::spread_in_words(found)?,
            Self::Confidence => found.confidence()?.to_string(),
            Self::Quality => found.quality()?.to_string(),
            Self::Levels => {
                found.side?;
                found
                    .levels()
                    .map_or_else(|| "too large".to_owned(), listing)
            }
            Self::Book => market_gates::book_in_words(found)?,
            Self::Agreement => market_gates::elsewhere_in_words(found)?,
            Self::Episode => match found.step? {
                Step::Wait => ARMED.to_owned(),
                Step::Cool { until } | Step::HoldBack { until, .. } => {
                    format!("cooldown until {}", utc(until))
                }
                Step::Hold(side, _) | Step::Disarm(side) => format!("in {}", side.as_str()),
                Step::Fire(_, reason) => reason.as_str().to_owned(),
            },
            Self::MaxPerRun => found.rank?.to_string(),
        })
    }

    /// What is wanted.
    fn threshold(self, found: &Finding) -> String {
        let rule = found.rule;
        match self {
            Self::Listed => "listed".to_owned(),
            Self::Valid => "consistent".to_owned(),
            Self::Trading => "0 < bid <= ask, prices and trades > 0".to_owned(),
            Self::Fresh => format!("<= {}", seconds(rule.max_ticker_age_ms)),
            Self::Condition => wanted(found),
            Self::Volume => format!("> {}", plain(rule.min_quote_volume)),
            Self::Spread => market_gates::at_most(rule.max_spread_percent),
            Self::Confidence => format!(">= {}", plain(rule.min_confidence)),
            Self::Quality => format!(">= {}", plain(rule.min_quality)),
            Self::Levels => match found.side {
                Some(Side::Short) => "stop > entry > targets".to_owned(),
                _ => "stop < entry < targets".to_owned(),
            },
            Self::Book => market_gates::wanted_of_book(found),
            Self::Agreement => market_gates::at_most(rule.max_disagreement_percent),
            Self::Episode if rule.renew => "entered, flipped or renewed".to_owned(),
            Self::Episode => "entered or flipped".to_owned(),
            Self::MaxPerRun => format!("<= {}", most(found)),
        }
    }

    /// The clause that says why it did not pass; empty when an earlier gate says it.
    pub(crate) fn why_not(self, found: &Finding) -> String {
        self.reason(found).unwrap_or_default()
    }

    fn reason(self, found: &Finding) -> Option<String> {
        let rule = found.rule;
        Some(match self {
            Self::Listed if found.is_missing => "the exchange's reply has no row of it".to_owned(),
            Self::Listed => "the exchange does not list it".to_owned(),
            Self::Valid => format!("its ticker is unusable: {}", found.fault.as_deref()?),
            Self::Trading => "its market is not trading".to_owned(),
            Self::Fresh => match found.age_ms()? {
                age @ ..0 => format!(
                    "its ticker is {} ahead of this server's clock",
                    seconds(age.saturating_neg())
                ),
                age => format!(
                    "its ticker is {} old, more than {}",
                    seconds(age),
                    seconds(rule.max_ticker_age_ms)
                ),
            },
            Self::Condition if found.lacks_days() => format!(
                "{} of the {} daily candles that {} needs are known",
                found.watched.days.len(),
                found.strategy?.days(),
                rule.strategy
            ),
            Self::Condition => format!("{} is inside {}", measure(found), inside(found)?),
            Self::Volume => market_gates::why_too_thin(found)?,
            Self::Spread => market_gates::why_too_wide(found)?,
            Self::Confidence => below("confidence", found.confidence()?, rule.min_confidence),
            Self::Quality => below("quality", found.quality()?, rule.min_quality),
            Self::Levels => match found.levels() {
                None => "its price, its tick size and the percentages make numbers that are too large".to_owned(),
                Some(levels) if levels.has_price_below_zero() => {
                    "a target or the stop would be at zero or below: a percentage of the rule is 100 or more"
                        .to_owned()
                }
                Some(_) => "stop, entry and targets cannot be told apart at its tick size".to_owned(),
            },
            Self::Book => market_gates::why_no_room(found)?,
            Self::Agreement => market_gates::why_no_agreement(found)?,
            Self::Episode => match found.step? {
                Step::Cool { until } | Step::HoldBack { until, .. } => {
                    format!("cooldown until {}", utc(until))
                }
                Step::Hold(side, since) => holding(side, since),
                _ => return None,
            },
            Self::MaxPerRun => format!(
                "{} better signals come first, and a run sends no more",
                most(found)
            ),
        })
    }
}

/// What the first gate to find the ticker unfit says of the market. Such gates ask only what the
/// reply holds.
pub(crate) fn status(found: &Finding) -> &'static str {
    let unfit = Gate::ALL.iter().find_map(|gate| match gate.refusal() {
        Refusal::Unfit(status) => (!gate.passed(found)).then_some(status),
        Refusal::NoSignal | Refusal::PutOff => None,
    });
    match unfit {
        Some(_) if found.is_missing => MISSING,
        Some(status) => status,
        None => TRADING,
    }
}

/// What the measure must be: `> 2 or < -2`.
fn wanted(found: &Finding) -> String {
    let bound = |side| found.strategy?.bound(found.rule, side).map(plain);
    let long = bound(Side::Long);
    let short = bound(Side::Short);
    match (long, short) {
        (Some(long), Some(short)) => format!("> {long} or < {short}"),
        // A strategy of one side may look for a fall to buy.
        (Some(bound), None) | (None, Some(bound)) if bound.starts_with('-') => format!("< {bound}"),
        (Some(bound), None) | (None, Some(bound)) => format!("> {bound}"),
        (None, None) => "the name of a strategy".to_owned(),
    }
}

/// The bound, without a sign where there is one on either side: `2 %`.
fn inside(found: &Finding) -> Option<String> {
    let bound = |side| found.strategy?.bound(found.rule, side);
    let bound = bound(Side::Long).or_else(|| bound(Side::Short))?;
    Some(format!("{} %", plain(bound)))
}

/// `24h change 3 %`.
fn measure(found: &Finding) -> String {
    let name = found.strategy.map_or("measure", |it| it.measures());
    format!("{name} {} %", plain(found.measure.unwrap_or_default()))
}

/// Why a side was signalled.
pub fn why_signalled(found: &Finding, side: Side, reason: Reason) -> String {
    let (measure, side_name) = (measure(found), side.as_str());
    let bound = found.strategy.and_then(|it| it.bound(found.rule, side));
    let bound = plain(bound.unwrap_or_default());
    match reason {
        Reason::Entered => format!("{measure} is beyond {bound} %, entered {side_name}"),
        Reason::Flipped => format!("{measure} is beyond {bound} %, flipped to {side_name}"),
        Reason::Renewed => {
            format!("{measure} is still beyond {bound} % at the end of the last signal's lifetime")
        }
    }
}

/// Why a side is over.
pub fn ended(found: &Finding, side: Side) -> String {
    let exit = found.strategy.and_then(|it| it.exit(found.rule, side));
    format!(
        "{} fell back inside {} %, {} is over",
        measure(found),
        plain(exit.unwrap_or_default()),
        side.as_str()
    )
}

/// Why a side is over and the other one not signalled.
pub fn held_back(found: &Finding, ended: Side, until: UnixMillis) -> String {
    format!(
        "{} is beyond the other threshold, {} is over, cooldown until {}",
        measure(found),
        ended.as_str(),
        utc(until)
    )
}

/// Since when a side goes on.
pub fn holding(side: Side, since: Option<UnixMillis>) -> String {
    match since {
        Some(since) => format!("already {} since {}", side.as_str(), utc(since)),
        None => format!("already {}", side.as_str()),
    }
}

/// What the exchange does not tell; no gate refuses for want of it.
fn unknown() -> String {
    "unknown".to_owned()
}

fn below(what: &str, value: Decimal, least: Decimal) -> String {
    format!("{what} {value} is below {}", plain(least))
}

fn listing(levels: &Levels) -> String {
    let targets: Vec<String> = levels.take_profit.iter().map(Decimal::to_string).collect();
    format!(
        "stop {}, entry {}, targets {}",
        levels.stop_loss,
        levels.entry_price,
        targets.join(" ")
    )
}

/// The most signals of a run.
fn most(found: &Finding) -> usize {
    usize::try_from(found.rule.max_signals_per_run).unwrap_or(0)
}
