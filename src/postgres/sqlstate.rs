//! SQLSTATEs: five characters, which PostgreSQL keeps in a number.

use pgrx::prelude::*;

/// The classes that PostgreSQL's own errors are in.
const CLASSES: [&str; 43] = [
    "00", "01", "02", "03", "08", "09", "0A", "0B", "0F", "0L", "0P", "0Z", "10", "20", "21", "22",
    "23", "24", "25", "26", "27", "28", "2B", "2D", "2F", "34", "38", "39", "3B", "3D", "3F", "40",
    "42", "44", "53", "54", "55", "57", "58", "72", "F0", "HV", "XX",
];

/// Five characters in PostgreSQL's packing, six bits each.
pub fn pack(sqlstate: &str) -> i32 {
    sqlstate.bytes().rev().fold(0i32, |code, c| {
        (code << 6) | i32::from(c.wrapping_sub(b'0') & 0x3f)
    })
}

/// The inverse of [`pack`].
pub fn unpack(code: i32) -> String {
    (0..5)
        .map(|i| char::from(((code >> (6 * i)) & 0x3f) as u8 + b'0'))
        .collect()
}

/// Whether somebody's function raised it by RAISE: it is of PL/pgSQL's class, or of one that
/// PostgreSQL has no errors in.
pub fn is_raised_by_a_function(sqlstate: &str) -> bool {
    !CLASSES.iter().any(|class| sqlstate.starts_with(class))
}

/// Whether pgrx, which takes a code that it does not know for an internal error, knows it.
pub fn is_known_to_pgrx(code: i32) -> bool {
    let internal = PgSqlErrorCode::ERRCODE_INTERNAL_ERROR;
    code == internal as i32 || PgSqlErrorCode::from(code) != internal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_survive_packing() {
        for state in ["08006", "08P01", "22023", "57014", "XX000", "PT402"] {
            assert_eq!(unpack(pack(state)), state);
        }
    }

    #[test]
    fn those_that_only_a_function_raises_are_told_from_postgresqls_own() {
        for state in ["P0001", "P0002", "PT402", "ZZ001", "99999"] {
            assert!(is_raised_by_a_function(state), "{state}");
        }
        for state in ["23505", "42P01", "XX000", "57014"] {
            assert!(!is_raised_by_a_function(state), "{state}");
        }
        assert!(is_known_to_pgrx(pack("P0002")) && is_known_to_pgrx(pack("XX000")));
        assert!(!is_known_to_pgrx(pack("PT402")));
    }
}
