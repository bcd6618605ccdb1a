//! What can go wrong on the way to a ticker, on demand.

use super::ticker::Row;
use serde_json::{Value, json};
use std::collections::VecDeque;

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
    /// HTTP 451: the exchange does not serve this country.
    RestrictedLocation,
    /// HTTP 403 with the HTML page of a web application firewall.
    Firewall,
    /// HTTP 500 with the exchange's own error object.
    InternalError,
    /// HTTP 503 with the HTML page of a load balancer.
    Unavailable,
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

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Times {
    /// The next ticker request only.
    Once,
    /// The next `n` ticker requests.
    N(u32),
    /// Every ticker request until the faults are cleared.
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
    pub(super) fn apply(self, row: &mut Row) {
        let last_price = "lastPrice".to_owned();
        match self {
            Self::MissingField => {
                row.remove(&last_price);
            }
            Self::NotANumber => {
                row.insert(last_price, "NaN".into());
            }
            Self::WrongType => {
                row.insert(last_price, json!({ "amount": "1.00000000" }));
            }
            Self::MissingAverageAndCount => {
                row.remove("weightedAvgPrice");
                row.remove("count");
            }
            Self::NoBook | Self::NullBook => {
                for side in ["bidPrice", "askPrice"] {
                    let price = match self {
                        Self::NullBook => Value::Null,
                        _ => "0.00000000".into(),
                    };
                    row.insert(side.to_owned(), price);
                }
            }
            Self::Inconsistent => {
                let percent = row.get("priceChangePercent").and_then(Value::as_str);
                let falling = percent.is_some_and(|text| text.starts_with('-'));
                let lie = if falling { "50.000" } else { "-50.000" };
                row.insert("priceChangePercent".to_owned(), lie.into());
            }
        }
    }
}

/// The faults that have yet to strike, in order.
#[derive(Debug, Default)]
pub(super) struct FaultQueue(VecDeque<(Fault, Times)>);

impl FaultQueue {
    pub fn inject(&mut self, fault: Fault, times: Times) {
        self.0.push_back((fault, times));
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault of the next ticker request, if any.
    pub fn next(&mut self) -> Option<Fault> {
        loop {
            let (fault, times) = self.0.front_mut()?;
            let left = match times {
                Times::Forever => return Some(fault.clone()),
                Times::Once => 1,
                Times::N(left) => *left,
            };
            let fault = fault.clone();
            if left > 1 {
                *times = Times::N(left - 1);
            } else {
                self.0.pop_front();
            }
            if left > 0 {
                return Some(fault);
            }
        }
    }
}
