-- signal_health calls functions that are new: whoever may call the one beside them reads
-- the view as before; and whoever reads it is shown what is in signal_reach. A grant inside
-- a script counts as shipped with the extension, and pg_dump leaves those out, so
-- pg_init_privs is put back.
DO $$
DECLARE
    called regprocedure;
    given record;
    shipped aclitem[];
BEGIN
    FOREACH called IN ARRAY ARRAY['@extschema@.signal_worker_history()'::regprocedure,
                                  '@extschema@.signal_hub_reach(text)'::regprocedure,
                                  '@extschema@.signal_hub_is_node()'::regprocedure,
                                  '@extschema@.signal_hub_nodes()'::regprocedure]
    LOOP
        SELECT i.initprivs INTO shipped FROM pg_init_privs i
         WHERE i.classoid = 'pg_proc'::regclass AND i.objsubid = 0 AND i.objoid = called;
        FOR given IN
            SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
              FROM pg_proc p CROSS JOIN aclexplode(p.proacl) a
             WHERE p.oid = '@extschema@.signal_worker_status()'::regprocedure AND a.grantee <> p.proowner
               AND a.privilege_type = 'EXECUTE'
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', called, given.grantee);
        END LOOP;
        UPDATE pg_init_privs i SET initprivs = shipped
         WHERE i.classoid = 'pg_proc'::regclass AND i.objsubid = 0 AND i.objoid = called AND shipped IS NOT NULL;
    END LOOP;
    SELECT i.initprivs INTO shipped FROM pg_init_privs i
     WHERE i.classoid = 'pg_class'::regclass AND i.objsubid = 0 AND i.objoid = '@extschema@.signal_reach'::regclass;
    FOR given IN
        SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
          FROM pg_class c CROSS JOIN aclexplode(c.relacl) a
         WHERE c.oid = '@extschema@.signal_health'::regclass AND a.grantee <> c.relowner
           AND a.privilege_type = 'SELECT'
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO %s', '@extschema@.signal_reach'::regclass, given.grantee);
    END LOOP;
    UPDATE pg_init_privs i SET initprivs = shipped
     WHERE i.classoid = 'pg_class'::regclass AND i.objsubid = 0 AND i.objoid = '@extschema@.signal_reach'::regclass
       AND shipped IS NOT NULL;
END
$$;
