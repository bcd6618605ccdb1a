//! How an age at which rows are purged is written.

use std::time::Duration;

pub const MINUTE: Duration = Duration::from_secs(60);
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Longer ones reach back to dates that PostgreSQL cannot subtract from.
const LONGEST: Duration = DAY.saturating_mul(36_500);

/// An age with its unit, of `least` at least; `None` for 0, which is never.
pub fn parse_retention(value: &str, least: Duration) -> Result<Option<Duration>, String> {
    let value = value.trim();
    let end = value
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(value.len());
    let (number, unit) = value.split_at(end);
    let number: f64 = number
        .parse()
        .map_err(|_| "it does not begin with a number".to_owned())?;
    let unit = match unit.trim() {
        "" if number == 0.0 => return Ok(None),
        "" => return Err("it has no unit".to_owned()),
        "ms" => Duration::from_millis(1),
        "s" => Duration::from_secs(1),
        "min" => MINUTE,
        "h" => 60 * MINUTE,
        "d" | "day" | "days" => DAY,
        _ => return Err("its unit is none of ms, s, min, h and d".to_owned()),
    };
    let seconds = number * unit.as_secs_f64();
    // In whole minutes, as in releases before 0.3.0, and never fewer than it says.
    let minutes = (seconds / MINUTE.as_secs_f64()).ceil();
    let age = Duration::from_secs_f64((minutes * MINUTE.as_secs_f64()).min(f64::from(u32::MAX)));
    if number == 0.0 {
        Ok(None)
    } else if seconds < least.as_secs_f64() {
        Err(match least == DAY {
            true => "it is less than a day".to_owned(),
            false => "it is less than a minute".to_owned(),
        })
    } else if age > LONGEST {
        Err("it is more than 36500d".to_owned())
    } else {
        Ok(Some(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_number_with_its_unit() {
        for (value, age) in [
            ("90d", Some(90 * DAY)),
            (" 1.5 d ", Some(36 * 60 * MINUTE)),
            ("129600min", Some(90 * DAY)),
            ("7776000s", Some(90 * DAY)),
            ("7776000001ms", Some(90 * DAY + MINUTE)),
            ("24h", Some(DAY)),
            ("3650 days", Some(3650 * DAY)),
            ("0", None),
            ("0d", None),
        ] {
            assert_eq!(parse_retention(value, DAY), Ok(age), "{value}");
        }
        assert_eq!(parse_retention("1min", MINUTE), Ok(Some(MINUTE)));
    }

    #[test]
    fn anything_else_is_no_retention() {
        for value in [
            "",
            "90",
            "129600",
            "90 minutes",
            "1mon",
            "-90d",
            "90D",
            "23h",
            "1439min",
            "86399s",
            "never",
            "d",
            "1e9d",
            "36501d",
            "1d 1h",
            "inf d",
            "NaNd",
            "0x5Ad",
            "..d",
        ] {
            assert!(parse_retention(value, DAY).is_err(), "{value}");
        }
        assert!(parse_retention("59s", MINUTE).is_err());
    }
}
