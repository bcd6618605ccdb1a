//! Values of type numeric as exact decimals, without a way through text where they are read by the
//! million.

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::{AnyNumeric, Datum};
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;
use rust_decimal::Decimal;
use std::ffi::CString;

/// Why a numeric is no [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// NaN or an infinity.
    NotANumber,
    /// More than 28 digits.
    OutOfRange,
}

// The form of a numeric, after src/backend/utils/adt/numeric.c: a header of two bytes in the short
// form, which has the weight in its last seven bits, and of four in the long form, which has it in
// the two bytes that follow; then digits to the base of 10,000, two bytes each. The weight is the
// power of 10,000 of the first digit.
const SIGN_MASK: u16 = 0xc000;
const NEGATIVE: u16 = 0x4000;
const SHORT: u16 = 0x8000;
const SPECIAL: u16 = 0xc000;
const SHORT_NEGATIVE: u16 = 0x2000;
const SHORT_WEIGHT: u16 = 0x007f;
const SHORT_WEIGHT_SIGN: u16 = 0x0040;
const BASE: u64 = 10_000;

/// Reads the bytes of a numeric behind its length.
///
/// # Errors
/// When it is not a number, or has more digits than a [`Decimal`] holds.
pub fn parse(bytes: &[u8]) -> Result<Decimal, Unusable> {
    let word = |at: usize| {
        let pair = bytes.get(at..at + 2)?;
        Some(u16::from_ne_bytes([pair[0], pair[1]]))
    };
    let header = word(0).ok_or(Unusable::NotANumber)?;
    let (is_negative, weight, digits) = match header & SIGN_MASK {
        SPECIAL => return Err(Unusable::NotANumber),
        SHORT => {
            let magnitude = header & SHORT_WEIGHT;
            let weight = match header & SHORT_WEIGHT_SIGN {
                0 => magnitude,
                _ => magnitude | !SHORT_WEIGHT,
            };
            (header & SHORT_NEGATIVE != 0, weight as i16, 2)
        }
        sign => {
            let weight = word(2).ok_or(Unusable::NotANumber)?;
            (sign == NEGATIVE, weight as i16, 4)
        }
    };
    let digits = bytes.get(digits..).unwrap_or_default();
    let magnitude = from_digits(digits, weight).ok_or(Unusable::OutOfRange)?;
    Ok(if is_negative { -magnitude } else { magnitude })
}

/// The number of these digits; `None` when it has too many.
fn from_digits(digits: &[u8], weight: i16) -> Option<Decimal> {
    let values = || {
        let pairs = digits.chunks_exact(2);
        pairs.map(|pair| u16::from_ne_bytes([pair[0], pair[1]]))
    };
    let count = i32::try_from(digits.len() / 2).ok()?;
    let places = 4 * (count - 1 - i32::from(weight));
    // Nearly all: 16 digits and less.
    if count <= 4 {
        let mantissa = values().fold(0, |sum: u64, digit| sum * BASE + u64::from(digit));
        return of_few_digits(mantissa, places);
    }
    let mut mantissa: u128 = 0;
    for digit in values() {
        mantissa = mantissa.checked_mul(BASE.into())?;
        mantissa = mantissa.checked_add(digit.into())?;
    }
    scaled(mantissa, places)
}

/// `mantissa` / 10^`places`, with no more zeros at its end than it needs.
fn of_few_digits(mut mantissa: u64, mut places: i32) -> Option<Decimal> {
    if mantissa == 0 {
        return Some(Decimal::ZERO);
    }
    // The last digit is of four places, whether they are used or not.
    while places > 0 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
        places -= 1;
    }
    if !(0..=28).contains(&places) {
        return scaled(mantissa.into(), places);
    }
    let (low, middle) = (mantissa as u32, (mantissa >> 32) as u32);
    Some(Decimal::from_parts(low, middle, 0, false, places as u32))
}

/// `mantissa` / 10^`places`, where these are many.
fn scaled(mut mantissa: u128, mut places: i32) -> Option<Decimal> {
    while places > 0 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
        places -= 1;
    }
    if places < 0 {
        let power = 10_u128.checked_pow(places.unsigned_abs())?;
        mantissa = mantissa.checked_mul(power)?;
        places = 0;
    }
    let mantissa = i128::try_from(mantissa).ok()?;
    Decimal::try_from_i128_with_scale(mantissa, places.unsigned_abs()).ok()
}

/// A decimal on its way into a column of type numeric.
pub struct Number(pub Decimal);

impl IntoDatum for Number {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        // Digits, a point and a sign, without a zero byte.
        let text = CString::new(self.0.to_string()).ok()?;
        // SAFETY: a function of PostgreSQL, with the three arguments it has.
        unsafe {
            pgrx::direct_function_call_as_datum(
                pg_sys::numeric_in,
                &[
                    Some(text.as_ptr().into()),
                    Some(pg_sys::InvalidOid.into()),
                    Some(pg_sys::Datum::from(-1_i32)),
                ],
            )
        }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::NUMERICOID
    }
}

// SAFETY: returns what `into_datum` makes, or null.
unsafe impl BoxRet for Number {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: a datum of the function's type.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}

// SAFETY: in SQL it is what an AnyNumeric is.
unsafe impl SqlTranslatable for Number {
    const TYPE_IDENT: &'static str = <AnyNumeric as SqlTranslatable>::TYPE_IDENT;
    const TYPE_ORIGIN: TypeOrigin = <AnyNumeric as SqlTranslatable>::TYPE_ORIGIN;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        <AnyNumeric as SqlTranslatable>::ARGUMENT_SQL;
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        <AnyNumeric as SqlTranslatable>::RETURN_SQL;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes of a numeric of the short form, as PostgreSQL stores them.
    fn short(is_negative: bool, places: u16, weight: i16, digits: &[u16]) -> Vec<u8> {
        let sign = if is_negative { SHORT_NEGATIVE } else { 0 };
        let header = SHORT | sign | places << 7 | weight as u16 & SHORT_WEIGHT;
        let words = [header].into_iter().chain(digits.iter().copied());
        words.flat_map(u16::to_ne_bytes).collect()
    }

    fn long(sign: u16, weight: i16, digits: &[u16]) -> Vec<u8> {
        let words = [sign | 2, weight as u16].into_iter();
        let words = words.chain(digits.iter().copied());
        words.flat_map(u16::to_ne_bytes).collect()
    }

    fn text(bytes: &[u8]) -> Result<String, Unusable> {
        parse(bytes).map(|number| number.to_string())
    }

    #[test]
    fn numbers_of_every_size_are_read_exactly() {
        for (bytes, expected) in [
            (short(false, 2, 1, &[1, 9900, 1500]), "19900.15"),
            (short(false, 8, -2, &[12]), "0.00000012"),
            (short(true, 3, 0, &[8, 1630]), "-8.163"),
            (short(false, 0, 2, &[1]), "100000000"),
            (short(false, 5, 0, &[]), "0"),
            (long(0, 0, &[12, 3400]), "12.34"),
            (long(NEGATIVE, -1, &[5000]), "-0.5"),
        ] {
            assert_eq!(text(&bytes).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_number_or_does_not_fit_is_told() {
        for special in [0xc000_u16, 0xd000, 0xf000] {
            assert_eq!(text(&special.to_ne_bytes()), Err(Unusable::NotANumber));
        }
        for (weight, digits) in [(100, vec![1]), (-20, vec![1]), (7, vec![9999; 10])] {
            let bytes = long(0, weight, &digits);
            assert_eq!(text(&bytes), Err(Unusable::OutOfRange), "{weight}");
        }
        assert_eq!(text(&[]), Err(Unusable::NotANumber));
    }
}
