-- Part: once, since 0.3.0
-- Kept by triggers, see 40_triggers.sql: a row is added when a rule is enabled or changed, and
-- none is ever taken away.
CREATE TABLE @extschema@.signal_rule_versions (
    version          text        PRIMARY KEY,
    strategy         text        NOT NULL,
    parameters       jsonb       NOT NULL,
    first_enabled_at timestamptz NOT NULL DEFAULT now(),
    enabled_by       text        NOT NULL DEFAULT session_user
);
COMMENT ON TABLE @extschema@.signal_rule_versions IS
    'every distinct set of parameters of a strategy that was ever enabled: the more are tried, the better the best of '
    'them looks by luck, and the track record reckons with that';
COMMENT ON COLUMN @extschema@.signal_rule_versions.version IS
    'identity: the first 16 hexadecimal digits of the SHA-256 of strategy, a blank and parameters';
COMMENT ON COLUMN @extschema@.signal_rule_versions.strategy IS 'the strategy, see signal_rules';
COMMENT ON COLUMN @extschema@.signal_rule_versions.parameters IS
    'its columns of signal_rules, without strategy, enabled and shipped; intervals in hours, targets in order';
COMMENT ON COLUMN @extschema@.signal_rule_versions.first_enabled_at IS
    'when it was first enabled; of a rule of a release before 0.3.0, when that was updated';
COMMENT ON COLUMN @extschema@.signal_rule_versions.enabled_by IS 'role that did';
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_rule_versions', '');
