//! How long those who watch wait for a signal to everybody, and what that costs the others:
//! subscribers of whom some, spread randomly over the keys, hold a stream.
//!
//! Signals with and without their entries in `signal_watchers` take turns on the same tables, with
//! the same service and clients: without them, a fan-out is as it was before there were such.

use crate::PATIENCE;
use crate::audience::Audience;
use ring::hmac;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hub_harness::arena::Arena;
use signal_hub_harness::numbers::{line, median, ms, percentile, table};
use signal_hub_harness::service::{SECRET, SLOT, Service};
use signal_hub_harness::wait::eventually;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Sizes of the measurement, each by an option of its name.
pub struct Sizes {
    pub subscribers: u32,
    pub watchers: u32,
    pub rounds: u32,
}

/// What came of the signals of one kind.
#[derive(Default)]
struct Figures {
    /// Milliseconds of each fan-out, from its start to its last row.
    fan_out: Vec<f64>,
    /// Milliseconds from the verdict until all who watch have it.
    all_have_it: Vec<f64>,
    /// The same until one of them has it.
    one_has_it: Vec<f64>,
}

pub fn measure(sizes: &Sizes) {
    allow_many_files();
    let mut arena = Arena::new(sizes.subscribers);
    arena
        .session
        .run("CREATE ROLE authenticated; SELECT grant_realtime_access(); SELECT enable_realtime()");
    let mut service = Service::of(&arena.cluster, &mut arena.session);
    let most = sizes.watchers.to_string();
    service.start(&["--create-slot", "--max-clients", &most]);
    let users: Vec<String> = arena.session.list(&format!(
        "SELECT user_id::text FROM user_subscriptions ORDER BY random() LIMIT {}",
        sizes.watchers
    ));
    let tokens: Vec<String> = users.iter().map(|user| token(user)).collect();
    let audience = Audience::with_tokens(&service, &tokens);
    let known = format!("SELECT count(*) FROM signal_watchers WHERE slot = '{SLOT}'");
    eventually(PATIENCE, "the database knows all who watch", || {
        arena.session.one::<i64>(&known) == i64::from(sizes.watchers)
    });
    // Clients read a second time, some seconds after they connected.
    std::thread::sleep(Duration::from_secs(6));
    let (mut with, mut without) = (Figures::default(), Figures::default());
    // The first signal is not counted: everything is done for the first time.
    for round in 0..=sizes.rounds {
        for is_with in [true, false] {
            if !is_with {
                arena
                    .session
                    .run("UPDATE signal_watchers SET slot = 'set aside'");
            }
            let mut figures = Figures::default();
            one_signal(&mut arena, &audience, sizes, &mut figures);
            if !is_with {
                // The service may have entered some again meanwhile.
                arena.session.run(&format!(
                    "INSERT INTO signal_watchers SELECT user_id, '{SLOT}', since FROM signal_watchers
                         ON CONFLICT DO NOTHING;
                     DELETE FROM signal_watchers WHERE slot = 'set aside'"
                ));
            }
            if round > 0 {
                let all = if is_with { &mut with } else { &mut without };
                all.fan_out.append(&mut figures.fan_out);
                all.all_have_it.append(&mut figures.all_have_it);
                all.one_has_it.append(&mut figures.one_has_it);
            }
        }
    }
    table(
        &format!(
            "{} subscribers, {} of whom watch; {} signals each",
            sizes.subscribers, sizes.watchers, sizes.rounds
        ),
        &[
            "watchers first",
            "verdict until one has it, p50 ms",
            "one has it, max",
            "until all have it, p50 ms",
            "all have it, max",
            "fan-out, p50 ms",
            "rows/s",
        ],
    );
    for (name, figures) in [("yes", &with), ("no", &without)] {
        let fan_out = median(&figures.fan_out);
        let number = |value: f64| format!("{value:.0}");
        line(&[
            name.to_owned(),
            number(median(&figures.one_has_it)),
            number(percentile(&figures.one_has_it, 100.0)),
            number(median(&figures.all_have_it)),
            number(percentile(&figures.all_have_it, 100.0)),
            number(fan_out),
            number(f64::from(sizes.subscribers) / fan_out * 1000.0),
        ]);
    }
}

fn one_signal(arena: &mut Arena, audience: &Audience, sizes: &Sizes, figures: &mut Figures) {
    arena.clear();
    let turn = arena.turn(1);
    let (wall, now) = (SystemTime::now(), Instant::now());
    let ago = wall.duration_since(turn.created).unwrap_or_default();
    let verdict = now.checked_sub(ago).unwrap_or(now);
    let signal: i64 = arena.session.one("SELECT max(signal_id) FROM signals");
    let delays = audience.delays(&[(signal, verdict)], sizes.watchers as usize);
    figures.fan_out.push(ms(turn.delivery));
    figures.all_have_it.push(percentile(&delays, 100.0));
    let first = delays.iter().copied().fold(f64::INFINITY, f64::min);
    figures.one_has_it.push(first);
}

/// A token as the command `token` makes it, which would take a process for each.
fn token(user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let expires = now.unwrap_or_default().as_secs() + 24 * 3600;
    let claims = format!(r#"{{"sub":"{user}","role":"authenticated","exp":{expires}}}"#);
    let signed = [r#"{"alg":"HS256","typ":"JWT"}"#, claims.as_str()];
    let signed = signed.map(|part| base64url(part.as_bytes())).join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", base64url(signature.as_ref()))
}

/// Without padding, as tokens have it.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let group = |three: &[u8]| -> String {
        let bits = (0..3).fold(0, |bits, place| {
            bits << 8 | usize::from(three.get(place).copied().unwrap_or(0))
        });
        let letter = |place: usize| char::from(LETTERS[bits >> (18 - 6 * place) & 63]);
        (0..=three.len()).map(letter).collect()
    };
    bytes.chunks(3).map(group).collect()
}

/// Each client is an open file.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, all).expect("the limit may be raised to the hard one");
}
