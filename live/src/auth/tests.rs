use super::key_source::KeySource;
use super::keys::LEEWAY;
use super::*;
use crate::options::ClaimOptions;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

fn keys(audience: Option<&str>) -> Keys {
    crypto::install();
    let source = KeySource::Secret(SECRET.to_vec());
    Keys::new(&source, &claims(audience)).expect("good")
}

/// What tokens must claim.
fn claims(audience: Option<&str>) -> ClaimOptions {
    ClaimOptions {
        role: "authenticated".to_owned(),
        issuer: None,
        audience: audience.map(str::to_owned),
    }
}

fn keys_of(set: &str) -> Result<Keys, crate::error::Failure> {
    Keys::new(&KeySource::KeySet(set.to_owned()), &claims(None))
}

fn user() -> Uuid {
    Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0002)
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("after 1970").as_secs()
}

fn signed(claims: &Value) -> String {
    crypto::install();
    let header = Header::new(Algorithm::HS256);
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(SECRET)).expect("signed")
}

fn good() -> Value {
    json!({"sub": user().to_string(), "exp": now() + 60})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

/// Base 64 for URLs, without padding.
fn encode(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        for place in 0..=chunk.len() {
            let index = (group >> (18 - 6 * place)) as usize & 63;
            text.push(char::from(alphabet[index]));
        }
    }
    text
}

#[test]
fn a_token_names_its_subscriber_and_its_end() {
    let subscriber = keys(None).check(&signed(&good())).expect("good");
    assert_eq!(subscriber.user_id, user());
    let left = subscriber.expires.duration_since(SystemTime::now());
    assert!(left.expect("ahead") <= Duration::from_secs(60) + LEEWAY);
    let claims: Value = serde_json::from_str(&subscriber.claims).expect("JSON");
    assert_eq!(claims["sub"], user().to_string());
    for good in [
        with("role", "authenticated".into()),
        with("aud", "anything".into()),
    ] {
        keys(None).check(&signed(&good)).expect("good");
    }
}

#[test]
fn the_error_names_what_is_wrong_with_a_token() {
    let no_expiry = json!({"sub": user().to_string()});
    for (claims, why) in [
        (with("exp", (now() - 60).into()), "the token has expired"),
        (with("exp", "tomorrow".into()), "the token has no exp"),
        (no_expiry, "the token has no exp"),
        (
            with("nbf", (now() + 90).into()),
            "the token is not valid yet",
        ),
        (with("sub", "me".into()), "sub of the token is not a UUID"),
        (
            with("sub", user().urn().to_string().into()),
            "sub of the token is not a UUID",
        ),
        (with("sub", 7.into()), "the token has no sub"),
        (
            with("role", "service_role".into()),
            "the token is not for role authenticated",
        ),
        (
            with("role", 1.into()),
            "the token is not for role authenticated",
        ),
    ] {
        assert_eq!(keys(None).check(&signed(&claims)).expect_err("bad"), why);
    }
    let elsewhere = signed(&with("aud", "elsewhere".into()));
    let error = keys(Some("here")).check(&elsewhere).expect_err("bad");
    assert_eq!(error, "the token is for another audience");
    let error = keys(Some("here")).check(&signed(&good())).expect_err("bad");
    assert_eq!(error, "the token has no aud");
}

#[test]
fn a_signature_that_is_not_ours_is_refused() {
    let token = signed(&good());
    let (body, signature) = token.rsplit_once('.').expect("three parts");
    let (header, claims) = body.split_once('.').expect("three parts");
    // {"alg":"none"}
    let none = "eyJhbGciOiJub25lIn0";
    let others = EncodingKey::from_secret(b"another secret of some thirty-two bytes");
    let forged = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &good(), &others);
    for bad in [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!(
            "{header}.{claims}.{}",
            signature.replace(&signature[..4], "AAAA")
        ),
        forged.expect("signed"),
        String::new(),
        "a.b.c".to_owned(),
        body.to_owned(),
    ] {
        assert!(keys(None).check(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_key_set_checks_with_the_key_that_a_token_names() {
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    crypto::install();
    let random = ring::rand::SystemRandom::new();
    let new = || {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let document = document.expect("a key");
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random)
            .expect("a key")
    };
    let (ours, others) = (new(), new());
    let jwk = |id: &str, pair: &EcdsaKeyPair| {
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "x": encode(x), "y": encode(y)})
    };
    let signed_by = |pair: &EcdsaKeyPair, header: Value, claims: Value| {
        let body = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let signature = pair.sign(&random, body.as_bytes()).expect("signed");
        format!("{body}.{}", encode(signature.as_ref()))
    };
    let token = |id: &str, pair| signed_by(pair, json!({"alg": "ES256", "kid": id}), good());
    let set = json!({"keys": [jwk("a", &ours), jwk("b", &others), {"kty": "new", "kid": "c"}]});
    let keys = keys_of(&set.to_string()).expect("good");
    assert_eq!(
        keys.check(&token("a", &ours)).expect("good").user_id,
        user()
    );
    keys.check(&token("b", &others)).expect("good");
    assert!(keys.check(&token("b", &ours)).is_err());
    let error = keys.check(&token("d", &ours)).expect_err("bad");
    assert_eq!(error, "the token is signed with an unknown key");
    // Without a key id all keys are tried, and the one that fits names the error.
    let unnamed = |claims| signed_by(&ours, json!({"alg": "ES256"}), claims);
    keys.check(&unnamed(good())).expect("good");
    let late = unnamed(with("exp", (now() - 60).into()));
    assert_eq!(keys.check(&late).expect_err("bad"), "the token has expired");
    // A public key must not pass as the secret of HS256.
    let public = EncodingKey::from_secret(ours.public_key().as_ref());
    let confused = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &good(), &public);
    assert!(keys.check(&confused.expect("signed")).is_err());
    assert!(keys_of("{}").is_err());
    assert!(keys_of(r#"{"keys":[]}"#).is_err());
}

#[test]
fn a_secret_in_a_key_set_is_not_taken_as_a_key() {
    crypto::install();
    let short = json!({"kty": "oct", "k": "QQ", "kid": "z"});
    for algorithm in [Value::Null, "HS256".into(), "HS512".into()] {
        let mut key = short.clone();
        if !algorithm.is_null() {
            key["alg"] = algorithm;
        }
        let set = json!({"keys": [key]}).to_string();
        let refused = keys_of(&set).err();
        let refused = refused.expect("no key is left").to_string();
        assert!(refused.contains("no public key"), "{refused}");
    }
}

#[test]
fn a_token_that_demands_an_unknown_extension_is_refused() {
    use ring::hmac;
    let header = json!({"alg": "HS256", "crit": ["b64"], "b64": true}).to_string();
    let body = format!(
        "{}.{}",
        encode(header.as_bytes()),
        encode(good().to_string().as_bytes())
    );
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), body.as_bytes());
    let token = format!("{body}.{}", encode(signature.as_ref()));
    let error = keys(None).check(&token).expect_err("bad");
    assert_eq!(error, "the token demands an unknown extension (crit)");
}

#[test]
fn with_an_issuer_tokens_must_be_from_it() {
    crypto::install();
    let source = KeySource::Secret(SECRET.to_vec());
    let mut claims = claims(None);
    claims.issuer = Some("https://issuer.example".to_owned());
    let keys = Keys::new(&source, &claims).expect("good");
    let from = |issuer: &str| signed(&with("iss", issuer.into()));
    keys.check(&from("https://issuer.example")).expect("good");
    let error = keys
        .check(&from("https://another.example"))
        .expect_err("bad");
    assert_eq!(error, "the token is from another issuer");
    let error = keys.check(&signed(&good())).expect_err("bad");
    assert_eq!(error, "the token has no iss");
}

#[test]
fn an_array_is_not_taken_for_an_object() {
    crypto::install();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET);
    let token = |header: &Value, claims: &Value| {
        let parts = [header, claims].map(|part| encode(part.to_string().as_bytes()));
        let body = parts.join(".");
        let signature = ring::hmac::sign(&key, body.as_bytes());
        format!("{body}.{}", encode(signature.as_ref()))
    };
    let header = json!({"alg": "HS256"});
    keys(None).check(&token(&header, &good())).expect("good");
    for (header, claims) in [
        (&json!(["JWT", "HS256"]), &good()),
        (&header, &json!([user().to_string(), now() + 60])),
    ] {
        assert!(keys(None).check(&token(header, claims)).is_err());
    }
    assert!(keys_of(r#"[[{"kty": "RSA", "n": "AQ", "e": "AQAB"}]]"#).is_err());
}

#[test]
fn a_set_without_any_key_that_can_check_a_signature_is_refused() {
    let secret = json!({"kty": "oct", "k": "AAAA"});
    let mismatched = json!({"kty": "oct", "alg": "RS256", "k": "AAAA"});
    let other_kind = json!({"kty": "RSA", "alg": "ES256", "n": "AQAB", "e": "AQAB"});
    let unknown = json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AAAA"});
    for keys in [
        json!([]),
        json!([secret]),
        json!([mismatched]),
        json!([other_kind]),
        json!([unknown]),
        json!([secret, mismatched, other_kind, unknown]),
    ] {
        let refused = keys_of(&json!({ "keys": keys }).to_string()).err();
        let refused = refused.unwrap_or_else(|| panic!("{keys} is accepted"));
        assert!(refused.to_string().contains("no public key"), "{refused}");
    }
}
