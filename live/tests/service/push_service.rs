//! A push service on loopback that checks who sends (RFC 8292), decrypts what is sent as the browser
//! would (RFC 8291), and answers as it is told; and browsers with keys.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::SystemRandom;
use ring::signature::{self, ECDSA_P256_SHA256_FIXED};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A request that was checked.
#[derive(Clone)]
pub struct Sent {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// How a path is answered: status line and headers, and how long that takes.
type Answers = Arc<Mutex<HashMap<String, (String, Duration)>>>;

pub struct PushService {
    pub url: String,
    sent: Arc<Mutex<Vec<Sent>>>,
    answers: Answers,
}

impl PushService {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let service = Self {
            url: url.clone(),
            sent: Arc::default(),
            answers: Arc::default(),
        };
        let (sent, answers) = (Arc::clone(&service.sent), Arc::clone(&service.answers));
        // The threads end with the process, or when their connection does.
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let (sent, answers) = (Arc::clone(&sent), Arc::clone(&answers));
                let url = url.clone();
                thread::spawn(move || while serve(&socket, &url, &sent, &answers).is_some() {});
            }
        });
        service
    }

    /// From now on a path is answered so, for example "429 Too Many\r\nRetry-After: 1".
    pub fn answer(&self, path: &str, answer: &str, after: Duration) {
        let mut answers = self.answers.lock().expect("no panic");
        answers.insert(path.to_owned(), (answer.to_owned(), after));
    }

    /// What came for a path.
    pub fn sent(&self, path: &str) -> Vec<Sent> {
        let sent = self.sent.lock().expect("no panic");
        sent.iter()
            .filter(|one| one.path == path)
            .cloned()
            .collect()
    }
}

/// Takes one request; `None` at the end of the connection.
fn serve(socket: &TcpStream, url: &str, sent: &Mutex<Vec<Sent>>, answers: &Answers) -> Option<()> {
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let told = answers.lock().expect("no panic").get(&path).cloned();
    let (mut answer, after) = told.unwrap_or(("201 Created".to_owned(), Duration::ZERO));
    if let Err(why) = check_sender(&headers, url) {
        answer = format!("403 {why}");
    }
    sent.lock().expect("no panic").push(Sent {
        path,
        headers,
        body,
    });
    thread::sleep(after);
    let mut socket = socket;
    socket
        .write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n").as_bytes())
        .ok()
}

/// RFC 8292: a token for this origin, signed by the key that comes with it.
fn check_sender(headers: &BTreeMap<String, String>, url: &str) -> Result<(), &'static str> {
    let header = headers.get("authorization").ok_or("no token")?;
    let (token, key) = header
        .strip_prefix("vapid t=")
        .and_then(|rest| rest.split_once(", k="))
        .ok_or("another scheme")?;
    let decode = |text| BASE64.decode(text).map_err(|_| "not base64url");
    let (signed, signature) = token.rsplit_once('.').ok_or("no signature")?;
    signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key)?)
        .verify(signed.as_bytes(), &decode(signature)?)
        .map_err(|_| "bad signature")?;
    let (head, claims) = signed.split_once('.').ok_or("no claims")?;
    let parse = |text| serde_json::from_slice::<Value>(&decode(text)?).map_err(|_| "not JSON");
    let (head, claims) = (parse(head)?, parse(claims)?);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let left = claims["exp"].as_f64().ok_or("no exp")? - now.as_secs_f64();
    let is_good = head["alg"] == "ES256"
        && claims["aud"] == url
        && claims["sub"] == "mailto:operator@example.org"
        && left > 0.0
        && left <= 86_400.0;
    is_good.then_some(()).ok_or("bad claims")
}

/// A browser; it decrypts one message, because its key is used once.
pub struct Browser {
    private: EphemeralPrivateKey,
    public: Vec<u8>,
    endpoint: String,
}

/// The secret that every browser here shares.
const AUTH: [u8; 16] = *b"sixteen bytes of";

impl Browser {
    /// A browser that is reached at an address.
    pub fn new(endpoint: &str) -> Self {
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new());
        let private = private.expect("random numbers");
        let public = private.compute_public_key().expect("a point");
        Self {
            public: public.as_ref().to_vec(),
            private,
            endpoint: endpoint.to_owned(),
        }
    }

    /// What the page sends to the service.
    pub fn subscription(&self) -> Value {
        json!({"endpoint": self.endpoint, "expirationTime": null, "keys": {
            "p256dh": BASE64.encode(&self.public), "auth": Self::auth()}})
    }

    pub fn auth() -> String {
        BASE64.encode(AUTH)
    }

    /// The message of a request.
    pub fn read(self, sent: &Sent) -> Value {
        let (salt, rest) = sent.body.split_at(16);
        let (size, rest) = rest.split_at(4);
        assert_eq!(size, 4096_u32.to_be_bytes());
        let (sender, record) = rest[1..].split_at(usize::from(rest[0]));
        let peer = UnparsedPublicKey::new(&ECDH_P256, sender);
        let secret = agree_ephemeral(self.private, &peer, |shared| {
            let info: [&[u8]; 3] = [b"WebPush: info\0", &self.public, sender];
            expand(&Salt::new(HKDF_SHA256, &AUTH).extract(shared), &info, 32)
        });
        let secret = Salt::new(HKDF_SHA256, salt).extract(&secret.expect("a point"));
        let key = expand(&secret, &[b"Content-Encoding: aes128gcm\0"], 16);
        let nonce = expand(&secret, &[b"Content-Encoding: nonce\0"], 12);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("16 bytes"));
        let nonce = Nonce::try_assume_unique_for_key(&nonce).expect("12 bytes");
        let mut record = record.to_vec();
        let opened = key.open_in_place(nonce, Aad::empty(), &mut record);
        let message = opened.expect("encrypted for this browser");
        let message = message.strip_suffix(&[2]).expect("the last record");
        serde_json::from_slice(message).expect("JSON")
    }
}

fn expand(secret: &Prk, info: &[&[u8]], length: usize) -> Vec<u8> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = vec![0; length];
    let made = secret.expand(info, Length(length)).expect("short");
    made.fill(&mut out).expect("the length");
    out
}
