-- Part: once, since 0.3.0
-- The rules that are enabled now are the first on record: the trigger writes them down.
UPDATE @extschema@.signal_rules SET enabled = enabled WHERE enabled;
