//! Bans that replies tell in words alone, under whatever status and code.

use super::errors::{seconds, stop};

#[test]
fn a_ban_is_obeyed_under_any_code_as_a_date_in_a_page_and_for_a_length_of_time() {
    for (name, status, headers, body, (as_status, code)) in [
        (
            "okx",
            "200 OK",
            "",
            r#"{"code":"50102","msg":"IP banned until 2026-07-27 09:00:59","data":[]}"#,
            (418, Some("50102")),
        ),
        (
            "kucoin",
            "400 No",
            "",
            r#"{"code":"400000","msg":"Your IP is banned until 1785142859"}"#,
            (400, Some("400000")),
        ),
        (
            "coinbase",
            "200 OK",
            "",
            "<html>You are banned for 60 seconds</html>",
            (418, Some("ban")),
        ),
        (
            "kraken",
            "200 OK",
            "",
            r#"{"error":["EGeneral:Lockout until 2026-07-27T09:00:59Z"]}"#,
            (418, Some("EGeneral:Lockout until 2026-07-27T09:00:59Z")),
        ),
        (
            "gate",
            "429 No",
            "",
            "Too many requests, retry after 60 seconds",
            (429, None),
        ),
        ("bybit", "429 No", "Retry-After: 59.2\r\n", "", (429, None)),
    ] {
        let found = stop(name, status, headers, body);
        let expected = (as_status, code.map(str::to_owned), seconds(60));
        assert_eq!(found, expected, "{name}, {status}, {headers}{body}");
    }
}
