//! Where the operator is told what is wrong.

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, Error, ValueEnum};
use std::ffi::OsStr;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// How the operator is told when the state of health changes.
#[derive(Args, Clone)]
pub struct AlertOptions {
    /// Webhook that gets a message when the state of health changes, and when that is over
    #[arg(
        long,
        env = "SIGNAL_HUB_LIVE_ALERT_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    #[arg(value_parser = UrlParser)]
    pub alert_url: Option<AlertUrl>,
    /// Form of the messages
    #[arg(long, env = "SIGNAL_HUB_LIVE_ALERT_FORMAT", value_name = "FORMAT")]
    #[arg(default_value = "json")]
    pub alert_format: AlertFormat,
    /// How long a state lasts before it is told
    #[arg(long, env = "SIGNAL_HUB_LIVE_ALERT_AFTER", value_name = "TIME")]
    #[arg(default_value = "30s", value_parser = humantime::parse_duration)]
    pub alert_after: Duration,
    /// Least time from one message to the next
    #[arg(long, env = "SIGNAL_HUB_LIVE_ALERT_QUIET", value_name = "TIME")]
    #[arg(default_value = "5m", value_parser = humantime::parse_duration)]
    pub alert_quiet: Duration,
    /// Let the webhook be http on another machine: whoever is in between can read the messages, and
    /// the secret in the address
    #[arg(long)]
    pub alert_plain_http: bool,
}

/// The form of messages.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum AlertFormat {
    Json,
    Slack,
    Discord,
    Telegram,
}

/// The address of a webhook. It is often a secret, so nothing prints it.
#[derive(Clone)]
pub struct AlertUrl {
    target: String,
    chat: Option<String>,
}

impl AlertUrl {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text
            .strip_prefix("https://")
            .or(text.strip_prefix("http://"))
            .ok_or("an address of a webhook begins with https:// or http://")?;
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_graphic() && c != '#';
        if host.is_empty() || host.contains('@') || !rest.chars().all(is_plain) {
            return Err("an address of a webhook is https://HOST/PATH, without user and spaces");
        }
        // Telegram's requests have the chat beside the text.
        let Some((target, query)) = text.split_once('?') else {
            return Ok(Self {
                target: text.to_owned(),
                chat: None,
            });
        };
        let (chats, others): (Vec<&str>, Vec<&str>) = query
            .split('&')
            .partition(|pair| pair.starts_with("chat_id="));
        let chat = chats
            .first()
            .map(|pair| pair["chat_id=".len()..].to_owned());
        let target = match others.is_empty() {
            true => target.to_owned(),
            false => format!("{target}?{}", others.join("&")),
        };
        Ok(Self { target, chat })
    }

    /// Where requests go.
    pub fn target(&self) -> String {
        self.target.clone()
    }

    /// Whether nobody in between can read what is sent there.
    pub fn is_private(&self) -> bool {
        let uri = self.target.parse::<hyper::Uri>();
        uri.is_ok_and(|uri| {
            uri.scheme_str() == Some("https") || uri.host().is_some_and(is_loopback)
        })
    }

    /// The chat of Telegram that the address names by `chat_id`.
    pub fn chat(&self) -> Option<&str> {
        self.chat.as_deref()
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The message does not repeat what it refuses, because that is a secret.
#[derive(Clone)]
struct UrlParser;

impl TypedValueParser for UrlParser {
    type Value = AlertUrl;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<AlertUrl, Error> {
        AlertUrl::parse(&value.to_string_lossy()).map_err(|why| {
            let message = format!("--alert-url: {why}\n");
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

impl fmt::Debug for AlertUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("AlertUrl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_the_web_is_taken() {
        for bad in [
            "ftp://h/p",
            "h/p",
            "https:///p",
            "https://user:pw@h/p",
            "https://h/a b",
            "https://h/\n",
        ] {
            assert!(AlertUrl::parse(bad).is_err(), "{bad}");
        }
        let url = AlertUrl::parse("https://h/bot1:x/sendMessage?chat_id=-100&a=b").expect("good");
        assert_eq!(url.target(), "https://h/bot1:x/sendMessage?a=b");
        assert_eq!(url.chat(), Some("-100"));
        assert_eq!(format!("{url:?}"), "AlertUrl");
    }

    #[test]
    fn only_tls_or_this_machine_is_private() {
        for (address, is_private) in [
            ("https://h/p", true),
            ("http://127.0.0.1:9/p", true),
            ("http://[::1]/p", true),
            ("http://localhost/p", true),
            ("http://localhost.example.com/p", false),
            ("http://127.0.0.1.example.com/p", false),
            ("http://10.0.0.1/p", false),
        ] {
            let url = AlertUrl::parse(address).expect(address);
            assert_eq!(url.is_private(), is_private, "{address}");
        }
    }
}
