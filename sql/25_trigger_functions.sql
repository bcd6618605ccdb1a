-- Part: replaceable
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_set_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_set_updated_at() IS 'keeps updated_at true';

-- A dump holds the shipped rows as their owner changed them; on restore
-- CREATE EXTENSION has put the shipped ones there before.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_replace_shipped_row() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.%I WHERE shipped AND %I = $1', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0])
      USING to_jsonb(NEW) ->> TG_ARGV[0];
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_replace_shipped_row() IS
    'lets a restored dump replace the rows that CREATE EXTENSION ships';

-- What a subscriber writes back. On UPDATE only, so that it costs the fan-out nothing.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_stamp_marks() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NEW.viewed <> OLD.viewed THEN
        NEW.viewed_at := CASE WHEN NEW.viewed THEN clock_timestamp() END;
    END IF;
    IF NEW.clicked <> OLD.clicked THEN
        NEW.clicked_at := CASE WHEN NEW.clicked THEN clock_timestamp() END;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_stamp_marks() IS
    'keeps viewed_at and clicked_at true, by the server''s clock';
