//! Which URLs may be asked at all.

use super::check_url;
use crate::MarketError;

#[test]
fn only_https_and_loopback_urls_are_accepted() {
    for url in [
        "https://data-api.binance.vision",
        "https://example.com:8443/prefix/",
        "HTTPS://EXAMPLE.COM",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://127.9.9.9:1/",
        "http://[::1]:8080/api",
    ] {
        assert_eq!(check_url(url), Ok(()), "{url}");
    }
    for url in [
        "",
        "example.com",
        "/api/v3",
        "https://",
        "https://:443",
        "https://exa mple.com",
        "https://example.com:99999",
        "https://example.com:0",
        "https://example.com/?key=1",
        "https://example.com/#top",
        "http://example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "http://[2001:db8::1]",
        "http://[::ffff:10.0.0.1]",
        "ftp://localhost",
        "file:///etc/passwd",
    ] {
        assert!(
            matches!(check_url(url), Err(MarketError::BadUrl(_))),
            "{url}"
        );
    }
}

#[test]
fn credentials_in_a_url_are_refused_and_never_repeated() {
    for url in [
        "https://user:hunter2@example.com",
        "https://user:hunter2 @example.com",
        "http://hunter2@localhost",
    ] {
        let error = check_url(url).unwrap_err();
        let texts = [error.message(), error.detail()];
        assert!(!texts.iter().any(|text| text.contains("hunter2")), "{url}");
    }
}
