//! Times as some exchanges write them (ISO 8601).

use crate::UnixMillis;

/// A time such as `2026-11-21T10:00:00.123Z`.
pub(super) fn iso(time: UnixMillis) -> String {
    let (days, rest) = (time.div_euclid(86_400_000), time.rem_euclid(86_400_000));
    let (year, month, day) = crate::response::civil(days);
    let (seconds, milliseconds) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

/// A time in this form, without the milliseconds or with them, or in seconds since 1970.
pub(super) fn parse(text: &str) -> Option<UnixMillis> {
    if let Ok(seconds @ 0..=9_999_999_999) = text.parse::<i64>() {
        return Some(seconds * 1_000);
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = text.split_once('T')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let milliseconds: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(seconds * 1_000 + milliseconds)
}

fn numbers(text: &str, between: char) -> Option<[i64; 3]> {
    let parts: Option<Vec<i64>> = text.split(between).map(|part| part.parse().ok()).collect();
    parts?.try_into().ok()
}

/// Days since 1970 of a date (Howard Hinnant: chrono-compatible low-level date algorithms,
/// days_from_civil).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[test]
fn a_time_is_read_as_it_was_written() {
    for time in [0, 951_782_400_000, 1_795_255_200_123, 1_709_164_800_007] {
        assert_eq!(parse(&iso(time)), Some(time));
    }
    assert_eq!(iso(1_795_255_200_123), "2026-11-21T10:00:00.123Z");
    assert_eq!(parse("2026-11-21T10:00:00Z"), Some(1_795_255_200_000));
    assert_eq!(parse("1795255200"), Some(1_795_255_200_000));
    assert_eq!(parse("yesterday"), None);
}
