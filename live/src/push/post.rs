//! One request to a push service (RFC 8030), and what its answer means.

use super::encryption::{Recipient, encrypt};
use super::vapid::Vapid;
use crate::error::Failure;
use crate::https::Client;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use hyper::{Request, StatusCode, Uri};
use std::time::{Duration, SystemTime};

/// What a message needs to be sent.
pub struct Letter<'a> {
    /// Where the browser is reached.
    pub address: &'a Uri,
    /// The keys of the browser.
    pub to: &'a Recipient,
    /// Not encrypted.
    pub message: &'a [u8],
    /// By which the push service knows it again.
    pub topic: &'a str,
    /// After this it is not delivered any more.
    pub expires: SystemTime,
    /// The address is one of many hosts that subscribers choose from.
    pub has_many_hosts: bool,
}

/// What became of it.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// The push service delivers it.
    Accepted,
    /// There is no such subscription any more.
    Gone,
    /// Too many for this subscription; a time to wait, if the push service gave one.
    TooMany(Option<Duration>),
    /// The push service does not work, or cannot be reached; why.
    Broken(String, Option<Duration>),
    /// It does not take this; why. The same again would be of no use.
    Refused(String),
    /// There is nothing to send to it; why.
    Unsent(String),
}

/// Sends messages.
pub struct Post {
    client: Client,
    /// Keeps no connections: there may be as many hosts as subscribers name.
    of_many_hosts: Client,
    vapid: Vapid,
}

impl Post {
    /// `at_once` connections to a push service of one host are kept.
    ///
    /// # Errors
    /// When the certificates that this system trusts cannot be read.
    pub fn new(vapid: Vapid, at_once: usize) -> Result<Self, Failure> {
        Ok(Self {
            client: Client::new(at_once)?,
            of_many_hosts: Client::new(0)?,
            vapid,
        })
    }

    /// The public key, for browsers.
    pub fn public_key(&self) -> &str {
        self.vapid.public()
    }

    /// Sends a message, and waits for the answer.
    pub async fn send(&self, letter: Letter<'_>) -> Answer {
        let request = match self.request(&letter) {
            Ok(request) => request,
            Err(why) => return Answer::Unsent(why),
        };
        let client = match letter.has_many_hosts {
            true => &self.of_many_hosts,
            false => &self.client,
        };
        match client.send(request).await {
            Err(why) => Answer::Broken(why, None),
            Ok(head) => {
                let wait = head.headers.get(RETRY_AFTER);
                let wait = wait.and_then(|value| retry_after(value.to_str().ok()?));
                meaning(head.status, wait)
            }
        }
    }

    fn request(&self, letter: &Letter<'_>) -> Result<Request<Full<Bytes>>, String> {
        let left = letter.expires.duration_since(SystemTime::now());
        let body = encrypt(letter.message, letter.to);
        let body = body.map_err(|_| "the key of the browser is not valid".to_owned())?;
        let authorization = self.vapid.authorization(&origin(letter.address));
        let authorization = authorization.map_err(|error| format!("cannot sign: {error}"))?;
        Request::post(letter.address)
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_ENCODING, "aes128gcm")
            .header(CONTENT_TYPE, "application/octet-stream")
            .header("ttl", left.unwrap_or_default().as_secs())
            .header("topic", letter.topic)
            // A browser that saves power gets it, too: signals are for now or not at all.
            .header("urgency", "high")
            .body(Full::new(body.into()))
            .map_err(|error| error.to_string())
    }
}

/// Scheme, host, and the port where it is not the usual one: what the token is for.
fn origin(address: &Uri) -> String {
    let scheme = address.scheme_str().unwrap_or("https");
    let host = address.host().unwrap_or_default().to_ascii_lowercase();
    match address.port_u16() {
        Some(port) if !(scheme == "https" && port == 443) => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    }
}

fn meaning(status: StatusCode, wait: Option<Duration>) -> Answer {
    match status.as_u16() {
        200..=299 => Answer::Accepted,
        404 | 410 => Answer::Gone,
        429 => Answer::TooMany(wait),
        500.. => Answer::Broken(format!("status {}", status.as_u16()), wait),
        other => Answer::Refused(format!("status {other}")),
    }
}

/// Seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_to_do_next() {
        let of = |status| meaning(StatusCode::from_u16(status).expect("a status"), None);
        assert_eq!(of(201), Answer::Accepted);
        assert_eq!((of(404), of(410)), (Answer::Gone, Answer::Gone));
        assert_eq!(of(429), Answer::TooMany(None));
        assert_eq!(of(503), Answer::Broken("status 503".to_owned(), None));
        // Redirects are not followed.
        assert_eq!(of(307), Answer::Refused("status 307".to_owned()));
        assert_eq!(of(403), Answer::Refused("status 403".to_owned()));
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        let past = retry_after("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(past, Some(Duration::ZERO));
        assert_eq!(retry_after("soon"), None);
    }

    #[test]
    fn the_token_is_for_the_origin_of_the_push_service() {
        for (address, wanted) in [
            (
                "https://fcm.googleapis.com/fcm/send/x",
                "https://fcm.googleapis.com",
            ),
            (
                "https://FCM.googleapis.com:443/x",
                "https://fcm.googleapis.com",
            ),
            ("https://push.example:8443/x?y", "https://push.example:8443"),
            ("http://127.0.0.1:9000/x", "http://127.0.0.1:9000"),
        ] {
            assert_eq!(origin(&address.parse().expect("an address")), wanted);
        }
    }
}
