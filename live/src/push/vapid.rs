//! How the service identifies itself to push services: RFC 8292.

use crate::error::Failure;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a token is good; at most 24 hours are allowed.
const GOOD_FOR: Duration = Duration::from_secs(12 * 3600);
/// How long it is used.
const USED_FOR: Duration = Duration::from_secs(3600);
/// Tokens kept, one per origin.
const MOST_TOKENS: usize = 100;

/// The key of the service, and the tokens that it signed.
pub struct Vapid {
    key: EncodingKey,
    public: String,
    contact: String,
    tokens: Mutex<HashMap<String, (Instant, String)>>,
}

impl Vapid {
    /// Reads the key: PKCS #8 in PEM, as `vapid-key` and `openssl genpkey` write it. `contact` is
    /// a URL by which a push service reaches the operator.
    ///
    /// # Errors
    /// When it cannot be read, or is no key of P-256.
    pub fn read(file: &Path, contact: &str) -> Result<Self, Failure> {
        let text = fs::read(file)
            .map_err(|error| Failure::Other(format!("cannot read {}: {error}", file.display())))?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(&text).ok();
        key.and_then(|key| Self::new(key.secret_pkcs8_der(), contact))
            .ok_or_else(|| {
                Failure::refused(
                    format!("{} has no private key of the curve P-256", file.display()),
                    "Make one by: signal_hub_live vapid-key",
                )
            })
    }

    fn new(der: &[u8], contact: &str) -> Option<Self> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).ok()?;
        Some(Self {
            key: EncodingKey::from_ec_der(der),
            public: BASE64_URL_SAFE_NO_PAD.encode(pair.public_key()),
            contact: contact.to_owned(),
            tokens: Mutex::default(),
        })
    }

    /// The public key in base64url, for browsers.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The header `Authorization` of a request to an origin.
    ///
    /// # Errors
    /// When signing fails.
    pub fn authorization(&self, origin: &str) -> Result<String, jsonwebtoken::errors::Error> {
        // No code that holds the lock panics half way.
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, header)) = tokens.get(origin)
            && made.elapsed() < USED_FOR
        {
            return Ok(header.clone());
        }
        if tokens.len() >= MOST_TOKENS {
            tokens.clear();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let claims = json!({
            "aud": origin,
            "exp": (now.unwrap_or_default() + GOOD_FOR).as_secs(),
            "sub": self.contact,
        });
        let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &self.key)?;
        let header = format!("vapid t={token}, k={}", self.public);
        tokens.insert(origin.to_owned(), (Instant::now(), header.clone()));
        Ok(header)
    }
}

/// A new key, in PEM.
///
/// # Errors
/// When the system has no random numbers.
pub fn generate() -> Result<String, Failure> {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let key = key.map_err(|_| Failure::Other("the system has no random numbers".to_owned()))?;
    let text = BASE64_STANDARD.encode(key.as_ref());
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----");
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::crypto;
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    fn key(pem: &str) -> Option<Vapid> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).ok()?;
        Vapid::new(key.secret_pkcs8_der(), "mailto:operator@example.org")
    }

    #[test]
    fn a_push_service_can_check_who_sends() {
        crypto::install();
        let vapid = key(&generate().expect("random numbers")).expect("a key");
        let header = vapid.authorization("https://push.example").expect("signed");
        assert_eq!(
            header,
            vapid.authorization("https://push.example").expect("kept")
        );
        let (token, public) = header
            .strip_prefix("vapid t=")
            .and_then(|rest| rest.split_once(", k="))
            .expect("two parts");
        assert_eq!(public, vapid.public());
        let public = BASE64_URL_SAFE_NO_PAD.decode(public).expect("base64url");
        assert_eq!((public.len(), public[0]), (65, 4));
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&["https://push.example"]);
        let claims =
            jsonwebtoken::decode::<Value>(token, &DecodingKey::from_ec_der(&public), &rules);
        let claims = claims.expect("signed by this key").claims;
        assert_eq!(claims["sub"], "mailto:operator@example.org");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let left = claims["exp"].as_u64().expect("a number") - now.as_secs();
        assert!((11 * 3600..=24 * 3600).contains(&left), "{left}");
        let other = vapid
            .authorization("https://other.example")
            .expect("signed");
        assert_ne!(other, header);
    }

    #[test]
    fn only_private_keys_of_p256_are_taken() {
        let good = generate().expect("random numbers");
        assert!(key(&good).is_some());
        assert!(key(&good.replace("PRIVATE", "PUBLIC")).is_none());
        assert!(key(&good[..good.len() / 2]).is_none());
        assert!(key("").is_none());
    }
}
