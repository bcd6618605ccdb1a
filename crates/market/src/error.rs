//! What can go wrong between this server and the exchange, in words that let a person act.

use crate::UnixMillis;
use std::time::Duration;

/// Characters of a reply that are worth showing to a person.
const EXCERPT_CHARS: usize = 200;

/// Why a fetch brought no tickers or candles.
#[derive(Clone, Debug, PartialEq)]
pub enum MarketError {
    /// The base URL cannot or must not be used; holds the reason, never the URL itself, which
    /// may carry a password.
    BadUrl(String),
    /// The URL of the proxy cannot be used; holds the reason, never the URL itself.
    BadProxy(String),
    /// The CA file cannot be used.
    BadCaFile { path: String, reason: String },
    /// No connection: name resolution, connect or TLS failed.
    Unreachable(String),
    /// The connection broke before the reply was complete.
    CutOff(String),
    /// The reply was not complete within this time.
    TimedOut(Duration),
    /// The exchange says stop.
    LeftAlone {
        /// 429, 418, 403, 451 or 503; what `code` means in these terms where it is the body that
        /// says stop.
        status: u16,
        /// The exchange's own code, where the body says stop and not the status.
        code: Option<String>,
        retry_after: Option<Duration>,
        body: String,
    },
    /// Any other status than 200; redirects, which are never followed, included.
    HttpStatus { status: u16, body: String },
    /// The reply is larger than this many bytes.
    TooLarge { limit: u64 },
    /// The reply is no list of tickers: HTML, truncated, malformed, not UTF-8, empty.
    NotJson { reason: String, body: String },
    /// The exchange's own error object; its code is a number or a name.
    Rejected { code: String, message: String },
    /// The reply is no list of candles.
    NoCandles { reason: String, body: String },
    /// A list of candles of which nothing says which are right.
    BadCandles(CandleFault),
    /// The exchange has no candles of this length; `message` are its words.
    NoSuchInterval {
        interval: &'static str,
        message: String,
    },
}

/// What is wrong with the candles of a reply. Times are those at which candles begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CandleFault {
    /// A candle that comes after a later one.
    WrongOrder { at: UnixMillis, after: UnixMillis },
    /// A candle that comes twice.
    Twice { at: UnixMillis },
    /// A candle that was not asked for.
    Elsewhere { at: UnixMillis },
    /// More rows than were asked for.
    TooMany { asked: usize },
}

impl CandleFault {
    fn reason(&self) -> String {
        match self {
            Self::WrongOrder { at, after } => {
                format!("the candle of {at} comes after that of {after}")
            }
            Self::Twice { at } => format!("the candle of {at} comes twice"),
            Self::Elsewhere { at } => format!("the candle of {at} was not asked for"),
            Self::TooMany { asked } => format!("it has more rows than the {asked} asked for"),
        }
    }
}

impl MarketError {
    /// Whether the fault lies with what was asked for, so that asking for another symbol may fare
    /// better.
    pub fn is_of_the_request(&self) -> bool {
        matches!(
            self,
            Self::Rejected { .. } | Self::BadCandles(_) | Self::NoSuchInterval { .. }
        )
    }

    /// Whether the exchange says stop.
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::LeftAlone { .. })
    }

    /// What happened: lower case start, no final period.
    pub fn message(&self) -> String {
        match self {
            Self::BadUrl(_) => "invalid exchange URL".to_owned(),
            Self::BadProxy(_) => "invalid URL of a proxy".to_owned(),
            Self::BadCaFile { path, .. } => format!("could not use CA file \"{path}\""),
            Self::Unreachable(_) => "could not reach the exchange".to_owned(),
            Self::CutOff(_) => "connection to the exchange was cut off".to_owned(),
            Self::TimedOut(limit) => {
                format!("exchange did not answer completely within {limit:?}")
            }
            Self::LeftAlone {
                code: Some(code), ..
            } => format!("exchange refuses requests for now with code {code}"),
            Self::LeftAlone { status, .. } => {
                format!("exchange refuses requests for now with HTTP status {status}")
            }
            Self::HttpStatus { status, .. } => {
                format!("exchange answered with HTTP status {status}")
            }
            Self::TooLarge { limit } => format!("exchange's reply is larger than {limit} bytes"),
            Self::NotJson { .. } => "exchange's reply is not a list of tickers".to_owned(),
            Self::Rejected { code, .. } => {
                format!("exchange rejected the request with code {code}")
            }
            Self::NoCandles { .. } | Self::BadCandles(_) => {
                "exchange's reply is not a list of candles that can be used".to_owned()
            }
            Self::NoSuchInterval { interval, .. } => {
                format!("exchange has no candles of {interval}")
            }
        }
    }

    /// More about it, in full sentences.
    pub fn detail(&self) -> String {
        match self {
            Self::BadUrl(reason) | Self::BadProxy(reason) | Self::BadCaFile { reason, .. } => {
                format!("It was refused because {reason}.")
            }
            Self::Unreachable(reason) | Self::CutOff(reason) => {
                format!("The attempt ended with \"{reason}\".")
            }
            Self::TimedOut(_) => {
                "The time limit covers name resolution, connecting and the whole reply.".to_owned()
            }
            Self::LeftAlone {
                retry_after, body, ..
            } => match retry_after {
                Some(wait) => {
                    let asks = format!("The exchange asks to wait {} s.", wait.as_secs());
                    format!("{asks} {}", begins_with(body))
                }
                None => begins_with(body),
            },
            Self::HttpStatus { body, .. } => begins_with(body),
            Self::TooLarge { .. } => "Reading stopped there.".to_owned(),
            Self::BadCandles(fault) => format!("It was refused because {}.", fault.reason()),
            Self::NotJson { reason, body } | Self::NoCandles { reason, body } => {
                let refused = format!("It was refused because {reason}.");
                if body.is_empty() {
                    refused
                } else {
                    format!("{refused} {}", begins_with(body))
                }
            }
            Self::Rejected { message, .. } | Self::NoSuchInterval { message, .. } => {
                format!("Its words are \"{message}\".")
            }
        }
    }
}

/// What stands in place of the beginning of a reply that is no text, such as a compressed one.
const NO_TEXT: &str = "bytes that are no text";

/// The beginning of a reply, fit to be shown as [`sanitized`] says; of one that is no text, that.
pub fn excerpt(body: &[u8]) -> String {
    // Four bytes per character at most, and one replacement character for each bad byte.
    let head = &body[..body.len().min(4 * EXCERPT_CHARS)];
    let head = String::from_utf8_lossy(head);
    let is_odd =
        |c: &char| c.is_control() && !c.is_whitespace() || *c == char::REPLACEMENT_CHARACTER;
    // A few may stand in a text: letters of another encoding, or the half of the last one.
    let odd = head.chars().filter(is_odd).count();
    if odd > 1 && odd * 10 > head.chars().count() {
        return NO_TEXT.to_owned();
    }
    sanitized(&head)
}

/// Foreign text, fit to be shown: no control characters, none that are invisible or change the
/// direction of the text around them, at most 200 characters.
pub fn sanitized(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control() && !is_format(*c))
        .take(EXCERPT_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Whether a character has no shape of its own: Unicode's category Cf, and the fillers and
/// variation selectors, which are drawn as nothing.
fn is_format(c: char) -> bool {
    matches!(
        u32::from(c),
        0xad | 0x34f
            | 0x600..=0x605
            | 0x61c
            | 0x6dd
            | 0x70f
            | 0x890..=0x891
            | 0x8e2
            | 0x115f..=0x1160
            | 0x17b4..=0x17b5
            | 0x180b..=0x180f
            | 0x200b..=0x200f
            | 0x202a..=0x202e
            | 0x2060..=0x206f
            | 0x3164
            | 0xfe00..=0xfe0f
            | 0xfeff
            | 0xffa0
            | 0xfff0..=0xfffb
            | 0x110bd
            | 0x110cd
            | 0x13430..=0x1343f
            | 0x1bca0..=0x1bca3
            | 0x1d173..=0x1d17a
            | 0xe0000..=0xe0fff
    )
}

fn begins_with(body: &str) -> String {
    if body.is_empty() {
        "The reply is empty.".to_owned()
    } else if body == NO_TEXT {
        "The reply is no text.".to_owned()
    } else {
        format!("The reply begins with \"{body}\".")
    }
}
