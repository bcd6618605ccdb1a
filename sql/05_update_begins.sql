-- Part: update begins
-- Triggers and rules that users put on our tables are switched off: they would run
-- with the rights of the superuser who updates, and on data that is half changed.
-- Those that are ours keep working. 95_update_ends.sql switches them on again.
DO $$
DECLARE
    target record;
    switched_off jsonb := '[]';
BEGIN
    -- This lock lets others read and write. It keeps them from creating and enabling triggers.
    FOR target IN
        SELECT d.objid::regclass AS name
          FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
         WHERE e.extname = 'signal_hub' AND d.deptype = 'e' AND c.relkind IN ('r', 'p')
         ORDER BY d.objid
    LOOP
        EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', target.name);
    END LOOP;

    FOR target IN
        WITH member AS (
            SELECT d.classid, d.objid
              FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
             WHERE e.extname = 'signal_hub' AND d.deptype = 'e'
        )
        SELECT 'TRIGGER' AS kind, t.oid, t.tgname AS name, t.tgrelid::regclass AS on_table, t.tgenabled AS enabled
          FROM member m JOIN pg_trigger t ON m.classid = 'pg_class'::regclass AND t.tgrelid = m.objid
         WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
           AND NOT EXISTS (SELECT FROM member f WHERE f.classid = 'pg_proc'::regclass AND f.objid = t.tgfoid)
         UNION ALL
        SELECT 'RULE', r.oid, r.rulename, r.ev_class::regclass, r.ev_enabled
          FROM member m JOIN pg_rewrite r ON m.classid = 'pg_class'::regclass AND r.ev_class = m.objid
         WHERE r.rulename <> '_RETURN' AND r.ev_enabled <> 'D'
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE %s %I', target.on_table, target.kind, target.name);
        switched_off := switched_off || to_jsonb(target);
    END LOOP;
    PERFORM set_config('signal_hub_update.switched_off', switched_off::text, true);
END
$$;

-- What belongs to the extension now, and who may do what with it. By this the parts
-- below tell new objects from those whose grants are the users', and
-- 95_update_ends.sql gives an object that was dropped and created again the grants
-- it had.
DO $$
BEGIN
    PERFORM set_config('signal_hub_update.members', jsonb_agg(to_jsonb(m))::text, true)
       FROM (SELECT d.classid AS catalog, d.objid AS oid, 'FUNCTION' AS kind, p.proname AS name,
                    NULL::name AS column_name, p.proowner AS owner,
                    coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
               FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
               JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
              WHERE e.extname = 'signal_hub' AND d.deptype = 'e'
              UNION ALL
             SELECT d.classid, d.objid, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.relname,
                    NULL, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner))
               FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
               JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
              WHERE e.extname = 'signal_hub' AND d.deptype = 'e'
              UNION ALL
             SELECT d.classid, d.objid, 'VIEW', c.relname, a.attname, c.relowner, a.attacl
               FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
               JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'v'
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
              WHERE e.extname = 'signal_hub' AND d.deptype = 'e') m;
END
$$;
