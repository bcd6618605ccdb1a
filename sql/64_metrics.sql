-- Part: replaceable
-- Numbers for exporters that query SQL, and for /metrics of signal_hub_live. Names, units and the
-- parts of histograms are those of Prometheus.

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_count_runs(after bigint, up_to bigint)
    RETURNS TABLE (name text, labels jsonb, value double precision)
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        @count_runs@;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_count_runs(bigint, bigint) IS
    'what the runs with numbers above after, up to up_to, came to, as counters of signal_metrics';

CREATE OR REPLACE VIEW @extschema@.signal_metrics AS
WITH totals AS (
    SELECT t.name, t.labels, t.value FROM @extschema@.signal_run_totals t
     UNION ALL
    SELECT r.name, r.labels, r.value
      FROM @extschema@.signal_hub_count_runs((SELECT max(t.through) FROM @extschema@.signal_run_totals t),
                                             9223372036854775807) r
), health AS MATERIALIZED (
    SELECT * FROM @extschema@.signal_health
), last_run AS (
    SELECT r.symbols_watched, r.symbols_judged FROM @extschema@.signal_runs r
     WHERE r.symbols_watched IS NOT NULL ORDER BY r.run_id DESC LIMIT 1
), slots AS (
    SELECT s.slot_name, s.active, s.wal_status IS NOT DISTINCT FROM 'lost' AS lost,
           pg_catalog.pg_wal_lsn_diff(
               CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                    ELSE pg_catalog.pg_current_wal_lsn() END, s.restart_lsn) AS retained
      FROM pg_catalog.pg_replication_slots s
     WHERE s.database = pg_catalog.current_database()
), metrics AS (
    SELECT t.name, t.labels, sum(t.value) AS value FROM totals t GROUP BY t.name, t.labels
     UNION ALL
    SELECT 'signal_hub_state', jsonb_build_object('state', s.state), (s.state = h.state)::integer
      FROM health h
     CROSS JOIN unnest('{running,starting,blind,unreached,unsettled,failing,blocked,stalled,stopped,paused,disabled,
                         version_mismatch,not_preloaded,node,standby}'::text[]) AS s (state)
     UNION ALL
    SELECT v.name, v.labels, v.value
      FROM health h
     CROSS JOIN LATERAL (VALUES
               ('signal_hub_healthy', '{}'::jsonb, h.healthy::integer::double precision),
               ('signal_hub_worker_up', '{}', (h.worker_pid IS NOT NULL)::integer),
               ('signal_hub_worker_heartbeat_age_seconds', '{}', extract(epoch FROM h.heartbeat_age)),
               ('signal_hub_worker_restarts_total', '{}', h.restarts),
               ('signal_hub_last_run_timestamp_seconds', '{}', extract(epoch FROM h.last_run)),
               ('signal_hub_last_success_timestamp_seconds', '{}', extract(epoch FROM h.last_success)),
               ('signal_hub_consecutive_failures', '{}', h.consecutive_failures),
               ('signal_hub_undelivered_signals', '{}', h.undelivered_signals),
               ('signal_hub_outcomes', '{"state": "open"}', h.outcomes_open),
               ('signal_hub_outcomes', '{"state": "settled"}', h.outcomes_settled),
               ('signal_hub_outcomes', '{"state": "void"}', h.outcomes_void),
               ('signal_hub_oldest_due_settlement_seconds', '{}',
                coalesce(extract(epoch FROM h.oldest_due_settlement), 0)),
               ('signal_hub_interval_seconds', '{}',
                extract(epoch FROM pg_catalog.current_setting('signal_hub.interval', true)::interval))
           ) AS v (name, labels, value)
     UNION ALL
    SELECT v.name, '{}', v.value
      FROM last_run r
     CROSS JOIN LATERAL (VALUES ('signal_hub_symbols_watched', r.symbols_watched),
                                ('signal_hub_symbols_judged', r.symbols_judged)) AS v (name, value)
     UNION ALL
    SELECT 'signal_hub_exchange_failures', jsonb_build_object('exchange', e.exchange), e.failures
      FROM @extschema@.signal_exchanges e
     UNION ALL
    SELECT v.name, jsonb_build_object('slot', s.slot_name), v.value
      FROM slots s
     CROSS JOIN LATERAL (VALUES ('signal_hub_slot_active', s.active::integer::numeric),
                                ('signal_hub_slot_lost', s.lost::integer),
                                ('signal_hub_slot_retained_bytes', s.retained)) AS v (name, value)
     UNION ALL
    SELECT 'signal_hub_info', jsonb_build_object('version', e.extversion), 1
      FROM pg_catalog.pg_extension e WHERE e.extname = 'signal_hub'
)
SELECT m.name, m.labels, m.value, h.help
  FROM metrics m
  JOIN (VALUES
      ('signal_hub_info', 'Version of the extension in this database, as a label.'),
      ('signal_hub_healthy', 'Whether signal_health says that nothing needs a person.'),
      ('signal_hub_state', 'Whether signal_health is in this state.'),
      ('signal_hub_worker_up', 'Whether the worker process of this database runs.'),
      ('signal_hub_worker_heartbeat_age_seconds', 'Time since the last sign of life of the worker.'),
      ('signal_hub_worker_restarts_total', 'Times a dead worker was started again, since the start of the server.'),
      ('signal_hub_interval_seconds', 'From the start of a run to the start of the next, as set.'),
      ('signal_hub_last_run_timestamp_seconds', 'Start of the last run, skipped ones aside.'),
      ('signal_hub_last_success_timestamp_seconds', 'Start of the last run that was ok.'),
      ('signal_hub_consecutive_failures', 'Failed runs of the worker since the last one that was ok.'),
      ('signal_hub_runs_total', 'Runs, by how they went.'),
      ('signal_hub_run_stage_seconds', 'Time that runs spent in each stage; deliver counts runs with deliveries.'),
      ('signal_hub_symbols_watched', 'Symbols that the last run had to judge.'),
      ('signal_hub_symbols_judged', 'Those of them that it could judge.'),
      ('signal_hub_exchange_failures', 'Requests for tickers that failed in a row; 0 in good standing.'),
      ('signal_hub_signals_total', 'Signals recorded.'),
      ('signal_hub_deliveries_total', 'Rows of user_signals written for them.'),
      ('signal_hub_delivery_failures_total', 'Subscribers who could not be given their row.'),
      ('signal_hub_undelivered_signals', 'Signals whose fan-out is not complete.'),
      ('signal_hub_outcomes', 'Signals by what is known of their outcome.'),
      ('signal_hub_oldest_due_settlement_seconds', 'For how long the oldest outcome has been due; 0 when none is.'),
      ('signal_hub_slot_active', 'Whether a process reads this replication slot of the database.'),
      ('signal_hub_slot_lost', 'Whether the slot fell further behind than max_slot_wal_keep_size.'),
      ('signal_hub_slot_retained_bytes', 'Write-ahead log that the server keeps for the slot.')
  ) AS h (name, help) ON h.name = regexp_replace(m.name, '^(.*_seconds)_(bucket|sum|count)$', '\1')
 WHERE m.value IS NOT NULL;
COMMENT ON VIEW @extschema@.signal_metrics IS
    'numbers for monitoring, one row each, in the names and units of Prometheus; /metrics of signal_hub_live has them '
    'too';
COMMENT ON COLUMN @extschema@.signal_metrics.name IS
    'name: ending in _total it is a counter; in _seconds_bucket, _seconds_sum or _seconds_count a part of a '
    'histogram; else a gauge';
COMMENT ON COLUMN @extschema@.signal_metrics.labels IS 'labels, an object of texts';
COMMENT ON COLUMN @extschema@.signal_metrics.value IS 'the number';
COMMENT ON COLUMN @extschema@.signal_metrics.help IS 'what it is, in words';
