-- Part: access
REVOKE ALL ON FUNCTION @extschema@.signal_hub_count_runs(bigint, bigint) FROM PUBLIC;

-- As in 50_access.sql: default privileges may have given these away.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT o.kind, o.name,
               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
          FROM (SELECT c.oid, 'pg_class'::regclass AS catalog, 'TABLE' AS kind, c.oid::regclass::text AS name,
                       c.relowner AS owner, c.relacl AS acl
                  FROM pg_class c WHERE c.relname IN ('signal_metrics', 'signal_run_totals')
                 UNION ALL
                SELECT p.oid, 'pg_proc'::regclass, 'FUNCTION', p.oid::regprocedure::text, p.proowner, p.proacl
                  FROM pg_proc p WHERE p.proname = 'signal_hub_count_runs') o
          JOIN pg_depend d ON d.classid = o.catalog AND d.objid = o.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                             AND e.extname = 'signal_hub'
         CROSS JOIN LATERAL aclexplode(o.acl) a
         WHERE a.grantee <> o.owner
           AND NOT EXISTS (
               SELECT FROM jsonb_to_recordset(nullif(current_setting('signal_hub_update.members', true), '')::jsonb)
                           AS b (catalog oid, oid oid)
                WHERE b.catalog = o.catalog AND b.oid = o.oid)
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee);
    END LOOP;
END
$$;

GRANT SELECT ON @extschema@.signal_metrics TO pg_monitor;
GRANT SELECT ON @extschema@.signal_run_totals TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_count_runs(bigint, bigint) TO pg_monitor;
