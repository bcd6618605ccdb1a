//! How `signal_hub.exchanges` is written: names in the order of preference, each with a base URL
//! where it is to be asked at another one than its own.

use market::{Endpoint, Exchange, MarketError, check_url, exchange, exchanges};

/// An exchange that is to be asked.
#[derive(Clone, Debug)]
pub struct Configured {
    pub exchange: &'static dyn Exchange,
    /// Where, and the limits of asking.
    pub endpoint: Endpoint,
}

impl Configured {
    /// The name that settings and tables have for it.
    pub fn name(&self) -> &'static str {
        self.exchange.name()
    }

    /// Its base URL as tables have it.
    pub fn url(&self) -> &str {
        self.endpoint.base_url.trim_end_matches('/')
    }
}

/// An entry of the list: the exchange, and a base URL where the entry has one.
pub type Entry<'a> = (&'static dyn Exchange, Option<&'a str>);

/// Reads a list such as `binance, bybit, okx=https://host`.
///
/// # Errors
/// Why it cannot be used; quotes no URL, which may hold a password.
pub fn parse(list: &str) -> Result<Vec<Entry<'_>>, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for entry in list.split(',') {
        let (name, url) = match entry.split_once('=') {
            Some((name, url)) => (name.trim(), Some(url.trim())),
            None => (entry.trim(), None),
        };
        if name.is_empty() {
            return Err("it has an entry without a name".to_owned());
        }
        let Some(exchange) = exchange(name) else {
            let known: Vec<&str> = exchanges().iter().map(|exchange| exchange.name()).collect();
            // What is no name may be part of a URL.
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let unknown = match is_name {
                true => format!("there is no exchange {name}"),
                false => "it has a name that no exchange has".to_owned(),
            };
            return Err(format!("{unknown}, but {}", known.join(", ")));
        };
        if entries.iter().any(|(other, _)| other.name() == name) {
            return Err(format!("{name} is in it twice"));
        }
        if let Some(Err(MarketError::BadUrl(reason))) = url.map(check_url) {
            return Err(format!("of the URL of {name}: {reason}"));
        }
        entries.push((exchange, url));
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<(&str, Option<&str>)> {
        let entries = parse(list).unwrap().into_iter();
        entries
            .map(|(exchange, url)| (exchange.name(), url))
            .collect()
    }

    #[test]
    fn a_list_has_names_in_the_order_of_preference_and_perhaps_hosts() {
        assert_eq!(names("binance"), [("binance", None)]);
        assert_eq!(
            names(" binance = https://mirror.example/path/ "),
            [("binance", Some("https://mirror.example/path/"))]
        );
    }

    #[test]
    fn what_is_no_list_of_exchanges_is_refused_with_its_reason() {
        for (list, reason) in [
            ("", "without a name"),
            ("binance,", "without a name"),
            ("binance, binance", "binance is in it twice"),
            ("nowhere", "there is no exchange nowhere, but binance"),
            ("https://user:secret@host", "a name that no exchange has"),
            ("binance=http://host.example", "of the URL of binance: "),
            ("binance=", "of the URL of binance: "),
        ] {
            let refused = parse(list).unwrap_err();
            assert!(refused.contains(reason), "{list}: {refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
