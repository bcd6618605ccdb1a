//! What a run gets from the exchanges, and what came of asking them.

use super::asking::{self, Answers, Said, Served};
use super::days::{self, Days};
use super::exchanges;
use super::stages::{RunTimes, make_way_for_drop_database, millis};
use super::stops;
use crate::board::slots::{self, Stage};
use crate::ledger::exchanges::{NewStanding, Sources};
use crate::ledger::{self, Plan};
use crate::postgres::process::unix_millis;
use crate::postgres::{Db, Failure, Scope, catch, interrupt};
use market::{MarketError, Tickers, UnixMillis};
use std::collections::HashMap;
use std::time::Instant;
use strategy::Watched;

/// The tickers and when they had arrived.
pub struct Fetched {
    pub tickers: Tickers,
    /// The watched symbols, with what the exchange that its ticker is from says of each.
    pub watched: Vec<Watched>,
    /// The exchange that they are from; and the symbols that are from another one.
    pub place: usize,
    others: HashMap<String, usize>,
    /// The exchanges that were asked, and what they say that they do not list.
    asked: Vec<usize>,
    unlisted: Vec<(usize, Vec<String>)>,
    /// How the exchanges stand now, where that has changed.
    standings: Vec<NewStanding>,
    /// Where the tickers are from, when that is worth a word.
    pub note: Option<String>,
    /// Daily candles, for the runs that follow.
    pub days: Days,
    pub at: UnixMillis,
}

impl Fetched {
    /// Which exchange each ticker is from.
    pub fn sources<'a>(&'a self, plan: &'a Plan) -> Sources<'a> {
        Sources {
            exchanges: &plan.exchanges,
            place: self.place,
            others: &self.others,
        }
    }

    /// Whether the exchange at `place` was asked.
    pub fn has_asked(&self, place: usize) -> bool {
        self.asked.contains(&place)
    }

    /// The symbols of which the exchange at `place` has said something else than its list of
    /// instruments: one has a price and is not in it, or is in it and was refused.
    pub fn in_doubt(&self, plan: &Plan, place: usize) -> impl Iterator<Item = String> {
        let known = plan.instruments.get(place);
        let is_known = |symbol: &str| known.is_some_and(|known| known.contains_key(symbol));
        let of_place =
            |symbol: &str| self.others.get(symbol).copied().unwrap_or(self.place) == place;
        let listed = plan
            .watched
            .iter()
            .map(|watched| &watched.symbol)
            .filter(|symbol| {
                self.tickers.rows.contains_key(*symbol) && of_place(symbol) && !is_known(symbol)
            });
        let refused = self.unlisted.iter().filter(|(other, _)| *other == place);
        let refused = refused
            .flat_map(|(_, symbols)| symbols)
            .filter(|symbol| is_known(symbol));
        let symbols: Vec<String> = listed.chain(refused).cloned().collect();
        symbols.into_iter()
    }

    /// Has the plan know how exchanges stand now: what comes after the tickers of a run asks none that
    /// said stop to it.
    pub fn tell(&self, plan: &mut Plan) {
        for new in &self.standings {
            if let Some(known) = plan.on_record.get_mut(new.place) {
                known.standing = new.standing.clone();
                known.error.clone_from(&new.error);
            }
        }
    }

    /// That the only exchange says stop, after it has given the tickers.
    pub fn stop(&self, plan: &Plan) -> Option<&MarketError> {
        let stop = self.days.stop.as_ref();
        stop.filter(|_| plan.exchanges.len() == 1)
    }

    /// Puts on record how the exchanges stand now.
    ///
    /// # Errors
    /// What the statements raise.
    pub fn enter_standings(&self, db: &Db, plan: &Plan) -> Result<(), Failure> {
        ledger::exchanges::enter(db, &plan.exchanges, &self.standings)
    }
}

/// No exchange has answered.
pub struct Unanswered {
    said: Vec<(usize, Said)>,
    /// How the exchanges stand now, where that has changed.
    pub standings: Vec<NewStanding>,
}

impl Unanswered {
    /// The error of the run.
    pub fn failure(&self, plan: &Plan) -> Failure {
        exchanges::failure(plan, &self.said)
    }

    /// The error of the only exchange; `None` where there are several.
    pub fn of_the_only_one(&self, plan: &Plan) -> Option<&MarketError> {
        match (plan.exchanges.as_slice(), self.said.as_slice()) {
            ([_], [(_, Said::Failed(error))]) => Some(error),
            _ => None,
        }
    }
}

/// [`fetch`], and enters the time it took, also when it failed.
pub fn fetch_timed(
    scope: Scope,
    plan: &Plan,
    times: &mut RunTimes,
) -> Result<Result<Fetched, Unanswered>, Failure> {
    let began = Instant::now();
    let fetched = catch(|| fetch(scope, plan));
    times.fetch_ms = Some(millis(began));
    fetched
}

/// One request for all the symbols asked for, in the common case. The outer error is ours, the
/// inner one the exchanges'.
pub fn fetch(scope: Scope, plan: &Plan) -> Result<Result<Fetched, Unanswered>, Failure> {
    let asked_at = unix_millis();
    let (answers, days) = match plan.asked.is_empty() {
        true => (nothing_asked(), Days::default()),
        false => ask(scope, plan, asked_at)?,
    };
    exchanges::remember(plan, &answers);
    stops::keep(scope, plan, &answers.said);
    let standings = exchanges::standings(plan, &answers.said, asked_at);
    let Some(mut served) = answers.served else {
        return Ok(Err(Unanswered {
            said: answers.said,
            standings,
        }));
    };
    exchanges::believe_list(plan, &mut served);
    Ok(Ok(Fetched {
        watched: exchanges::watched(plan, &served),
        note: exchanges::note(plan, &served, &answers.said),
        asked: answers.said.iter().map(|(place, _)| *place).collect(),
        unlisted: answers.unlisted,
        place: served.place,
        others: served.others,
        tickers: served.tickers,
        standings,
        days,
        at: unix_millis(),
    }))
}

fn nothing_asked() -> Answers {
    Answers {
        served: Some(Served {
            place: 0,
            tickers: Tickers::default(),
            others: HashMap::new(),
            elsewhere: HashMap::new(),
        }),
        ..Answers::default()
    }
}

fn ask(scope: Scope, plan: &Plan, now: UnixMillis) -> Result<(Answers, Days), Failure> {
    let request = exchanges::request(scope, plan);
    let lacking_days = days::to_ask(&plan.lacking_days);
    let until = Instant::now() + request.timeout;
    let fetched = interrupt::run_on_helper(
        move || {
            let mut answers = asking::ask(&request);
            let place = answers.served.as_ref().map(|served| served.place);
            let days = place
                .and_then(|place| request.exchanges.get(place))
                .map(|exchange| days::fetch(exchange, lacking_days, now, until));
            let days = days.unwrap_or_default();
            if let Some((place, stop)) = place.zip(days.stop.clone()) {
                answers.note(place, Said::Failed(stop));
            }
            (answers, days)
        },
        || {
            slots::record_heartbeat(Stage::Fetching);
            make_way_for_drop_database(scope)
        },
    )?;
    days::put_off(&fetched.1);
    Ok(fetched)
}
