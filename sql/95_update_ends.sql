-- Part: update ends
-- Functions and views that were dropped and created again get the owner and the
-- grants that they had. A grant inside a script counts as shipped with the extension,
-- and pg_dump leaves those out, so pg_init_privs is put back to what is shipped.
DO $$
DECLARE
    object record;
    given record;
    shipped aclitem[];
BEGIN
    FOR object IN
        SELECT b.*, now.oid AS new_oid,
               format(CASE b.kind WHEN 'FUNCTION' THEN 'FUNCTION %s' ELSE 'TABLE %s' END, now.name) AS target
          FROM jsonb_to_recordset(nullif(current_setting('signal_hub_update.members'), '')::jsonb)
               AS b (catalog oid, oid oid, kind text, name name, column_name name, owner oid, acl aclitem[])
          JOIN (SELECT d.classid AS catalog, p.oid, 'FUNCTION' AS kind, p.proname, p.oid::regprocedure::text AS name
                  FROM pg_depend d
                  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                  JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
                 WHERE e.extname = 'signal_hub' AND d.deptype = 'e'
                 UNION ALL
                SELECT d.classid, c.oid, 'VIEW', c.relname, c.oid::regclass::text
                  FROM pg_depend d
                  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                  JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'v'
                 WHERE e.extname = 'signal_hub' AND d.deptype = 'e') now
            ON now.catalog = b.catalog AND now.kind = b.kind AND now.proname = b.name AND now.oid <> b.oid
         WHERE b.column_name IS NULL
            OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = now.oid AND a.attname = b.column_name)
         ORDER BY b.oid, b.column_name NULLS FIRST
    LOOP
        IF object.column_name IS NULL THEN
            SELECT i.initprivs INTO shipped FROM pg_init_privs i
             WHERE i.classoid = object.catalog AND i.objoid = object.new_oid AND i.objsubid = 0;
            EXECUTE format('ALTER %s OWNER TO %s', object.target, object.owner::regrole);
            FOR given IN
                SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
                  FROM (SELECT p.proacl AS acl, 'f'::"char" AS type FROM pg_proc p
                         WHERE object.kind = 'FUNCTION' AND p.oid = object.new_oid
                         UNION ALL
                        SELECT c.relacl, 'r' FROM pg_class c WHERE object.kind = 'VIEW' AND c.oid = object.new_oid) o
                 CROSS JOIN aclexplode(coalesce(o.acl, acldefault(o.type, object.owner))) a
                 WHERE a.grantee <> object.owner
            LOOP
                EXECUTE format('REVOKE ALL ON %s FROM %s', object.target, given.grantee);
            END LOOP;
        END IF;
        FOR given IN
            SELECT a.privilege_type || coalesce(' (' || quote_ident(object.column_name) || ')', '') AS privilege,
                   CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee,
                   CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS option
              FROM aclexplode(object.acl) a WHERE a.grantee <> object.owner
        LOOP
            EXECUTE format('GRANT %s ON %s TO %s%s', given.privilege, object.target, given.grantee, given.option);
        END LOOP;
        DELETE FROM pg_init_privs i
         WHERE i.classoid = object.catalog AND i.objoid = object.new_oid AND i.objsubid > 0;
        UPDATE pg_init_privs i SET initprivs = shipped
         WHERE i.classoid = object.catalog AND i.objoid = object.new_oid AND i.objsubid = 0 AND shipped IS NOT NULL;
        DELETE FROM pg_init_privs i
         WHERE i.classoid = object.catalog AND i.objoid = object.new_oid AND i.objsubid = 0 AND shipped IS NULL;
    END LOOP;
END
$$;

-- Where the tables belong to a role of their own, so do those that are new, or a run, which acts as
-- the owner of user_signals, could not use them; and the views that are new, where all others do.
DO $$
DECLARE
    keeper oid;
    before jsonb := nullif(current_setting('signal_hub_update.members'), '')::jsonb;
    target record;
BEGIN
    SELECT c.relowner INTO keeper FROM pg_class c WHERE c.oid = '@extschema@.user_signals'::regclass;
    FOR target IN
        SELECT c.oid::regclass AS name
          FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
         WHERE e.extname = 'signal_hub' AND d.deptype = 'e' AND c.relowner <> keeper
           AND (c.relkind IN ('r', 'p')
                OR c.relkind = 'v' AND (SELECT bool_and(b.owner = keeper)
                                          FROM jsonb_to_recordset(before) AS b (kind text, owner oid)
                                         WHERE b.kind = 'VIEW'))
           -- A view that was there was given its owner above.
           AND NOT EXISTS (SELECT FROM jsonb_to_recordset(before) AS b (catalog oid, oid oid, kind text, name name)
                            WHERE b.catalog = d.classid
                              AND (b.oid = c.oid OR b.kind = 'VIEW' AND c.relkind = 'v' AND b.name = c.relname))
         ORDER BY c.oid
    LOOP
        -- The sequences of its columns go along.
        EXECUTE format('ALTER TABLE %s OWNER TO %s', target.name, keeper::regrole);
    END LOOP;
END
$$;

-- What users put on our tables works again as it did, unless it went with its table.
DO $$
DECLARE
    target record;
BEGIN
    FOR target IN
        SELECT s.kind, now.name, now.on_table,
               CASE s.enabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' ELSE '' END AS mode
          FROM jsonb_to_recordset(current_setting('signal_hub_update.switched_off')::jsonb)
               AS s (kind text, oid oid, enabled text)
          JOIN (SELECT 'TRIGGER' AS kind, t.oid, t.tgname AS name, t.tgrelid::regclass AS on_table FROM pg_trigger t
                 UNION ALL
                SELECT 'RULE', r.oid, r.rulename, r.ev_class::regclass FROM pg_rewrite r) now USING (kind, oid)
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE %s %s %I', target.on_table, target.mode, target.kind, target.name);
    END LOOP;
END
$$;
