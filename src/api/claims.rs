//! Who a session says it is: the claims of a JWT, as PostgREST and Supabase leave them in a
//! setting. Verifying the token was their task.

use crate::postgres::process;
use pgrx::datum::Uuid;
use pgrx::prelude::*;
use serde::Deserialize;

/// In C and not in SQL, so that claims that are not JSON need no exception handler: that would
/// bar parallel plans from every policy.
#[pg_extern(sql = false)]
fn current_subscriber() -> Option<Uuid> {
    let claims = process::setting(c"request.jwt.claims")?;
    subject(&claims).map(Uuid::from_bytes)
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

/// The subject as the bytes of a UUID. `None` when the claims are not a JSON object, or have no
/// `sub` that is a UUID in its canonical form, which is 36 characters with hyphens.
pub fn subject(claims: &str) -> Option<[u8; 16]> {
    const CANONICAL: usize = uuid::fmt::Hyphenated::LENGTH;
    let claims: Claims = serde_json::from_str(claims).ok()?;
    if claims.sub.len() != CANONICAL {
        return None;
    }
    uuid::Uuid::try_parse(&claims.sub)
        .ok()
        .map(uuid::Uuid::into_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_subject_is_read_in_either_case() {
        let expected = Some([
            0x1b, 0x4e, 0x28, 0xba, 0x2f, 0xa1, 0x11, 0xd2, 0x88, 0x3f, 0x00, 0x16, 0xd3, 0xcc,
            0xa4, 0x27,
        ]);
        assert_eq!(
            subject(r#"{"sub":"1b4e28ba-2fa1-11d2-883f-0016d3cca427","role":"x"}"#),
            expected
        );
        assert_eq!(
            subject(r#"{"sub":"1B4E28BA-2FA1-11D2-883F-0016D3CCA427"}"#),
            expected
        );
    }

    #[test]
    fn anything_else_is_nobody() {
        for claims in [
            "",
            "null",
            "[]",
            "{}",
            "{\"sub\":1}",
            "{\"sub\":null}",
            "{\"sub\":\"anna\"}",
            "not json",
            r#"{"sub":"1b4e28ba-2fa1-11d2-883f-0016d3cca42"}"#,
            r#"{"sub":"1b4e28ba-2fa1-11d2-883f-0016d3cca42g"}"#,
            r#"{"sub":"1b4e28ba2fa1-11d2-883f-0016d3cca4277-"}"#,
        ] {
            assert_eq!(subject(claims), None, "{claims}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(sub in ".{0,40}", text in ".{0,60}") {
            let _ = subject(&text);
            let _ = subject(&serde_json::json!({ "sub": sub }).to_string());
        }
    }
}
