-- Part: replaceable
CREATE TRIGGER set_updated_at BEFORE UPDATE ON @extschema@.user_subscriptions
    FOR EACH ROW EXECUTE FUNCTION @extschema@.signal_hub_set_updated_at();
-- Also when rows are changed by logical replication, or with session_replication_role
-- = replica: the fan-out finds by it who changed while it ran.
ALTER TABLE @extschema@.user_subscriptions ENABLE ALWAYS TRIGGER set_updated_at;
COMMENT ON TRIGGER set_updated_at ON @extschema@.user_subscriptions IS 'keeps updated_at true';

CREATE TRIGGER tier_exists BEFORE INSERT OR UPDATE OF tier ON @extschema@.user_subscriptions
    FOR EACH ROW EXECUTE FUNCTION @extschema@.signal_hub_tier_exists();
COMMENT ON TRIGGER tier_exists ON @extschema@.user_subscriptions IS
    'says which tiers there are, where the foreign key only says that one is not';

CREATE TRIGGER replace_shipped_row BEFORE INSERT ON @extschema@.signal_tiers
    FOR EACH ROW WHEN (NEW.shipped) EXECUTE FUNCTION @extschema@.signal_hub_replace_shipped_row('tier');
CREATE TRIGGER replace_shipped_row BEFORE INSERT ON @extschema@.signal_symbols
    FOR EACH ROW WHEN (NEW.shipped) EXECUTE FUNCTION @extschema@.signal_hub_replace_shipped_row('symbol');
CREATE TRIGGER replace_shipped_row BEFORE INSERT ON @extschema@.signal_rules
    FOR EACH ROW WHEN (NEW.shipped) EXECUTE FUNCTION @extschema@.signal_hub_replace_shipped_row('strategy');
COMMENT ON TRIGGER replace_shipped_row ON @extschema@.signal_tiers IS
    'lets a restored dump replace the row that CREATE EXTENSION ships';
COMMENT ON TRIGGER replace_shipped_row ON @extschema@.signal_symbols IS
    'lets a restored dump replace the row that CREATE EXTENSION ships';
COMMENT ON TRIGGER replace_shipped_row ON @extschema@.signal_rules IS
    'lets a restored dump replace the row that CREATE EXTENSION ships';

CREATE TRIGGER stamp_marks BEFORE UPDATE ON @extschema@.user_signals
    FOR EACH ROW WHEN (NEW.viewed <> OLD.viewed OR NEW.clicked <> OLD.clicked)
    EXECUTE FUNCTION @extschema@.signal_hub_stamp_marks();
COMMENT ON TRIGGER stamp_marks ON @extschema@.user_signals IS 'keeps viewed_at and clicked_at true';

-- Also under logical replication and session_replication_role = replica, so that no way of
-- changing a rule leaves its history behind.
CREATE TRIGGER record_version AFTER INSERT OR UPDATE ON @extschema@.signal_rules
    FOR EACH ROW WHEN (NEW.enabled) EXECUTE FUNCTION @extschema@.signal_hub_record_rule_version();
ALTER TABLE @extschema@.signal_rules ENABLE ALWAYS TRIGGER record_version;
COMMENT ON TRIGGER record_version ON @extschema@.signal_rules IS 'keeps signal_rule_versions';
CREATE TRIGGER add_version BEFORE INSERT ON @extschema@.signal_rule_versions
    FOR EACH ROW EXECUTE FUNCTION @extschema@.signal_hub_add_rule_version();
ALTER TABLE @extschema@.signal_rule_versions ENABLE ALWAYS TRIGGER add_version;
COMMENT ON TRIGGER add_version ON @extschema@.signal_rule_versions IS
    'computes the identity of a version, and keeps one row of each';
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON @extschema@.signal_rule_versions
    FOR EACH ROW EXECUTE FUNCTION @extschema@.signal_hub_keep_rule_versions();
ALTER TABLE @extschema@.signal_rule_versions ENABLE ALWAYS TRIGGER keep_rows;
COMMENT ON TRIGGER keep_rows ON @extschema@.signal_rule_versions IS 'refuses to change or delete rows';
CREATE TRIGGER keep_table BEFORE TRUNCATE ON @extschema@.signal_rule_versions
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.signal_hub_keep_rule_versions();
ALTER TABLE @extschema@.signal_rule_versions ENABLE ALWAYS TRIGGER keep_table;
COMMENT ON TRIGGER keep_table ON @extschema@.signal_rule_versions IS 'refuses to empty the table';
