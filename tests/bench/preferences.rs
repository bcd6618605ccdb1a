//! What preferences of subscribers cost a fan-out to all: filters of a third of them, and limits
//! of their own beside the quota of a tier.
//!
//! All cases take turns, so that what the machine does meanwhile is in each of them. The processor
//! time of the worker is what they cost; how long it takes depends on the disk, too.

use crate::Arguments;
use signal_hub_harness::arena::{Arena, own_memory_kb, processor_seconds};
use signal_hub_harness::numbers::{line, median, ms, table};

/// Preferences of a third of the subscribers: symbols, sides and strength in equal parts, in no
/// order, as subscribers come to set them.
const OF_A_THIRD: &str = "FROM (SELECT user_id, row_number() OVER (ORDER BY random()) AS n
                                  FROM user_subscriptions) u WHERE n % 3 = 0 ORDER BY random()";

/// What subscribers want, and what is the tier's.
struct Case {
    name: &'static str,
    /// Adds preferences.
    preferences: String,
    /// The tier's quota; signals are delivered before, so that each is one below it.
    quota: &'static str,
    /// Signals delivered to all before the one that is measured.
    received: usize,
}

impl Case {
    fn all() -> Vec<Self> {
        let filters = |symbols: &str, sides: &str, quality: u32| {
            format!(
                "INSERT INTO user_preferences (user_id, only_symbols, sides, min_quality)
                 SELECT user_id, CASE n % 9 WHEN 0 THEN '{symbols}'::text[] END,
                        CASE n % 9 WHEN 3 THEN '{sides}'::text[] END, CASE n % 9 WHEN 6 THEN {quality} END
                        {OF_A_THIRD}"
            )
        };
        let case = |name, preferences, quota, received| Self {
            name,
            preferences,
            quota,
            received,
        };
        vec![
            case("no preferences", String::new(), "NULL", 0),
            case(
                "a third filter, nothing is left out",
                filters("{BTCUSDT,ETHUSDT}", "{LONG,SHORT}", 0),
                "NULL",
                0,
            ),
            case(
                "a third filter, most of theirs is left out",
                filters("{ETHUSDT,SOLUSDT}", "{LONG}", 100),
                "NULL",
                0,
            ),
            case("no preferences, 2 of 2 before", String::new(), "NULL", 2),
            case("quota of the tier: all have 2 of 3", String::new(), "3", 2),
            case(
                "own limit: a third has 2 of 3",
                format!(
                    "INSERT INTO user_preferences (user_id, max_per_day) SELECT user_id, 3 {OF_A_THIRD}"
                ),
                "NULL",
                2,
            ),
            case(
                "own limit: all have 2 of 3",
                "INSERT INTO user_preferences (user_id, max_per_day)
                 SELECT user_id, 3 FROM user_subscriptions ORDER BY random()"
                    .to_owned(),
                "NULL",
                2,
            ),
        ]
    }

    fn prepare(&self, arena: &mut Arena) {
        arena.session.run(
            "TRUNCATE user_signals, user_preferences; UPDATE signal_tiers SET daily_quota = NULL",
        );
        for _ in 0..self.received {
            arena.turn(1);
        }
        arena.session.run(&format!(
            "UPDATE signal_tiers SET daily_quota = {}",
            self.quota
        ));
        if !self.preferences.is_empty() {
            arena.session.run(&self.preferences);
        }
        arena.session.run("VACUUM ANALYZE user_preferences");
        arena.settle();
    }
}

pub fn measure(arguments: &Arguments) {
    let mut arena = Arena::new(arguments.subscribers);
    arena.turn(1);
    let cases = Case::all();
    let mut times = vec![Vec::new(); cases.len()];
    let mut work = times.clone();
    let worker = arena.worker();
    let mut rows = vec![0; cases.len()];
    for _ in 0..arguments.rounds {
        for (place, case) in cases.iter().enumerate() {
            case.prepare(&mut arena);
            let before = processor_seconds(worker);
            let turn = arena.turn(1);
            work[place].push((processor_seconds(worker) - before) * 1000.0);
            times[place].push(ms(turn.delivery));
            rows[place] = turn.rows;
        }
    }
    table(
        &format!(
            "Preferences, {} subscribers, 1 signal, {} rounds; the worker has {} kB",
            arguments.subscribers,
            arguments.rounds,
            own_memory_kb(arena.worker())
        ),
        &[
            "",
            "rows of the last round",
            "fan-out, ms",
            "subscribers/s",
            "of the rate without",
            "the worker's processor, ms",
            "of the rate without by that",
        ],
    );
    // Those that have received signals before are compared with each other.
    let medians: Vec<f64> = times.iter().map(|times| median(times)).collect();
    let work: Vec<f64> = work.iter().map(|work| median(work)).collect();
    for (place, case) in cases.iter().enumerate() {
        let without = cases
            .iter()
            .position(|other| other.received == case.received)
            .unwrap_or(place);
        line(&[
            case.name.to_owned(),
            rows[place].to_string(),
            format!("{:.0}", medians[place]),
            format!(
                "{:.0}",
                f64::from(arguments.subscribers) / medians[place] * 1000.0
            ),
            format!("{:.2}", medians[without] / medians[place]),
            format!("{:.0}", work[place]),
            format!("{:.2}", work[without] / work[place]),
        ]);
    }
}
