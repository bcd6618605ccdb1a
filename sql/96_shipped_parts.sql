-- Part: update ends
-- What an update created on the extension's tables is shipped; what was there before it
-- began may be a user's. Releases before 0.3.0 have no list.
DO $$
BEGIN
    IF to_regclass('@extschema@.signal_hub_shipped_parts') IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO @extschema@.signal_hub_shipped_parts (table_name, kind, name)
    SELECT p.table_name, p.kind, p.name FROM @extschema@.signal_hub_table_parts p
    EXCEPT
    SELECT b.table_name, b.kind, b.name
      FROM jsonb_to_recordset(current_setting('signal_hub_update.parts')::jsonb)
           AS b (table_name name, kind text, name name)
    EXCEPT
    SELECT s.table_name, s.kind, s.name FROM @extschema@.signal_hub_shipped_parts s;
    -- What was renamed or dropped is shipped no more.
    DELETE FROM @extschema@.signal_hub_shipped_parts s
     WHERE NOT EXISTS (SELECT FROM @extschema@.signal_hub_table_parts p
                        WHERE p.table_name = s.table_name AND p.kind = s.kind AND p.name = s.name);
END
$$;
