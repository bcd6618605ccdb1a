-- Part: replaceable
-- The record of live signals. As the owner, so that nobody needs to see a single outcome for it;
-- who may call it decides the access.

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_trials() RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT greatest(2, count(*)) FROM @extschema@.signal_rule_versions;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_trials() IS
'how many versions of rules were ever enabled, 2 at least: so many tries had the best of them';

CREATE OR REPLACE FUNCTION @extschema@.signal_track_record(
        since timestamptz DEFAULT NULL, until timestamptz DEFAULT NULL, by text[] DEFAULT '{}',
        exit integer DEFAULT 1, resolution text[] DEFAULT '{1s,1m}')
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
        deflated_sharpe numeric, verdict text, further_targets jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT t.*
          FROM (SELECT array_agg(o.strategy) AS strategies, array_agg(o.symbol) AS symbols,
                       array_agg(o.signal_type) AS signal_types, array_agg(o.reason) AS reasons,
                       array_agg(o.confidence) AS confidences, array_agg(o.signal_at) AS signals_at,
                       array_agg(CASE WHEN o.best_target >= e.exit THEN o.target_at[e.exit] ELSE o.ended_at END)
                           AS exits_at,
                       array_agg(o.state) AS states, array_agg(o.best_target) AS targets_reached,
                       array_agg(cardinality(o.take_profit)) AS targets, array_agg(o.first_touch) AS first_touches,
                       array_agg(o.returns_percent[e.exit]) AS returns_percent,
                       array_agg(o.mirror_returns_percent[e.exit]) AS mirrors_percent,
                       array_agg(o.fee_percent) AS fees_percent, array_agg(o.resolution) AS resolutions,
                       array_agg(o.ambiguous) AS ambiguities
                  FROM @extschema@.signal_outcomes o
                 CROSS JOIN LATERAL (
                     SELECT least(signal_track_record.exit, cardinality(o.take_profit)) AS exit) e
                 WHERE o.signal_at >= coalesce(since, '-infinity') AND o.signal_at < coalesce(until, 'infinity')) a
         CROSS JOIN LATERAL @extschema@.signal_hub_track_record(
                   a.strategies, a.symbols, a.signal_types, a.reasons, a.confidences, a.signals_at, a.exits_at,
                   a.states, a.targets_reached, a.targets, a.first_touches, a.returns_percent, a.mirrors_percent,
                   a.fees_percent, a.resolutions, a.ambiguities,
                   signal_track_record.by, signal_track_record.exit, signal_track_record.resolution,
                   @extschema@.signal_hub_trials()) t;
    END;
COMMENT ON FUNCTION @extschema@.signal_track_record(timestamptz, timestamptz, text[], integer, text[]) IS
'what became of the signals recorded from since to before until (null: all), withheld ones included: one row, or one '
'for each group of by, which may have symbol, signal_type, strategy, reason, bucket (of confidence), day and hour '
'(UTC). exit is the target at which everybody leaves; a signal with fewer targets is left at its last one.
Only outcomes settled by candles of a length in resolution count as settled, null counts all.
Rates are percent of what is settled; returns are percent of the entry after fees, each signal with the same stake. '
'low and high bound what is between them with a confidence of 95 %, reckoned by days, since signals of one day move '
'together.
mirror_percent is the mean of the opposite signals at the same moments; edge_percent is half of what the signals are '
'better, their edge over a coin flip at these moments. gross_percent is before fees. win_rate: a return above 0. '
'profit_factor: gains over losses. max_drawdown_percent: the furthest fall of the sum of returns, in percent of a '
'stake. exposure_percent: of the time from the first signal to the last exit, how much a signal was held in. '
'days, deff, n_effective: days with signals; by how much more the rate of target exit varies than if signals were '
'independent; as how many independent ones they count. deflated_sharpe: the probability that the edge per day is '
'above what the best of all rules ever enabled shows by luck. sampled: settled by samples of prices.
verdict: too few (below 28 days or 100 effective signals); edge shown (edge_low above 0 and deflated_sharpe 0.95 or '
'more); worse than a coin flip (edge_high below 0); else no edge shown. further_targets: targets beyond the third';

CREATE OR REPLACE VIEW @extschema@.signal_track_record AS
SELECT * FROM @extschema@.signal_track_record(now() - interval '90 days');
COMMENT ON VIEW @extschema@.signal_track_record IS
'what became of the signals of the last 90 days: one row, see signal_track_record()';

CREATE OR REPLACE VIEW @extschema@.signal_track_record_daily AS
SELECT * FROM @extschema@.signal_track_record(by => '{day}');
COMMENT ON VIEW @extschema@.signal_track_record_daily IS
'what became of the signals of each UTC day, see signal_track_record()';
