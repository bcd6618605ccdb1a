-- Part: once, since 0.3.0
-- The rules that are enabled now are the first on record.
INSERT INTO @extschema@.signal_rule_versions (strategy, parameters)
SELECT r.strategy, @extschema@.signal_hub_rule_parameters(r) FROM @extschema@.signal_rules r WHERE r.enabled;
