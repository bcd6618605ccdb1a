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
    hub name := (@own_schema@);
    user_signals regclass := format('%I.user_signals', hub);
BEGIN
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = user_signals), 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('must be owner of table %s', user_signals);
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
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', hub, subscribers);
        EXECUTE format('GRANT SELECT ON %1$I.user_signals, %1$I.user_subscriptions, %1$I.user_signal_quotas TO %2$I',
                       hub, subscribers);
        EXECUTE format('GRANT UPDATE (viewed, clicked) ON %I.user_signals TO %I', hub, subscribers);
        EXECUTE format('GRANT SELECT ON %I.user_signal_outcomes TO %I', hub, subscribers);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.user_preferences TO %I', hub, subscribers);
        -- Its default is written out where the table is on several servers.
        EXECUTE format('GRANT SELECT, DELETE, INSERT (user_id, endpoint, p256dh, auth, created_at), '
                       'UPDATE (p256dh, auth) '
                       'ON %I.user_push_subscriptions TO %I', hub, subscribers);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I.subscriber_status() TO %I', hub, subscribers);
        EXECUTE format('GRANT SELECT ON %I.signal_prices TO %I', hub, subscribers);
        -- No price, and nothing that leads to one: whose rows have these, the view above decides.
        EXECUTE format('GRANT SELECT (@outcome_columns@) ON %I.signal_outcomes TO %I', hub, subscribers);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %1$I.signals_since(text, integer), '
                       '%1$I.signal_hub_transactions(), %1$I.signal_hub_open_signals(), '
                       '%1$I.signal_hub_shows_prices(), %1$I.current_subscriber(), %1$I.forward_claims(), '
                       '%1$I.signal_hub_signals_on_node(text, integer) TO %2$I', hub, subscribers);
        RETURN NEXT format('%s: reads its own rows of user_signals, user_subscriptions and user_signal_quotas; '
                           'changes viewed and clicked; calls signals_since(); '
                           'reads user_signal_outcomes, and signal_outcomes without prices; '
                           'keeps its row of user_preferences, and its rows of user_push_subscriptions; '
                           'calls subscriber_status(); '
                           'reads signal_prices', subscribers);
    ELSIF subscribers IS NOT NULL THEN
        RETURN NEXT format('%s: no such role', subscribers);
    END IF;

    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = strangers) THEN
        RETURN NEXT format('%s: nothing', strangers);
    ELSIF strangers IS NOT NULL THEN
        RETURN NEXT format('%s: no such role', strangers);
    END IF;

    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = service) THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', hub, service);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.user_subscriptions TO %I', hub, service);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I.user_preferences TO %I', hub, service);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I.subscriber_status(uuid) TO %I', hub, service);
        EXECUTE format('GRANT SELECT ON %I.signal_prices TO %I', hub, service);
        EXECUTE format('GRANT SELECT ON %1$I.user_signals, %1$I.user_signal_quotas, %1$I.signals, %1$I.signal_tiers, '
                       '%1$I.signal_symbols, %1$I.signal_rules, %1$I.signal_rule_versions, '
                       '%1$I.signal_pause, %1$I.signal_health, '
                       '%1$I.signal_stats, %1$I.signal_uptime, %1$I.signal_reach, '
                       '%1$I.signal_delivery_progress, %1$I.signal_outcome_chain, '
                       '%1$I.user_signal_outcomes TO %2$I', hub, service);
        -- Where the exchange is asked is for those to know who may read the setting. Releases
        -- before 0.3.0 gave the whole table.
        EXECUTE format('REVOKE SELECT ON %I.signal_runs FROM %I', hub, service);
        EXECUTE (SELECT format('GRANT SELECT (%s) ON %I.signal_runs TO %I',
                               string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), hub, service)
                   FROM pg_attribute a
                  WHERE a.attrelid = format('%I.signal_runs', hub)::regclass AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attname <> 'exchange_url');
        EXECUTE (SELECT format('GRANT SELECT (%s) ON %I.signal_outcomes TO %I',
                               string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), hub, service)
                   FROM pg_attribute a
                  WHERE a.attrelid = format('%I.signal_outcomes', hub)::regclass AND a.attnum > 0
                    AND NOT a.attisdropped AND a.attname <> 'source');
        EXECUTE format('GRANT EXECUTE ON FUNCTION %1$I.signals_since(text, integer), '
                       '%1$I.signal_hub_transactions(), %1$I.signal_worker_status(), '
                       '%1$I.signal_worker_history(), %1$I.signal_hub_reach(text), %1$I.signal_hub_replication(), '
                       '%1$I.signal_hub_is_node(), %1$I.signal_hub_nodes(), '
                       '%1$I.signal_hub_open_signals(), %1$I.signal_hub_shows_prices(), '
                       '%1$I.verify_track_record(bytea), %1$I.track_record_digest(date), '
                       '%1$I.generate_signals_now() TO %2$I', hub, service);
        RETURN NEXT format('%s: reads the rows of all, settings, history and health; keeps user_subscriptions '
                           'and user_preferences; calls signals_since(), subscriber_status() and '
                           'generate_signals_now()', service)
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
