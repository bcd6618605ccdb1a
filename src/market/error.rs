//! What can go wrong between this server and the exchange, in words that let a person act.

use std::time::Duration;

/// Characters of a reply that are worth showing to a person.
const EXCERPT_CHARS: usize = 200;

/// Why a fetch brought no tickers.
#[derive(Clone, Debug, PartialEq)]
pub enum MarketError {
    /// The base URL cannot or must not be used; holds the reason, never the URL itself, which
    /// may carry a password.
    BadUrl(String),
    /// The CA file cannot be used.
    BadCaFile { path: String, reason: String },
    /// No connection: name resolution, connect or TLS failed.
    Unreachable(String),
    /// The connection broke before the reply was complete.
    CutOff(String),
    /// The reply was not complete within this time.
    TimedOut(Duration),
    /// The exchange says stop: 429, 418, 403 or 451.
    LeftAlone {
        status: u16,
        retry_after: Option<Duration>,
        body: String,
    },
    /// Any other status than 200; redirects, which are never followed, included.
    HttpStatus { status: u16, body: String },
    /// The reply is larger than this many bytes.
    TooLarge { limit: u64 },
    /// The reply is no list of tickers: HTML, truncated, malformed, not UTF-8, empty.
    NotJson { reason: String, body: String },
    /// The exchange's own error object.
    Rejected { code: i64, message: String },
}

impl MarketError {
    /// What happened: lower case start, no final period.
    pub fn message(&self) -> String {
        match self {
            Self::BadUrl(_) => "invalid exchange URL".to_owned(),
            Self::BadCaFile { path, .. } => format!("could not use CA file \"{path}\""),
            Self::Unreachable(_) => "could not reach the exchange".to_owned(),
            Self::CutOff(_) => "connection to the exchange was cut off".to_owned(),
            Self::TimedOut(limit) => {
                format!("exchange did not answer completely within {limit:?}")
            }
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
        }
    }

    /// More about it, in full sentences.
    pub fn detail(&self) -> String {
        match self {
            Self::BadUrl(reason) | Self::BadCaFile { reason, .. } => {
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
            Self::NotJson { reason, body } => {
                let refused = format!("It was refused because {reason}.");
                if body.is_empty() {
                    refused
                } else {
                    format!("{refused} {}", begins_with(body))
                }
            }
            Self::Rejected { message, .. } => format!("Its words are \"{message}\"."),
        }
    }

    /// What to do about it, in full sentences.
    pub fn hint(&self) -> String {
        let hint = match self {
            Self::BadUrl(_) => {
                "Set signal_hub.exchange_url to an https URL without user name, password or query. \
                 Plain http is accepted for loopback addresses only."
            }
            Self::BadCaFile { .. } => {
                "Set signal_hub.ca_file to a PEM file with CA certificates that the server can \
                 read, or leave it empty to trust the system's certificates."
            }
            Self::Unreachable(_) => {
                "Check that this server can reach the host in signal_hub.exchange_url through DNS \
                 and firewalls. If its certificate is refused, see signal_hub.ca_file."
            }
            Self::CutOff(_) => {
                "This usually passes by itself. If it does not, check the network between this \
                 server and the host in signal_hub.exchange_url."
            }
            Self::TimedOut(_) => {
                "Check that this server can reach the host in signal_hub.exchange_url, or raise \
                 signal_hub.http_timeout if the network is slow."
            }
            Self::LeftAlone { status: 451, .. } => {
                "The exchange does not serve this location. Set signal_hub.exchange_url to a host \
                 that does."
            }
            Self::LeftAlone { status: 403, .. } => {
                "The exchange's firewall refuses this server. Wait, or set \
                 signal_hub.exchange_url to another host of the exchange."
            }
            Self::LeftAlone { .. } => {
                "The request limit counts everything that uses this server's IP address. If this \
                 comes back, raise signal_hub.interval."
            }
            Self::HttpStatus {
                status: 300..=399, ..
            } => {
                "Redirects are not followed. Set signal_hub.exchange_url to the address that the \
                 exchange really has."
            }
            Self::HttpStatus {
                status: 500..=599, ..
            } => "The fault is on the exchange's side and usually passes by itself.",
            Self::HttpStatus { .. } | Self::NotJson { .. } => {
                "Check that signal_hub.exchange_url is the base URL of a Binance-compatible REST \
                 API and that nothing in between, such as a captive portal, answers in its place."
            }
            Self::TooLarge { .. } => {
                "Raise signal_hub.http_max_body. The list of all symbols of a large exchange is \
                 over one megabyte."
            }
            Self::Rejected { .. } => {
                "Check the symbols in signal_symbols, and that signal_hub.exchange_url is the base \
                 URL of a Binance-compatible REST API."
            }
        };
        hint.to_owned()
    }

    /// The SQLSTATE to raise it with.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            // invalid_parameter_value
            Self::BadUrl(_) | Self::BadCaFile { .. } => "22023",
            // sqlclient_unable_to_establish_sqlconnection
            Self::Unreachable(_) => "08001",
            // connection_failure
            Self::CutOff(_) | Self::TimedOut(_) => "08006",
            // sqlserver_rejected_establishment_of_sqlconnection
            Self::LeftAlone { .. } => "08004",
            // protocol_violation
            Self::HttpStatus { .. }
            | Self::TooLarge { .. }
            | Self::NotJson { .. }
            | Self::Rejected { .. } => "08P01",
        }
    }
}

/// The beginning of a reply, fit to be shown: no control characters, at most 200 characters.
pub fn excerpt(body: &[u8]) -> String {
    // Four bytes per character at most, and one replacement character for each bad byte.
    let head = &body[..body.len().min(4 * EXCERPT_CHARS)];
    sanitized(&String::from_utf8_lossy(head))
}

/// Foreign text, fit to be shown: no control characters, at most 200 characters.
pub fn sanitized(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .filter(|c| !c.is_control())
        .take(EXCERPT_CHARS)
        .collect::<String>()
        .trim()
        .to_owned()
}

fn begins_with(body: &str) -> String {
    if body.is_empty() {
        "The reply is empty.".to_owned()
    } else {
        format!("The reply begins with \"{body}\".")
    }
}
