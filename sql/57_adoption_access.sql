-- Part: access
-- These read and write tables of others, and decide who receives.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_run_as(oid, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_take_over(regclass, jsonb, uuid[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_renew_adopted() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_follow_subscriptions() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_copy_signals() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_copy_prices() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_write_copies(regclass, text, text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.adopt_subscriptions(regclass, name, name, name, name, jsonb, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.adopt_signals(regclass, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.abandon_table(regclass) FROM PUBLIC;

-- Whoever could call the trigger functions could put them on a table of their own. Default
-- privileges may have given them away.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT p.oid::regprocedure AS name, a.grantee::regrole AS grantee
          FROM pg_proc p
         CROSS JOIN LATERAL aclexplode(p.proacl) a
         WHERE p.pronamespace = '@extschema@'::regnamespace AND a.grantee NOT IN (0, p.proowner)
           AND p.proname IN ('signal_hub_run_as', 'signal_hub_take_over', 'signal_hub_follow_subscriptions',
                             'signal_hub_copy_signals', 'signal_hub_copy_prices', 'signal_hub_write_copies',
                             'signal_hub_renew_adopted',
                             'adopt_subscriptions', 'adopt_signals', 'abandon_table')
           AND NOT EXISTS (
               SELECT FROM jsonb_to_recordset(nullif(current_setting('signal_hub_update.members'), '')::jsonb)
                           AS b (catalog oid, oid oid)
                WHERE b.catalog = 'pg_proc'::regclass AND b.oid = p.oid)
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', given.name, given.grantee);
    END LOOP;
END
$$;
