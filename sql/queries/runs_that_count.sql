-- The runs that tell how it goes: all but failed calls by hand, which concern their callers only, unless
-- the exchange asked to be left alone. signal_health has this query and so has the library.
SELECT * FROM @extschema@.signal_runs
 WHERE NOT (trigger = 'manual' AND status = 'failed' AND retry_at IS NULL)
