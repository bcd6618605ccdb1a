-- Views for people and monitors.

-- A quota is counted where it cannot go wrong: in the rows themselves. As the
-- caller, so that row-level security shows clients their own rows only.
CREATE VIEW @extschema@.user_signal_quotas WITH (security_invoker = true) AS
SELECT e.user_id,
       left(e.metadata ->> 'timestamp', 10)::date AS day,
       count(*)::integer AS received
  FROM @extschema@.user_signals e
 GROUP BY 1, 2;
COMMENT ON VIEW @extschema@.user_signal_quotas IS 'signals received per subscriber and UTC day, as far back as signal_hub.signal_retention keeps them; quotas are enforced by the same rows';
COMMENT ON COLUMN @extschema@.user_signal_quotas.user_id IS 'the subscriber';
COMMENT ON COLUMN @extschema@.user_signal_quotas.day IS 'the UTC day on which the signals were recorded';
COMMENT ON COLUMN @extschema@.user_signal_quotas.received IS 'signals received of that day; days without any have no row';

CREATE VIEW @extschema@.signal_delivery_progress AS
WITH under_way AS (
    SELECT s.signal_id, s.symbol, s.delivery_started_at AS started_at,
           clock_timestamp() - s.delivery_started_at AS elapsed,
           s.deliveries + coalesce((SELECT sum(r.deliveries) FROM @extschema@.signal_delivery_ranges r
                                     WHERE r.signal_id = s.signal_id), 0)::bigint AS delivered,
           -- What the signal before came to; without one, how many active
           -- subscribers there were when they were last analyzed.
           coalesce((SELECT nullif(b.deliveries, 0) FROM @extschema@.signals b
                      WHERE b.delivered_at IS NOT NULL AND b.signal_id < s.signal_id ORDER BY b.signal_id DESC LIMIT 1),
                    (SELECT nullif(greatest(c.reltuples, 0), 0)::bigint
                       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
                      WHERE i.indrelid = '@extschema@.user_subscriptions'::pg_catalog.regclass
                        AND c.relname = 'user_subscriptions_tier_user_id_idx')) AS expected
      FROM @extschema@.signals s
     WHERE s.delivered_at IS NULL AND s.delivery_started_at IS NOT NULL
), measured AS (
    SELECT u.*, u.delivered / nullif(greatest(extract(epoch FROM u.elapsed), 0), 0)::double precision AS rows_per_second,
           greatest(u.expected - u.delivered, 0) AS remaining
      FROM under_way u
), timed AS (
    -- A clock that was wrong when the fan-out began may make the rate anything.
    SELECT m.*, CASE WHEN m.remaining < m.rows_per_second * extract(epoch FROM interval '1 year')::double precision
                     THEN clock_timestamp() + m.remaining / m.rows_per_second * interval '1 second' END AS estimated_end
      FROM measured m
)
SELECT signal_id, symbol, started_at, elapsed, delivered, expected, rows_per_second, estimated_end,
       format('delivering signal %s (%s): %s rows%s, %s rows/s%s', signal_id, symbol, delivered,
              coalesce(' of about ' || greatest(expected, delivered), ''), coalesce(round(rows_per_second::numeric), 0),
              coalesce(', until about ' || to_char(estimated_end AT TIME ZONE 'UTC', 'HH24:MI:SS') || ' UTC', '')) AS progress
  FROM timed;
COMMENT ON VIEW @extschema@.signal_delivery_progress IS 'one row per signal whose fan-out is under way; what a session delivers in its own transaction shows when that commits';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.signal_id IS 'the signal, see signals';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.started_at IS 'when the fan-out began';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.elapsed IS 'time since then';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.delivered IS 'rows written to user_signals so far';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.expected IS 'about how many it will be, by the signal before or the last ANALYZE; null when neither is known';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.rows_per_second IS 'rate so far';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.estimated_end IS 'when it will be done at that rate; null when that is not within a year';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.progress IS 'all of this in words, as pg_stat_activity shows it';

-- The states of signal_health, first match wins:
--   standby           read-only server; the primary generates
--   not_preloaded     the library is not in shared_preload_libraries
--   version_mismatch  the library and the SQL objects are of different releases
--   disabled          signal_hub.enabled is off
--   paused            pause_signals() was called
--   stopped           no worker process; the launcher starts one
--   stalled           the worker process does not beat
--   blocked           runs are skipped: somebody else holds a lock they need
--   failing           the last run failed, or the worker met an error since
--   starting          nothing has run yet
--   running           all is well
CREATE VIEW @extschema@.signal_health AS
WITH facts AS (
    SELECT w.*,
           pg_catalog.pg_is_in_recovery() AS standby,
           clock_timestamp() - w.last_heartbeat AS heartbeat_age,
           (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'signal_hub') AS sql_version,
           l.started_at AS last_run, l.status AS last_status, l.message AS last_message,
           s.last_success, s.last_success_id,
           (SELECT count(*) FROM @extschema@.signal_runs f WHERE f.status = 'failed' AND f.trigger = 'worker' AND f.run_id > coalesce(s.last_success_id, 0)) AS consecutive_failures,
           f.error, f.failed_at, k.skipped_in_a_row, k.skipped_since, k.skipped_because,
           (SELECT count(*) FROM @extschema@.signals g WHERE g.created_at BETWEEN now() - interval '24 hours' AND clock_timestamp()) AS signals_24h,
           (SELECT coalesce(sum(g.deliveries), 0)::bigint FROM @extschema@.signals g WHERE g.created_at BETWEEN now() - interval '24 hours' AND clock_timestamp())
               + (SELECT coalesce(sum(r.deliveries), 0)::bigint FROM @extschema@.signal_delivery_ranges r JOIN @extschema@.signals g USING (signal_id)
                   WHERE g.created_at BETWEEN now() - interval '24 hours' AND clock_timestamp()) AS deliveries_24h,
           (SELECT count(*) FROM @extschema@.signals g WHERE g.delivered_at IS NULL) AS undelivered_signals,
           p.paused_at, p.paused_by, p.reason AS pause_reason
      FROM @extschema@.signal_worker_status() w
      -- A failed call by hand is its caller's trouble, unless the exchange asked to be left alone.
      LEFT JOIN LATERAL (SELECT r.* FROM @extschema@.signal_runs r
                          WHERE r.status <> 'skipped' AND NOT (r.trigger = 'manual' AND r.status = 'failed' AND r.retry_at IS NULL)
                          ORDER BY r.run_id DESC LIMIT 1) l ON true
      LEFT JOIN LATERAL (SELECT r.run_id AS last_success_id, r.started_at AS last_success
                           FROM @extschema@.signal_runs r WHERE r.status = 'ok' ORDER BY r.run_id DESC LIMIT 1) s ON true
      LEFT JOIN LATERAL (SELECT r.error, r.started_at AS failed_at
                           FROM @extschema@.signal_runs r
                          WHERE r.error IS NOT NULL AND NOT (r.trigger = 'manual' AND r.status = 'failed' AND r.retry_at IS NULL)
                          ORDER BY r.run_id DESC LIMIT 1) f ON true
      LEFT JOIN LATERAL (SELECT count(*) AS skipped_in_a_row, min(r.started_at) AS skipped_since, max(r.message) AS skipped_because
                           FROM @extschema@.signal_runs r WHERE r.status = 'skipped' AND r.run_id > coalesce(l.run_id, 0)) k ON true
      LEFT JOIN @extschema@.signal_pause p ON true
), judged AS (
    SELECT CASE
               WHEN standby THEN 'standby'
               WHEN NOT preloaded THEN 'not_preloaded'
               WHEN sql_version <> library_version THEN 'version_mismatch'
               WHEN NOT enabled THEN 'disabled'
               WHEN paused_at IS NOT NULL THEN 'paused'
               WHEN worker_pid IS NULL THEN 'stopped'
               WHEN heartbeat_age > interval '15 seconds' THEN 'stalled'
               WHEN skipped_in_a_row >= 3 THEN 'blocked'
               WHEN last_status = 'failed' OR trouble IS NOT NULL THEN 'failing'
               WHEN last_run IS NULL THEN 'starting'
               ELSE 'running'
           END AS state, facts.*
      FROM facts
)
SELECT state IN ('running', 'starting', 'standby') AS healthy,
       state,
       CASE state
           WHEN 'standby' THEN 'this server is a standby: the primary generates signals, this one starts by itself when promoted'
           WHEN 'not_preloaded' THEN 'no worker can run: add signal_hub to shared_preload_libraries and restart the server; generate_signals_now() works meanwhile'
           WHEN 'version_mismatch' THEN format(CASE WHEN string_to_array(library_version, '.')::integer[] < string_to_array(sql_version, '.')::integer[]
                                                    THEN 'the library in use is %s but the SQL objects are %s: install the matching library, then restart the server'
                                                    ELSE 'the library is %s but the SQL objects are %s: run ALTER EXTENSION signal_hub UPDATE' END, library_version, sql_version)
           WHEN 'disabled' THEN 'signal_hub.enabled is off: set it on and reload the configuration'
           WHEN 'paused' THEN format('paused by %s since %s%s: call resume_signals() to go on', paused_by, paused_at::timestamptz(0), coalesce(' (' || pause_reason || ')', ''))
           WHEN 'stopped' THEN 'no worker runs' || coalesce(': it died and is started again at ' || retry_at::timestamptz(0), ': the launcher starts one as soon as it can, see the server log if it does not')
           WHEN 'stalled' THEN format('worker %s has not beaten for %s s: look at it in pg_stat_activity', worker_pid, round(extract(epoch FROM heartbeat_age)))
           WHEN 'blocked' THEN format('%s runs in a row were skipped since %s: %s; see pg_locks for who holds the extension', skipped_in_a_row, skipped_since::timestamptz(0), skipped_because)
           WHEN 'failing' THEN CASE WHEN last_status = 'failed' THEN format('%s failed run(s) in a row: ', consecutive_failures) ELSE '' END
                               || coalesce(trouble, error) || coalesce('; next run at ' || next_run::timestamptz(0), '')
           WHEN 'starting' THEN 'the worker is up, its first run has not ended yet'
           ELSE coalesce((SELECT d.progress FROM @extschema@.signal_delivery_progress d ORDER BY d.signal_id LIMIT 1), last_message, 'all is well')
       END AS message,
       worker_pid,
       started_at,
       date_trunc('second', clock_timestamp() - started_at) AS uptime,
       last_heartbeat,
       heartbeat_age,
       restarts,
       last_run,
       last_success,
       consecutive_failures,
       CASE WHEN state IN ('running', 'starting', 'failing') THEN next_run END AS next_run,
       error AS last_error,
       failed_at AS last_error_at,
       signals_24h,
       deliveries_24h,
       undelivered_signals,
       @extschema@.signal_hub_replication() AS replication
  FROM judged;
COMMENT ON VIEW @extschema@.signal_health IS 'one row: is all well, and if not, what is wrong and what to do';
COMMENT ON COLUMN @extschema@.signal_health.healthy IS 'true when nothing here needs a person: states running, starting and standby';
COMMENT ON COLUMN @extschema@.signal_health.state IS 'running, starting, failing, blocked, stalled, stopped, paused, disabled, version_mismatch, not_preloaded or standby';
COMMENT ON COLUMN @extschema@.signal_health.message IS 'the state in words, with the remedy';
COMMENT ON COLUMN @extschema@.signal_health.worker_pid IS 'process of this database''s worker; null when none runs';
COMMENT ON COLUMN @extschema@.signal_health.started_at IS 'when the worker started';
COMMENT ON COLUMN @extschema@.signal_health.uptime IS 'age of the worker, whole seconds';
COMMENT ON COLUMN @extschema@.signal_health.last_heartbeat IS 'the worker''s last sign of life, at least every 5 seconds, from shared memory';
COMMENT ON COLUMN @extschema@.signal_health.heartbeat_age IS 'time since then; more than 15 seconds is stalled';
COMMENT ON COLUMN @extschema@.signal_health.restarts IS 'times a dead worker was started again; a crash that resets the whole server counts once and forgets the others';
COMMENT ON COLUMN @extschema@.signal_health.last_run IS 'start of the last run, by worker or by hand; failed calls by hand count only when the exchange asked to be left alone';
COMMENT ON COLUMN @extschema@.signal_health.last_success IS 'start of the last run that was ok';
COMMENT ON COLUMN @extschema@.signal_health.consecutive_failures IS 'failed runs of the worker since then';
COMMENT ON COLUMN @extschema@.signal_health.next_run IS 'when the worker runs next';
COMMENT ON COLUMN @extschema@.signal_health.last_error IS 'the last error of a run on record, also when runs have been ok since; of failed calls by hand only when the exchange asked to be left alone';
COMMENT ON COLUMN @extschema@.signal_health.last_error_at IS 'start of the run it belongs to';
COMMENT ON COLUMN @extschema@.signal_health.signals_24h IS 'signals generated in the last 24 hours';
COMMENT ON COLUMN @extschema@.signal_health.deliveries_24h IS 'rows of user_signals written for them';
COMMENT ON COLUMN @extschema@.signal_health.undelivered_signals IS 'signals whose fan-out is not complete';
COMMENT ON COLUMN @extschema@.signal_health.replication IS 'who publishes user_signals and how many slots follow, or what is wrong with a slot; null when it is in no publication. healthy does not depend on it';

CREATE VIEW @extschema@.signal_stats AS
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
COMMENT ON COLUMN @extschema@.signal_stats.deliveries IS 'rows of user_signals written for them; of a fan-out under way, those of ranges that are done';
COMMENT ON COLUMN @extschema@.signal_stats.delivery_failures IS 'subscribers whose row was refused';
COMMENT ON COLUMN @extschema@.signal_stats.avg_confidence IS 'mean confidence, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_stats.avg_quality IS 'mean quality score, 0 to 100';
COMMENT ON COLUMN @extschema@.signal_stats.fetch_ms_p50 IS 'median milliseconds waiting for the exchange; null once the runs are purged';
COMMENT ON COLUMN @extschema@.signal_stats.fetch_ms_p99 IS '99th percentile of the same';
COMMENT ON COLUMN @extschema@.signal_stats.judge_ms_p50 IS 'median milliseconds deciding';
COMMENT ON COLUMN @extschema@.signal_stats.judge_ms_p99 IS '99th percentile of the same';
COMMENT ON COLUMN @extschema@.signal_stats.record_ms_p50 IS 'median milliseconds recording';
COMMENT ON COLUMN @extschema@.signal_stats.record_ms_p99 IS '99th percentile of the same';
COMMENT ON COLUMN @extschema@.signal_stats.deliver_ms_p50 IS 'median milliseconds delivering';
COMMENT ON COLUMN @extschema@.signal_stats.deliver_ms_p99 IS '99th percentile of the same';
