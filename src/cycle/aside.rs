//! What the worker asks exchanges besides a run, after it, so that it holds up no signal: whether one
//! in trouble is good again, and for their lists of instruments, once a day, when a pair is new, and
//! when one is refused. Without a list a run goes by what prices show.

use super::asking::Said;
use super::exchanges;
use super::fetch::Fetched;
use super::stages::make_way_for_drop_database;
use crate::board::slots::{self, Stage};
use crate::ledger::{self, Plan};
use crate::postgres::process::unix_millis;
use crate::postgres::{Failure, Scope, as_owner, catch, interrupt, process};
use crate::settings::{self, Configured};
use market::choice::choose;
use market::{Asked, Endpoint, Instrument, MarketError, backoff};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use strategy::is_fit;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Time until a list, or a symbol of one, is asked for again that was asked for in vain.
const ASK_AGAIN: Duration = Duration::from_secs(3600);

thread_local! {
    /// When this process asked at a base URL for a symbol last, or for all by an empty name.
    static ASKED: RefCell<HashMap<(String, String), Instant>> = RefCell::default();
}

/// What is to be asked after a run. Numbers are places among the exchanges.
pub struct Due {
    probes: Vec<usize>,
    lists: Vec<List>,
}

struct List {
    place: usize,
    symbols: HashSet<String>,
    /// Whether these are all that are of interest.
    is_whole: bool,
}

/// What is to be asked after a run that got this.
pub fn due(plan: &Plan, fetched: &Fetched) -> Due {
    Due {
        probes: probes(plan, fetched),
        lists: (0..plan.exchanges.len())
            .filter_map(|place| list(plan, fetched, place))
            .collect(),
    }
}

fn probes(plan: &Plan, fetched: &Fetched) -> Vec<usize> {
    let known = plan.on_record.iter();
    let standings: Vec<_> = known.map(|known| known.standing.clone()).collect();
    let choice = choose(&standings, unix_millis(), settings::interval());
    let probes = choice.probe.into_iter();
    probes.filter(|place| !fetched.has_asked(*place)).collect()
}

fn list(plan: &Plan, fetched: &Fetched, place: usize) -> Option<List> {
    let exchange = plan.exchanges.get(place)?;
    let on_record = plan.on_record.get(place)?;
    if plan.watched.is_empty() || on_record.standing.failures > 0 {
        return None;
    }
    let now = unix_millis();
    let is_recent = |at: i64| (0..DAY_MS).contains(&now.saturating_sub(at));
    ASKED.with_borrow_mut(|asked| {
        asked.retain(|_, at| at.elapsed() < ASK_AGAIN);
        let is_new = |symbol: &str| !asked.contains_key(&key(exchange, symbol));
        if !on_record.listed_at.is_some_and(is_recent) {
            return is_new("").then(|| List {
                place,
                symbols: exchanges::listed_by(plan, place),
                is_whole: true,
            });
        }
        let mut symbols: HashSet<String> = fetched.in_doubt(plan, place).collect();
        symbols.retain(|symbol| is_new(symbol));
        (!symbols.is_empty()).then_some(List {
            place,
            symbols,
            is_whole: false,
        })
    })
}

fn key(exchange: &Configured, symbol: &str) -> (String, String) {
    (exchange.url().to_owned(), symbol.to_owned())
}

impl List {
    /// Remembers that it was asked for.
    fn remember(&self, exchange: &Configured) {
        let now = Instant::now();
        let symbols = self.symbols.iter().map(String::as_str);
        let whole = self.is_whole.then_some("");
        ASKED.with_borrow_mut(|asked| {
            asked.extend(
                symbols
                    .chain(whole)
                    .map(|symbol| (key(exchange, symbol), now)),
            );
        });
    }
}

impl Due {
    pub fn is_empty(&self) -> bool {
        self.probes.is_empty() && self.lists.is_empty()
    }

    /// Asks, and puts on record what came of it. Returns for how long the only exchange is to be
    /// left alone from now on, when it says stop.
    ///
    /// # Errors
    /// Those of the database, and that somebody needs it.
    pub fn ask(
        self,
        plan: &Plan,
        run_id: i64,
        until: Instant,
    ) -> Result<Option<Duration>, Failure> {
        let exchanges = plan.exchanges.clone();
        let asked = plan.asked.clone();
        let ages = plan.rules.iter().map(|rule| rule.max_ticker_age_ms);
        let max_age_ms = ages.max().unwrap_or(i64::MAX);
        slots::record_heartbeat(Stage::Fetching);
        process::report_activity(Some(c"signal_hub: looking after exchanges"));
        let timeout = settings::http_timeout();
        let work = move || Heard::of(self, &exchanges, &asked, max_age_ms, until, timeout);
        let heard = catch(|| {
            interrupt::run_on_helper(work, || {
                slots::record_heartbeat(Stage::Fetching);
                make_way_for_drop_database(Scope::Worker)
            })
        })?;
        heard.keep(plan, run_id)
    }
}

/// What exchanges said.
#[derive(Default)]
struct Heard {
    said: Vec<(usize, Said)>,
    lists: Vec<(usize, Vec<Instrument>, bool)>,
    /// Those that there was time to ask for.
    asked_for: Vec<List>,
}

impl Heard {
    /// Asks; on the helper thread.
    fn of(
        due: Due,
        exchanges: &[Configured],
        asked: &[Asked],
        max_age_ms: i64,
        until: Instant,
        timeout: Duration,
    ) -> Self {
        let mut heard = Self::default();
        for place in due.probes {
            let Some(exchange) = exchanges.get(place) else {
                continue;
            };
            let Some(endpoint) = endpoint(exchange, until) else {
                break;
            };
            let said = match exchange.exchange.tickers(&endpoint, asked) {
                Ok(tickers) => {
                    let mut rows = tickers.rows.values();
                    let now = unix_millis();
                    match rows.any(|row| is_fit(row, max_age_ms, now)) {
                        true => Said::Good,
                        false => Said::Blind,
                    }
                }
                Err(error) => Said::Failed(error),
            };
            heard.said.push((place, said));
        }
        // Once a day and for few: worth a run that comes late.
        let until = until.max(Instant::now() + timeout / 2);
        for list in due.lists {
            let Some(exchange) = exchanges.get(list.place) else {
                continue;
            };
            let Some(endpoint) = endpoint(exchange, until) else {
                break;
            };
            let symbols = list.symbols.iter().map(String::as_str).collect();
            match exchange.exchange.instruments(&endpoint, &symbols) {
                Ok(instruments) => heard.lists.push((list.place, instruments, list.is_whole)),
                Err(stop @ MarketError::LeftAlone { .. }) => {
                    heard.said.push((list.place, Said::Failed(stop)));
                }
                // It is asked again later.
                Err(_) => {}
            }
            heard.asked_for.push(list);
        }
        heard
    }

    fn keep(self, plan: &Plan, run_id: i64) -> Result<Option<Duration>, Failure> {
        for list in &self.asked_for {
            if let Some(exchange) = plan.exchanges.get(list.place) {
                list.remember(exchange);
            }
        }
        let standings = exchanges::standings(plan, &self.said, unix_millis());
        let stop = match (plan.exchanges.as_slice(), self.said.first()) {
            ([_], Some((_, Said::Failed(error)))) => Some(error),
            _ => None,
        };
        let delay = stop.map(|error| backoff::delay(error, 1, settings::interval(), 0.5));
        if standings.is_empty() && self.lists.is_empty() {
            return Ok(delay);
        }
        as_owner(
            Scope::Worker,
            c"signal_hub: looking after exchanges",
            |db| {
                ledger::exchanges::enter(db, &plan.exchanges, &standings)?;
                if let Some((error, delay)) = stop.zip(delay) {
                    let retry_at = unix_millis().saturating_add(delay.as_millis() as i64);
                    ledger::record_leave_alone(db, run_id, &error.clone().into(), retry_at)?;
                }
                for (place, list, is_whole) in &self.lists {
                    if let Some(exchange) = plan.exchanges.get(*place) {
                        ledger::instruments::keep(db, exchange, list, *is_whole)?;
                    }
                }
                Ok(())
            },
        )?;
        Ok(delay)
    }
}

/// The exchange's endpoint with what time is left; `None` when none is.
fn endpoint(exchange: &Configured, until: Instant) -> Option<Endpoint> {
    let left = until.saturating_duration_since(Instant::now());
    (!left.is_zero()).then(|| Endpoint {
        timeout: left.min(exchange.endpoint.timeout),
        ..exchange.endpoint.clone()
    })
}
