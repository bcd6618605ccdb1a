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
-- whoever may add subscribers need not be able to read tiers; so nothing is named by the schema
-- that the extension had when it was created: whoever may rename that can put another table
-- under the old name. Where one of the two tables is somebody else's, or not in its place, nothing
-- of it is looked at: it might bring code along.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_tier_exists() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- By format() and not by a cast, which the owner of a type may have defined.
    tier CONSTANT text := format('%s', NEW.tier);
    is_known boolean;
    known text;
BEGIN
    -- Many subscribers are added at once, most of them to the same tier. Whoever sets this
    -- themselves is told the same by the foreign key, in fewer words.
    IF NEW.tier IS NULL OR tier = current_setting('signal_hub_known.tier', true) THEN
        RETURN NEW;
    END IF;
    SELECT count(*) = 2 INTO is_known
      FROM pg_extension e
      JOIN pg_class o ON o.relnamespace = e.extnamespace AND o.relname = 'user_signals'
      JOIN pg_class c ON c.relnamespace = e.extnamespace AND c.relkind = 'r'
                     AND (c.oid = TG_RELID OR c.relname = 'signal_tiers')
                     AND pg_has_role(c.relowner, o.relowner,
                                     CASE WHEN current_setting('server_version_num')::int4 < 160000
                                          THEN 'MEMBER' ELSE 'USAGE' END)
     WHERE e.extname = 'signal_hub'
       AND NOT EXISTS (SELECT FROM unnest(ARRAY[o.oid, c.oid]) AS t (oid)
                        WHERE NOT EXISTS (SELECT FROM pg_depend d
                                           WHERE d.classid = 'pg_class'::regclass AND d.objid = t.oid
                                             AND d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                                             AND d.deptype = 'e'));
    IF NOT is_known THEN
        RETURN NEW;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.signal_tiers t WHERE t.tier = $1)', TG_TABLE_SCHEMA)
       INTO is_known USING tier;
    IF is_known THEN
        PERFORM set_config('signal_hub_known.tier', tier, true);
    ELSE
        EXECUTE format('SELECT string_agg(t.tier, '', '' ORDER BY t.priority DESC, t.tier) FROM %I.signal_tiers t',
                       TG_TABLE_SCHEMA)
           INTO known;
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation',
            MESSAGE = format('tier "%s" is not in signal_tiers', tier),
            DETAIL = format('The tiers are %s.', known),
            -- Jobs of pg_restore copy tables in any order.
            HINT = CASE current_setting('application_name')
                       WHEN 'pg_restore' THEN 'Restore with --section=data and without --jobs, so that the tiers come '
                                              'before their subscribers.'
                       ELSE 'Name one of them in the same spelling, or add a row to signal_tiers.' END,
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'tier',
            CONSTRAINT = 'user_subscriptions_tier_fkey';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_tier_exists() IS
    'refuses a tier that is not in signal_tiers, and says which ones are';

-- A dump holds the shipped rows as their owner changed them; on restore
-- CREATE EXTENSION has put the shipped ones there before. They are changed in place, as
-- subscribers of a tier may be there before it; the key stays, so that nobody has to wait.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_replace_shipped_row() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    columns text;
    replaced bigint;
BEGIN
    SELECT string_agg(format('%1$I = ($1).%1$I', a.attname), ', ' ORDER BY a.attnum) INTO columns
      FROM pg_attribute a
     WHERE a.attrelid = TG_RELID AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> TG_ARGV[0]
       AND a.attgenerated = '' AND a.attidentity <> 'a';
    EXECUTE format('UPDATE %I.%I t SET %s WHERE t.shipped AND t.%I = ($1).%4$I',
                   TG_TABLE_SCHEMA, TG_TABLE_NAME, columns, TG_ARGV[0])
      USING NEW;
    GET DIAGNOSTICS replaced = ROW_COUNT;
    IF replaced > 0 THEN
        RETURN NULL;
    END IF;
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

-- The parameters of a rule in one form for each meaning: 1.50 is 1.5, and a day is 24 hours.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_rule_parameters(r @extschema@.signal_rules) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    SET intervalstyle = postgres
    AS $$
SELECT jsonb_build_object(
    'enter_change_percent', trim_scale(r.enter_change_percent),
    'exit_change_percent', trim_scale(r.exit_change_percent),
    'min_quote_volume', trim_scale(r.min_quote_volume),
    'confidence_per_percent', trim_scale(r.confidence_per_percent),
    'max_confidence', trim_scale(r.max_confidence),
    'min_confidence', trim_scale(r.min_confidence),
    'min_quality', trim_scale(r.min_quality),
    'stop_loss_percent', trim_scale(r.stop_loss_percent),
    'take_profit_percents', (SELECT array_agg(trim_scale(p) ORDER BY p) FROM unnest(r.take_profit_percents) p),
    'stop_loss_range_share', trim_scale(r.stop_loss_range_share),
    'lifetime', make_interval(secs => extract(epoch FROM r.lifetime)::float8)::text,
    'lifetime_per_range', trim_scale(r.lifetime_per_range),
    'lifetime_floor', make_interval(secs => extract(epoch FROM r.lifetime_floor)::float8)::text,
    'lifetime_cap', make_interval(secs => extract(epoch FROM r.lifetime_cap)::float8)::text,
    'renew', r.renew,
    'cooldown', make_interval(secs => extract(epoch FROM r.cooldown)::float8)::text,
    'cooldown_flips', r.cooldown_flips,
    'max_ticker_age', make_interval(secs => extract(epoch FROM r.max_ticker_age)::float8)::text,
    'max_signals_per_run', r.max_signals_per_run,
    'max_spread_percent', trim_scale(r.max_spread_percent),
    'max_disagreement_percent', trim_scale(r.max_disagreement_percent))
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_rule_parameters(@extschema@.signal_rules) IS
    'the parameters of a rule as signal_rule_versions has them';

-- As the owner, since whoever may change rules need not be able to write into their history. Its
-- schema may have been renamed, so what it uses is named by the schema of the table.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_record_rule_version() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    versions text := format('%I.signal_rule_versions', TG_TABLE_SCHEMA);
    new_parameters jsonb;
    is_known boolean;
    objection record;
BEGIN
    -- Nobody adds a trigger from here on, and nothing of others may run as the owner: no other table
    -- or function under the names that follow, and no cast from the type of a column.
    EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', versions);
    FOR objection IN @untrusted_code@ LOOP
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'recording the rule could run code of others with the rights of the owner of the tables',
            DETAIL = format('%s.', objection.message),
            HINT = 'Do what the detail says at its end, then change the rule again.';
    END LOOP;
    EXECUTE format('SELECT %I.signal_hub_rule_parameters($1)', TG_TABLE_SCHEMA) INTO new_parameters USING NEW;
    EXECUTE format('SELECT EXISTS (SELECT FROM %s v WHERE v.strategy = $1 AND v.parameters = $2)', versions)
       INTO is_known USING NEW.strategy, new_parameters;
    IF is_known THEN
        RETURN NULL;
    END IF;
    EXECUTE format('INSERT INTO %s (strategy, parameters) VALUES ($1, $2)', versions)
      USING NEW.strategy, new_parameters;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_record_rule_version() IS
    'writes the parameters of a rule that is enabled into signal_rule_versions';

-- A restored dump brings versions that CREATE EXTENSION or a rule of the dump has recorded
-- already: the earlier time stays.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_add_rule_version() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    is_known boolean;
BEGIN
    NEW.version := left(encode(sha256(convert_to(NEW.strategy || ' ' || NEW.parameters::text,
                                                 getdatabaseencoding())), 'hex'), 16);
    EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I v WHERE v.version = $1)', TG_TABLE_SCHEMA, TG_TABLE_NAME)
       INTO is_known USING NEW.version;
    IF NOT is_known THEN
        RETURN NEW;
    END IF;
    EXECUTE format('UPDATE %I.%I v SET first_enabled_at = $1.first_enabled_at, enabled_by = $1.enabled_by
                     WHERE v.version = $1.version AND v.first_enabled_at > $1.first_enabled_at',
                   TG_TABLE_SCHEMA, TG_TABLE_NAME)
      USING NEW;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_add_rule_version() IS
    'computes the identity of a version, and keeps one row of each';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_keep_rule_versions() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- Only that it was enabled earlier may be found out.
        IF NEW.first_enabled_at <= OLD.first_enabled_at
           AND (NEW.version, NEW.strategy, NEW.parameters) = (OLD.version, OLD.strategy, OLD.parameters) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = 'signal_rule_versions keeps every version that was ever enabled',
        DETAIL = 'The track record reckons with how many were tried.';
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_keep_rule_versions() IS
    'refuses to change or delete rows of signal_rule_versions';
