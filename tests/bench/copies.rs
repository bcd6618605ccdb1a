//! What a fan-out costs that also copies each row into the table of an application, beside the
//! plain INSERT of the same rows into that table by hand.

use crate::Arguments;
use signal_hub_harness::arena::Arena;
use signal_hub_harness::numbers::{line, median, ms, table};
use std::time::Instant;

/// As such applications have it: a key of its own, a unique pair, an index on what pages ask for.
const THEIRS: &str = "
    CREATE SCHEMA app;
    CREATE TABLE app.user_signals (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id uuid NOT NULL, signal_id text NOT NULL,
        tier text NOT NULL, symbol text NOT NULL, signal_type text NOT NULL, confidence numeric,
        quality_score numeric, entry_price numeric, take_profit numeric[], stop_loss numeric,
        expires_at timestamptz, metadata jsonb DEFAULT '{}', full_details boolean DEFAULT true,
        viewed boolean DEFAULT false, clicked boolean DEFAULT false, created_at timestamptz DEFAULT now(),
        UNIQUE (user_id, signal_id));
    CREATE INDEX ON app.user_signals (user_id, created_at DESC);
    CREATE TABLE app.by_hand (LIKE app.user_signals INCLUDING ALL)";

pub fn measure(arguments: &Arguments) {
    let subscribers = arguments.subscribers.min(100_000);
    let mut arena = Arena::new(subscribers);
    arena.session.run(THEIRS);
    table(
        &format!("Copies into an adopted table, {} rounds", arguments.rounds),
        &[
            "subscribers",
            "fan-out alone, ms",
            "fan-out with copies, ms",
            "the copies by hand, ms",
            "with copies / alone and by hand",
        ],
    );
    let (mut alone, mut copied, mut by_hand) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        arena.clear();
        alone.push(ms(arena.turn(1).delivery));
        arena.session.run(
            "TRUNCATE app.user_signals, app.by_hand; SELECT adopt_signals('app.user_signals')",
        );
        arena.clear();
        copied.push(ms(arena.turn(1).delivery));
        arena
            .session
            .run("SELECT abandon_table('app.user_signals')");
        let began = Instant::now();
        arena.session.run(
            "INSERT INTO app.by_hand (user_id, signal_id, tier, symbol, signal_type, confidence, quality_score,
                                      entry_price, take_profit, stop_loss, expires_at, metadata, full_details)
             SELECT user_id, format('%s-%s', symbol, signal_id), tier, symbol, signal_type, confidence, quality_score,
                    entry_price, take_profit, stop_loss, expires_at, metadata, full_details
               FROM user_signals",
        );
        by_hand.push(ms(began.elapsed()));
        let rows: i64 = arena.session.one("SELECT count(*) FROM app.user_signals");
        assert_eq!(rows, i64::from(subscribers), "each row is copied");
    }
    let (alone, copied, by_hand) = (median(&alone), median(&copied), median(&by_hand));
    line(&[
        subscribers.to_string(),
        format!("{alone:.0}"),
        format!("{copied:.0}"),
        format!("{by_hand:.0}"),
        format!("{:.2}", copied / (alone + by_hand)),
    ]);
}
