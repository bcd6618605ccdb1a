//! How exchanges say that something is wrong, and above all that they want to be left alone.

use super::bans::{banned_for, wait_in_words};
use super::json;
use crate::MarketError;
use crate::error::excerpt;
use crate::http::Reply;
use std::time::Duration;

/// Stands for the code of a ban that has none.
const BAN: &str = "ban";

/// How exchanges say that requests are too many.
const TOO_MANY: [&str; 7] = [
    "too many requests",
    "too many visits",
    "too much request weight",
    "too frequent",
    "rate limit",
    "request limit",
    "requests limit",
];

/// An exchange's own error object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A number or a name.
    pub code: String,
    pub message: String,
}

/// How one exchange says that something is wrong.
pub struct Errors {
    /// Reads an error object; `None` of anything else.
    pub read: fn(&str) -> Option<Refusal>,
    /// The status that a code which says stop amounts to.
    pub stops: fn(&Refusal) -> Option<u16>,
    /// The header that says how long to wait where there is no Retry-After.
    pub reset: Option<(&'static str, Reset)>,
}

/// What a number in a header means.
#[derive(Clone, Copy, Debug)]
pub enum Reset {
    /// Milliseconds from now.
    Millis,
    /// A time in milliseconds since the Unix epoch.
    UntilMillis,
    /// A time in seconds since the Unix epoch.
    UntilSeconds,
}

impl Errors {
    /// What is read of a reply whose status is a success, or the error that the reply is.
    pub fn take<T>(
        &self,
        reply: &Reply,
        read: impl FnOnce(&[u8]) -> Result<T, MarketError>,
    ) -> Result<T, MarketError> {
        match reply.status {
            200 => read(&reply.body).map_err(|error| self.with_wait(error, reply)),
            _ => Err(self.of_status(reply)),
        }
    }

    /// An error that the body of a reply is, with what the reply asks to wait.
    pub fn with_wait(&self, error: MarketError, reply: &Reply) -> MarketError {
        let is_banned = || banned_for(&reply.body, reply.time()).is_some();
        match error {
            MarketError::LeftAlone {
                status,
                code,
                retry_after: None,
                body,
            } => MarketError::LeftAlone {
                status,
                code,
                retry_after: self.wait(reply, status),
                body,
            },
            // A ban under a code, or in a page, that does not say so.
            MarketError::Rejected { code, .. } if is_banned() => self.banned(reply, code),
            MarketError::NotJson { .. } if is_banned() => self.banned(reply, BAN.to_owned()),
            other => other,
        }
    }

    fn banned(&self, reply: &Reply, code: String) -> MarketError {
        MarketError::LeftAlone {
            status: 418,
            code: Some(code),
            retry_after: self.wait(reply, 418),
            body: excerpt(&reply.body),
        }
    }

    /// The error that a reply is whose status is no success.
    pub fn of_status(&self, reply: &Reply) -> MarketError {
        let refusal = self.refusal(&reply.body);
        let body = || excerpt(&reply.body);
        let stop = |status, code| MarketError::LeftAlone {
            status,
            code,
            retry_after: self.wait(reply, status),
            body: body(),
        };
        let is_banned = || banned_for(&reply.body, reply.time()).is_some();
        let other = |status| MarketError::HttpStatus {
            status,
            body: body(),
        };
        match (reply.status, refusal) {
            (status @ (403 | 418 | 429 | 451), _) => stop(status, None),
            (status @ 503, _) if reply.retry_after.is_some() => stop(status, None),
            (status, Some(refusal)) => match self.stop(&refusal) {
                Some(status) => stop(status, Some(refusal.code)),
                None if is_banned() => stop(status, Some(refusal.code)),
                None if status < 500 => rejected(refusal),
                None => other(status),
            },
            (status, None) if is_banned() => stop(status, None),
            (status, None) => other(status),
        }
    }

    /// The error object in a body, if it is one.
    pub fn refusal(&self, body: &[u8]) -> Option<Refusal> {
        (self.read)(std::str::from_utf8(body).ok()?)
    }

    /// The status that an error object amounts to which says stop: by its code, or by words that
    /// mean nothing else, as codes come and go.
    pub fn stop(&self, refusal: &Refusal) -> Option<u16> {
        let words = refusal.message.to_ascii_lowercase();
        let is_said = |what: &str| words.contains(what);
        let by_words = || match TOO_MANY.iter().any(|what| is_said(what)) {
            true => Some(429),
            false => is_said("restricted location").then_some(451),
        };
        (self.stops)(refusal).or_else(by_words)
    }

    /// The error that an error object in a reply whose status is a success is.
    pub fn error(&self, refusal: Refusal) -> MarketError {
        match self.stop(&refusal) {
            Some(status) => MarketError::LeftAlone {
                status,
                retry_after: None,
                body: refusal.message,
                code: Some(refusal.code),
            },
            None => rejected(refusal),
        }
    }

    /// How long a reply asks to wait: by Retry-After, by the exchange's own header where it is its
    /// limit of requests that was reached, or by the time in the words of a ban.
    fn wait(&self, reply: &Reply, status: u16) -> Option<Duration> {
        let by_header = || {
            let (name, reset) = self.reset.filter(|_| status == 429)?;
            let number = reply.number(name)?;
            let until = |time: u64| {
                let now = u64::try_from(reply.time()).ok()?;
                Some(Duration::from_millis(time.saturating_sub(now)))
            };
            match reset {
                Reset::Millis => Some(Duration::from_millis(number)),
                Reset::UntilMillis => until(number),
                Reset::UntilSeconds => until(number.checked_mul(1000)?),
            }
        };
        reply
            .retry_after
            .or_else(by_header)
            .or_else(|| wait_in_words(&reply.body, reply.time()))
    }
}

fn rejected(refusal: Refusal) -> MarketError {
    MarketError::Rejected {
        code: refusal.code,
        message: refusal.message,
    }
}

/// Reads an object with a code and a message by these names.
pub fn object(text: &str, code: &str, message: &str) -> Option<Refusal> {
    let [found_code, found_message] = json::members(text, [code, message]).ok()?;
    Some(Refusal {
        code: crate::error::sanitized(&json::bare(found_code?)?),
        message: found_message.and_then(json::beginning).unwrap_or_default(),
    })
}
