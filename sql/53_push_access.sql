-- Part: access
-- Trigger functions are called by their triggers only.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_limit_push() FROM PUBLIC;
-- Endpoints and secrets of all.
REVOKE ALL ON FUNCTION @extschema@.signal_hub_push_subscribers() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_push_targets(uuid[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_push_results(uuid[], text[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_move_push(uuid, text, text, text, text, text) FROM PUBLIC;

-- Default privileges may have given away what was created after 50_access.sql.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT o.kind, o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
          FROM (SELECT 'TABLE' AS kind, c.oid::regclass::text AS name, c.relowner AS owner, c.relacl AS acl
                  FROM pg_class c WHERE c.oid = '@extschema@.user_push_subscriptions'::regclass
                 UNION ALL
                SELECT 'FUNCTION', p.oid::regprocedure::text, p.proowner, p.proacl
                  FROM pg_proc p
                 WHERE p.pronamespace = '@extschema@'::regnamespace
                   AND p.proname IN ('signal_hub_limit_push', 'signal_hub_push_subscribers', 'signal_hub_push_targets',
                                     'signal_hub_push_results', 'signal_hub_move_push')) o
         CROSS JOIN LATERAL aclexplode(o.acl) a
         WHERE a.grantee <> o.owner
           -- In an update, only what is new.
           AND NOT EXISTS (
               SELECT FROM jsonb_to_recordset(nullif(current_setting('signal_hub_update.members'), '')::jsonb)
                           AS b (catalog oid, oid oid)
                WHERE b.catalog = 'pg_class'::regclass
                  AND b.oid = '@extschema@.user_push_subscriptions'::regclass)
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee);
    END LOOP;
END
$$;

-- For the login of the live service; the functions ask for REPLICATION.
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_push_subscribers() TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_push_targets(uuid[]) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_push_results(uuid[], text[], text[]) TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_move_push(uuid, text, text, text, text, text) TO pg_monitor;
