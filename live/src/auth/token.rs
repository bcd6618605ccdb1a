//! Makes tokens, as an identity provider would; for demos and tests.

use crate::auth::key_source::read_secret;
use crate::error::Failure;
use crate::options::TokenOrder;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// Makes a token.
///
/// # Errors
/// When the secret cannot be read, or signing fails.
pub fn issue(order: &TokenOrder) -> Result<String, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    let mut claims = json!({
        "sub": order.subscriber.to_string(),
        "role": order.claims.role,
        "iat": now,
        "exp": now + u64::from(order.hours) * 3600,
    });
    if let Some(issuer) = &order.claims.issuer {
        claims["iss"] = issuer.as_str().into();
    }
    if let Some(audience) = &order.claims.audience {
        claims["aud"] = audience.as_str().into();
    }
    let key = EncodingKey::from_secret(&read_secret(&order.jwt_secret_file)?);
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .map_err(|error| Failure::Other(format!("cannot sign: {error}")))
}
