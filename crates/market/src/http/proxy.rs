//! A proxy that connections are made through, by the method CONNECT of RFC 9110, 9.3.6: it learns
//! the host and the port of the exchange, and TLS is spoken with the exchange itself.

use crate::MarketError;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;
use ureq::http::Uri;
use ureq::{Agent, Proxy};

/// Whether `url` may be used as a proxy: http or https, a host and perhaps a port, and perhaps a
/// user name and a password for it.
///
/// # Errors
/// [`MarketError::BadProxy`], which never holds the URL, since it may carry a password.
pub fn check_proxy(url: &str) -> Result<(), MarketError> {
    parse(url).map(|_| ())
}

/// The proxy at this URL, for whatever is asked for: host names are left for it to resolve.
pub(super) fn parse(url: &str) -> Result<Proxy, MarketError> {
    let refuse = |reason: &str| Err(MarketError::BadProxy(reason.to_owned()));
    let Ok(uri) = url.parse::<Uri>() else {
        return refuse("it is not a URL");
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return refuse("it does not begin with http:// or https://");
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return refuse("it holds more than a host and a port");
    }
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let after_host = authority
        .rsplit_once(']')
        .map_or(authority, |(_, after)| after);
    let after_user = after_host
        .rsplit_once('@')
        .map_or(after_host, |(_, after)| after);
    let has_port = after_user.contains(':');
    if !has_host || has_port && uri.port_u16().is_none_or(|port| port == 0) {
        return refuse("its host or port is invalid");
    }
    Proxy::new(url).or_else(|_| refuse("it is not the URL of a proxy"))
}

/// Ends the requests of an agent when their time is over. What a proxy says to CONNECT is waited
/// for anew with each of its bytes, so that one that drips would never come to an end.
pub(super) struct Watch(#[expect(dead_code, reason = "hanging up ends the watch")] Sender<()>);

impl Watch {
    /// Watches until it is dropped; a machine that has no thread left goes without.
    pub(super) fn begin(agent: &Agent, left: Duration) -> Self {
        let (ends, ended): (Sender<()>, Receiver<()>) = channel();
        let agent = agent.clone();
        let _ = thread::Builder::new().spawn(move || {
            if ended.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                agent.shutdown();
            }
        });
        Self(ends)
    }
}
