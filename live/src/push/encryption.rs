//! Encryption of a message for one browser: RFC 8291, in the content coding aes128gcm of RFC 8188.
//!
//! Written from the RFCs because the crates that do it bring a second provider of cryptography
//! (OpenSSL, or the crates of RustCrypto) beside ring. The tests hold it against the values that
//! RFC 8291 prints, from the shared secret on: ring makes only keys that it forgets.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};

/// Bytes of a point of P-256, uncompressed.
const POINT: usize = 65;
/// The size of records that the header names; a message is one record.
const RECORD: usize = 4096;
/// Salt, size of records, length of the key, key.
const HEADER: usize = 16 + 4 + 1 + POINT;
/// What closes the only record: its delimiter, and the tag of AES-GCM.
const CLOSING: usize = 1 + 16;
/// The longest message: push services must take bodies of 4096 bytes (RFC 8030, section 7.2).
pub const MOST_BYTES: usize = RECORD - HEADER - CLOSING;

const NO_POINT: &str = "p256dh must be a point of the curve P-256 in base64url";
const NO_SECRET: &str = "auth must be 16 bytes in base64url";

/// The keys of a browser.
#[derive(Clone)]
pub struct Recipient {
    public: [u8; POINT],
    auth: [u8; 16],
}

impl Recipient {
    /// From base64url, as browsers give them.
    ///
    /// # Errors
    /// What is not of the right form, as the constraints of `user_push_subscriptions` say it. These
    /// let bits pass that are too many for bytes.
    pub fn new(p256dh: &str, auth: &str) -> Result<Self, &'static str> {
        let public = BASE64_URL_SAFE_NO_PAD.decode(p256dh).ok();
        let auth = BASE64_URL_SAFE_NO_PAD.decode(auth).ok();
        Ok(Self {
            public: public.and_then(|key| key.try_into().ok()).ok_or(NO_POINT)?,
            auth: auth.and_then(|key| key.try_into().ok()).ok_or(NO_SECRET)?,
        })
    }

    /// The same of keys that are stored from now on.
    ///
    /// # Errors
    /// As above, and when the public key is not on the curve.
    pub fn check(p256dh: &str, auth: &str) -> Result<(), &'static str> {
        let to = Self::new(p256dh, auth)?;
        encrypt(b"", &to).map(|_| ()).map_err(|_| NO_POINT)
    }
}

/// The body of a request that brings a message to a browser.
///
/// # Errors
/// When the public key of the browser is no point of the curve, or the message is too long.
pub fn encrypt(message: &[u8], to: &Recipient) -> Result<Vec<u8>, Unspecified> {
    let random = SystemRandom::new();
    let private = EphemeralPrivateKey::generate(&ECDH_P256, &random)?;
    let public = private.compute_public_key()?;
    let mut salt = [0; 16];
    random.fill(&mut salt)?;
    let peer = UnparsedPublicKey::new(&ECDH_P256, &to.public);
    agree_ephemeral(private, &peer, |shared| {
        seal(message, to, shared, public.as_ref(), salt)
    })?
}

/// The steps of RFC 8291, section 3.4, from the shared secret on.
fn seal(
    message: &[u8],
    to: &Recipient,
    shared: &[u8],
    public: &[u8],
    salt: [u8; 16],
) -> Result<Vec<u8>, Unspecified> {
    if message.len() > MOST_BYTES {
        return Err(Unspecified);
    }
    let length = u8::try_from(public.len()).map_err(|_| Unspecified)?;
    let secret: [u8; 32] = expand(
        &Salt::new(HKDF_SHA256, &to.auth).extract(shared),
        &[b"WebPush: info\0", &to.public, public],
    )?;
    let secret = Salt::new(HKDF_SHA256, &salt).extract(&secret);
    let key: [u8; 16] = expand(&secret, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce: [u8; 12] = expand(&secret, &[b"Content-Encoding: nonce\0"])?;

    let mut record = Vec::with_capacity(message.len() + CLOSING);
    record.extend_from_slice(message);
    // The delimiter of the last record, without padding.
    record.push(2);
    // A key encrypts one record: the nonce is used once.
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key)?);
    let nonce = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut record)?;

    let mut body = Vec::with_capacity(HEADER + record.len());
    body.extend_from_slice(&salt);
    body.extend_from_slice(&(RECORD as u32).to_be_bytes());
    body.push(length);
    body.extend_from_slice(public);
    body.extend_from_slice(&record);
    Ok(body)
}

fn expand<const N: usize>(secret: &Prk, info: &[&[u8]]) -> Result<[u8; N], Unspecified> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = [0; N];
    secret.expand(info, Length(N))?.fill(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")
    }

    /// RFC 8291, appendix A, and the body of the request in its section 5.
    #[test]
    fn a_message_is_encrypted_as_in_rfc_8291() {
        let to = Recipient::new(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "BTBZMqHH6r4Tts7J_aSIgg",
        )
        .expect("keys");
        let body = seal(
            b"When I grow up, I want to be a watermelon",
            &to,
            &bytes("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"),
            &bytes(
                "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
            ),
            bytes("DGv6ra1nlYgDCS1FRnbzlw")
                .try_into()
                .expect("16 bytes"),
        );
        let printed = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vC\
             YLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNW\
             QexSgSxsj_Qulcy4a-fN";
        assert_eq!(
            BASE64_URL_SAFE_NO_PAD.encode(body.expect("it fits")),
            printed
        );
    }

    /// A browser decrypts what was encrypted for it, by the steps of RFC 8291 from its own end.
    #[test]
    fn only_the_browser_that_it_is_for_reads_a_message() {
        let random = SystemRandom::new();
        let own = EphemeralPrivateKey::generate(&ECDH_P256, &random).expect("a key");
        let public = own.compute_public_key().expect("a point");
        let p256dh = BASE64_URL_SAFE_NO_PAD.encode(public.as_ref());
        let to = Recipient::new(&p256dh, "BTBZMqHH6r4Tts7J_aSIgg").expect("keys");
        let message = vec![b'm'; MOST_BYTES];
        let body = encrypt(&message, &to).expect("it fits");
        assert_eq!(body.len(), RECORD);
        assert_ne!(body, encrypt(&message, &to).expect("it fits"));

        let salt: [u8; 16] = body[..16].try_into().expect("16 bytes");
        let sender = &body[21..HEADER];
        let peer = UnparsedPublicKey::new(&ECDH_P256, sender);
        // What the sender computes from the secret, the browser computes, too.
        let again = agree_ephemeral(own, &peer, |shared| {
            seal(&message, &to, shared, sender, salt)
        });
        assert_eq!(again.expect("a point").expect("it fits"), body);
    }

    #[test]
    fn what_cannot_be_encrypted_is_refused() {
        let refused = |p256dh: &str, auth: &str| Recipient::check(p256dh, auth).err();
        let good = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        assert_eq!(refused(good, "BTBZMqHH6r4Tts7J_aSIgg"), None);
        assert_eq!(refused("BAAA", "BTBZMqHH6r4Tts7J_aSIgg"), Some(NO_POINT));
        assert_eq!(
            refused(good, "BTBZMqHH6r4Tts7J_aSIg_"),
            Some(NO_SECRET),
            "bits left over"
        );
        let no_point = format!("B{}", "A".repeat(86));
        assert_eq!(refused(&no_point, "BTBZMqHH6r4Tts7J_aSIgg"), Some(NO_POINT));
        let to = Recipient::new(&no_point, "BTBZMqHH6r4Tts7J_aSIgg").expect("65 bytes");
        assert!(encrypt(b"m", &to).is_err(), "not on the curve");
    }
}
