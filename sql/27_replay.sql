-- Part: replaceable
-- History through the same judge and settlement as the present.

CREATE OR REPLACE FUNCTION @extschema@.replay_signals(
        candles text, strategy text DEFAULT 'momentum', overrides jsonb DEFAULT '{}', settle text DEFAULT NULL,
        search_path text DEFAULT NULL)
    RETURNS TABLE (
        symbol text, at timestamptz, signal_type text, reason text, confidence numeric, quality_score numeric,
        entry_price numeric, stop_loss numeric, take_profit numeric[], expires_at timestamptz,
        price_change_percent numeric, range_percent numeric, state text, void_why text, best_target integer,
        first_touch text, ended text, target_at timestamptz[], stop_at timestamptz, ended_at timestamptz,
        returns_percent numeric[], ladder_percent numeric, hold_percent numeric, mirror_percent numeric,
        mirror_returns_percent numeric[], mfe_percent numeric, mae_percent numeric, fee_percent numeric,
        resolution text, ambiguous boolean, gap boolean, superseded_at timestamptz)
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'replay_signals_wrapper';
COMMENT ON FUNCTION @extschema@.replay_signals(text, text, jsonb, text, text) IS
'the signals that a strategy would have sent on recorded candles, and what became of each: by the code that judges '
'and settles live signals. Writes nothing.
candles: one SELECT, run with the caller''s rights, of symbol text, open_time timestamptz, open, high, low, close, '
'base_volume numeric and, if recorded, quote_volume numeric, ORDER BY open_time. All candles of a time are judged '
'together. Without quote_volume it is base_volume x (open + high + low + close) / 4; bid and ask are the close.
strategy: a row of signal_rules, enabled or not. overrides: other values of its columns, such as '
'{"cooldown": "30 minutes"}.
settle: a query of finer candles of the same form, which touch the levels in place of the others.
search_path: where both queries look for their tables; null is where the statement does.
Signals of a symbol begin after its first full day. Columns are those of signal_outcomes; at is signal_at.
Errors name what cannot be judged: candles that are unordered, double, of several lengths, or missing for a symbol '
'while others have them. Times at which no symbol has one, up to a day, count as an outage of the exchange';
