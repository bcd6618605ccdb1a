//! How the page gets fresh tokens from the application that subscribers sign in to.

use clap::Args;
use serde_json::{Value, json};

/// How sessions of the page are renewed.
#[derive(Args, Clone, Default)]
pub struct SessionOptions {
    /// Origin of a page that may show this one in a frame and hand it tokens; several with commas
    #[arg(long, env = "SIGNAL_HUB_LIVE_EMBED_ORIGIN", value_name = "ORIGIN")]
    #[arg(value_delimiter = ',', value_parser = origin)]
    pub embed_origin: Vec<String>,
    /// Where subscribers sign in, for those whose session ends
    #[arg(long, env = "SIGNAL_HUB_LIVE_LOGIN_URL", value_name = "URL", value_parser = login_url)]
    pub login_url: Option<String>,
    /// Path, on the same origin as the page, that answers a POST with {"token": "..."}
    #[arg(long, env = "SIGNAL_HUB_LIVE_REFRESH_PATH", value_name = "PATH", value_parser = path)]
    pub refresh_path: Option<String>,
}

impl SessionOptions {
    /// What the page needs to know.
    pub fn json(&self) -> Value {
        json!({
            "embed_origins": self.embed_origin,
            "login_url": self.login_url,
            "refresh_path": self.refresh_path,
        })
    }

    /// Who may show the page in a frame, for the policy that browsers obey.
    pub fn frame_ancestors(&self) -> String {
        match self.embed_origin.as_slice() {
            [] => "'none'".to_owned(),
            origins => origins.join(" "),
        }
    }
}

/// Scheme, host and perhaps port, as browsers write an origin: it becomes part of a header.
fn origin(text: &str) -> Result<String, &'static str> {
    let is_origin = authority(text).is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-:[]".contains(&c))
    });
    match is_origin {
        true => Ok(text.to_owned()),
        false => {
            Err("an origin is https://HOST or https://HOST:PORT in lower case, without a path")
        }
    }
}

/// A link that a browser follows, never a script.
fn login_url(text: &str) -> Result<String, &'static str> {
    match authority(text).is_some_and(|rest| !rest.is_empty()) {
        true => Ok(text.to_owned()),
        false => Err("it must begin with https://, or with http:// and the name of this machine"),
    }
}

fn path(text: &str) -> Result<String, &'static str> {
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\');
    match is_path {
        true => Ok(text.to_owned()),
        false => Err("it must begin with one slash"),
    }
}

/// What follows the scheme. Without encryption a token would be read on the way, except on this
/// machine.
fn authority(text: &str) -> Option<&str> {
    let is_local = |rest: &&str| {
        let host = rest.split(['/', ':', '?']).next();
        host.is_some_and(|host| ["localhost", "127.0.0.1"].contains(&host))
    };
    text.strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://").filter(is_local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_can_be_trusted_with_is_taken() {
        for good in [
            "https://app.example",
            "https://app.example:8443",
            "http://127.0.0.1:9",
        ] {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in [
            "https://",
            "http://app.example",
            "https://a.example/",
            "https://a; x",
            "*",
            "null",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
        assert!(login_url("https://app.example/login?next=signals").is_ok());
        assert!(login_url("javascript:alert(1)").is_err());
        assert!(path("/auth/refresh").is_ok());
        for bad in ["auth", "//evil.example/", "/\\evil.example"] {
            assert!(path(bad).is_err(), "{bad}");
        }
        let options = SessionOptions {
            embed_origin: vec![
                "https://a.example".to_owned(),
                "https://b.example".to_owned(),
            ],
            ..Default::default()
        };
        assert_eq!(
            options.frame_ancestors(),
            "https://a.example https://b.example"
        );
        assert_eq!(SessionOptions::default().frame_ancestors(), "'none'");
    }
}
