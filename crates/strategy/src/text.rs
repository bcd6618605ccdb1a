//! Values as people read them.

use market::UnixMillis;
use rust_decimal::Decimal;

/// A number without needless zeros.
pub fn plain(number: Decimal) -> String {
    // A zero can carry a sign; nobody wants to see it.
    if number.is_zero() {
        return "0".to_owned();
    }
    number.normalize().to_string()
}

/// Milliseconds as seconds, one place: `12.3 s`.
pub fn seconds(ms: i64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

/// A length of time as a person says it: `90 seconds`, `6 minutes`, `3 hours`, `20 days`.
pub fn span(ms: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let seconds = ms / 1000;
    let (unit, name) = match seconds {
        ..100 => (1, "seconds"),
        100..7200 => (MINUTE, "minutes"),
        7200..172_800 => (HOUR, "hours"),
        _ => (DAY, "days"),
    };
    format!("{} {name}", (seconds + unit / 2) / unit)
}

/// A time as `2026-11-21 10:00:00 UTC`.
///
/// Days become dates as in H. Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`: eras of 400 years (146,097 days), years that begin in March.
pub fn utc(time: UnixMillis) -> String {
    let seconds = time.div_euclid(1000);
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let clock = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_calendar_dates() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(-1), "1969-12-31 23:59:59 UTC");
        assert_eq!(utc(951_827_696_789), "2000-02-29 12:34:56 UTC");
        assert_eq!(utc(1_678_458_874_536), "2023-03-10 14:34:34 UTC");
        assert_eq!(utc(1_796_083_199_999), "2026-11-30 23:59:59 UTC");
    }

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        let told = |seconds: i64| span(seconds * 1000);
        assert_eq!(told(61), "61 seconds");
        assert_eq!(told(119), "2 minutes");
        assert_eq!(told(360), "6 minutes");
        assert_eq!(told(3 * 3600), "3 hours");
        assert_eq!(told(20 * 86_400), "20 days");
        span(i64::MAX);
    }

    #[test]
    fn no_time_panics() {
        utc(i64::MIN);
        utc(i64::MAX);
    }

    #[test]
    fn numbers_lose_needless_zeros_only() {
        assert_eq!(plain(Decimal::new(-8_163_000, 6)), "-8.163");
        assert_eq!(plain(Decimal::new(100, 0)), "100");
        assert_eq!(plain(-Decimal::new(0, 3)), "0");
        assert_eq!(seconds(12_345), "12.3 s");
        assert_eq!(seconds(-500), "-0.5 s");
    }
}
