json_build_array(
    'opened', outcome.signal_id, outcome.strategy, outcome.symbol, outcome.signal_type, outcome.reason,
    to_char(outcome.signal_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    to_char(outcome.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    outcome.entry_price::text, outcome.stop_loss::text, outcome.take_profit::text,
    outcome.stop_loss_percent::text, outcome.take_profit_percents::text,
    outcome.confidence::text, outcome.quality_score::text,
    outcome.price_change_percent::text, outcome.range_percent::text,
    outcome.forecast_target::text, outcome.forecast_stop::text,
    outcome.source, outcome.withheld_by,
    to_char(outcome.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    outcome.nonce::text)::text
