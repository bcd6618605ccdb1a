//! Chances of target and stop are stored before the outcome, and shown only while they have proved
//! to be right.

use signal_hub_harness::scene::{generate, installed_by_hand, rising_market, subscribe};
use signal_hub_harness::session::Session;

/// Settled outcomes of 40 days, 25 a day, whose levels were touched as often as the logistic line of
/// intercept 0 and slope 1 says, and the forecasts that were stored with them: those of the line,
/// with `error` added to the target's.
fn history(session: &mut Session, error: &str) {
    session.run(&format!(
        "CREATE TEMP TABLE h AS
         SELECT 10000 + d * 25 + n AS id, t.at, t.x, t.p, (n * 0.618 + d * 0.382) % 1 AS luck
           FROM generate_series(2, 41) d CROSS JOIN generate_series(0, 24) n
          CROSS JOIN LATERAL (
              SELECT date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - d * interval '1 day'
                     + n * interval '1 minute' AS at, n / 10.0 - 1 AS x, 1 / (1 + exp(1 - n / 10.0)) AS p) t;
         INSERT INTO signal_outcomes (signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price,
                                      stop_loss, take_profit, stop_loss_percent, take_profit_percents, confidence,
                                      quality_score, price_change_percent, range_percent, forecast_target, forecast_stop,
                                      source, high_seen, low_seen)
         SELECT id, 'momentum', 'BTCUSDT', 'LONG', 'entered', at, at + interval '24 hours', 100, 98.5, '{{101.5}}', 1.5,
                '{{1.5}}', 35, 80, 3.5, round(1.5 * exp(x), 6), round(p / 2 + {error}, 6), round(p / 2, 6), 'a test', 100, 100
           FROM h ORDER BY id;
         UPDATE signal_outcomes o
            SET state = 'settled', best_target = CASE WHEN w.touch = 'target' THEN 1 ELSE 0 END, first_touch = w.touch,
                ended = CASE w.touch WHEN 'none' THEN 'expired' ELSE w.touch END,
                target_at = CASE WHEN w.touch = 'target' THEN ARRAY[o.expires_at] ELSE '{{}}' END,
                stop_at = CASE WHEN w.touch = 'stop' THEN o.expires_at END, ended_at = o.expires_at,
                returns_percent = '{{0}}', ladder_percent = 0, hold_percent = 0, mirror_percent = 0,
                mirror_returns_percent = '{{0}}', mfe_percent = 0, mae_percent = 0, fee_percent = 0.1,
                resolution = '1m', ambiguous = false, gap = false, settled_at = now()
           FROM (SELECT id, CASE WHEN luck >= p THEN 'none' WHEN luck < p / 2 THEN 'target' ELSE 'stop' END AS touch
                   FROM h) w
          WHERE o.signal_id = w.id;
         INSERT INTO signal_forecasts (strategy, day, outcomes, base_target, base_stop, forecasts, forecast_days, shown, why)
         SELECT DISTINCT 'momentum', (at AT TIME ZONE 'UTC')::date, 500, 0.27, 0.27, 0, 0, false, 'a test' FROM h"
    ));
}

fn of_today(session: &mut Session) -> (bool, String) {
    let row = &session.rows(
        "SELECT shown, why FROM signal_forecasts
          WHERE strategy = 'momentum' AND day = (now() AT TIME ZONE 'UTC')::date",
    )[0];
    (row.get(0), row.get(1))
}

#[test]
fn without_outcomes_nothing_is_forecast_and_the_reason_is_on_record() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    generate(&mut session);
    let (shown, why) = of_today(&mut session);
    assert!(!shown && why.starts_with("no model: 0 outcomes"), "{why}");
    assert!(session.one::<bool>(
        "SELECT NOT metadata ? 'forecast' AND o.forecast_target IS NULL AND s.forecast IS NULL
           FROM user_signals JOIN signals s USING (signal_id) JOIN signal_outcomes o USING (signal_id)"
    ));
}

#[test]
fn forecasts_that_came_true_as_often_as_they_said_are_shown() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    history(&mut session, "0");
    generate(&mut session);
    let (shown, why) = of_today(&mut session);
    assert!(
        shown && why.starts_with("shown: of 1000 forecasts of 40 days"),
        "{why}"
    );
    assert!(session.one::<bool>(
        "SELECT abs(slope - 1) < 0.1 AND abs(intercept) < 0.1 AND outcomes = 1000 AND skill_low_percent > 0
                AND target_error < 0.05 AND stop_error < 0.05
           FROM signal_forecasts WHERE shown"
    ));
    assert!(session.one::<bool>(
        "SELECT abs((f ->> 'target')::numeric + (f ->> 'stop')::numeric + (f ->> 'neither')::numeric - 1) <= 0.002
                AND f ->> 'within' = '04:00:00' AND abs((f ->> 'target')::numeric - o.forecast_target) <= 0.0005
                AND NOT metadata ->> 'confidence' IS NOT NULL
           FROM (SELECT signal_id, metadata, metadata -> 'forecast' AS f FROM user_signals) u
           JOIN signal_outcomes o USING (signal_id)"
    ));
    // One row a day, whatever comes after.
    market.set_change("ETHUSDT", "-4");
    generate(&mut session);
    let rows: i64 = session.one("SELECT count(*) FROM signal_forecasts WHERE shown");
    assert_eq!(rows, 1);
}

#[test]
fn forecasts_that_came_true_less_often_than_they_said_are_stored_and_not_shown() {
    let market = rising_market();
    let (_cluster, mut session) = installed_by_hand(&market);
    subscribe(&mut session, "MAX", 1, 1);
    history(&mut session, "0.06");
    generate(&mut session);
    let (shown, why) = of_today(&mut session);
    assert!(!shown && why.starts_with("not shown: "), "{why}");
    assert!(session.one::<bool>(
        "SELECT NOT metadata ? 'forecast' AND o.forecast_target BETWEEN 0 AND 1 AND o.forecast_stop BETWEEN 0 AND 1
           FROM user_signals JOIN signal_outcomes o USING (signal_id)"
    ));
}
