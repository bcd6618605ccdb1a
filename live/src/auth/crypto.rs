//! ring as the cryptography of jsonwebtoken.
//!
//! Written by hand because both of jsonwebtoken's own choices are out: `aws_lc_rs` is a second
//! provider beside the ring of rustls, which .deny.toml bans (two in one process have crashed
//! servers), and `rust_crypto` brings the crate rsa, whose timing weakness (RUSTSEC-2023-0071)
//! has no fix.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::signature::{Error, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{self as rings, EcdsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey};

/// Makes jsonwebtoken sign and check with ring. Once per process.
pub fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: signer,
        verifier_factory: verifier,
        // These make key sets; the service only reads them.
        key_utils: KeyUtils::new_unimplemented(),
    };
    // A second call changes nothing.
    let _ = PROVIDER.install_default();
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
            Ok(Box::new(Hs256(key)))
        }
        (Algorithm::ES256, AlgorithmFamily::Ec) => {
            let random = SystemRandom::new();
            let algorithm = &rings::ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, key.as_bytes(), &random);
            let pair = pair.map_err(|_| ErrorKind::InvalidEcdsaKey)?;
            Ok(Box::new(Es256(pair, random)))
        }
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    }
}

struct Hs256(hmac::Key);

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// A private key of P-256, and random numbers for its signatures.
struct Es256(EcdsaKeyPair, SystemRandom);

impl Signer<Vec<u8>> for Es256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        let signed = self.0.sign(&self.1, message).map_err(|_| Error::new())?;
        Ok(signed.as_ref().to_vec())
    }
}

impl JwtSigner for Es256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(Check {
        algorithm: *algorithm,
        key: key.clone(),
    }))
}

/// A key, and the algorithm it is used by.
struct Check {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        let checked = match self.algorithm {
            Algorithm::HS256 => self.hmac(message, signature),
            Algorithm::RS256 => self.rsa(&rings::RSA_PKCS1_2048_8192_SHA256, message, signature),
            Algorithm::RS384 => self.rsa(&rings::RSA_PKCS1_2048_8192_SHA384, message, signature),
            Algorithm::RS512 => self.rsa(&rings::RSA_PKCS1_2048_8192_SHA512, message, signature),
            Algorithm::PS256 => self.rsa(&rings::RSA_PSS_2048_8192_SHA256, message, signature),
            Algorithm::PS384 => self.rsa(&rings::RSA_PSS_2048_8192_SHA384, message, signature),
            Algorithm::PS512 => self.rsa(&rings::RSA_PSS_2048_8192_SHA512, message, signature),
            Algorithm::ES256 => self.point(&rings::ECDSA_P256_SHA256_FIXED, message, signature),
            Algorithm::ES384 => self.point(&rings::ECDSA_P384_SHA384_FIXED, message, signature),
            Algorithm::EdDSA => self.point(&rings::ED25519, message, signature),
            _ => None,
        };
        checked.ok_or_else(Error::new)
    }
}

impl Check {
    fn hmac(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.bytes()?);
        hmac::verify(&key, message, signature).ok()
    }

    fn rsa(
        &self,
        parameters: &'static rings::RsaParameters,
        message: &[u8],
        signature: &[u8],
    ) -> Option<()> {
        match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => RsaPublicKeyComponents { n, e }
                .verify(parameters, message, signature)
                .ok(),
            DecodingKeyKind::SecretOrDer(_) => None,
        }
    }

    fn point(
        &self,
        algorithm: &'static dyn rings::VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Option<()> {
        UnparsedPublicKey::new(algorithm, self.bytes()?)
            .verify(message, signature)
            .ok()
    }

    fn bytes(&self) -> Option<&[u8]> {
        self.key.try_get_as_bytes().ok()
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
