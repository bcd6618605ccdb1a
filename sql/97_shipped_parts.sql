-- Part: once
-- All that there is when the extension has been created is shipped.
INSERT INTO @extschema@.signal_hub_shipped_parts (table_name, kind, name)
SELECT p.table_name, p.kind, p.name FROM @extschema@.signal_hub_table_parts p;
