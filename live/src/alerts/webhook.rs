//! Posts messages to the address that the operator named. Bounded: in time, in what is read of the
//! answer, and to this one address.

use super::message::Message;
use crate::options::{AlertFormat, AlertOptions, AlertUrl};
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

/// Longest time for a message, from the lookup of the name to the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where messages go.
pub struct Webhook {
    agent: Agent,
    url: AlertUrl,
    format: AlertFormat,
}

impl Webhook {
    /// `None` where the operator named no address.
    pub fn new(options: &AlertOptions) -> Option<Self> {
        let url = options.alert_url.clone()?;
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(PATIENCE))
            // Another address would get what only this one is to know.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("signal_hub_live/", env!("CARGO_PKG_VERSION")))
            .build();
        Some(Self {
            agent: config.into(),
            url,
            format: options.alert_format,
        })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Why it did not arrive, in words without the address, which is often a secret.
    pub async fn send(&self, message: &Message) -> Result<(), String> {
        let body = message.body(self.format, self.url.chat()).to_string();
        let (agent, url) = (self.agent.clone(), self.url.target());
        let sent = tokio::task::spawn_blocking(move || post(&agent, &url, &body)).await;
        sent.map_err(|_| "the attempt broke off".to_owned())?
    }
}

fn post(agent: &Agent, url: &str, body: &str) -> Result<(), String> {
    let request = agent.post(url).header("Content-Type", "application/json");
    match request.send(body) {
        // What the answer says is of no use, so it is not read.
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("the webhook answered {}", answer.status().as_u16())),
        Err(ureq::Error::BadUri(_) | ureq::Error::Http(_)) => {
            Err("the address cannot be used".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}
