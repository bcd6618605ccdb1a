-- Part: replaceable
-- Views for people and monitors.

-- A quota is counted where it cannot go wrong: in the rows themselves. As the
-- caller, so that row-level security shows clients their own rows only.
CREATE OR REPLACE VIEW @extschema@.user_signal_quotas WITH (security_invoker = true) AS
SELECT e.user_id,
       left(e.metadata ->> 'timestamp', 10)::date AS day,
       count(*)::integer AS received
  FROM @extschema@.user_signals e
 GROUP BY 1, 2;
COMMENT ON VIEW @extschema@.user_signal_quotas IS
    'signals received per subscriber and UTC day, as far back as signal_hub.signal_retention keeps them; quotas are '
    'enforced by the same rows';
COMMENT ON COLUMN @extschema@.user_signal_quotas.user_id IS 'the subscriber';
COMMENT ON COLUMN @extschema@.user_signal_quotas.day IS 'the UTC day on which the signals were recorded';
COMMENT ON COLUMN @extschema@.user_signal_quotas.received IS
    'signals received of that day; days without any have no row';

CREATE OR REPLACE VIEW @extschema@.signal_delivery_progress AS
WITH under_way AS (
    SELECT s.signal_id, s.symbol, s.delivery_started_at AS started_at,
           clock_timestamp() - s.delivery_started_at AS elapsed,
           s.deliveries + coalesce((SELECT sum(r.deliveries) FROM @extschema@.signal_delivery_ranges r
                                     WHERE r.signal_id = s.signal_id), 0)::bigint AS delivered,
           -- What the signal before came to; without one, how many active
           -- subscribers there were when they were last analyzed.
           coalesce((SELECT nullif(b.deliveries, 0) FROM @extschema@.signals b
                      WHERE b.delivered_at IS NOT NULL AND b.withheld_by IS NULL AND b.signal_id < s.signal_id
                      ORDER BY b.signal_id DESC LIMIT 1),
                    (SELECT nullif(greatest(c.reltuples, 0), 0)::bigint
                       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
                      WHERE i.indrelid = '@extschema@.user_subscriptions'::pg_catalog.regclass
                        AND c.relname = 'user_subscriptions_tier_user_id_idx')) AS expected
      FROM @extschema@.signals s
     WHERE s.delivered_at IS NULL AND s.delivery_started_at IS NOT NULL
), measured AS (
    SELECT u.*,
           u.delivered / nullif(greatest(extract(epoch FROM u.elapsed), 0), 0)::double precision AS rows_per_second,
           greatest(u.expected - u.delivered, 0) AS remaining
      FROM under_way u
), timed AS (
    -- A clock that was wrong when the fan-out began may make the rate anything.
    SELECT m.*, CASE WHEN m.remaining < m.rows_per_second * extract(epoch FROM interval '1 year')::double precision
                     THEN clock_timestamp() + m.remaining / m.rows_per_second * interval '1 second'
                END AS estimated_end
      FROM measured m
)
SELECT signal_id, symbol, started_at, elapsed, delivered, expected, rows_per_second, estimated_end,
       format('delivering signal %s (%s): %s rows%s, %s rows/s%s', signal_id, symbol, delivered,
              coalesce(' of about ' || greatest(expected, delivered), ''),
              coalesce(round(rows_per_second::numeric), 0),
              coalesce(', until about ' || to_char(estimated_end AT TIME ZONE 'UTC', 'HH24:MI:SS') || ' UTC', '')
       ) AS progress
  FROM timed;
COMMENT ON VIEW @extschema@.signal_delivery_progress IS
    'one row per signal whose fan-out is under way; what a session delivers in its own transaction shows when that '
    'commits';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.signal_id IS 'the signal, see signals';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.started_at IS 'when the fan-out began';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.elapsed IS 'time since then';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.delivered IS 'rows written to user_signals so far';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.expected IS
    'about how many it will be, by the signal before or the last ANALYZE; null when neither is known';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.rows_per_second IS 'rate so far';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.estimated_end IS
    'when it will be done at that rate; null when that is not within a year';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.progress IS
    'all of this in words, as pg_stat_activity shows it';

CREATE OR REPLACE VIEW @extschema@.signal_stats AS
SELECT (s.created_at AT TIME ZONE 'UTC')::date AS day,
       s.symbol,
       count(*) AS signals,
       count(*) FILTER (WHERE s.signal_type = 'LONG') AS long_signals,
       count(*) FILTER (WHERE s.signal_type = 'SHORT') AS short_signals,
       sum(s.deliveries)::bigint AS deliveries,
       sum(s.delivery_failures)::bigint AS delivery_failures,
       round(avg(s.confidence), 2) AS avg_confidence,
       round(avg(s.quality_score), 2) AS avg_quality,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.fetch_ms) AS fetch_ms_p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY r.fetch_ms) AS fetch_ms_p99,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.judge_ms) AS judge_ms_p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY r.judge_ms) AS judge_ms_p99,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.record_ms) AS record_ms_p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY r.record_ms) AS record_ms_p99,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY r.deliver_ms) AS deliver_ms_p50,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY r.deliver_ms) AS deliver_ms_p99
  FROM @extschema@.signals s
  LEFT JOIN @extschema@.signal_runs r USING (run_id)
 GROUP BY 1, 2;
COMMENT ON VIEW @extschema@.signal_stats IS 'signals per UTC day and symbol, with the time the runs behind them took';
COMMENT ON COLUMN @extschema@.signal_stats.day IS 'UTC day';
COMMENT ON COLUMN @extschema@.signal_stats.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signal_stats.signals IS 'signals generated';
COMMENT ON COLUMN @extschema@.signal_stats.long_signals IS 'of these LONG';
COMMENT ON COLUMN @extschema@.signal_stats.short_signals IS 'of these SHORT';
COMMENT ON COLUMN @extschema@.signal_stats.deliveries IS
    'rows of user_signals written for them; of a fan-out under way, those of ranges that are done';
COMMENT ON COLUMN @extschema@.signal_stats.delivery_failures IS 'subscribers whose row was refused';
COMMENT ON COLUMN @extschema@.signal_stats.avg_confidence IS 'mean confidence, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_stats.avg_quality IS 'mean quality score, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_stats.fetch_ms_p50 IS
    'median milliseconds waiting for the exchange; null once the runs are purged';
COMMENT ON COLUMN @extschema@.signal_stats.fetch_ms_p99 IS '99th percentile of the same';
COMMENT ON COLUMN @extschema@.signal_stats.judge_ms_p50 IS 'median milliseconds deciding';
COMMENT ON COLUMN @extschema@.signal_stats.judge_ms_p99 IS '99th percentile of the same';
COMMENT ON COLUMN @extschema@.signal_stats.record_ms_p50 IS 'median milliseconds recording';
COMMENT ON COLUMN @extschema@.signal_stats.record_ms_p99 IS '99th percentile of the same';
COMMENT ON COLUMN @extschema@.signal_stats.deliver_ms_p50 IS 'median milliseconds delivering';
COMMENT ON COLUMN @extschema@.signal_stats.deliver_ms_p99 IS '99th percentile of the same';
