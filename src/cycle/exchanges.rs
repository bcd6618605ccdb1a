//! Several exchanges in one run: what each is to be asked for, how they stand after it, and what is
//! said of that.

use super::asking::{Answers, Request, Said, Served};
use crate::ledger::Plan;
use crate::ledger::exchanges::NewStanding;
use crate::postgres::process::unix_millis;
use crate::postgres::{Failure, Scope};
use crate::settings::{self, Configured};
use market::choice::{Choice, Standing, choose};
use market::{Asked, LastLook, MarketError, UnixMillis};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use strategy::{Elsewhere, Watched, dollars, utc};

/// For how long an exchange is not asked for a symbol that it does not list and another serves.
const NOT_ASKED_FOR: Duration = Duration::from_secs(60);
/// Most symbols of another exchange that are named.
const MOST_NAMED: usize = 3;

thread_local! {
    /// When an exchange said that it does not list a symbol. Losing it costs a request.
    static NOT_LISTED: RefCell<HashMap<(&'static str, String), Instant>> = RefCell::default();
}

/// What one run asks for, and of whom.
pub fn request(scope: Scope, plan: &Plan) -> Request {
    let ages = plan.rules.iter().map(|rule| rule.max_ticker_age_ms);
    Request {
        choice: choice(scope, plan),
        asked: (0..plan.exchanges.len())
            .map(|place| asked(plan, place))
            .collect(),
        exchanges: plan.exchanges.clone(),
        second_opinion: plan
            .rules
            .iter()
            .any(|rule| rule.max_disagreement_percent.is_some()),
        max_age_ms: ages.max().unwrap_or(i64::MAX),
        timeout: settings::http_timeout(),
    }
}

/// With one exchange there is nothing to choose. A call by hand asks also those that a worker would
/// leave alone for a while after a failure, but none that said stop.
fn choice(scope: Scope, plan: &Plan) -> Choice {
    if plan.exchanges.len() == 1 {
        return Choice {
            ask: vec![0],
            probe: Vec::new(),
        };
    }
    let standings: Vec<Standing> = plan
        .on_record
        .iter()
        .map(|known| match scope {
            Scope::Caller if !known.standing.asked_to_wait => Standing::default(),
            _ => known.standing.clone(),
        })
        .collect();
    choose(&standings, unix_millis(), settings::interval())
}

/// What the exchange at `place` is to be asked for: what the plan says, and the pairs that tell
/// what other quote assets than dollars cost, where it is known to list one.
fn asked(plan: &Plan, place: usize) -> Vec<Asked> {
    let mut asked = plan.asked.clone();
    let Some(exchange) = plan.exchanges.get(place) else {
        return asked;
    };
    if plan.exchanges.len() > 1 {
        NOT_LISTED.with_borrow_mut(|not_listed| {
            not_listed.retain(|_, at| at.elapsed() < NOT_ASKED_FOR);
            for asked in &mut asked {
                let is_not_listed =
                    not_listed.contains_key(&(exchange.name(), asked.symbol.clone()));
                if is_not_listed && asked.last_look == LastLook::Listed {
                    asked.last_look = LastLook::UnknownLately;
                }
            }
        });
    }
    let rates = rates(plan, place);
    let others = rates
        .into_iter()
        .filter(|rate| !asked.iter().any(|asked| asked.symbol == *rate));
    let others: Vec<Asked> = others
        .map(|symbol| Asked {
            symbol,
            last_look: LastLook::Listed,
        })
        .collect();
    asked.extend(others);
    asked
}

/// The pairs that tell what the quote assets of the watched symbols cost in dollars at an exchange:
/// one for each asset, of those that it lists.
fn rates(plan: &Plan, place: usize) -> HashSet<String> {
    let Some(known) = plan.instruments.get(place) else {
        return HashSet::new();
    };
    let quotes = quotes(plan, place);
    let is_trading = |symbol: &String| known.get(symbol).is_some_and(|pair| pair.is_trading);
    let best = |quote: String| {
        let mut crosses = dollars::crosses(&quote).map(|(symbol, _)| symbol);
        crosses.find(is_trading)
    };
    quotes.into_iter().filter_map(best).collect()
}

/// The quote assets of the watched symbols that are no dollars.
fn quotes(plan: &Plan, place: usize) -> HashSet<String> {
    let known = plan.instruments.get(place);
    let quote = |watched: &Watched| {
        let said = known.and_then(|known| known.get(&watched.symbol));
        let said = said.map(|pair| pair.quote.as_str());
        let quote = said.or_else(|| dollars::quote_of(&watched.symbol))?;
        (!dollars::is_dollar(quote)).then(|| quote.to_owned())
    };
    plan.watched.iter().filter_map(quote).collect()
}

/// The symbols whose instruments are to be asked for at an exchange: those that are watched, and
/// all pairs that may tell what their quote assets cost.
pub fn listed_by(plan: &Plan, place: usize) -> HashSet<String> {
    let watched = plan.watched.iter().map(|watched| watched.symbol.clone());
    let crosses = quotes(plan, place)
        .into_iter()
        .flat_map(|quote| dollars::crosses(&quote).collect::<Vec<_>>());
    watched.chain(crosses.map(|(symbol, _)| symbol)).collect()
}

/// Remembers what exchanges do not list.
pub fn remember(plan: &Plan, answers: &Answers) {
    if plan.exchanges.len() == 1 {
        return;
    }
    let now = Instant::now();
    NOT_LISTED.with_borrow_mut(|not_listed| {
        for (place, symbols) in &answers.unlisted {
            if let Some(exchange) = plan.exchanges.get(*place) {
                let symbols = symbols.iter().cloned();
                not_listed.extend(symbols.map(|symbol| ((exchange.name(), symbol), now)));
            }
        }
    });
}

/// The watched symbols with what the exchange that each ticker is from says of them.
pub fn watched(plan: &Plan, served: &Served) -> Vec<Watched> {
    let watched = plan.watched.iter().map(|watched| {
        let place = served
            .others
            .get(&watched.symbol)
            .copied()
            .unwrap_or(served.place);
        let known = plan
            .instruments
            .get(place)
            .and_then(|known| known.get(&watched.symbol));
        let elsewhere = served.elsewhere.get(&watched.symbol);
        let elsewhere = elsewhere.filter(|(other, _)| *other != place);
        Watched {
            quote: known.map(|pair| pair.quote.clone()),
            tick_size: known.and_then(|pair| pair.tick_size),
            elsewhere: elsewhere.and_then(|(other, last_price)| {
                Some(Elsewhere {
                    exchange: plan.exchanges.get(*other)?.name().to_owned(),
                    last_price: *last_price,
                })
            }),
            ..watched.clone()
        }
    });
    watched.collect()
}

/// Takes a symbol that the exchange's list of pairs has for missing, and not for unknown: a reply
/// without its row says less than the list, which is read again when they differ.
pub fn believe_list(plan: &Plan, served: &mut Served) {
    let Some(known) = plan.instruments.get(served.place) else {
        return;
    };
    let tickers = &mut served.tickers;
    let unknown = std::mem::take(&mut tickers.unknown);
    let (listed, unknown): (Vec<String>, Vec<String>) = unknown
        .into_iter()
        .partition(|symbol| known.contains_key(symbol) && !tickers.not_asked.contains(symbol));
    tickers.missing.extend(listed);
    tickers.unknown = unknown;
}

/// How the exchanges that were asked stand now, where that has changed. What an exchange asks for
/// counts from its answer, other waits from when it was asked.
pub fn standings(plan: &Plan, said: &[(usize, Said)], asked_at: UnixMillis) -> Vec<NewStanding> {
    let (now, interval) = (unix_millis(), settings::interval());
    let jitter = plan.standing.jitter;
    let new = said.iter().filter_map(|(place, said)| {
        let before = &plan.on_record.get(*place)?.standing;
        let (standing, error) = match said {
            Said::Good => (before.after_success(now, interval), None),
            Said::Failed(error) => {
                let at = match error {
                    MarketError::LeftAlone { .. } => now,
                    _ => asked_at,
                };
                let after = before.after_failure(error, at, interval, jitter);
                (after, Some(error.message()))
            }
            Said::Blind => {
                let error = MarketError::NotJson {
                    reason: BLIND.to_owned(),
                    body: String::new(),
                };
                let after = before.after_failure(&error, asked_at, interval, jitter);
                (after, Some(BLIND.to_owned()))
            }
        };
        (standing != *before).then_some(NewStanding {
            place: *place,
            standing,
            error,
        })
    });
    new.collect()
}

const BLIND: &str = "none of its tickers can be judged";

/// Where the tickers of a run are from, when that is not the preferred exchange alone.
pub fn note(plan: &Plan, served: &Served, said: &[(usize, Said)]) -> Option<String> {
    let name = |place: usize| plan.exchanges.get(place).map_or("", Configured::name);
    let mut notes = Vec::new();
    if served.place > 0 {
        let why: Vec<String> = (0..served.place)
            .map(|place| format!("{}: {}", name(place), why_not(plan, place, said)))
            .collect();
        notes.push(format!(
            "asked {} instead of {}",
            name(served.place),
            why.join(", ")
        ));
    }
    for place in 0..plan.exchanges.len() {
        let of_place = served.others.iter().filter(|(_, other)| **other == place);
        let mut symbols: Vec<&str> = of_place.map(|(symbol, _)| symbol.as_str()).collect();
        symbols.sort_unstable();
        let more = match symbols.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        symbols.truncate(MOST_NAMED);
        if !symbols.is_empty() {
            notes.push(format!("{}{more} from {}", symbols.join(", "), name(place)));
        }
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Why an exchange has not served.
fn why_not(plan: &Plan, place: usize, said: &[(usize, Said)]) -> String {
    let said = said.iter().find(|(other, _)| *other == place);
    match said.map(|(_, said)| said) {
        Some(Said::Failed(error)) => error.message(),
        Some(Said::Blind) => BLIND.to_owned(),
        Some(Said::Good) => "it has to be good for a while".to_owned(),
        None => left_alone(plan, place),
    }
}

fn left_alone(plan: &Plan, place: usize) -> String {
    let Some(known) = plan.on_record.get(place) else {
        return String::new();
    };
    let error = known.error.as_deref().unwrap_or("it failed");
    match known.standing.retry_at {
        Some(until) if until > unix_millis() => format!("{error}, left alone until {}", utc(until)),
        _ => format!("{error}, and it has to be good for a while"),
    }
}

/// The failure of a run that no exchange has answered.
pub fn failure(plan: &Plan, said: &[(usize, Said)]) -> Failure {
    let mut errors = said.iter().filter_map(|(_, said)| match said {
        Said::Failed(error) => Some(error),
        Said::Good | Said::Blind => None,
    });
    let (first, others) = (errors.next(), errors.collect::<Vec<_>>());
    if let ([_], Some(error)) = (plan.exchanges.as_slice(), first) {
        return error.clone().into();
    }
    let why = (0..plan.exchanges.len()).map(|place| {
        let name = plan.exchanges.get(place).map_or("", Configured::name);
        format!("{name}: {}", why_not(plan, place, said))
    });
    let why: Vec<String> = why.collect();
    // Only when all of them say stop is there nobody to ask.
    let is_stop = |error: &MarketError| matches!(error, MarketError::LeftAlone { .. });
    let all_stop = (0..plan.exchanges.len()).all(|place| {
        let error = said.iter().find(|(other, _)| *other == place);
        match error.map(|(_, said)| said) {
            Some(Said::Failed(error)) => is_stop(error),
            Some(_) => false,
            None => plan
                .on_record
                .get(place)
                .is_some_and(|known| known.standing.asked_to_wait),
        }
    });
    let worst = first
        .into_iter()
        .chain(others)
        .find(|error| all_stop || !is_stop(error));
    let blamed = worst.cloned().map(Failure::from);
    let (sqlstate, hint) = match blamed {
        Some(failure) => (failure.sqlstate, failure.hint),
        None => ("08004".into(), None),
    };
    Failure {
        sqlstate,
        hint,
        ..Failure::new(
            "08006",
            format!("no exchange has answered: {}", why.join("; ")),
        )
    }
}
