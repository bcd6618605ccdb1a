//! A ban that a reply tells in words: until when, or for how long.

use crate::UnixMillis;
use std::time::{Duration, SystemTime};

/// Bytes of a body in which the words are looked for.
const LOOKED_AT: usize = 1024;
/// What a ban is called.
const BANS: [&str; 5] = ["banned", "blocked", "ban until", "locked out", "lockout"];
/// What stands before a time to wait, in an answer that says stop in any other way.
const WAITS: [&str; 4] = ["retry after", "retry in", "again after", "again in"];
const DAY: UnixMillis = 86_400_000;

/// How long a ban lasts that a body tells, such as `banned until 1795650000000`. `None` of a time
/// that is over, which by a clock that is right nobody would state.
pub fn banned_for(body: &[u8], now: UnixMillis) -> Option<Duration> {
    let text = beginning(body);
    let lower = text.to_ascii_lowercase();
    let begin = BANS.iter().filter_map(|word| lower.find(word)).min()?;
    let (words, text) = (lower.get(begin..)?, text.get(begin..)?);
    let told = |word: &str| Some(text.get(words.find(word)? + word.len()..)?.trim_start());
    let until = told("until").and_then(|rest| time(bare(rest)));
    let wait = match until {
        Some(until) => until.checked_sub(now)?,
        None => length(bare(told("for ")?))?,
    };
    positive(wait)
}

/// How long to wait as the words of a body say that says stop: after a ban, or any other time.
pub fn wait_in_words(body: &[u8], now: UnixMillis) -> Option<Duration> {
    let by_words = || {
        let text = beginning(body);
        let lower = text.to_ascii_lowercase();
        let place = |word: &&str| Some(lower.find(*word)? + word.len());
        let rest = bare(text.get(WAITS.iter().filter_map(place).min()?..)?);
        let wait = match time(rest) {
            Some(until) => until.checked_sub(now)?,
            None => length(rest)?,
        };
        positive(wait)
    };
    banned_for(body, now).or_else(by_words)
}

fn positive(wait: i64) -> Option<Duration> {
    let wait = u64::try_from(wait).ok().filter(|wait| *wait > 0);
    wait.map(Duration::from_millis)
}

fn beginning(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(LOOKED_AT)]).into_owned()
}

/// A text without what may stand around a time.
fn bare(text: &str) -> &str {
    text.trim_start_matches([' ', ':', '=', '"', '\'', '\\', '(', '['])
}

/// The digits that a text begins with, and what follows them.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// The time that a text begins with: since the Unix epoch in a unit that its length tells, or a
/// date, by UTC.
fn time(text: &str) -> Option<UnixMillis> {
    let (number, rest) = digits(text);
    if rest.starts_with('-') {
        return iso_8601(text);
    }
    if number.is_empty() {
        return http_date(text);
    }
    let number: i64 = number.parse().ok()?;
    match number.checked_ilog10()? + 1 {
        // Since 2001, and up to the year 5000.
        10..=11 => number.checked_mul(1000),
        12..=14 => Some(number),
        15..=17 => Some(number / 1000),
        18.. => Some(number / 1_000_000),
        _ => None,
    }
}

/// `Mon, 27 Jul 2026 09:00:59 GMT`.
fn http_date(text: &str) -> Option<UnixMillis> {
    const LENGTH: usize = 29;
    let until = httpdate::parse_http_date(text.get(..LENGTH)?).ok()?;
    let since = until.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    since.as_millis().try_into().ok()
}

/// `2026-07-27T09:00:59`, or with a blank; what is less than a second does not count.
fn iso_8601(text: &str) -> Option<UnixMillis> {
    let mut rest = text;
    let mut fields = [0_i64; 6];
    for (place, field) in fields.iter_mut().enumerate() {
        let (number, after) = digits(rest);
        *field = match number.parse() {
            Ok(number) if number <= 9999 => number,
            // A time of the day may be without seconds.
            _ if place == 5 => break,
            _ => return None,
        };
        rest = after.get(1..).unwrap_or_default();
    }
    let [year, month, day, hour, minute, second] = fields;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 24 || minute > 59 {
        return None;
    }
    let seconds = (hour * 60 + minute) * 60 + second;
    Some(days(year, month, day) * DAY + seconds * 1000)
}

/// Days since the Unix epoch. The year begins in March, so that a leap day is its last, as in
/// Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = match month {
        ..=2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

/// The length of time that a text begins with, in milliseconds: a number, and a unit, which is
/// seconds where none stands.
fn length(text: &str) -> Option<i64> {
    let (number, rest) = digits(text);
    let number: i64 = number.parse().ok()?;
    let unit = rest.trim_start().to_ascii_lowercase();
    let begins = |words: &[&str]| words.iter().any(|word| unit.starts_with(word));
    number.checked_mul(if begins(&["ms", "milli"]) {
        1
    } else if begins(&["m"]) {
        60_000
    } else if begins(&["h"]) {
        3_600_000
    } else if begins(&["d"]) {
        DAY
    } else {
        1000
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-07-27 09:00:00 UTC.
    const NOW: UnixMillis = 1_785_142_800_000;

    #[test]
    fn a_ban_is_understood_in_any_unit_and_as_a_date() {
        for words in [
            "IP banned until 1785142860000. Please use WebSocket Streams",
            "IP banned until 1785142860.",
            "IP banned until 1785142860000000",
            "IP banned until 1785142860000000000",
            "you are BANNED, until: \\\"1785142860\\\"",
            "IP(1.2.3.4) banned until(1785142860000)",
            "Banned until 2026-07-27 09:01:00 UTC",
            "Banned until 2026-07-27T09:01:00.000Z",
            "Banned until 2026-07-27T09:01Z",
            "Banned until Mon, 27 Jul 2026 09:01:00 GMT",
            "address blocked until 1785142860",
            "Your IP is banned for 60 seconds",
            "Your IP is banned for 60s",
            "Your IP has been banned for 1 minute",
            "banned for 60000 ms",
        ] {
            let wait = banned_for(words.as_bytes(), NOW);
            assert_eq!(wait, Some(Duration::from_secs(60)), "{words}");
        }
        let hours =
            |words: &str| banned_for(words.as_bytes(), NOW).map(|wait| wait.as_secs() / 3600);
        assert_eq!(hours("banned for 2 hours"), Some(2));
        assert_eq!(hours("banned for 3 days"), Some(72));
        assert_eq!(
            hours("banned until 2026-07-28"),
            None,
            "it has no time of the day"
        );
    }

    #[test]
    fn what_is_no_ban_or_is_over_is_no_time_to_wait() {
        for words in [
            "",
            "banned",
            "banned until",
            "banned until further notice",
            "banned until 1785142799999",
            "banned until 2026-07-27 08:59:59",
            "banned until 2026-13-27 08:59:59",
            "banned until 99999999999999999999999",
            "not available until 1785142860000",
            "banned for a while",
            "listed until 1785142860000, and banned",
        ] {
            assert_eq!(banned_for(words.as_bytes(), NOW), None, "{words}");
        }
    }

    #[test]
    fn other_words_say_how_long_to_wait_but_are_no_ban() {
        for words in [
            "Too many requests, retry after 60 seconds",
            "Rate limit exceeded. Please try again in 1 minute.",
            "retry after 1785142860000",
        ] {
            assert_eq!(
                wait_in_words(words.as_bytes(), NOW),
                Some(Duration::from_secs(60))
            );
            assert_eq!(banned_for(words.as_bytes(), NOW), None);
        }
        assert_eq!(wait_in_words(b"try again after a moment", NOW), None);
    }

    #[test]
    fn a_date_is_that_of_the_calendar() {
        for (text, time) in [
            ("1970-01-01 00:00:00", 0),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000),
            ("2025-01-01T00:00:00Z", 1_735_689_600_000),
        ] {
            assert_eq!(iso_8601(text), Some(time), "{text}");
        }
    }
}
