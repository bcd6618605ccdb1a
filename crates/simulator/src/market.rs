//! One exchange of the market: its dialect, its faults and a record of the requests to it.

use super::UnixMillis;
use super::dialect::{Apart, Dialect, Route, Trouble, View, parameter, time_shift};
use super::fault::{CandleFault, Fault, FaultQueue};
use super::response::{Delivery, Response, http_date};
use super::world::World;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many request targets are remembered.
const REMEMBERED_REQUESTS: usize = 1_000;

/// Where `Fault::Redirect` points: the same API behind another path.
const REDIRECTED: &str = "/redirected";

/// Seconds of a ban that no header tells.
const UNTOLD_BAN: u64 = 120;
/// Longest ban, in seconds.
const LONGEST_BAN: u64 = 3 * 24 * 60 * 60;

/// Everything one exchange knows, behind one lock.
pub(super) struct Market {
    pub dialect: Dialect,
    world: Arc<Mutex<World>>,
    pub apart: Apart,
    /// Faults of ticker requests.
    pub faults: FaultQueue<Fault>,
    pub candle_faults: FaultQueue<CandleFault>,
    /// Faults of requests for the list of instruments.
    pub instrument_faults: FaultQueue<Fault>,
    pub request_count: u64,
    pub redirects_followed: u64,
    pub requests: VecDeque<String>,
    used_weight: UsedWeight,
}

/// Request weight used in the current minute of the exchange's clock.
#[derive(Default)]
struct UsedWeight {
    minute: i64,
    weight: u32,
}

/// A request whose path is known.
struct Request<'a> {
    target: &'a str,
    path: &'a str,
    query: &'a str,
    route: Route,
}

impl Market {
    pub fn new(dialect: Dialect, world: Arc<Mutex<World>>) -> Self {
        Self {
            dialect,
            world,
            apart: Apart::default(),
            faults: FaultQueue::default(),
            candle_faults: FaultQueue::default(),
            instrument_faults: FaultQueue::default(),
            request_count: 0,
            redirects_followed: 0,
            requests: VecDeque::new(),
            used_weight: UsedWeight::default(),
        }
    }

    /// Answers one request.
    pub fn answer(&mut self, method: &str, target: &str) -> Response {
        self.request_count += 1;
        if self.requests.len() == REMEMBERED_REQUESTS {
            self.requests.pop_front();
        }
        self.requests.push_back(target.to_owned());

        let target = match target.strip_prefix(REDIRECTED) {
            Some(rest) => {
                self.redirects_followed += 1;
                rest
            }
            None => target,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let route = match method {
            "GET" => self.dialect.speech().route(path),
            _ => None,
        };
        let Some(route) = route else {
            return Response::html(404, "404 Not Found");
        };
        let request = Request {
            target,
            path,
            query,
            route,
        };
        let (fault, candle_fault) = self.next_faults(&request);
        let response = self.respond(&request, fault.as_ref(), candle_fault.as_ref());
        let now = self.now();
        let response = match self.dialect.speech().dated(route) {
            true => response.with_header("Date", http_date(now + time_shift(fault.as_ref()))),
            false => response,
        };
        match self.dialect.speech().weight(path, query) {
            Some((header, weight)) => {
                response.with_header(header, self.used_weight.add(now, weight))
            }
            None => response,
        }
    }

    fn now(&self) -> UnixMillis {
        self.world().clock.now()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The faults that strike a request: one of the whole reply or of its rows, and one of its
    /// candles.
    fn next_faults(&mut self, request: &Request) -> (Option<Fault>, Option<CandleFault>) {
        match request.route {
            Route::Tickers => (self.faults.next(|_| true), None),
            Route::Instruments => (self.instrument_faults.next(|_| true), None),
            Route::Candles => {
                let name = self.dialect.speech().interval_parameter();
                let interval = parameter(request.query, name).unwrap_or_default();
                match self.candle_faults.next(|fault| fault.strikes(&interval)) {
                    Some(CandleFault::Reply(fault)) => (Some(fault), None),
                    fault => (None, fault),
                }
            }
            Route::Other => (None, None),
        }
    }

    fn good(
        &self,
        request: &Request,
        fault: Option<&Fault>,
        candle_fault: Option<&CandleFault>,
    ) -> Response {
        let speech = self.dialect.speech();
        let mut view = View {
            world: &mut self.world(),
            apart: &self.apart,
            speech,
            fault,
            candle_fault,
        };
        speech.answer(request.path, request.query, &mut view)
    }

    /// The good answer to a request, unless a fault strikes it as a whole.
    fn respond(
        &self,
        request: &Request,
        fault: Option<&Fault>,
        candle_fault: Option<&CandleFault>,
    ) -> Response {
        let now = self.now();
        let trouble = |trouble| self.dialect.speech().trouble(trouble, now);
        if let Some(until) = self.apart.banned_until.filter(|until| now < *until) {
            let seconds = (until - now + 999) / 1_000;
            return trouble(Trouble::Banned(seconds.unsigned_abs(), true));
        }
        let good = || self.good(request, fault, candle_fault);
        match fault {
            None
            | Some(
                Fault::Stale
                | Fault::Zeros
                | Fault::BadRow(_)
                | Fault::BadRows(_)
                | Fault::Partial(_)
                | Fault::Without(_)
                | Fault::Shifted(_)
                | Fault::Microseconds,
            ) => good(),
            Some(Fault::TooManyRequests { retry_after }) => {
                trouble(Trouble::TooManyRequests(*retry_after))
            }
            Some(Fault::Banned { retry_after }) => {
                let seconds = retry_after.unwrap_or(UNTOLD_BAN).min(LONGEST_BAN);
                trouble(Trouble::Banned(seconds, retry_after.is_some()))
            }
            Some(Fault::BannedInWords { status, seconds }) => {
                let mut response = trouble(Trouble::Banned(u64::from(*seconds), false));
                response.status = *status;
                response
            }
            Some(Fault::RestrictedLocation) => trouble(Trouble::RestrictedLocation),
            Some(Fault::InternalError) => trouble(Trouble::InternalError),
            Some(Fault::Maintenance) => trouble(Trouble::Maintenance),
            Some(Fault::UnknownSymbol) => trouble(Trouble::UnknownSymbol),
            Some(Fault::Firewall) => Response::html(403, "403 Forbidden"),
            Some(Fault::Unavailable) => Response::html(503, "503 Service Temporarily Unavailable"),
            Some(Fault::UnavailableFor { seconds }) => {
                Response::html(503, "503 Service Temporarily Unavailable")
                    .with_header("Retry-After", seconds)
            }
            Some(Fault::Html) => Response::html(200, "Welcome"),
            Some(Fault::EmptyBody) => Response::json(200, ""),
            Some(Fault::Redirect) => Response::json(302, "")
                .with_header("Location", format!("{REDIRECTED}{}", request.target)),
            Some(Fault::MalformedJson) => {
                let mut response = good();
                // The brackets still match: only a parser finds the error.
                response.body = replace_first(&response.body, b"\":", b"\"=");
                response
            }
            Some(Fault::NotUtf8) => {
                let mut response = good();
                response.body = replace_first(&response.body, b"USDT", b"\xff\xfe\xc0\x80");
                response
            }
            Some(Fault::Truncated) => good().delivered(Delivery::Truncated),
            Some(Fault::EndlessBody) => good().delivered(Delivery::Endless),
            Some(Fault::SlowDrip) => good().delivered(Delivery::Drip),
            Some(Fault::Late(time)) => good().delivered(Delivery::Late(*time)),
            Some(Fault::Silence) => Response::json(200, "").delivered(Delivery::Silence),
            Some(Fault::Reset) => Response::json(200, "").delivered(Delivery::Reset),
        }
    }
}

impl UsedWeight {
    fn add(&mut self, now: UnixMillis, weight: u32) -> u32 {
        let minute = now.div_euclid(60_000);
        if minute != self.minute {
            *self = Self { minute, weight: 0 };
        }
        self.weight = self.weight.saturating_add(weight);
        self.weight
    }
}

fn replace_first(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    match bytes.windows(from.len()).position(|window| window == from) {
        Some(at) => [&bytes[..at], to, &bytes[at + from.len()..]].concat(),
        None => [bytes, to].concat(),
    }
}
