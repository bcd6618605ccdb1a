//! The requests of one fetch: exchanges are asked one after the other until one answers with
//! something that can be judged. What that one does not list, or has stale, may come from the next.
//!
//! All of it runs on the helper thread, within one total time. In the common case it is one request.

use crate::postgres::process::unix_millis;
use crate::settings::Configured;
use market::choice::{Choice, share};
use market::{Asked, Endpoint, LastLook, MarketError, Tickers};
use rust_decimal::Decimal;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use strategy::{is_fit, is_usable};

/// The part of the time that is left for the exchanges that complete what another has given: the
/// signals of all other symbols wait for them.
const COMPLETING: u32 = 4;

/// What is to be asked, and of whom. Numbers are places among the exchanges.
pub struct Request {
    pub exchanges: Vec<Configured>,
    pub choice: Choice,
    /// What each exchange is to be asked for.
    pub asked: Vec<Vec<Asked>>,
    /// Whether a second exchange is to be asked for all, so that prices can be compared.
    pub second_opinion: bool,
    /// Oldest ticker that any rule judges.
    pub max_age_ms: i64,
    /// For everything together.
    pub timeout: Duration,
}

/// What came of asking one exchange.
#[derive(Clone, Debug)]
pub enum Said {
    Good,
    Failed(MarketError),
    /// It answered, and none of its tickers could be judged, while those of another could.
    Blind,
}

/// What came of a [`Request`].
#[derive(Default)]
pub struct Answers {
    /// In the order in which they were asked.
    pub said: Vec<(usize, Said)>,
    /// What exchanges say that they do not list.
    pub unlisted: Vec<(usize, Vec<String>)>,
    pub served: Option<Served>,
}

impl Answers {
    /// Notes what came of asking an exchange, in place of what came of it before.
    pub fn note(&mut self, place: usize, said: Said) {
        self.said.retain(|(other, _)| *other != place);
        self.said.push((place, said));
    }
}

/// The tickers of a run.
pub struct Served {
    /// The exchange that they are from.
    pub place: usize,
    pub tickers: Tickers,
    /// The symbols that are from another one.
    pub others: HashMap<String, usize>,
    /// Last prices at an exchange that was asked besides.
    pub elsewhere: HashMap<String, (usize, Decimal)>,
}

/// Asks. Blocks, for the request's timeout at most; for the helper thread.
pub fn ask(request: &Request) -> Answers {
    let mut asking = Asking {
        request,
        began: Instant::now(),
        answers: Answers::default(),
    };
    asking.run();
    asking.answers
}

struct Asking<'a> {
    request: &'a Request,
    began: Instant,
    answers: Answers,
}

impl Asking<'_> {
    fn run(&mut self) {
        let order = &self.request.choice.ask;
        let mut blind = None;
        let mut rest = order.as_slice();
        while let Some((place, later)) = rest.split_first() {
            rest = later;
            let time = share(self.left(), later.len() + 1);
            let Some(tickers) = self.ask_one(*place, &self.request.asked[*place], time) else {
                continue;
            };
            if !later.is_empty() && self.is_blind(*place, &tickers) {
                blind.get_or_insert((*place, tickers));
                continue;
            }
            // The last one may be as blind as the first, which is preferred then.
            match blind.take_if(|_| self.is_blind(*place, &tickers)) {
                Some((first, of_first)) => self.serve(first, of_first),
                None => self.serve(*place, tickers),
            }
            break;
        }
        match (blind, &self.answers.served) {
            (Some((place, _)), Some(_)) => self.note(place, Said::Blind),
            (Some((place, tickers)), None) => self.serve(place, tickers),
            (None, _) => {}
        }
        let until = Instant::now() + self.left() / COMPLETING;
        let mut second_opinion = self.request.second_opinion;
        for next in rest {
            let left = until.saturating_duration_since(Instant::now());
            let has_answered = self.complete(*next, second_opinion, left);
            second_opinion &= !has_answered;
        }
    }

    /// What is left of the time for everything together.
    fn left(&self) -> Duration {
        self.request.timeout.saturating_sub(self.began.elapsed())
    }

    /// The tickers that one exchange gives within `time`; `None` when it fails, or there is no time.
    fn ask_one(&mut self, place: usize, asked: &[Asked], time: Duration) -> Option<Tickers> {
        let configured = self.request.exchanges.get(place)?;
        if time.is_zero() {
            return None;
        }
        let endpoint = Endpoint {
            timeout: time,
            ..configured.endpoint.clone()
        };
        match configured.exchange.tickers(&endpoint, asked) {
            Ok(tickers) => {
                self.note(place, Said::Good);
                let unlisted = tickers.unknown.iter();
                let unlisted = unlisted.filter(|symbol| !tickers.not_asked.contains(*symbol));
                let unlisted: Vec<String> = unlisted.cloned().collect();
                if !unlisted.is_empty() {
                    self.answers.unlisted.push((place, unlisted));
                }
                Some(tickers)
            }
            Err(error) => {
                self.note(place, Said::Failed(error));
                None
            }
        }
    }

    fn note(&mut self, place: usize, said: Said) {
        self.answers.note(place, said);
    }

    fn is_blind(&self, place: usize, tickers: &Tickers) -> bool {
        let (now, max_age) = (unix_millis(), self.request.max_age_ms);
        let mut asked = self.request.asked[place].iter();
        let fit = |row| is_fit(row, max_age, now);
        !asked.any(|asked| tickers.rows.get(&asked.symbol).is_some_and(fit))
    }

    fn serve(&mut self, place: usize, tickers: Tickers) {
        self.answers.served = Some(Served {
            place,
            tickers,
            others: HashMap::new(),
            elsewhere: HashMap::new(),
        });
    }

    /// Asks another exchange for what is still lacking, because those before it do not list it or
    /// have it stale, and for all when prices are to be compared. Asks nothing when nothing is
    /// lacking; says whether it was asked and has answered.
    fn complete(&mut self, next: usize, second_opinion: bool, time: Duration) -> bool {
        let now = unix_millis();
        let Some(served) = &self.answers.served else {
            return false;
        };
        let is_lacking = |asked: &&Asked| {
            let row = served.tickers.rows.get(&asked.symbol);
            !row.is_some_and(|row| is_usable(row, self.request.max_age_ms, now))
        };
        let asked = &self.request.asked[next];
        let of_served = self.request.asked[served.place].iter().filter(is_lacking);
        let lacking: HashSet<String> = of_served.map(|asked| asked.symbol.clone()).collect();
        let wanted: Vec<Asked> = asked
            .iter()
            .filter(|asked| second_opinion || lacking.contains(&asked.symbol))
            .cloned()
            .collect();
        // One that no exchange knew lately is not worth a request.
        if wanted
            .iter()
            .all(|asked| asked.last_look == LastLook::UnknownLately)
        {
            return false;
        }
        let Some(mut tickers) = self.ask_one(next, &wanted, time) else {
            return false;
        };
        let Some(served) = &mut self.answers.served else {
            return false;
        };
        for symbol in lacking {
            let is_listed = served.tickers.rows.contains_key(&symbol);
            let row = tickers.rows.remove(&symbol);
            match row {
                Some(row) if !is_listed || is_usable(&row, self.request.max_age_ms, now) => {
                    served.tickers.unknown.retain(|unknown| *unknown != symbol);
                    served.tickers.missing.remove(&symbol);
                    served.tickers.not_asked.remove(&symbol);
                    served.tickers.rows.insert(symbol.clone(), row);
                    served.others.insert(symbol, next);
                }
                _ if !tickers.not_asked.contains(&symbol) => {
                    served.tickers.not_asked.remove(&symbol);
                }
                _ => {}
            }
        }
        let prices = tickers.rows.into_iter();
        let prices = prices.filter_map(|(symbol, row)| {
            let row = Some(row).filter(|row| is_usable(row, self.request.max_age_ms, now))?;
            Some((symbol, (next, row.ok()?.last_price)))
        });
        served.elsewhere.extend(prices);
        true
    }
}
