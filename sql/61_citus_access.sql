-- Part: access
-- These move tables between servers.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_write_policies(boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_tables_to_shard() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.enable_citus() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.disable_citus() FROM PUBLIC;
-- grant_realtime_access() gives it to whom it is for.
REVOKE ALL ON FUNCTION @extschema@.forward_claims() FROM PUBLIC;
