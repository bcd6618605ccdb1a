-- Part: replaceable
-- What a record of outcomes shows, and how sure that is. The formulas are here once, for the
-- ledger and for replays.
--
-- Signals of one day move together, so that n of them say less than n independent ones. The
-- variance V of a mean m is therefore taken over the D days, with S the sum and n' the number of a
-- day (Cameron, Miller, "A Practitioner's Guide to Cluster-Robust Inference", 2015):
--
--     V = D / (D - 1) x sum over days of (S - n' m)^2 / n^2
--     deff = V / (variance of one / n), n_effective = n / max(1, deff)
--
-- Means have the interval m +- 1.96 sqrt(V); rates that of Wilson (1927) with n_effective.

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_normal(x double precision) RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'signal_hub_normal_wrapper';
COMMENT ON FUNCTION @extschema@.signal_hub_normal(double precision) IS
'the probability that a standard normal variable is below x';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_normal_quantile(probability double precision)
    RETURNS double precision
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'signal_hub_normal_quantile_wrapper';
COMMENT ON FUNCTION @extschema@.signal_hub_normal_quantile(double precision) IS
'the number that a standard normal variable is below with this probability';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_best_by_luck(trials bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT (1 - 0.5772156649015329) * @extschema@.signal_hub_normal_quantile(1 - 1 / n)
               + 0.5772156649015329 * @extschema@.signal_hub_normal_quantile(1 - 1 / (n * exp(1.0::double precision)))
          FROM (SELECT greatest(trials, 2)::double precision) AS t (n);
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_best_by_luck(bigint) IS
'how many standard errors above zero the best of so many trials without any edge is expected to be: Bailey, Lopez de '
'Prado, "The Deflated Sharpe Ratio" (2014)';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_track_groups(by text[], exit integer) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    known CONSTANT text[] := ARRAY['symbol', 'signal_type', 'strategy', 'reason', 'bucket', 'day', 'hour'];
    unknown text := (SELECT coalesce(b.name, 'null') FROM unnest(by) AS b (name)
                      WHERE b.name = ANY (known) IS NOT TRUE LIMIT 1);
BEGIN
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('a track record cannot be grouped by "%s"', unknown),
            HINT = format('by may have %s.', array_to_string(known, ', '));
    END IF;
    IF exit IS NULL OR exit NOT BETWEEN 1 AND 10 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('exit %s is not the number of a target', coalesce(exit::text, 'null')),
            HINT = 'Targets are numbered from 1, the nearest, to 10 at most.';
    END IF;
    RETURN coalesce(by, '{}');
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_track_groups(text[], integer) IS
'by, once it and exit are found to be usable';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_track_record(
        strategies text[], symbols text[], signal_types text[], reasons text[], confidences numeric[],
        signals_at timestamptz[], exits_at timestamptz[], states text[], targets_reached integer[], targets integer[],
        first_touches text[], returns_percent numeric[], mirrors_percent numeric[], fees_percent numeric[],
        resolutions text[], ambiguities boolean[],
        by text[], exit integer, pooled text[], trials bigint)
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
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH grouped AS MATERIALIZED (
            SELECT @extschema@.signal_hub_track_groups(signal_hub_track_record.by, signal_hub_track_record.exit) AS by
        ), outcome AS (
            SELECT u.*, (u.signal_at AT TIME ZONE 'UTC')::date AS utc_day,
                   u.state = 'settled' AND (pooled IS NULL OR u.resolution = ANY (pooled)) AS is_pooled
              FROM unnest(strategies, symbols, signal_types, reasons, confidences, signals_at, exits_at, states,
                          targets_reached, targets, first_touches, returns_percent, mirrors_percent, fees_percent,
                          resolutions, ambiguities)
                   AS u (strategy, symbol, signal_type, reason, confidence, signal_at, exit_at, state, reached,
                         targets, first_touch, net, mirror, fee, resolution, is_ambiguous)
        ), keyed AS MATERIALIZED (
            SELECT o.signal_at, o.exit_at, o.state, o.reached, o.targets, o.first_touch,
                   o.net::double precision AS net, o.mirror::double precision AS mirror,
                   o.fee::double precision AS fee, o.resolution, o.is_ambiguous, o.utc_day, o.is_pooled,
                   k.*, k::text AS key
              FROM outcome o CROSS JOIN grouped g
             CROSS JOIN LATERAL (
                 SELECT CASE WHEN 'symbol' = ANY (g.by) THEN o.symbol END AS symbol,
                        CASE WHEN 'signal_type' = ANY (g.by) THEN o.signal_type END AS signal_type,
                        CASE WHEN 'strategy' = ANY (g.by) THEN o.strategy END AS strategy,
                        CASE WHEN 'reason' = ANY (g.by) THEN o.reason END AS reason,
                        CASE WHEN 'bucket' = ANY (g.by) THEN
                            (SELECT format('%s-%s', b.low, b.low + 10)
                               FROM (SELECT least(floor(o.confidence / 10), 9) * 10) AS b (low)) END AS bucket,
                        CASE WHEN 'day' = ANY (g.by) THEN o.utc_day END AS day,
                        CASE WHEN 'hour' = ANY (g.by) THEN
                            extract(hour FROM o.signal_at AT TIME ZONE 'UTC')::integer END AS hour) k
        ), counted AS (
            SELECT k.key, min(k.symbol) AS symbol, min(k.signal_type) AS signal_type, min(k.strategy) AS strategy,
                   min(k.reason) AS reason, min(k.bucket) AS bucket, min(k.day) AS day, min(k.hour) AS hour,
                   count(*) AS signals,
                   count(*) FILTER (WHERE k.state = 'open') AS open,
                   count(*) FILTER (WHERE k.state = 'void') AS void,
                   count(*) FILTER (WHERE k.is_pooled) AS settled,
                   count(*) FILTER (WHERE k.is_pooled AND k.first_touch = 'none') AS untouched,
                   count(*) FILTER (WHERE k.is_pooled AND k.net > 0) AS wins,
                   avg(k.net + 2 * k.fee) FILTER (WHERE k.is_pooled) AS gross,
                   avg(k.mirror) FILTER (WHERE k.is_pooled) AS mirror,
                   sum(k.net) FILTER (WHERE k.is_pooled AND k.net > 0) AS gained,
                   -sum(k.net) FILTER (WHERE k.is_pooled AND k.net < 0) AS lost,
                   count(*) FILTER (WHERE k.is_pooled AND k.is_ambiguous) AS ambiguous,
                   count(*) FILTER (WHERE k.state = 'settled' AND k.resolution = 'sampled') AS sampled
              FROM keyed k GROUP BY k.key
             UNION ALL
            -- Without a group, an empty record is a row, too.
            SELECT '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, 0, 0
              FROM grouped g WHERE g.by = '{}' AND NOT EXISTS (SELECT FROM keyed)
        ), daily AS MATERIALIZED (
            -- Target 1 to 10 by their numbers, 0 the stop first, -1 the return, -2 the edge.
            SELECT k.key, m.measure, k.utc_day, count(*)::double precision AS n, sum(m.value) AS s,
                   sum(m.value ^ 2) AS q
              FROM keyed k
             CROSS JOIN LATERAL (
                 SELECT t.number, (k.reached >= t.number)::integer::double precision
                   FROM generate_series(1, k.targets) AS t (number)
                  UNION ALL SELECT 0, (k.first_touch = 'stop')::integer
                  UNION ALL SELECT -1, k.net
                  UNION ALL SELECT -2, (k.net - k.mirror) / 2) AS m (measure, value)
             WHERE k.is_pooled AND m.value IS NOT NULL
             GROUP BY k.key, m.measure, k.utc_day
        ), summed AS (
            SELECT d.key, d.measure, count(*) AS days, sum(d.n) AS n, sum(d.s) / sum(d.n) AS mean, sum(d.s) AS total,
                   sum(d.q) AS q, sum(d.s ^ 2) AS ss, sum(d.n * d.s) AS ns, sum(d.n ^ 2) AS nn,
                   avg(d.s) AS daily_mean, stddev_samp(d.s) AS daily_deviation
              FROM daily d GROUP BY d.key, d.measure
        ), varied AS (
            SELECT s.*, greatest(s.q / s.n - s.mean ^ 2, 0) AS variance,
                   s.days::double precision / nullif(s.days - 1, 0)
                       * greatest(s.ss - 2 * s.mean * s.ns + s.mean ^ 2 * s.nn, 0) / s.n ^ 2 AS v
              FROM summed s
        ), clustered AS (
            SELECT v.*, v.v / nullif(v.variance / v.n, 0) AS deff,
                   v.n / greatest(1, coalesce(v.v / nullif(v.variance / v.n, 0), 1)) AS n_effective
              FROM varied v
        ), bounded AS (
            SELECT c.key, c.measure, c.days, c.total, c.mean, c.deff, c.n_effective,
                   CASE WHEN c.measure >= 0 THEN w.centre - w.half ELSE c.mean - 1.96 * sqrt(c.v) END AS low,
                   CASE WHEN c.measure >= 0 THEN w.centre + w.half ELSE c.mean + 1.96 * sqrt(c.v) END AS high
              FROM clustered c
             CROSS JOIN LATERAL (
                 SELECT (c.mean + 1.96 ^ 2 / (2 * c.n_effective)) / (1 + 1.96 ^ 2 / c.n_effective) AS centre,
                        1.96 * sqrt(greatest(c.mean * (1 - c.mean), 0) / c.n_effective
                                    + 1.96 ^ 2 / (4 * c.n_effective ^ 2)) / (1 + 1.96 ^ 2 / c.n_effective) AS half) w
        ), moments AS (
            -- Of the daily sums of the edge: Sharpe ratio per day, skewness, kurtosis.
            SELECT d.key, count(*) AS days, min(s.daily_mean / nullif(s.daily_deviation, 0)) AS sharpe,
                   avg((d.s - s.daily_mean) ^ 3) / nullif(var_pop(d.s) ^ 1.5, 0) AS skewness,
                   avg((d.s - s.daily_mean) ^ 4) / nullif(var_pop(d.s) ^ 2, 0) AS kurtosis
              FROM daily d JOIN summed s ON s.key = d.key AND s.measure = d.measure
             WHERE d.measure = -2
             GROUP BY d.key
        ), deflated AS (
            SELECT m.key, @extschema@.signal_hub_normal(
                       (m.sharpe - @extschema@.signal_hub_best_by_luck(trials) / sqrt(nullif(m.days - 1, 0)))
                       * sqrt(m.days - 1)
                       / nullif(sqrt(greatest(1 - m.skewness * m.sharpe + (m.kurtosis - 1) / 4 * m.sharpe ^ 2, 0)), 0)
                   ) AS probability
              FROM moments m
        ), steps AS (
            SELECT k.key, k.signal_at, k.exit_at,
                   sum(k.net) OVER by_exit AS gained,
                   max(k.exit_at) OVER (PARTITION BY k.key ORDER BY k.signal_at, k.exit_at
                                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS covered_until
              FROM keyed k WHERE k.is_pooled
            WINDOW by_exit AS (PARTITION BY k.key ORDER BY k.exit_at)
        ), falls AS (
            SELECT s.*, greatest(0, max(s.gained) OVER (PARTITION BY s.key ORDER BY s.exit_at)) - s.gained AS fall
              FROM steps s
        ), walked AS (
            SELECT f.key, max(f.fall) AS drawdown,
                   100 * sum(extract(epoch FROM greatest(interval '0',
                                 f.exit_at - greatest(f.signal_at, f.covered_until)))::double precision)
                   / nullif(extract(epoch FROM max(f.exit_at) - min(f.signal_at))::double precision, 0) AS exposure
              FROM falls f GROUP BY f.key
        ), estimated AS (
            SELECT b.key,
                   jsonb_agg(jsonb_build_object(
                       'target', b.measure, 'count', b.total, 'rate', round(100 * b.mean::numeric, 6),
                       'low', round(100 * b.low::numeric, 6), 'high', round(100 * b.high::numeric, 6))
                       ORDER BY b.measure) FILTER (WHERE b.measure > 3) AS further,
                   max(b.deff) FILTER (WHERE b.measure = signal_hub_track_record.exit) AS deff,
                   max(b.n_effective) FILTER (WHERE b.measure = signal_hub_track_record.exit) AS n_effective,
                   max(b.days) FILTER (WHERE b.measure = -1) AS days,
                   max(b.total) FILTER (WHERE b.measure = 1) AS c1,
                   max(b.mean) FILTER (WHERE b.measure = 1) AS m1,
                   max(b.low) FILTER (WHERE b.measure = 1) AS l1, max(b.high) FILTER (WHERE b.measure = 1) AS h1,
                   max(b.total) FILTER (WHERE b.measure = 2) AS c2,
                   max(b.mean) FILTER (WHERE b.measure = 2) AS m2,
                   max(b.low) FILTER (WHERE b.measure = 2) AS l2, max(b.high) FILTER (WHERE b.measure = 2) AS h2,
                   max(b.total) FILTER (WHERE b.measure = 3) AS c3,
                   max(b.mean) FILTER (WHERE b.measure = 3) AS m3,
                   max(b.low) FILTER (WHERE b.measure = 3) AS l3, max(b.high) FILTER (WHERE b.measure = 3) AS h3,
                   max(b.total) FILTER (WHERE b.measure = 0) AS c0,
                   max(b.mean) FILTER (WHERE b.measure = 0) AS m0,
                   max(b.low) FILTER (WHERE b.measure = 0) AS l0, max(b.high) FILTER (WHERE b.measure = 0) AS h0,
                   max(b.mean) FILTER (WHERE b.measure = -1) AS net,
                   max(b.low) FILTER (WHERE b.measure = -1) AS net_low,
                   max(b.high) FILTER (WHERE b.measure = -1) AS net_high,
                   max(b.mean) FILTER (WHERE b.measure = -2) AS edge,
                   max(b.low) FILTER (WHERE b.measure = -2) AS edge_low,
                   max(b.high) FILTER (WHERE b.measure = -2) AS edge_high
              FROM bounded b GROUP BY b.key
        )
        SELECT c.symbol, c.signal_type, c.strategy, c.reason, c.bucket, c.day, c.hour,
               c.signals, c.open, c.void, c.settled,
               e.c1::bigint, round(100 * e.m1::numeric, 6), round(100 * e.l1::numeric, 6),
               round(100 * e.h1::numeric, 6),
               e.c2::bigint, round(100 * e.m2::numeric, 6), round(100 * e.l2::numeric, 6),
               round(100 * e.h2::numeric, 6),
               e.c3::bigint, round(100 * e.m3::numeric, 6), round(100 * e.l3::numeric, 6),
               round(100 * e.h3::numeric, 6),
               e.c0::bigint, round(100 * e.m0::numeric, 6), round(100 * e.l0::numeric, 6),
               round(100 * e.h0::numeric, 6),
               c.untouched, round(100 * c.wins::numeric / nullif(c.settled, 0), 6),
               round(e.net::numeric, 6), round(e.net_low::numeric, 6), round(e.net_high::numeric, 6),
               round(c.gross::numeric, 6), round(c.mirror::numeric, 6),
               round(e.edge::numeric, 6), round(e.edge_low::numeric, 6), round(e.edge_high::numeric, 6),
               round((c.gained / nullif(c.lost, 0))::numeric, 6), round(w.drawdown::numeric, 6),
               round(w.exposure::numeric, 6),
               coalesce(e.days, 0), round(e.deff::numeric, 6), round(e.n_effective::numeric, 6),
               c.ambiguous, c.sampled, round(d.probability::numeric, 6),
               CASE WHEN coalesce(e.days, 0) < 28 OR coalesce(e.n_effective, 0) < 100 THEN 'too few'
                    WHEN e.edge_low > 0 AND d.probability >= 0.95 THEN 'edge shown'
                    WHEN e.edge_high < 0 THEN 'worse than a coin flip'
                    ELSE 'no edge shown' END,
               e.further
          FROM counted c
          LEFT JOIN estimated e USING (key)
          LEFT JOIN walked w USING (key)
          LEFT JOIN deflated d USING (key)
         ORDER BY c.day, c.hour, c.strategy, c.symbol, c.signal_type, c.reason, c.bucket;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_track_record(
    text[], text[], text[], text[], numeric[], timestamptz[], timestamptz[], text[], integer[], integer[], text[],
    numeric[], numeric[], numeric[], text[], boolean[], text[], integer, text[], bigint) IS
'the formulas of signal_track_record() and replay_track_record(), over outcomes that are given as one array per '
'column';
