-- Part: once, since 0.3.0
-- Filled at the end of each script, by 96_shipped_parts.sql and 97_shipped_parts.sql.
CREATE TABLE @extschema@.signal_hub_shipped_parts (
    table_name name NOT NULL,
    kind       text NOT NULL,
    name       name NOT NULL,
    PRIMARY KEY (table_name, kind, name)
);
COMMENT ON TABLE @extschema@.signal_hub_shipped_parts IS
    'which columns, constraints, indexes and so on of its tables the extension ships; by this dump_user_additions() '
    'tells what users have added';
COMMENT ON COLUMN @extschema@.signal_hub_shipped_parts.table_name IS 'table of the extension';
COMMENT ON COLUMN @extschema@.signal_hub_shipped_parts.kind IS
    'column, constraint, index, trigger, policy, rule or row security';
COMMENT ON COLUMN @extschema@.signal_hub_shipped_parts.name IS 'its name';
