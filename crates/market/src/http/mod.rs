//! One bounded GET request: TLS or loopback, no redirects, one deadline, a limit on bytes.

mod proxy;

pub use proxy::check_proxy;

use crate::error::sanitized;
use crate::{Endpoint, MarketError, UnixMillis};
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use ureq::Agent;
use ureq::http::header::{CONTENT_LENGTH, DATE, RETRY_AFTER};
use ureq::http::{HeaderMap, HeaderName, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Bytes read of a reply that is not a success: enough for an error object or a headline.
const ERROR_BODY: u64 = 4096;
/// Largest accepted CA file, in bytes; the system's whole collection is about 220 kB.
const CA_FILE: u64 = 4 << 20;

const USER_AGENT: &str = concat!("signal_hub/", env!("CARGO_PKG_VERSION"));

/// A complete reply; of one that is not a success, only the beginning of the body.
pub struct Reply {
    pub status: u16,
    /// What the exchange asks to wait.
    pub retry_after: Option<Duration>,
    /// The time by the exchange's clock.
    pub date: Option<UnixMillis>,
    /// When it was there, by this machine's clock.
    pub received: UnixMillis,
    headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    /// The whole number in a header.
    pub fn number(&self, header: &str) -> Option<u64> {
        self.headers.get(header)?.to_str().ok()?.trim().parse().ok()
    }

    /// The time by the exchange's clock, or by this machine's when the reply does not tell it.
    pub fn time(&self) -> UnixMillis {
        self.date.unwrap_or(self.received)
    }
}

/// Asks one exchange; all its requests together have the endpoint's timeout, which starts to run
/// when it is made.
pub struct Client<'a> {
    endpoint: &'a Endpoint,
    agent: Agent,
    is_through_proxy: bool,
    started: Instant,
}

impl<'a> Client<'a> {
    /// Prepares for requests; the time starts to run.
    ///
    /// # Errors
    /// [`MarketError::BadUrl`], [`MarketError::BadProxy`] and [`MarketError::BadCaFile`].
    pub fn new(endpoint: &'a Endpoint) -> Result<Self, MarketError> {
        check_url(&endpoint.base_url)?;
        let roots = match &endpoint.ca_file {
            Some(path) => RootCerts::Specific(Arc::new(read_ca_file(path)?)),
            None => RootCerts::PlatformVerifier,
        };
        // What is on this machine is not behind a proxy.
        let uri = endpoint.base_url.parse::<Uri>();
        let is_elsewhere = uri.is_ok_and(|uri| uri.scheme_str() != Some("http"));
        let proxy = match endpoint.http_proxy.as_ref().filter(|_| is_elsewhere) {
            Some(url) => Some(proxy::parse(url)?),
            None => None,
        };
        let is_through_proxy = proxy.is_some();
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .max_redirects(0)
            // None from the environment: what the server talks to is what is configured.
            .proxy(proxy)
            .user_agent(USER_AGENT)
            .accept("application/json")
            .accept_encoding("identity")
            .build();
        Ok(Self {
            endpoint,
            agent: config.new_agent(),
            is_through_proxy,
            started: Instant::now(),
        })
    }

    /// Gets what is at `path`, with its query, below the endpoint's base URL.
    ///
    /// # Errors
    /// [`MarketError::Unreachable`], [`MarketError::CutOff`], [`MarketError::TimedOut`],
    /// [`MarketError::TooLarge`], and [`MarketError::NotJson`] when the peer does not speak HTTP.
    /// A status is never an error here.
    pub(crate) fn get(&self, path: &str) -> Result<Reply, MarketError> {
        let limit = self.endpoint.timeout;
        let left = limit.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            return Err(MarketError::TimedOut(limit));
        }
        let _watch = self
            .is_through_proxy
            .then(|| proxy::Watch::begin(&self.agent, left));
        let base_url = self.endpoint.base_url.trim_end_matches('/');
        let mut response = self
            .agent
            .get(format!("{base_url}{path}"))
            .config()
            .timeout_global(Some(left))
            .build()
            .call()
            .map_err(|error| self.translate(error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let date = unix_millis(response.headers());
        let announced = number(response.headers(), CONTENT_LENGTH);
        let headers = std::mem::take(response.headers_mut());
        let reader = response.body_mut().as_reader();
        let body = if status == 200 {
            self.read_within(reader, announced)?
        } else {
            read_beginning(reader)
        };
        Ok(Reply {
            status,
            retry_after,
            date,
            received: this_clock(),
            headers,
            body,
        })
    }

    /// Reads a body and refuses it as soon as it is known to be over the limit.
    fn read_within(
        &self,
        reader: impl Read,
        announced: Option<u64>,
    ) -> Result<Vec<u8>, MarketError> {
        let limit = self.endpoint.max_body;
        let too_large = Err(MarketError::TooLarge { limit });
        if announced.is_some_and(|bytes| bytes > limit) {
            return too_large;
        }
        let mut body = Vec::new();
        reader
            .take(limit.saturating_add(1))
            .read_to_end(&mut body)
            .map_err(|error| self.translate(error.into()))?;
        if body.len() as u64 > limit {
            return too_large;
        }
        // Reading doubles the room as it goes.
        body.shrink_to_fit();
        Ok(body)
    }

    fn translate(&self, error: ureq::Error) -> MarketError {
        let is_over = self.started.elapsed() >= self.endpoint.timeout;
        if self.is_through_proxy && is_over {
            return MarketError::TimedOut(self.endpoint.timeout);
        }
        let named = |reason: String| {
            sanitized(&match self.endpoint.base_url.parse::<Uri>() {
                Ok(uri) => format!("{}: {reason}", uri.host().unwrap_or_default()),
                Err(_) => reason,
            })
        };
        match error {
            ureq::Error::Timeout(_) => MarketError::TimedOut(self.endpoint.timeout),
            ureq::Error::Io(error) if is_cut(&error) => {
                MarketError::CutOff(named(error.to_string()))
            }
            ureq::Error::Io(error) => MarketError::Unreachable(named(error.to_string())),
            ureq::Error::HostNotFound => {
                MarketError::Unreachable(named("host not found".to_owned()))
            }
            ureq::Error::Protocol(_)
            | ureq::Error::LargeResponseHeader(..)
            // What says how long a chunk is has no end.
            | ureq::Error::BodyStalled => MarketError::NotJson {
                reason: sanitized(&format!("it breaks the HTTP protocol ({error})")),
                body: String::new(),
            },
            other => MarketError::Unreachable(named(other.to_string())),
        }
    }
}

/// Whether `url` may be used as an exchange's base URL: https to anywhere, plain http to this
/// machine only, no credentials, query or fragment.
///
/// # Errors
/// [`MarketError::BadUrl`].
pub fn check_url(url: &str) -> Result<(), MarketError> {
    let refuse = |reason: &str| Err(MarketError::BadUrl(reason.to_owned()));
    let Ok(uri) = url.parse::<Uri>() else {
        return refuse("it is not a URL");
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return refuse("it does not begin with https:// and a host");
    };
    if authority.as_str().contains('@') {
        return refuse("it holds a user name or a password");
    }
    let host = authority.host();
    let has_port = authority.as_str().len() > host.len();
    if host.is_empty() || has_port && authority.port_u16().is_none_or(|port| port == 0) {
        return refuse("its host or port is invalid");
    }
    if url.contains(['?', '#']) {
        return refuse("it holds a query or a fragment");
    }
    match scheme {
        "https" => Ok(()),
        "http" if is_loopback(host) => Ok(()),
        "http" => refuse("plain http is allowed to loopback addresses only"),
        _ => refuse("its scheme is neither https nor http"),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn is_cut(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
    )
}

/// More seconds than anybody asks to wait are a time since the Unix epoch: the year 2001 and later.
const EPOCH_SECONDS: u64 = 1_000_000_000;
/// The same in milliseconds.
const EPOCH_MILLIS: u64 = 1_000_000_000_000;

/// Retry-After in any of its forms: seconds, or a time by the exchange's clock, as a date or as a
/// number. That clock is taken from its Date header so that nothing depends on ours. A time in the
/// past asks for no wait.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let now = date(headers, DATE).unwrap_or_else(SystemTime::now);
    let seconds = number(headers, RETRY_AFTER).or_else(|| begun_seconds(headers));
    let since_epoch = match seconds {
        Some(millis @ EPOCH_MILLIS..) => Duration::from_millis(millis),
        Some(seconds @ EPOCH_SECONDS..) => Duration::from_secs(seconds),
        Some(seconds) => return Some(Duration::from_secs(seconds)),
        None => {
            let until = date(headers, RETRY_AFTER)?;
            return Some(until.duration_since(now).unwrap_or_default());
        }
    };
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since_epoch.saturating_sub(now))
}

/// Retry-After in seconds with a fraction, which the standard does not know: whole ones, rounded up.
fn begun_seconds(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = crate::decimal::parse(text.trim()).ok()?;
    u64::try_from(seconds.ceil().normalize().mantissa()).ok()
}

fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    let text = headers.get(name)?.to_str().ok()?;
    httpdate::parse_http_date(text.trim()).ok()
}

/// The header Date.
fn unix_millis(headers: &HeaderMap) -> Option<UnixMillis> {
    let since = date(headers, DATE)?.duration_since(SystemTime::UNIX_EPOCH);
    since.ok()?.as_millis().try_into().ok()
}

fn number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The time by this machine's clock.
fn this_clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| since.as_millis().try_into().ok())
        .unwrap_or_default()
}

/// As much of a body as comes without trouble: the status alone already says what is wrong.
fn read_beginning(reader: impl Read) -> Vec<u8> {
    let mut body = Vec::new();
    let _ = reader.take(ERROR_BODY).read_to_end(&mut body);
    body
}

fn read_ca_file(path: &str) -> Result<Vec<Certificate<'static>>, MarketError> {
    let refuse = |reason: String| MarketError::BadCaFile {
        path: path.to_owned(),
        reason,
    };
    let pem = read_file(path).map_err(|error| refuse(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(refuse(error.to_string())),
        }
    }
    if certificates.is_empty() {
        return Err(refuse("it holds no certificate".to_owned()));
    }
    Ok(certificates)
}

fn read_file(path: &str) -> io::Result<Vec<u8>> {
    // A pipe or a device could block for ever, and no deadline covers the file system.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut content = Vec::new();
    std::fs::File::open(path)?
        .take(CA_FILE)
        .read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod asking_tests;
#[cfg(test)]
mod endless_tests;
#[cfg(test)]
mod proxy_tests;
#[cfg(test)]
pub mod tests;
#[cfg(test)]
mod url_tests;
