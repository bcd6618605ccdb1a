-- Part: once, since 0.3.0
-- What runs came to, since runs are counted: counters must not fall when runs are purged. Not in
-- dumps: a database that is restored counts anew what is in it.
CREATE TABLE @extschema@.signal_run_totals (
    name    text             NOT NULL,
    labels  jsonb            NOT NULL,
    value   double precision NOT NULL,
    through bigint           NOT NULL,
    PRIMARY KEY (name, labels)
);
COMMENT ON TABLE @extschema@.signal_run_totals IS
    'counters of runs that may have been purged; signal_metrics adds the runs since';
COMMENT ON COLUMN @extschema@.signal_run_totals.name IS 'name of the counter, see signal_metrics';
COMMENT ON COLUMN @extschema@.signal_run_totals.labels IS 'its labels';
COMMENT ON COLUMN @extschema@.signal_run_totals.value IS 'what the runs up to the number through came to';
COMMENT ON COLUMN @extschema@.signal_run_totals.through IS
    'number of the last run that is counted here, the same in all rows';
