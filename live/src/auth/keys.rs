//! Checks tokens.

use crate::auth::key_source::KeySource;
use crate::error::Failure;
use crate::options::{ClaimOptions, KeyOptions};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::warn;
use uuid::Uuid;

/// How far the clock of an identity provider may differ from this machine's.
pub const LEEWAY: Duration = Duration::from_secs(30);
/// The one error after which another key may still fit.
const BAD_SIGNATURE: &str = "the signature of the token is not valid";

/// A subscriber whose token was good.
#[derive(Clone, Debug)]
pub struct Subscriber {
    /// `sub` of the token.
    pub user_id: Uuid,
    /// The token's payload, for `request.jwt.claims`.
    pub claims: String,
    /// When the token expires, with the leeway added.
    pub expires: SystemTime,
}

/// Somebody whose token was good and names a role of the database. Whether it is that of an
/// operator is for the database to say.
#[derive(Clone, Debug)]
pub struct Claimant {
    /// `role` of the token.
    pub role: String,
    /// The token's payload, for `request.jwt.claims`.
    pub claims: String,
}

/// What tokens are checked with.
pub struct Keys {
    keys: Vec<Key>,
    issuer: Option<String>,
    audience: Option<String>,
    role: String,
}

struct Key {
    id: Option<String>,
    key: DecodingKey,
    algorithm: Algorithm,
}

impl Keys {
    /// Reads the keys that the options name.
    ///
    /// # Errors
    /// When they cannot be read, or none of them can check a signature.
    pub fn read(keys: &KeyOptions, claims: &ClaimOptions) -> Result<Self, Failure> {
        let source = KeySource::read(keys)?;
        if matches!(source, KeySource::KeySet(_)) && claims.audience.is_none() {
            warn!(
                "--jwt-audience is not given: tokens that were issued for other services of the same provider are accepted as well"
            );
        }
        Self::new(&source, claims)
    }

    /// A token may claim no role but that of `claims`.
    pub(super) fn new(source: &KeySource, claims: &ClaimOptions) -> Result<Self, Failure> {
        let keys = match source {
            KeySource::Secret(secret) => vec![Key {
                id: None,
                key: DecodingKey::from_secret(secret),
                algorithm: Algorithm::HS256,
            }],
            KeySource::KeySet(text) => {
                let invalid = |why| Failure::Other(format!("not a JSON Web Key Set: {why}"));
                // The parser would also take an array for an object.
                if !text.trim_start().starts_with('{') {
                    return Err(invalid("it is not an object".to_owned()));
                }
                let set: JwkSet =
                    serde_json::from_str(text).map_err(|error| invalid(error.to_string()))?;
                set.keys.iter().filter_map(Key::from_jwk).collect()
            }
        };
        if keys.is_empty() {
            return Err(Failure::Other(
                "the key set has no public key that signatures can be checked with".to_owned(),
            ));
        }
        Ok(Self {
            keys,
            issuer: claims.issuer.clone(),
            audience: claims.audience.clone(),
            role: claims.role.clone(),
        })
    }

    /// Checks a token.
    ///
    /// # Errors
    /// Why it is not accepted, in words for the client.
    pub fn check(&self, token: &str) -> Result<Subscriber, String> {
        let claims = self.verified(token)?;
        let role = claims.get("role");
        if role.is_some_and(|role| role != self.role.as_str()) {
            return Err(format!("the token is not for role {}", self.role));
        }
        let user_id = claims.get("sub").and_then(Value::as_str);
        // Of the forms that the parser takes, the database reads only this one in every place.
        let user_id = user_id.filter(|sub| sub.len() == 36);
        let user_id = user_id.and_then(|sub| Uuid::try_parse(sub).ok());
        let expires = claims.get("exp").and_then(Value::as_f64).unwrap_or(0.0);
        Ok(Subscriber {
            user_id: user_id.ok_or("sub of the token is not a UUID")?,
            // The upper limit is in the year 9892: later ones would overflow.
            expires: UNIX_EPOCH + Duration::from_secs_f64(expires.clamp(0.0, 2.5e11)) + LEEWAY,
            claims: Value::Object(claims).to_string(),
        })
    }

    /// Checks a token of whatever role.
    ///
    /// # Errors
    /// Why it is not accepted, in words for the client.
    pub fn check_role(&self, token: &str) -> Result<Claimant, String> {
        let claims = self.verified(token)?;
        let role = claims.get("role").and_then(Value::as_str);
        Ok(Claimant {
            role: role.ok_or("the token names no role")?.to_owned(),
            claims: Value::Object(claims).to_string(),
        })
    }

    /// The claims of a token whose signature and times are good.
    fn verified(&self, token: &str) -> Result<Map<String, Value>, String> {
        let malformed = "the token is malformed, or signed by an unknown algorithm";
        // In base 64, JSON that begins with { begins with e. The parser would also take an array
        // for an object.
        let are_objects = token.split('.').take(2).all(|part| part.starts_with('e'));
        let header = jsonwebtoken::decode_header(token);
        let header = header.ok().filter(|_| are_objects).ok_or(malformed)?;
        if header.crit.is_some() {
            return Err("the token demands an unknown extension (crit)".to_owned());
        }
        let claims = self
            .candidates(header.kid.as_deref())
            .map(|key| self.claims(token, key))
            .reduce(|one, other| match &one {
                Err(why) if why == BAD_SIGNATURE => other,
                _ => one,
            });
        claims.ok_or("the token is signed with an unknown key")?
    }

    fn candidates<'a>(&'a self, id: Option<&'a str>) -> impl Iterator<Item = &'a Key> {
        self.keys
            .iter()
            .filter(move |key| id.is_none() || key.id.is_none() || key.id.as_deref() == id)
    }

    fn claims(&self, token: &str, key: &Key) -> Result<Map<String, Value>, String> {
        // The key decides on the algorithm, never the token.
        let mut rules = Validation::new(key.algorithm);
        rules.leeway = LEEWAY.as_secs();
        rules.validate_nbf = true;
        rules.set_required_spec_claims(&["exp", "sub"]);
        if let Some(issuer) = &self.issuer {
            rules.set_issuer(&[issuer]);
            rules.required_spec_claims.insert("iss".to_owned());
        }
        match &self.audience {
            Some(audience) => {
                rules.set_audience(&[audience]);
                rules.required_spec_claims.insert("aud".to_owned());
            }
            None => rules.validate_aud = false,
        }
        let decoded = jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &rules);
        match decoded {
            Ok(token) => Ok(token.claims),
            Err(error) => Err(match error.kind() {
                ErrorKind::ExpiredSignature => "the token has expired".to_owned(),
                ErrorKind::ImmatureSignature => "the token is not valid yet".to_owned(),
                ErrorKind::MissingRequiredClaim(claim) => format!("the token has no {claim}"),
                ErrorKind::InvalidIssuer => "the token is from another issuer".to_owned(),
                ErrorKind::InvalidAudience => "the token is for another audience".to_owned(),
                _ => BAD_SIGNATURE.to_owned(),
            }),
        }
    }
}

impl Key {
    /// `None` for a key that is not for signatures, of an unknown kind, or not public: a secret
    /// belongs in a file of its own, where its length is checked.
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
            return None;
        }
        let algorithm = match jwk.common.key_algorithm {
            Some(KeyAlgorithm::ES256) => Algorithm::ES256,
            Some(KeyAlgorithm::ES384) => Algorithm::ES384,
            Some(KeyAlgorithm::RS256) => Algorithm::RS256,
            Some(KeyAlgorithm::RS384) => Algorithm::RS384,
            Some(KeyAlgorithm::RS512) => Algorithm::RS512,
            Some(KeyAlgorithm::PS256) => Algorithm::PS256,
            Some(KeyAlgorithm::PS384) => Algorithm::PS384,
            Some(KeyAlgorithm::PS512) => Algorithm::PS512,
            Some(KeyAlgorithm::EdDSA) => Algorithm::EdDSA,
            Some(_) => return None,
            None => match &jwk.algorithm {
                AlgorithmParameters::RSA(_) => Algorithm::RS256,
                AlgorithmParameters::EllipticCurve(point) => match point.curve {
                    EllipticCurve::P256 => Algorithm::ES256,
                    EllipticCurve::P384 => Algorithm::ES384,
                    _ => return None,
                },
                AlgorithmParameters::OctetKeyPair(_) => Algorithm::EdDSA,
                _ => return None,
            },
        };
        let key = DecodingKey::from_jwk(jwk).ok()?;
        // A key that names an algorithm of another kind can check no signature.
        (key.family() == algorithm.family()).then(|| Self {
            id: jwk.common.key_id.clone(),
            key,
            algorithm,
        })
    }
}
