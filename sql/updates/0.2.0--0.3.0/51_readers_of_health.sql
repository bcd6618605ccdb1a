-- signal_health calls a function that is new: whoever may call the one beside it reads
-- the view as before. A grant inside a script counts as shipped with the extension, and
-- pg_dump leaves those out, so pg_init_privs is put back.
DO $$
DECLARE
    given record;
    shipped aclitem[];
BEGIN
    SELECT i.initprivs INTO shipped FROM pg_init_privs i
     WHERE i.classoid = 'pg_proc'::regclass AND i.objsubid = 0
       AND i.objoid = '@extschema@.signal_worker_history()'::regprocedure;
    FOR given IN
        SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
          FROM pg_proc p CROSS JOIN aclexplode(p.proacl) a
         WHERE p.oid = '@extschema@.signal_worker_status()'::regprocedure AND a.grantee <> p.proowner
           AND a.privilege_type = 'EXECUTE'
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION @extschema@.signal_worker_history() TO %s', given.grantee);
    END LOOP;
    UPDATE pg_init_privs i SET initprivs = shipped
     WHERE i.classoid = 'pg_proc'::regclass AND i.objsubid = 0
       AND i.objoid = '@extschema@.signal_worker_history()'::regprocedure AND shipped IS NOT NULL;
END
$$;
