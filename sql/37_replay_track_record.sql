-- Part: replaceable
-- The record that a strategy would have had on recorded candles.

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_day_shifts(
        candles text, strategy text, overrides jsonb, exit integer, search_path text)
    RETURNS TABLE (shifts integer, mean_percent double precision, p double precision)
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'signal_hub_day_shifts_wrapper';
COMMENT ON FUNCTION @extschema@.signal_hub_day_shifts(text, text, jsonb, integer, text) IS
'what the signals of a replay would have returned on other days, for replay_track_record(): how many whole-day shifts '
'were looked at, their mean return, and the share of them, the unmoved one included, that is not below it';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_tell_trials(trials bigint, edge_error numeric) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE NOTICE '% versions of rules are reckoned with%', trials,
        coalesce(format(': the best of so many without any edge shows +%s %% by luck', round(edge_error, 3)), '');
    RETURN true;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_tell_trials(bigint, numeric) IS
'tells who tries rules on recorded candles what the best of many tries shows without any edge';

-- The search_path of the caller is read by the default, before the function pins its own.
CREATE OR REPLACE FUNCTION @extschema@.replay_track_record(
        candles text, strategy text DEFAULT 'momentum', overrides jsonb DEFAULT '{}', settle text DEFAULT NULL,
        by text[] DEFAULT '{}', exit integer DEFAULT 1,
        search_path text DEFAULT current_setting('search_path'))
    RETURNS TABLE (
        symbol text, signal_type text, strategy text, reason text, bucket text, day date, hour integer,
        signals bigint, open bigint, void bigint, settled bigint,
        target1 bigint, target1_rate numeric, target1_low numeric, target1_high numeric,
        target2 bigint, target2_rate numeric, target2_low numeric, target2_high numeric,
        target3 bigint, target3_rate numeric, target3_low numeric, target3_high numeric,
        stop_first bigint, stop_first_rate numeric, stop_first_low numeric, stop_first_high numeric,
        untouched bigint, win_rate numeric, mean_percent numeric, mean_low numeric, mean_high numeric,
        gross_percent numeric, mirror_percent numeric, edge_percent numeric, edge_low numeric, edge_high numeric,
        profit_factor numeric, max_drawdown_percent numeric, exposure_percent numeric,
        days bigint, deff numeric, n_effective numeric, ambiguous bigint, sampled bigint,
        deflated_sharpe numeric, verdict text, further_targets jsonb,
        shifts integer, null_mean_percent numeric, null_p numeric)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH asked AS MATERIALIZED (
            SELECT @extschema@.signal_hub_track_groups(replay_track_record.by, replay_track_record.exit) AS by,
                   @extschema@.signal_hub_trials() AS trials
        ), replayed AS MATERIALIZED (
            SELECT array_agg(replay_track_record.strategy) AS strategies, array_agg(o.symbol) AS symbols,
                   array_agg(o.signal_type) AS signal_types, array_agg(o.reason) AS reasons,
                   array_agg(o.confidence) AS confidences, array_agg(o.at) AS signals_at,
                   array_agg(CASE WHEN o.best_target >= e.exit THEN o.target_at[e.exit] ELSE o.ended_at END)
                       AS exits_at,
                   array_agg(o.state) AS states, array_agg(o.best_target) AS targets_reached,
                   array_agg(cardinality(o.take_profit)) AS targets, array_agg(o.first_touch) AS first_touches,
                   array_agg(o.returns_percent[e.exit]) AS returns_percent,
                   array_agg(o.mirror_returns_percent[e.exit]) AS mirrors_percent,
                   array_agg(o.fee_percent) AS fees_percent, array_agg(o.resolution) AS resolutions,
                   array_agg(o.ambiguous) AS ambiguities
              FROM asked a
             CROSS JOIN LATERAL @extschema@.replay_signals(
                       replay_track_record.candles, replay_track_record.strategy, replay_track_record.overrides,
                       replay_track_record.settle, replay_track_record.search_path) o
             CROSS JOIN LATERAL (SELECT least(replay_track_record.exit, cardinality(o.take_profit)) AS exit) e
        ), told AS MATERIALIZED (
            SELECT @extschema@.signal_hub_tell_trials(
                       a.trials, ((t.edge_high - t.edge_low) / (2 * 1.96))
                                 * @extschema@.signal_hub_best_by_luck(a.trials)::numeric) AS told
              FROM replayed r
             CROSS JOIN asked a
             CROSS JOIN LATERAL @extschema@.signal_hub_track_record(
                       r.strategies, r.symbols, r.signal_types, r.reasons, r.confidences, r.signals_at, r.exits_at,
                       r.states, r.targets_reached, r.targets, r.first_touches, r.returns_percent, r.mirrors_percent,
                       r.fees_percent, r.resolutions, r.ambiguities,
                       '{}', replay_track_record.exit, NULL, a.trials) t
        ), shifted AS MATERIALIZED (
            SELECT s.*
              FROM asked a
             CROSS JOIN LATERAL @extschema@.signal_hub_day_shifts(
                       replay_track_record.candles, replay_track_record.strategy, replay_track_record.overrides,
                       replay_track_record.exit, replay_track_record.search_path) s
             WHERE a.by = '{}'
        )
        SELECT t.*, s.shifts, round(s.mean_percent::numeric, 6), round(s.p::numeric, 6)
          FROM replayed r
         CROSS JOIN asked a
         CROSS JOIN told
         CROSS JOIN LATERAL @extschema@.signal_hub_track_record(
                       r.strategies, r.symbols, r.signal_types, r.reasons, r.confidences, r.signals_at, r.exits_at,
                       r.states, r.targets_reached, r.targets, r.first_touches, r.returns_percent, r.mirrors_percent,
                       r.fees_percent, r.resolutions, r.ambiguities,
                       a.by, replay_track_record.exit, NULL, a.trials) t
          LEFT JOIN shifted s ON true;
    END;
COMMENT ON FUNCTION @extschema@.replay_track_record(text, text, jsonb, text, text[], integer, text) IS
'signal_track_record() over replay_signals(), with the arguments of both, and outcomes of every length of candles.
Without by also what the same signals would have returned on other days: shifts (whole days, around the end to the '
'beginning, 400 at most), null_mean_percent (their mean return) and null_p (the share of them, the unmoved one '
'included, that is not below the mean return of the signals; settled by candles, not by settle). A notice says how '
'many versions of rules were ever enabled, and what the best of so many shows by luck';
