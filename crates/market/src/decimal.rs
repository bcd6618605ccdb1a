//! Exact decimals from JSON text, never by way of binary fractions.

use rust_decimal::Decimal;

const NO_NUMBER: &str = "is not a number";
const TOO_MANY_DIGITS: &str = "has too many digits";

/// Reads a decimal number such as `-8.163`, `0.00000012` or `5.8E-7` exactly.
///
/// The grammar is JSON's, whose numbers have no plus sign, no separators, no NaN and no infinity.
///
/// # Errors
/// Says why when the text is not a number, or has more digits than [`Decimal`] holds (28 places
/// after the point, 96 bits in all): rounding a price silently is worse than losing a row.
pub fn parse(text: &str) -> Result<Decimal, &'static str> {
    if is_plain(text) {
        return exact(text);
    }
    match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) if is_plain(mantissa) => {
            let exponent = read_exponent(exponent)?;
            shift(exact(mantissa)?, exponent).ok_or(TOO_MANY_DIGITS)
        }
        _ => Err(NO_NUMBER),
    }
}

/// Reads a whole number that is zero or more, such as a count or a time. Some exchanges write one
/// as `1000.0`.
pub fn whole(text: &str) -> Option<i64> {
    let number = match text.parse() {
        Ok(number) => number,
        Err(_) => {
            let number = parse(text).ok().filter(|number| number.fract().is_zero())?;
            i64::try_from(number.mantissa() / 10_i128.checked_pow(number.scale())?).ok()?
        }
    };
    (number >= 0).then_some(number)
}

fn exact(plain: &str) -> Result<Decimal, &'static str> {
    Decimal::from_str_exact(plain).map_err(|_| TOO_MANY_DIGITS)
}

/// Digits with at most one point between them, and perhaps a minus sign before.
fn is_plain(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let (mut others, mut points) = (0, 0);
    for byte in unsigned {
        points += usize::from(*byte == b'.');
        others += usize::from(!byte.is_ascii_digit());
    }
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    others == points && points <= 1 && is_digit(unsigned.first()) && is_digit(unsigned.last())
}

fn read_exponent(text: &str) -> Result<i64, &'static str> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NO_NUMBER);
    }
    text.parse().map_err(|_| TOO_MANY_DIGITS)
}

/// `number` x 10^`exponent`, or `None` when the result is not exactly representable.
fn shift(number: Decimal, exponent: i64) -> Option<Decimal> {
    if number.is_zero() || exponent == 0 {
        return Some(number);
    }
    // Fewer digits before the shift leave more room after it.
    let mut number = number.normalize();
    let scale = i64::from(number.scale()).checked_sub(exponent)?;
    if scale >= 0 {
        number.set_scale(u32::try_from(scale).ok()?).ok()?;
        return Some(number);
    }
    let power = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
    Decimal::try_from_i128_with_scale(number.mantissa().checked_mul(power)?, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prices_of_any_size_stay_exact() {
        for text in [
            "69624.01000000",
            "0.00000012",
            "-8.163",
            "284227394804.05000000",
            "0",
            "-0.5",
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        assert_eq!(parse("5.8E-7").unwrap().to_string(), "0.00000058");
        assert_eq!(parse("1.25e+3").unwrap().to_string(), "1250");
        assert_eq!(parse("0e999").unwrap(), Decimal::ZERO);
    }

    #[test]
    fn what_is_no_number_or_does_not_fit_is_refused() {
        for text in [
            "", "-", ".", "1.", ".5", "+1", "1_000", "1,5", " 1", "NaN", "nan", "inf", "0x10",
            "1e", "1e1.5", "--1", "1.2.3",
        ] {
            assert_eq!(parse(text), Err("is not a number"), "{text:?}");
        }
        for text in [
            "99999999999999999999999999999999",
            "0.00000000000000000000000000000001",
            "1e99999999999999999999",
            "1e40",
            "1e-40",
        ] {
            assert_eq!(parse(text), Err("has too many digits"), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_decimal_survives_its_text(mantissa in any::<i64>(), scale in 0u32..=28) {
            let number = Decimal::new(mantissa, scale);
            prop_assert_eq!(parse(&number.to_string()).unwrap().to_string(), number.to_string());
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.eE_]{0,40}|.{0,20}") {
            let _ = parse(&text);
        }
    }
}
