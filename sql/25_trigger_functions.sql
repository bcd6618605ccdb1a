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

-- The foreign key says that a tier is not there, and not which ones are. As the owner, since
-- whoever may add subscribers need not be able to read tiers.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_tier_exists() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NEW.tier IS NOT NULL AND NOT EXISTS (SELECT FROM @extschema@.signal_tiers t WHERE t.tier = NEW.tier) THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation',
            MESSAGE = format('tier "%s" is not in signal_tiers', NEW.tier),
            DETAIL = format('The tiers are %s.', (SELECT string_agg(t.tier, ', ' ORDER BY t.priority DESC, t.tier)
                                                    FROM @extschema@.signal_tiers t)),
            HINT = 'Name one of them in the same spelling, or add a row to signal_tiers.',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'tier',
            CONSTRAINT = 'user_subscriptions_tier_fkey';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_tier_exists() IS
    'refuses a tier that is not in signal_tiers, and says which ones are';

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
