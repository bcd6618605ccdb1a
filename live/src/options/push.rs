//! Notifications to browsers in which no page is in view: Web Push.

use clap::Args;
use std::path::PathBuf;

/// How push services are called; without a key they are not.
#[derive(Args, Clone, Default)]
pub struct PushOptions {
    /// File with the key by which push services know this service, as `vapid-key` prints it
    #[arg(long, env = "SIGNAL_HUB_LIVE_VAPID_KEY_FILE", value_name = "FILE")]
    #[arg(requires = "vapid_contact")]
    pub vapid_key_file: Option<PathBuf>,
    /// Where operators of push services reach you: mailto:ADDRESS or https://...
    #[arg(long, env = "SIGNAL_HUB_LIVE_VAPID_CONTACT", value_name = "URL", value_parser = contact)]
    pub vapid_contact: Option<String>,
    /// Push service beside those of the usual browsers; several with commas
    #[arg(long, env = "SIGNAL_HUB_LIVE_PUSH_SERVICE", value_name = "HOST")]
    #[arg(value_delimiter = ',', value_parser = PushService::parse)]
    pub push_service: Vec<PushService>,
}

/// A push service.
#[derive(Clone, Debug, PartialEq)]
pub enum PushService {
    /// By https, at this host and port.
    Host(String, u16),
    /// By https, at any host below this one; it begins with a dot.
    Below(String),
    /// Without encryption, on this machine: host and port.
    Loopback(String),
}

impl PushService {
    /// From an option: `HOST`, `HOST:PORT`, `*.DOMAIN` or `http://127.0.0.1:PORT`.
    ///
    /// # Errors
    /// What it must be.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "a push service is HOST, HOST:PORT or *.DOMAIN, each called by https, or http://127.0.0.1:PORT";
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(['.', '-'])
                && name
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-".contains(&c))
        };
        if let Some(rest) = text.strip_prefix("http://") {
            let (host, port) = rest.split_once(':').ok_or(FORM)?;
            let is_local = ["127.0.0.1", "localhost"].contains(&host);
            return match is_local && port.parse::<u16>().is_ok() {
                true => Ok(Self::Loopback(rest.to_owned())),
                false => Err(FORM),
            };
        }
        if let Some(domain) = text.strip_prefix("*.") {
            let is_domain = is_name(domain) && domain.contains('.');
            return match is_domain {
                true => Ok(Self::Below(format!(".{domain}"))),
                false => Err(FORM),
            };
        }
        let (host, port) = text.split_once(':').unwrap_or((text, "443"));
        match (is_name(host), port.parse()) {
            (true, Ok(port)) => Ok(Self::Host(host.to_owned(), port)),
            _ => Err(FORM),
        }
    }
}

/// Push services refuse others.
fn contact(text: &str) -> Result<String, &'static str> {
    let has_more = |scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty())
    };
    match has_more("mailto:") || has_more("https://") {
        true => Ok(text.to_owned()),
        false => Err("it must begin with mailto: or https://"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_a_push_service_is_taken() {
        for good in [
            "push.example",
            "push.example:8443",
            "*.push.example",
            "http://localhost:9000",
        ] {
            assert!(PushService::parse(good).is_ok(), "{good}");
        }
        for wrong in [
            "",
            "*",
            "*.example",
            "*.",
            "https://push.example",
            "http://10.0.0.1:80",
            "http://127.0.0.1",
            "push.example/path",
            "user@push.example",
            "PUSH.example",
            "a:b",
        ] {
            assert!(PushService::parse(wrong).is_err(), "{wrong}");
        }
        assert!(contact("mailto:operator@example.org").is_ok());
        for wrong in ["operator@example.org", "mailto:", "http://example.org"] {
            assert!(contact(wrong).is_err(), "{wrong}");
        }
    }
}
