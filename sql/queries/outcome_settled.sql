json_build_array(
    outcome.state, outcome.signal_id, encode(outcome.opened_digest, 'hex'), outcome.void_why,
    outcome.best_target, outcome.first_touch, outcome.ended,
    '{' || array_to_string(ARRAY(
        SELECT to_char(t.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
          FROM unnest(outcome.target_at) WITH ORDINALITY AS t (at, number) ORDER BY t.number), ',') || '}',
    to_char(outcome.stop_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    to_char(outcome.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    outcome.returns_percent::text, outcome.ladder_percent::text, outcome.hold_percent::text,
    outcome.mirror_percent::text, outcome.mirror_returns_percent::text,
    outcome.mfe_percent::text, outcome.mae_percent::text, outcome.fee_percent::text,
    outcome.resolution, outcome.ambiguous, outcome.gap,
    outcome.high_seen::text, outcome.low_seen::text,
    to_char(outcome.superseded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    to_char(outcome.settled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text
