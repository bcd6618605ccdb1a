//! Settling: outcomes whose time has passed are settled by candles of the exchange.
//!
//! Comes after deliveries. No transaction is open while the exchange is asked, on the helper
//! thread; each outcome is settled in a transaction of its own, so that whatever ends the process
//! costs nothing but the requests for one outcome. What is remembered between two calls only saves
//! requests.

mod memory;

use super::asking::Said;
use super::exchanges;
use super::stages::{Recorded, make_way_for_drop_database};
use super::stops;
use crate::board::slots::{self, Stage};
use crate::ledger::outcomes::{self, DueOutcome};
use crate::ledger::{self, Plan};
use crate::postgres::process::unix_millis;
use crate::postgres::{Db, Failure, Scope, as_owner, catch, interrupt, process};
use crate::settings::{self, Configured};
use market::{Asked, Client, LastLook, MarketError, Ticker, UnixMillis, backoff};
use memory::{MEMORY, Memory};
use rust_decimal::Decimal;
use std::time::{Duration, Instant};
use strategy::outcome::{Answer, DUE_AFTER_MS, Settling};

/// How long an outcome waits for candles that are missing between others, from its expiry on: an
/// exchange may bring them later. Then it is settled with a gap.
const WAIT_FOR_MISSING_MS: i64 = 60 * 60 * 1000;
/// How long after its expiry an outcome is void that another exchange was to settle.
const VOID_AFTER_MS: i64 = outcomes::VOID_AFTER.as_millis() as i64;
/// Outcomes of other exchanges found void in one call.
const VOID_AT_ONCE: i64 = 100;

/// What came of settling.
#[derive(Debug, Default)]
pub struct Settled {
    /// What went wrong, if something did; it costs no more than time.
    pub failure: Option<Failure>,
    /// The exchange says stop: for how long it is to be left alone, from now.
    pub leave_alone: Option<Duration>,
    /// Whether something is still in trouble that was put off.
    pub in_trouble: bool,
}

/// Settles outcomes that are due, the oldest of each exchange first, with no more requests than
/// `signal_hub.settle_requests_per_run` allows, and no outcome begun after `until`. Each is settled
/// by the exchange that its signal was judged on. As long as the plan knows of none that is due,
/// nothing is read. An exchange that says stop goes on record with the run.
pub fn settle_due(scope: Scope, plan: &Plan, recorded: &Recorded, until: Instant) -> Settled {
    if recorded.leave_alone.is_some() {
        return Settled {
            leave_alone: recorded.leave_alone,
            in_trouble: true,
            ..Settled::default()
        };
    }
    // A clock that jumps ahead makes nothing due, and nothing void, that the exchange does not
    // see as past.
    let now = recorded
        .exchange_time
        .map_or_else(unix_millis, |time| time.min(unix_millis()));
    let first = plan.open.first_expires_at;
    if first.is_none_or(|first| !is_due(first, now)) {
        return Settled::default();
    }
    let has_very_old = now.saturating_sub(first.unwrap_or(now)) > VOID_AFTER_MS;
    let mut memories = MEMORY.take();
    memories.retain(|url, _| plan.exchanges.iter().any(|exchange| exchange.url() == url));
    let mut settled = Settled::default();
    let mut requests_left = settings::settle_requests_per_run();
    for (place, exchange) in plan.exchanges.iter().enumerate() {
        let memory = memories.entry(exchange.url().to_owned()).or_default();
        if memory.may_ask() && !is_left_alone(plan, place) && requests_left > 0 {
            slots::record_heartbeat(Stage::Settling);
            let pass = Pass {
                scope,
                plan,
                run_id: recorded.run_id,
                now,
                place,
                exchange: exchange.clone(),
                until,
                requests_left: &mut requests_left,
                memory,
                settled: &mut settled,
            };
            pass.run(has_very_old && place == 0);
        }
        settled.in_trouble |= memory.is_in_trouble();
    }
    MEMORY.set(memories);
    settled
}

/// Whether one of several exchanges is not to be asked, as it said stop.
fn is_left_alone(plan: &Plan, place: usize) -> bool {
    let known = plan.on_record.get(place).map(|known| &known.standing);
    plan.exchanges.len() > 1
        && known
            .is_some_and(|standing| standing.asked_to_wait && !standing.may_be_asked(unix_millis()))
}

fn is_due(expires_at: UnixMillis, now: UnixMillis) -> bool {
    expires_at.saturating_add(DUE_AFTER_MS) <= now
}

/// What is to be done after an attempt.
enum Next {
    /// The next outcome.
    GoOn,
    /// Nothing more in this run.
    Stop,
}

/// One call of [`settle_due`].
struct Pass<'m> {
    scope: Scope,
    plan: &'m Plan,
    run_id: i64,
    /// The time, by the clock that is behind: this server's or the exchange's.
    now: UnixMillis,
    /// The exchange that is asked, and its place among those configured.
    place: usize,
    exchange: Configured,
    until: Instant,
    requests_left: &'m mut usize,
    memory: &'m mut Memory,
    settled: &'m mut Settled,
}

impl Pass<'_> {
    fn run(mut self, has_very_old: bool) {
        if let Err(failure) = self.settle_all(has_very_old)
            && !failure.is_lock_not_available()
        {
            self.memory.exchange_failed(settings::interval());
            self.settled.failure = Some(failure);
        }
    }

    fn settle_all(&mut self, has_very_old: bool) -> Result<(), Failure> {
        let at_most = *self.requests_left + self.memory.put_off();
        let sources: Vec<String> = self.plan.exchanges.iter().map(outcomes::source).collect();
        let source = outcomes::source(&self.exchange);
        let due = as_owner(self.scope, c"signal_hub: reading due outcomes", |db| {
            if has_very_old {
                outcomes::void_of_other_exchanges(db, VOID_AT_ONCE, &sources)?;
            }
            let at_most = i64::try_from(at_most).unwrap_or(i64::MAX);
            outcomes::due(db, at_most, &source, self.place == 0)
        })?;
        self.memory.forget_all_but(&due);
        for due in due {
            if *self.requests_left == 0 || Instant::now() >= self.until {
                break;
            }
            let terms = due.terms.as_ref();
            let is_early = terms.is_ok_and(|terms| !is_due(terms.expires_at, self.now));
            if is_early || self.memory.is_put_off(due.signal_id) {
                continue;
            }
            if let Next::Stop = self.settle(&due)? {
                break;
            }
        }
        Ok(())
    }

    fn settle(&mut self, due: &DueOutcome) -> Result<Next, Failure> {
        let terms = match &due.terms {
            Ok(terms) => terms,
            Err(why) => {
                let why = format!("its row cannot be used: {why}");
                self.write(|db| outcomes::void(db, due.signal_id, &why))?;
                return Ok(Next::GoOn);
            }
        };
        let lacks_seconds = self.memory.lacks_seconds;
        let mut settling = self
            .memory
            .resume(due.signal_id)
            .unwrap_or_else(|| Settling::new(&due.symbol, terms.clone(), !lacks_seconds));
        let error = self.ask(&mut settling)?;
        self.memory.lacks_seconds |= settling.lacks_seconds();
        if let Some(error) = error {
            return self.refused(due, settling, error);
        }
        self.memory.exchange_answered();
        if settling.lacks_minutes() {
            return self.settle_by_samples(due);
        }
        if settling.wanted().is_some() {
            // Out of requests: the next run goes on from here.
            self.memory.keep(due.signal_id, settling);
            return Ok(Next::Stop);
        }
        let waited = self.now.saturating_sub(terms.expires_at);
        let is_final = settling.is_complete() || waited >= WAIT_FOR_MISSING_MS;
        let fee = settings::fee_percent();
        match settling.outcome(fee).filter(|_| is_final) {
            Some(outcome) => {
                let resolution = settling.resolution();
                self.write(|db| outcomes::settle(db, due.signal_id, &outcome, resolution, fee))?;
                self.memory.done(due.signal_id);
            }
            None if self.is_last_try(due) => self.void(due, "no candles for 7 days")?,
            None => self.memory.put_off_until_later(due.signal_id, false),
        }
        Ok(Next::GoOn)
    }

    /// The exchange answered with an error.
    fn refused(
        &mut self,
        due: &DueOutcome,
        settling: Settling,
        error: MarketError,
    ) -> Result<Next, Failure> {
        if error.is_of_the_request() {
            self.memory.exchange_answered();
            if self.is_last_try(due) {
                let why = format!("no candles for 7 days: {}", error.message());
                self.void(due, &why)?;
                return Ok(Next::GoOn);
            }
            // A symbol that the exchange does not list any more needs nobody.
            let is_trouble = !matches!(error, MarketError::Rejected { .. });
            self.memory.put_off_until_later(due.signal_id, is_trouble);
            if is_trouble {
                self.settled.failure = Some(error.into());
            }
            return Ok(Next::GoOn);
        }
        self.memory.keep(due.signal_id, settling);
        if error.is_stop() {
            self.told_to_stop(&error)?;
        } else {
            self.memory.exchange_failed(settings::interval());
            self.settled.failure = Some(error.into());
        }
        Ok(Next::Stop)
    }

    /// The exchange says stop, which goes on record with the run.
    fn told_to_stop(&mut self, error: &MarketError) -> Result<(), Failure> {
        self.memory.exchange_failed(settings::interval());
        let failure = Failure::from(error.clone());
        self.settled.failure = Some(failure.clone());
        let delay = backoff::delay(error, 1, settings::interval(), 0.5);
        // With several exchanges, the others are asked meanwhile.
        if self.plan.exchanges.len() == 1 {
            self.settled.leave_alone = Some(delay);
        }
        let said = [(self.place, Said::Failed(error.clone()))];
        stops::keep(self.scope, self.plan, &said);
        let new = exchanges::standings(self.plan, &said, unix_millis());
        let retry_at = unix_millis().saturating_add(delay.as_millis() as i64);
        self.write(|db| {
            ledger::record_leave_alone(db, self.run_id, &failure, retry_at)?;
            ledger::exchanges::enter(db, &self.plan.exchanges, &new)?;
            Ok(true)
        })?;
        Ok(())
    }

    /// Whether it has been due for seven days: without candles now it is void.
    fn is_last_try(&self, due: &DueOutcome) -> bool {
        let terms = due.terms.as_ref();
        due.is_last_try && terms.is_ok_and(|terms| self.now - terms.expires_at >= VOID_AFTER_MS)
    }

    fn void(&mut self, due: &DueOutcome, why: &str) -> Result<(), Failure> {
        self.write(|db| outcomes::void(db, due.signal_id, why))?;
        self.memory.done(due.signal_id);
        Ok(())
    }

    /// An exchange without candles: the last price of now ends the signal.
    fn settle_by_samples(&mut self, due: &DueOutcome) -> Result<Next, Failure> {
        *self.requests_left = self.requests_left.saturating_sub(1);
        let of = self.exchange.clone();
        let asked = Asked {
            symbol: due.symbol.clone(),
            last_look: LastLook::Never,
        };
        let tickers = self.on_helper(move || of.exchange.tickers(&of.endpoint, &[asked]))?;
        let price = match tickers {
            Err(error) if error.is_stop() => {
                self.told_to_stop(&error)?;
                return Ok(Next::Stop);
            }
            Ok(mut tickers) => {
                let row = tickers.rows.remove(&due.symbol);
                row.and_then(Result::ok)
                    .map(|ticker: Ticker| ticker.last_price)
            }
            Err(_) => None,
        };
        let fee = settings::fee_percent();
        let written = match price.filter(|price| *price > Decimal::ZERO) {
            Some(price) => self.write(|db| outcomes::settle_by_samples(db, due, price, fee))?,
            None => false,
        };
        match written {
            true => self.memory.done(due.signal_id),
            false if self.is_last_try(due) => {
                self.void(due, "no candles and no price for 7 days")?;
            }
            false => self.memory.put_off_until_later(due.signal_id, false),
        }
        Ok(Next::GoOn)
    }

    /// Asks for candles until nothing more is wanted, the requests are used up, or the exchange
    /// answers with an error, which is returned.
    fn ask(&mut self, settling: &mut Settling) -> Result<Option<MarketError>, Failure> {
        let (exchange, mut left) = (self.exchange.clone(), *self.requests_left);
        let mut asking = settling.clone();
        let (asked, left, error) = self.on_helper(move || {
            let error = ask_until_done(&exchange, &mut asking, &mut left).err();
            (asking, left, error)
        })?;
        *settling = asked;
        *self.requests_left = left;
        Ok(error)
    }

    fn on_helper<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let scope = self.scope;
        if scope == Scope::Worker {
            process::report_activity(Some(c"signal_hub: fetching candles"));
        }
        catch(|| {
            interrupt::run_on_helper(work, || {
                slots::record_heartbeat(Stage::Settling);
                make_way_for_drop_database(scope)
            })
        })
    }

    /// One outcome's transaction, under the lock of the cycle.
    fn write(&self, work: impl FnOnce(&Db) -> Result<bool, Failure>) -> Result<bool, Failure> {
        as_owner(self.scope, c"signal_hub: settling an outcome", |db| {
            if !db.try_lock_cycle()? {
                return Err(Failure::another_cycle());
            }
            work(db)
        })
    }
}

/// On the helper thread.
fn ask_until_done(
    asked: &Configured,
    settling: &mut Settling,
    requests_left: &mut usize,
) -> Result<(), MarketError> {
    let client = Client::new(&asked.endpoint)?;
    while *requests_left > 0 {
        let Some(query) = settling.wanted() else {
            break;
        };
        *requests_left -= 1;
        let answer = match asked.exchange.candles(&client, &query) {
            Ok(candles) => Answer::Candles(candles),
            Err(MarketError::NoSuchInterval { .. }) => Answer::NoSuchInterval,
            Err(error) => return Err(error),
        };
        settling.take(answer);
    }
    Ok(())
}
