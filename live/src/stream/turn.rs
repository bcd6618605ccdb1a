//! When a client reads what it missed. All clients have reason to at the same time: when the
//! replication stream breaks, and when the database is back. Each has its turn then, so that a server
//! which has just started, or recovers from a crash, is not asked by thousands at once; while it is
//! known to be away, none of them asks.

use crate::app::AWAY;
use crate::fan_out::FanOut;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Pause after the first failure; each is twice the one before, up to the longest: where there are
/// few clients, they may try more often.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_OF_FEW: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30);
/// So all together try about twenty times a second.
const STEP_AGAIN: Duration = Duration::from_millis(50);
/// All have had their turn after this time for each of them, of few: up to a second.
const STEP_OF_FEW: Duration = Duration::from_millis(10);
const TURNS_OF_FEW: Duration = Duration::from_secs(1);
/// The same of many, which takes as long as it takes.
const STEP_OF_MANY: Duration = Duration::from_millis(1);

/// See the head of this file.
pub struct Turn {
    fan_out: Arc<FanOut>,
    database_is: watch::Receiver<&'static str>,
    /// The place among the others, from 0 to 1.
    place: f64,
    at: Option<Instant>,
    failures: u32,
    /// The time came while the database was away.
    waits: bool,
}

impl Turn {
    /// Nothing is to be read yet. Clients whose numbers follow one another are far apart.
    pub fn new(
        fan_out: &Arc<FanOut>,
        database_is: &watch::Sender<&'static str>,
        number: u64,
    ) -> Self {
        // The golden ratio's multiples never come close to each other.
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        Self {
            fan_out: Arc::clone(fan_out),
            database_is: database_is.subscribe(),
            place: spread as f64 / f64::from(u32::MAX),
            at: None,
            failures: 0,
            waits: false,
        }
    }

    /// When to look whether it is time.
    pub fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Reads at once, unless that failed just now.
    pub fn now(&mut self) {
        if self.failures == 0 && !self.waits {
            self.at = Some(Instant::now());
        }
    }

    /// Reads in turn with all others.
    pub fn in_turn(&mut self) {
        if self.failures == 0 && !self.waits {
            self.sooner(self.among_all());
        }
    }

    /// Whether to read now.
    pub fn has_come(&mut self) -> bool {
        if self.at.is_none_or(|at| at > Instant::now()) {
            return false;
        }
        if self.is_away() && !self.waits {
            self.wait();
            return false;
        }
        true
    }

    /// All is read, or the next page is to be read at once.
    pub fn note_success(&mut self, more: bool) {
        self.failures = 0;
        self.waits = false;
        self.at = more.then(Instant::now);
    }

    /// Reads again after a pause.
    pub fn note_failure(&mut self) {
        if self.is_away() {
            return self.wait();
        }
        let doubled = FIRST_PAUSE * 2_u32.saturating_pow(self.failures.min(10));
        let longest = self.all(STEP_AGAIN).clamp(LONGEST_OF_FEW, LONGEST);
        self.failures += 1;
        self.at = Some(Instant::now() + doubled.min(longest).mul_f64(1.0 + self.place / 2.0));
    }

    /// Waits until the database goes away or comes back.
    pub async fn changed(&mut self) {
        // The sender lives as long as the service.
        if self.database_is.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Reads in turn after such a change, if that was waited for.
    pub fn note_change(&mut self) {
        if !self.is_away() && (self.waits || self.failures > 0) {
            self.failures = 0;
            self.waits = false;
            self.sooner(self.among_all());
        }
    }

    fn is_away(&self) -> bool {
        *self.database_is.borrow() == AWAY
    }

    /// The service's own login may be refused while that of subscribers is not, so they try now and
    /// then.
    fn wait(&mut self) {
        self.waits = true;
        let all = self.all(STEP_AGAIN).max(LONGEST);
        self.at = Some(Instant::now() + LONGEST + all.mul_f64(self.place));
    }

    fn among_all(&self) -> Instant {
        let few = self.all(STEP_OF_FEW).min(TURNS_OF_FEW);
        Instant::now() + few.max(self.all(STEP_OF_MANY)).mul_f64(self.place)
    }

    fn all(&self, step: Duration) -> Duration {
        step * u32::try_from(self.fan_out.clients()).unwrap_or(u32::MAX)
    }

    fn sooner(&mut self, at: Instant) {
        self.at = Some(self.at.map_or(at, |known| known.min(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::UP;
    use uuid::Uuid;

    /// How long until its time comes.
    fn pause(turn: &Turn) -> f64 {
        let at = turn.at().expect("there is a time");
        at.saturating_duration_since(Instant::now()).as_secs_f64()
    }

    #[test]
    fn pauses_grow_while_reading_fails_and_what_is_announced_meanwhile_shortens_none() {
        let up = watch::Sender::new(UP);
        let fan_out = FanOut::new(1000);
        let mut clients = vec![fan_out.subscribe(Uuid::nil()).expect("room")];
        let mut turn = Turn::new(&fan_out, &up, 7);
        let mut fails = |least: f64| {
            turn.note_failure();
            turn.in_turn();
            turn.now();
            let pause = pause(&turn);
            assert!((0.99 * least..=1.5 * least).contains(&pause), "{pause}");
        };
        for least in [1.0, 2.0, 4.0, 5.0, 5.0] {
            fails(least);
        }
        clients
            .extend((1..1000).map(|user| fan_out.subscribe(Uuid::from_u128(user)).expect("room")));
        fails(30.0);
        turn.note_success(false);
        assert_eq!(turn.at(), None);
        turn.note_failure();
        assert!(pause(&turn) <= 1.5);
    }

    #[test]
    fn all_wait_while_the_database_is_away_and_have_their_turns_when_it_is_back() {
        let database_is = watch::Sender::new(AWAY);
        let fan_out = FanOut::new(5000);
        let clients: Vec<_> = (0..5000)
            .map(|user| fan_out.subscribe(Uuid::from_u128(user)).expect("room"))
            .collect();
        let mut turns: Vec<Turn> = (clients.iter())
            .map(|client| Turn::new(&fan_out, &database_is, client.number()))
            .collect();
        for turn in &mut turns {
            turn.now();
            assert!(!turn.has_come(), "it is known to be away");
            turn.in_turn();
            turn.now();
            assert!(pause(turn) > 29.0, "{}", pause(turn));
        }
        // A few try, in case that others than the service are let in.
        let early = turns.iter().filter(|turn| pause(turn) < 40.0).count();
        assert!((100..300).contains(&early), "{early}");
        database_is.send_replace(UP);
        let mut counts = [0; 5];
        for turn in &mut turns {
            turn.note_change();
            counts[pause(turn) as usize] += 1;
        }
        assert!(counts.iter().all(|c| (900..1100).contains(c)), "{counts:?}");
        // Few are done soon.
        drop(clients);
        let client = fan_out.subscribe(Uuid::nil()).expect("room");
        let mut turn = Turn::new(&fan_out, &database_is, client.number());
        turn.in_turn();
        assert!(pause(&turn) <= 0.01);
    }
}
