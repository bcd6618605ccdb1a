-- Part: once
-- Last: the worker starts when CREATE EXTENSION commits.
SELECT @extschema@.start_signal_worker();
