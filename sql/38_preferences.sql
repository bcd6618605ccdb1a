-- Part: replaceable
-- Preferences are checked where a CHECK cannot do it, and belong to the subscriber.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_check_preferences() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    IF TG_OP = 'UPDATE' AND NEW.time_zone IS NOT DISTINCT FROM OLD.time_zone OR NEW.time_zone IS NULL THEN
        RETURN NEW;
    END IF;
    BEGIN
        -- A specification such as XYZ+3 would pass, with a sign that people take for the other.
        IF NEW.time_zone ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$' THEN
            PERFORM now() AT TIME ZONE NEW.time_zone;
            RETURN NEW;
        END IF;
    EXCEPTION WHEN invalid_parameter_value THEN
        NULL;
    END;
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('time zone "%s" is not known', left(NEW.time_zone, 50)),
        HINT = 'Write one as in pg_timezone_names, such as Europe/Berlin or UTC.',
        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'time_zone';
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_check_preferences() IS
    'refuses a time zone that there is not, and keeps updated_at true';

CREATE TRIGGER check_preferences BEFORE INSERT OR UPDATE ON @extschema@.user_preferences
    FOR EACH ROW EXECUTE FUNCTION @extschema@.signal_hub_check_preferences();
COMMENT ON TRIGGER check_preferences ON @extschema@.user_preferences IS 'checks the time zone, keeps updated_at true';

CREATE POLICY own_row ON @extschema@.user_preferences
    USING (user_id = (SELECT @extschema@.current_subscriber()))
    WITH CHECK (user_id = (SELECT @extschema@.current_subscriber()));
COMMENT ON POLICY own_row ON @extschema@.user_preferences IS 'subscribers read and write their own row';
