-- Part: replaceable
-- The days since the last row was written are worked out here: a worker that has been
-- down for days has written nothing.
CREATE OR REPLACE VIEW @extschema@.signal_uptime AS
WITH clock AS (
    SELECT clock_timestamp() AS now, date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') AS today
), last AS (
    SELECT r.* FROM @extschema@.signal_run_days r, clock c WHERE r.day <= c.today ORDER BY r.day DESC LIMIT 1
), since AS (
    SELECT d.day::date AS day, l.state, l.run_interval,
           least(c.now, (d.day + interval '1 day') AT TIME ZONE 'UTC')
               - greatest(l.accounted_until, d.day AT TIME ZONE 'UTC') AS elapsed,
           least(c.now, (d.day + interval '1 day') AT TIME ZONE 'UTC')
               - greatest(l.last_good_at, d.day AT TIME ZONE 'UTC') AS gap,
           c.now - l.accounted_until AS elapsed_in_all
      FROM last l CROSS JOIN clock c
     CROSS JOIN LATERAL generate_series(greatest(date_trunc('day', l.accounted_until AT TIME ZONE 'UTC'),
                                                 c.today - interval '1000 days'),
                                        c.today, interval '1 day') AS d (day)
), counted AS (
    SELECT day, coalesce(r.made, 0) AS made, coalesce(r.failed, 0) AS failed,
           -- The run that is due next is not missed yet.
           coalesce(r.due, 0)
               + CASE WHEN s.state = 'running' AND s.elapsed_in_all > 2 * s.run_interval
                      THEN greatest(extract(epoch FROM s.elapsed) / extract(epoch FROM s.run_interval), 0) ELSE 0
                 END AS due,
           coalesce(r.paused, '0') + CASE WHEN s.state = 'paused' THEN greatest(s.elapsed, '0') ELSE '0' END AS paused,
           coalesce(r.disabled, '0') + CASE WHEN s.state = 'disabled' THEN greatest(s.elapsed, '0') ELSE '0' END
               AS disabled,
           greatest(coalesce(r.longest_gap, '0'), CASE WHEN s.state = 'running' THEN s.gap END) AS longest_gap
      FROM (SELECT r.* FROM @extschema@.signal_run_days r, clock c WHERE r.day <= c.today) r
      FULL JOIN since s USING (day)
), rounded AS (
    SELECT c.*, greatest(c.made, floor(c.due + 0.1)::integer) AS runs_due FROM counted c
)
SELECT day,
       runs_due AS due,
       made,
       failed,
       runs_due - made AS missed,
       date_trunc('milliseconds', longest_gap) AS longest_gap,
       CASE WHEN runs_due > 0 THEN trunc(100.0 * (made - failed) / runs_due, 3) END AS good_percent,
       date_trunc('seconds', paused) AS paused,
       date_trunc('seconds', disabled) AS disabled
  FROM rounded;
COMMENT ON VIEW @extschema@.signal_uptime IS
    'per UTC day, whether the runs of the worker that were due were made; kept for signal_hub.signal_retention. '
    'Time while paused or disabled is not due';
COMMENT ON COLUMN @extschema@.signal_uptime.day IS 'UTC day';
COMMENT ON COLUMN @extschema@.signal_uptime.due IS 'runs that signal_hub.interval asked for';
COMMENT ON COLUMN @extschema@.signal_uptime.made IS 'runs made, failed ones included';
COMMENT ON COLUMN @extschema@.signal_uptime.failed IS 'runs that failed, see signal_runs';
COMMENT ON COLUMN @extschema@.signal_uptime.missed IS
    'runs that were due and not made: no worker ran, it was held up, or it left a failing exchange alone';
COMMENT ON COLUMN @extschema@.signal_uptime.longest_gap IS
    'longest time of the day from a good run to the next, without time while paused or disabled';
COMMENT ON COLUMN @extschema@.signal_uptime.good_percent IS
    'good runs of those due, in percent; null when none was due';
COMMENT ON COLUMN @extschema@.signal_uptime.paused IS 'how long pause_signals() was in force';
COMMENT ON COLUMN @extschema@.signal_uptime.disabled IS 'how long signal_hub.enabled was off';
