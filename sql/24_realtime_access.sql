-- Part: replaceable
-- Grants. The names are Supabase's; any others can be given.

CREATE OR REPLACE FUNCTION @extschema@.grant_realtime_access(
    subscribers name DEFAULT 'authenticated', strangers name DEFAULT 'anon', service name DEFAULT 'service_role'
) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    role name;
    member record;
BEGIN
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = '@extschema@.user_signals'::regclass),
                       'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'must be owner of table @extschema@.user_signals';
    END IF;
    FOREACH role IN ARRAY ARRAY[subscribers, strangers] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role);
        -- Default privileges may have given them more than they should have.
        FOR member IN
            SELECT CASE d.classid WHEN 'pg_class'::regclass THEN 'TABLE ' || d.objid::regclass
                                  ELSE 'FUNCTION ' || d.objid::regprocedure END AS name
              FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
             WHERE e.extname = 'signal_hub' AND d.deptype = 'e'
               AND d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass)
               AND NOT EXISTS (SELECT FROM pg_class i
                                WHERE d.classid = 'pg_class'::regclass AND i.oid = d.objid
                                  AND i.relkind IN ('i', 'I'))
        LOOP
            EXECUTE format('REVOKE ALL ON %s FROM %I', member.name, role);
        END LOOP;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = subscribers) THEN
        EXECUTE 'GRANT USAGE ON SCHEMA @extschema@ TO ' || quote_ident(subscribers);
        EXECUTE 'GRANT SELECT ON @extschema@.user_signals, @extschema@.user_subscriptions, '
             || '@extschema@.user_signal_quotas TO ' || quote_ident(subscribers);
        EXECUTE 'GRANT UPDATE (viewed, clicked) ON @extschema@.user_signals TO ' || quote_ident(subscribers);
        EXECUTE 'GRANT EXECUTE ON FUNCTION @extschema@.signals_since(text, integer), '
             || '@extschema@.signal_hub_transactions() TO ' || quote_ident(subscribers);
        RETURN NEXT format('%s: reads its own rows of user_signals, user_subscriptions and user_signal_quotas; '
                           'changes viewed and clicked; calls signals_since()', subscribers);
    ELSIF subscribers IS NOT NULL THEN
        RETURN NEXT format('%s: no such role', subscribers);
    END IF;

    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = strangers) THEN
        RETURN NEXT format('%s: nothing', strangers);
    ELSIF strangers IS NOT NULL THEN
        RETURN NEXT format('%s: no such role', strangers);
    END IF;

    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = service) THEN
        EXECUTE 'GRANT USAGE ON SCHEMA @extschema@ TO ' || quote_ident(service);
        EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON @extschema@.user_subscriptions TO ' || quote_ident(service);
        EXECUTE 'GRANT SELECT ON @extschema@.user_signals, @extschema@.user_signal_quotas, @extschema@.signals, '
             || '@extschema@.signal_runs, @extschema@.signal_tiers, @extschema@.signal_symbols, '
             || '@extschema@.signal_rules, @extschema@.signal_pause, @extschema@.signal_health, '
             || '@extschema@.signal_stats, @extschema@.signal_uptime, @extschema@.signal_delivery_progress TO '
             || quote_ident(service);
        EXECUTE 'GRANT EXECUTE ON FUNCTION @extschema@.signals_since(text, integer), '
             || '@extschema@.signal_hub_transactions(), @extschema@.signal_worker_status(), '
             || '@extschema@.signal_hub_replication(), @extschema@.generate_signals_now() TO '
             || quote_ident(service);
        RETURN NEXT format('%s: reads the rows of all, settings, history and health; keeps user_subscriptions; '
                           'calls signals_since() and generate_signals_now()', service)
            || CASE WHEN (SELECT r.rolbypassrls OR r.rolsuper FROM pg_roles r WHERE r.rolname = service) THEN ''
                    ELSE '; but has no BYPASSRLS, so the rows of subscribers stay hidden' END;
    ELSIF service IS NOT NULL THEN
        RETURN NEXT format('%s: no such role', service);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.grant_realtime_access(name, name, name) IS
    'gives the roles of an API in front of the database what they need, and takes from subscribers and strangers '
    'what they have beyond that on objects of the extension. Roles that do not exist are passed over. Returns a '
    'line for each';
