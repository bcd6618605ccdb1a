//! Posts messages to the address that the operator named, and to no other.

use super::message::Message;
use crate::error::Failure;
use crate::https::Client;
use crate::options::{AlertFormat, AlertOptions, AlertUrl};
use http_body_util::Full;
use hyper::Request;
use hyper::header::{CONTENT_TYPE, USER_AGENT};

/// Where messages go.
pub struct Webhook {
    client: Client,
    url: AlertUrl,
    format: AlertFormat,
}

impl Webhook {
    /// `None` where the operator named no address.
    ///
    /// # Errors
    /// When the address lacks what the form needs or others could read it, or the certificates that this system trusts cannot
    /// be read.
    pub fn new(options: &AlertOptions) -> Result<Option<Self>, Failure> {
        let Some(url) = options.alert_url.clone() else {
            return Ok(None);
        };
        if matches!(options.alert_format, AlertFormat::Telegram) && url.chat().is_none() {
            return Err(Failure::refused(
                "the address of the bot of Telegram names no chat",
                "End --alert-url in sendMessage?chat_id=CHAT.",
            ));
        }
        if !options.alert_plain_http && !url.is_private() {
            return Err(Failure::refused(
                "the webhook is http on another machine: who is in between could read its address and the messages",
                "Use https, or allow it by --alert-plain-http.",
            ));
        }
        Ok(Some(Self {
            client: Client::new(1)?,
            url,
            format: options.alert_format,
        }))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Why it did not arrive, in words without the address, which is often a secret.
    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let body = message.body(self.format, self.url.chat()).to_string();
        let request = Request::post(self.url.target())
            .header(CONTENT_TYPE, "application/json")
            .header(
                USER_AGENT,
                concat!("signal_hub_live/", env!("CARGO_PKG_VERSION")),
            )
            .body(Full::new(body.into()));
        let request = request.map_err(|_| "the address cannot be used".to_owned())?;
        match self.client.send(request).await?.status {
            status if status.is_success() => Ok(()),
            status => Err(format!("the webhook answered {}", status.as_u16())),
        }
    }
}
