//! What can go wrong on the way to a ticker or a candle, on demand.

use super::dialect::{Names, Row, set};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// One way in which a ticker request goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// HTTP 429: too much request weight used.
    TooManyRequests {
        /// Seconds to wait, in the header Retry-After; `None`: there is no such header.
        retry_after: Option<u64>,
    },
    /// HTTP 418: the address is banned.
    Banned {
        /// Seconds to wait, in the header Retry-After; `None`: there is no such header.
        retry_after: Option<u64>,
    },
    /// The exchange tells only in words, in a reply of this status and without a header, that the
    /// address is banned for this many seconds.
    BannedInWords {
        /// Of the reply.
        status: u16,
        /// From now on.
        seconds: u32,
    },
    /// HTTP 451: the exchange does not serve this country.
    RestrictedLocation,
    /// HTTP 403 with the HTML page of a web application firewall.
    Firewall,
    /// HTTP 500 with the exchange's own error object.
    InternalError,
    /// HTTP 503 with the HTML page of a load balancer.
    Unavailable,
    /// HTTP 503 with the HTML page of a load balancer, and the header Retry-After.
    UnavailableFor {
        /// Of the header.
        seconds: u64,
    },
    /// The exchange is being maintained, as it says so itself.
    Maintenance,
    /// A good request is answered as one for a symbol that is not listed.
    UnknownSymbol,
    /// HTTP 200 with an HTML page, as a captive portal answers.
    Html,
    /// A good reply cut off in the middle: Content-Length promises more than is sent.
    Truncated,
    /// A complete body that is not JSON.
    MalformedJson,
    /// JSON except for some bytes that are not UTF-8.
    NotUtf8,
    /// HTTP 200 without a body.
    EmptyBody,
    /// Rows without end, until the other side closes.
    EndlessBody,
    /// A good reply, one byte of its body every 200 ms.
    SlowDrip,
    /// A good reply, after this time.
    Late(Duration),
    /// The request is read and never answered.
    Silence,
    /// The connection is reset (RST) instead of an answer.
    Reset,
    /// HTTP 302 to another path of the simulator, which answers normally; `redirects_followed`
    /// counts the requests there.
    Redirect,
    /// A good reply that is an hour old.
    Stale,
    /// Every row is all zeros.
    Zeros,
    /// The first row of the reply is bad.
    BadRow(Corruption),
    /// Every row of the reply is bad.
    BadRows(Corruption),
    /// A good reply that has only the first `n` of its rows.
    Partial(usize),
    /// A good reply without the row of this symbol.
    Without(&'static str),
    /// closeTime and openTime are this many milliseconds later than they should be, or earlier.
    Shifted(i64),
    /// closeTime and openTime are in microseconds.
    Microseconds,
}

/// One way in which a request for candles goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum CandleFault {
    /// As a ticker request does. What spoils the rows of tickers spoils no candle.
    Reply(Fault),
    /// A candle in the middle is missing.
    Gap,
    /// A good reply that has only the first `n` of its candles.
    ShortPage(usize),
    /// The last candle comes first.
    WrongOrder,
    /// The first candle comes twice.
    Duplicate,
    /// There are no candles of this interval, such as `1s`. Strikes no request for others.
    RefusedInterval(&'static str),
    /// The high of the first candle is the string "NaN".
    BadRow,
    /// The candles are as they were this many milliseconds ago.
    Lagging(i64),
}

impl CandleFault {
    /// Whether it can strike a request for candles of this interval.
    pub(super) fn strikes(&self, interval: &str) -> bool {
        match self {
            Self::RefusedInterval(refused) => *refused == interval,
            _ => true,
        }
    }
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Times {
    /// The next request only.
    Once,
    /// The next `n` requests.
    N(u32),
    /// Every request until the faults are cleared.
    Forever,
}

/// What is wrong with a bad row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Corruption {
    /// lastPrice is missing.
    MissingField,
    /// lastPrice is the string "NaN".
    NotANumber,
    /// lastPrice is an object.
    WrongType,
    /// weightedAvgPrice and count are missing.
    MissingAverageAndCount,
    /// Bid and ask are zero.
    NoBook,
    /// Bid and ask are null.
    NullBook,
    /// priceChangePercent says +50 % (or -50 % where it was above zero) and no price agrees.
    Inconsistent,
}

impl Corruption {
    pub(super) fn apply(self, row: &mut Row, names: &Names) {
        match self {
            Self::MissingField => {
                row.remove(names.last);
            }
            Self::NotANumber => set(row, names.last, "NaN".into()),
            Self::WrongType => set(row, names.last, json!({ "amount": "1.00000000" })),
            Self::MissingAverageAndCount => {
                for name in [names.average, names.count].into_iter().flatten() {
                    row.remove(name);
                }
            }
            Self::NoBook => names
                .book
                .iter()
                .for_each(|name| set(row, name, "0.00000000".into())),
            Self::NullBook => names
                .book
                .iter()
                .for_each(|name| set(row, name, Value::Null)),
            Self::Inconsistent => {
                let Some(name) = names.percent else { return };
                let percent = row.get(name).and_then(Value::as_str);
                let falling = percent.is_some_and(|text| text.starts_with('-'));
                let lie = if falling { "50.000" } else { "-50.000" };
                set(row, name, lie.into());
            }
        }
    }
}

/// The faults that have yet to strike, in order.
#[derive(Debug)]
pub(super) struct FaultQueue<F>(VecDeque<(F, Times)>);

impl<F> Default for FaultQueue<F> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<F: Clone> FaultQueue<F> {
    pub fn inject(&mut self, fault: F, times: Times) {
        self.0.push_back((fault, times));
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault of the next request, if any: the first that can strike it.
    pub fn next(&mut self, strikes: impl Fn(&F) -> bool) -> Option<F> {
        self.0.retain(|(_, times)| *times != Times::N(0));
        let place = self.0.iter().position(|(fault, _)| strikes(fault))?;
        let (fault, times) = &mut self.0[place];
        let fault = fault.clone();
        let left = match times {
            Times::Forever => return Some(fault),
            Times::Once => 1,
            Times::N(left) => *left,
        };
        if left > 1 {
            *times = Times::N(left - 1);
        } else {
            self.0.remove(place);
        }
        Some(fault)
    }
}
