-- Part: once, since 0.3.0
-- Written with each run of the worker, and when runs pause or are switched off. What
-- happened since the last of these rows was written is worked out by the view.
CREATE TABLE @extschema@.signal_run_days (
    day             date             PRIMARY KEY,
    due             double precision NOT NULL,
    made            integer          NOT NULL,
    failed          integer          NOT NULL,
    paused          interval         NOT NULL,
    disabled        interval         NOT NULL,
    longest_gap     interval         NOT NULL,
    state           text             NOT NULL CONSTRAINT "state is running, paused or disabled"
                                     CHECK (state IN ('running', 'paused', 'disabled')),
    accounted_until timestamptz      NOT NULL,
    last_good_at    timestamptz      NOT NULL,
    run_interval    interval         NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE @extschema@.signal_run_days IS
    'one row per UTC day: how many runs of the worker were due and made; signal_uptime is the view for people';
COMMENT ON COLUMN @extschema@.signal_run_days.day IS 'UTC day';
COMMENT ON COLUMN @extschema@.signal_run_days.due IS
    'runs that were due: the time that runs were neither paused nor disabled, divided by signal_hub.interval';
COMMENT ON COLUMN @extschema@.signal_run_days.made IS 'runs of the worker, failed ones included';
COMMENT ON COLUMN @extschema@.signal_run_days.failed IS 'failed ones among them';
COMMENT ON COLUMN @extschema@.signal_run_days.paused IS 'how long pause_signals() was in force';
COMMENT ON COLUMN @extschema@.signal_run_days.disabled IS 'how long signal_hub.enabled was off';
COMMENT ON COLUMN @extschema@.signal_run_days.longest_gap IS 'longest time without a good run that was due';
COMMENT ON COLUMN @extschema@.signal_run_days.state IS 'running, paused or disabled, from accounted_until on';
COMMENT ON COLUMN @extschema@.signal_run_days.accounted_until IS 'start of the last run, or when the state changed';
COMMENT ON COLUMN @extschema@.signal_run_days.last_good_at IS
    'start of the last good run; later where runs were paused or disabled since then';
COMMENT ON COLUMN @extschema@.signal_run_days.run_interval IS 'signal_hub.interval then';

-- What was promised to subscribers is kept across servers, as the signals are.
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_run_days', '');
