-- Part: replaceable
-- The states of signal_health, first match wins:
--   standby           read-only server; the primary generates
--   node              worker node of Citus; its coordinator generates
--   not_preloaded     the library is not in shared_preload_libraries
--   version_mismatch  the library and the SQL objects are of different releases or builds
--   disabled          signal_hub.enabled is off
--   paused            pause_signals() was called
--   stopped           no worker process; the launcher starts one
--   stalled           the worker process does not beat
--   blocked           runs are skipped: somebody else holds a lock they need
--   failing           the last run failed, the worker met an error since, or rows of the last
--                     signals were given up
--   starting          nothing has run yet
--   blind             three runs in a row or more could judge none of the watched symbols
--   unreached         there are subscriptions, and the last signal reached nobody
--   unsettled         an outcome has been due for more than a day while runs are good
--   running           all is well
CREATE OR REPLACE VIEW @extschema@.signal_health AS
WITH asked AS MATERIALIZED (
    -- Once: each node is asked by a connection of its own.
    SELECT @extschema@.signal_hub_nodes() AS nodes
), facts AS (
    SELECT w.*, h.died_at, h.died_of, h.waits_for,
           EXISTS (SELECT FROM pg_catalog.pg_database d
                    WHERE d.datname = pg_catalog.current_database()
                      AND (d.datistemplate OR NOT d.datallowconn)) AS template,
           pg_catalog.pg_is_in_recovery() AS standby,
           @extschema@.signal_hub_is_node() AS node,
           clock_timestamp() - w.last_heartbeat AS heartbeat_age,
           (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'signal_hub') AS sql_version,
           l.started_at AS last_run, l.status AS last_status, l.message AS last_message,
           s.last_success, s.last_success_id,
           (SELECT count(*) FROM @extschema@.signal_runs f
             WHERE f.status = 'failed' AND f.trigger = 'worker' AND f.run_id > coalesce(s.last_success_id, 0)
           ) AS consecutive_failures,
           a.nodes, b.blind_runs, b.blind_since, l.symbols_judged * 2 < l.symbols_watched AS half_blind,
           c.unreached, c.message AS reach,
           f.error, f.failed_at, k.skipped_in_a_row, k.skipped_since, k.skipped_because,
           (SELECT count(*) FROM @extschema@.signals g
             WHERE g.created_at BETWEEN now() - interval '24 hours' AND clock_timestamp()) AS signals_24h,
           (SELECT coalesce(sum(g.deliveries), 0)::bigint FROM @extschema@.signals g
             WHERE g.created_at BETWEEN now() - interval '24 hours' AND clock_timestamp())
               + (SELECT coalesce(sum(r.deliveries), 0)::bigint
                    FROM @extschema@.signal_delivery_ranges r JOIN @extschema@.signals g USING (signal_id)
                   WHERE g.created_at BETWEEN now() - interval '24 hours' AND clock_timestamp()) AS deliveries_24h,
           (SELECT count(*) FROM @extschema@.signals g WHERE g.delivered_at IS NULL) AS undelivered_signals,
           p.paused_at, p.paused_by, p.reason AS pause_reason, u.given_up, u.given_up_why,
           o.outcomes_open, o.outcomes_void, o.outcomes - o.outcomes_open - o.outcomes_void AS outcomes_settled,
           x.due_signal, x.listed_due_since, clock_timestamp() - x.due_since AS oldest_due_settlement
      FROM asked a
     CROSS JOIN @extschema@.signal_worker_status() w
     CROSS JOIN @extschema@.signal_worker_history() h
      LEFT JOIN LATERAL (SELECT r.*
                           FROM (@runs_that_count@) r
                          WHERE r.status <> 'skipped' ORDER BY r.run_id DESC LIMIT 1) l ON true
      LEFT JOIN LATERAL (SELECT r.run_id AS last_success_id, r.started_at AS last_success
                           FROM @extschema@.signal_runs r
                          WHERE r.status = 'ok' ORDER BY r.run_id DESC LIMIT 1) s ON true
      LEFT JOIN LATERAL (SELECT r.error, r.started_at AS failed_at
                           FROM (@runs_that_count@) r
                          WHERE r.error IS NOT NULL ORDER BY r.run_id DESC LIMIT 1) f ON true
      LEFT JOIN LATERAL (SELECT count(*) AS skipped_in_a_row, min(r.started_at) AS skipped_since,
                                max(r.message) AS skipped_because
                           FROM @extschema@.signal_runs r
                          WHERE r.status = 'skipped' AND r.run_id > coalesce(l.run_id, 0)) k ON true
      LEFT JOIN LATERAL (SELECT count(*) AS blind_runs, min(j.started_at) AS blind_since
                           FROM (SELECT r.started_at,
                                        bool_and(coalesce(r.symbols_watched > 0 AND r.symbols_judged = 0, false))
                                            OVER (ORDER BY r.run_id DESC) AS blind
                                   FROM (SELECT * FROM @extschema@.signal_runs
                                          WHERE status = 'ok' ORDER BY run_id DESC LIMIT 100) r) j
                          WHERE j.blind) b ON true
      CROSS JOIN @extschema@.signal_hub_reach(a.nodes) c
      LEFT JOIN @extschema@.signal_pause p ON true
      -- Rows given up stay a trouble until a later signal reaches everybody.
      LEFT JOIN LATERAL (SELECT coalesce(r.delivery_failures, g.delivery_failures) AS given_up, r.error AS given_up_why
                           FROM (SELECT d.run_id, d.delivery_failures FROM @extschema@.signals d
                                  WHERE d.delivered_at IS NOT NULL AND d.withheld_by IS NULL
                                  ORDER BY d.signal_id DESC LIMIT 1) g
                           LEFT JOIN @extschema@.signal_runs r USING (run_id)) u ON true
      -- Each of these counts in an index.
      CROSS JOIN LATERAL (SELECT (SELECT count(*) FROM @extschema@.signal_outcomes) AS outcomes,
                                 (SELECT count(*) FROM @extschema@.signal_outcomes WHERE state = 'open')
                                     AS outcomes_open,
                                 (SELECT count(*) FROM @extschema@.signal_outcomes WHERE state = 'void')
                                     AS outcomes_void) o
      -- Those that another exchange would have to settle wait until they are void, and of those
      -- that the exchange does not list any more there are no candles to come.
      CROSS JOIN LATERAL (SELECT min(c.expires_at) + interval '5 seconds' AS due_since,
                                 min(c.expires_at) FILTER (WHERE y.status IS DISTINCT FROM 'UNKNOWN')
                                     + interval '5 seconds' AS listed_due_since,
                                 (array_agg(format('%s (%s)', c.signal_id, c.symbol) ORDER BY c.expires_at)
                                     FILTER (WHERE y.status IS DISTINCT FROM 'UNKNOWN'))[1] AS due_signal
                            FROM @extschema@.signal_outcomes c
                            LEFT JOIN @extschema@.signal_symbols y USING (symbol)
                           WHERE c.state = 'open' AND c.expires_at < clock_timestamp() - interval '5 seconds'
                             AND (c.source IS NULL OR c.source = rtrim(l.exchange_url, '/')
                                  OR c.source IN (SELECT e.exchange_url FROM @extschema@.signal_exchanges e))) x
), judged AS (
    SELECT CASE
               WHEN standby THEN 'standby'
               WHEN node THEN 'node'
               WHEN NOT preloaded THEN 'not_preloaded'
               WHEN sql_version <> library_version THEN 'version_mismatch'
               WHEN NOT enabled THEN 'disabled'
               WHEN paused_at IS NOT NULL THEN 'paused'
               WHEN worker_pid IS NULL THEN 'stopped'
               WHEN heartbeat_age > interval '15 seconds' THEN 'stalled'
               WHEN skipped_in_a_row >= 3 THEN 'blocked'
               WHEN last_status = 'failed' OR trouble IS NOT NULL OR given_up > 0 THEN 'failing'
               WHEN last_run IS NULL THEN 'starting'
               WHEN blind_runs >= 3 THEN 'blind'
               WHEN unreached THEN 'unreached'
               WHEN listed_due_since < clock_timestamp() - interval '1 day' THEN 'unsettled'
               ELSE 'running'
           END AS state, facts.*
      FROM facts
), worded AS MATERIALIZED (
SELECT judged.*,
       left(CASE state
           WHEN 'standby' THEN
               'this server is a standby: the primary generates signals, this one starts by itself when promoted'
           WHEN 'node' THEN
               'this server is a worker node of Citus: its coordinator generates and delivers signals'
           WHEN 'not_preloaded' THEN
               'no worker can run: add signal_hub to shared_preload_libraries and restart the server; '
               'generate_signals_now() works meanwhile'
           WHEN 'version_mismatch' THEN
               format(CASE WHEN sql_version LIKE '%-%'
                           THEN 'the library is %s but the SQL objects are of a development build of %s, which '
                                'cannot be updated: install the library of that build, or drop the extension, '
                                'which deletes its tables, and create it again'
                           WHEN string_to_array(split_part(library_version, '-', 1), '.')::integer[]
                              < string_to_array(sql_version, '.')::integer[]
                           THEN 'the library in use is %s but the SQL objects are %s: install the matching library, '
                                'then restart the server'
                           ELSE 'the library is %s but the SQL objects are %s: run ALTER EXTENSION signal_hub UPDATE'
                      END, library_version, sql_version)
           WHEN 'disabled' THEN
               'signal_hub.enabled is off: set it on and reload the configuration' || coalesce('; ' || trouble, '')
           WHEN 'paused' THEN
               format('paused by %s since %s%s: call resume_signals() to go on', paused_by,
                      paused_at::timestamptz(0), coalesce(' (' || pause_reason || ')', ''))
               || coalesce('; ' || trouble, '')
           WHEN 'stopped' THEN
               'no worker runs'
               || CASE WHEN template THEN
                           ': this database is a template or takes no connections, and workers leave those alone; '
                           'run ALTER DATABASE with IS_TEMPLATE false and ALLOW_CONNECTIONS true to have one'
                       WHEN retry_at IS NOT NULL THEN
                           ': it died' || coalesce(' (' || died_of || ')', '') || ' and is started again at '
                           || retry_at::timestamptz(0)
                       WHEN waits_for = 'slot' THEN
                           ': 64 databases of this server have one, which is the most; drop the extension where it '
                           'is not used'
                       WHEN waits_for = 'process' THEN
                           ': no background worker process is free; raise max_worker_processes and restart the server'
                       ELSE ': the launcher starts one as soon as it can, see the server log if it does not' END
           WHEN 'stalled' THEN
               format('worker %s has not beaten for %s s: ', worker_pid, round(extract(epoch FROM heartbeat_age)))
               || CASE WHEN nodes LIKE '%does not answer%'
                       THEN format('a node of Citus does not answer, and is waited for until it does or is '
                                   'stopped (%s)', nodes)
                       ELSE 'look at it in pg_stat_activity' END
           WHEN 'blocked' THEN
               format('%s runs in a row were skipped since %s: %s; see pg_locks for who holds the extension',
                      skipped_in_a_row, skipped_since::timestamptz(0), skipped_because)
           WHEN 'failing' THEN
               CASE WHEN last_status = 'failed' THEN format('%s failed run(s) in a row: ', consecutive_failures)
                    ELSE '' END
               || coalesce(trouble, CASE WHEN last_status <> 'failed' AND given_up > 0 THEN
                      format('%s delivery(s) of the last signals were given up, as the row was refused and those of '
                             'others were not%s; correct what refuses it and call retry_refused_deliveries()',
                             given_up, ': ' || given_up_why) END, error)
               || coalesce('; next run at ' || next_run::timestamptz(0), '')
           WHEN 'starting' THEN
               CASE WHEN stage LIKE 'waiting for %' THEN 'the worker is up and ' || stage || ': its first run follows'
                    ELSE 'the worker is up, its first run has not ended yet' END
           WHEN 'blind' THEN
               format('%s%s runs in a row since %s could judge no watched symbol: %s',
                      CASE WHEN blind_runs >= 100 THEN 'at least ' END, blind_runs, blind_since::timestamptz(0),
                      regexp_replace(last_message, '^no new signal: ', ''))
           WHEN 'unreached' THEN reach
           WHEN 'unsettled' THEN
               format('the outcome of signal %s has been due since %s and could not be settled: the exchange '
                      'answers runs but gives no candles of the pair; the server log says why. Seven days after its '
                      'time the outcome is void', due_signal, listed_due_since::timestamptz(0))
           -- Beside a fan-out the last run is shown only when it could not judge most symbols.
           ELSE (SELECT concat_ws('; ', d.progress,
                                  CASE WHEN half_blind OR d.progress IS NULL
                                       THEN coalesce(last_message, 'all is well') END,
                                  reach)
                   FROM (SELECT (SELECT p.progress FROM @extschema@.signal_delivery_progress p
                                  ORDER BY p.signal_id LIMIT 1) AS progress) d)
       END, 500) AS said,
       left(CASE WHEN died_at > coalesce(failed_at, '-infinity') THEN 'the worker died: ' || died_of ELSE error
            END, 200) AS last_said
  FROM judged
)
SELECT state IN ('running', 'starting', 'standby', 'node') AS healthy,
       state,
       -- Texts are cut by bytes: as many characters less as there are bytes too many, of which none has more than 4.
       left(said, greatest(length(said) - greatest(octet_length(said) - 500, 0), 125)) AS message,
       worker_pid,
       started_at,
       date_trunc('second', clock_timestamp() - started_at) AS uptime,
       last_heartbeat,
       heartbeat_age,
       restarts,
       last_run,
       last_success,
       consecutive_failures,
       CASE WHEN state IN ('running', 'starting', 'blind', 'unreached', 'unsettled', 'failing')
            THEN next_run END AS next_run,
       left(last_said, greatest(length(last_said) - greatest(octet_length(last_said) - 200, 0), 50)) AS last_error,
       greatest(died_at, failed_at) AS last_error_at,
       signals_24h,
       deliveries_24h,
       undelivered_signals,
       @extschema@.signal_hub_replication() AS replication,
       outcomes_open,
       outcomes_settled,
       outcomes_void,
       oldest_due_settlement,
       nodes
  FROM worded;
COMMENT ON VIEW @extschema@.signal_health IS 'one row: is all well, and if not, what is wrong and what to do';
COMMENT ON COLUMN @extschema@.signal_health.healthy IS
    'true when nothing here needs a person: states running, starting, standby and node';
COMMENT ON COLUMN @extschema@.signal_health.state IS
    'running, starting, blind, unreached, unsettled, failing, blocked, stalled, stopped, paused, disabled, '
    'version_mismatch, not_preloaded, standby or node';
COMMENT ON COLUMN @extschema@.signal_health.message IS 'the state in words, with the remedy';
COMMENT ON COLUMN @extschema@.signal_health.worker_pid IS 'process of this database''s worker; null when none runs';
COMMENT ON COLUMN @extschema@.signal_health.started_at IS 'when the worker started';
COMMENT ON COLUMN @extschema@.signal_health.uptime IS 'age of the worker, whole seconds';
COMMENT ON COLUMN @extschema@.signal_health.last_heartbeat IS
    'the worker''s last sign of life, at least every 5 seconds, from shared memory';
COMMENT ON COLUMN @extschema@.signal_health.heartbeat_age IS 'time since then; more than 15 seconds is stalled';
COMMENT ON COLUMN @extschema@.signal_health.restarts IS
    'times a dead worker was started again; a crash that resets the whole server counts once and forgets the others';
COMMENT ON COLUMN @extschema@.signal_health.last_run IS
    'start of the last run, by worker or by hand; failed calls by hand count only when the exchange asked to be '
    'left alone';
COMMENT ON COLUMN @extschema@.signal_health.last_success IS 'start of the last run that was ok';
COMMENT ON COLUMN @extschema@.signal_health.consecutive_failures IS 'failed runs of the worker since then';
COMMENT ON COLUMN @extschema@.signal_health.next_run IS 'when the worker runs next';
COMMENT ON COLUMN @extschema@.signal_health.last_error IS
    'the last error of a run on record, or what the worker died of, also when runs have been ok since; of failed '
    'calls by hand only when the exchange asked to be left alone';
COMMENT ON COLUMN @extschema@.signal_health.last_error_at IS 'start of the run it belongs to, or when the worker died';
COMMENT ON COLUMN @extschema@.signal_health.signals_24h IS 'signals generated in the last 24 hours';
COMMENT ON COLUMN @extschema@.signal_health.deliveries_24h IS 'rows of user_signals written for them';
COMMENT ON COLUMN @extschema@.signal_health.undelivered_signals IS 'signals whose fan-out is not complete';
COMMENT ON COLUMN @extschema@.signal_health.replication IS
    'who publishes user_signals and how many slots follow, or what is wrong with a slot; null when it is in no '
    'publication. healthy does not depend on it';
COMMENT ON COLUMN @extschema@.signal_health.outcomes_open IS 'signals whose outcome is open, see signal_outcomes';
COMMENT ON COLUMN @extschema@.signal_health.outcomes_settled IS 'signals whose outcome is settled';
COMMENT ON COLUMN @extschema@.signal_health.outcomes_void IS 'signals whose outcome cannot be known';
COMMENT ON COLUMN @extschema@.signal_health.oldest_due_settlement IS
    'for how long the oldest outcome has been due that is not settled; null when none is. More than a day, while runs '
    'are good and the exchange lists the pair, is the state unsettled';
COMMENT ON COLUMN @extschema@.signal_health.nodes IS
    'where Citus has nodes: how many, and what is wrong with them: one that does not answer, transactions that were '
    'prepared more than 5 seconds ago and are not visible yet, slots that nobody reads. healthy does not depend on it';
