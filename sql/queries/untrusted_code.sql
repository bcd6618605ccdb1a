-- Whether somebody else's code would run with the rights of the owner of the tables when these are
-- read and written. No row: nobody's. The library asks this before it works on the tables, and an
-- update before it changes rows.
--
-- Code is what triggers, indexes, constraints, defaults, generated columns, rules, domains and,
-- where row-level security binds the owner too, policies call, and what the views and functions of
-- the extension do. Whoever owns it can replace it, so its owner has to be a role that may act as
-- the owner of the tables anyway. What belongs to PostgreSQL itself is not in pg_depend.
WITH RECURSIVE member AS (
    SELECT c.oid, c.relname, c.relkind, c.relowner, c.relnamespace, e.extnamespace
      FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_depend d
        ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid AND d.deptype = 'e'
       AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'p', 'v')
     WHERE e.extname = 'signal_hub'
), owner AS (
    SELECT m.relowner AS oid,
           -- From 16 on a membership may be one that confers nothing.
           CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 < 160000 THEN 'MEMBER'
                ELSE 'USAGE, SET, MEMBER WITH ADMIN OPTION' END AS by_what
      FROM member m WHERE m.relname = 'user_signals'
), ours (oid) AS (
    -- With the tables that inherit from ours: who reads the one reads the other.
    SELECT m.oid FROM member m WHERE m.relkind <> 'v'
     UNION
    SELECT i.inhrelid FROM ours o JOIN pg_catalog.pg_inherits i ON i.inhparent = o.oid
), cascade (oid) AS (
    -- Tables whose rows are deleted or changed together with ours. Their triggers fire with the
    -- rights of whoever deletes.
    SELECT f.conrelid
      FROM ours o
      JOIN pg_catalog.pg_trigger t ON t.tgrelid = o.oid AND t.tgisinternal
      JOIN pg_catalog.pg_constraint f ON f.oid = t.tgconstraint AND f.confrelid = o.oid
     WHERE f.contype = 'f' AND f.confdeltype IN ('c', 'n', 'd')
     UNION
    SELECT n.oid
      FROM cascade c
     CROSS JOIN LATERAL (
         SELECT f.conrelid AS oid
           FROM pg_catalog.pg_trigger t
           JOIN pg_catalog.pg_constraint f ON f.oid = t.tgconstraint AND f.confrelid = c.oid
          WHERE t.tgrelid = c.oid AND t.tgisinternal AND f.contype = 'f' AND f.confdeltype IN ('c', 'n', 'd')
          UNION ALL
         -- A partition has triggers of its own.
         SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) n
), user_trigger (oid, condition) AS (
    SELECT t.oid, t.tgqual
      FROM (SELECT o.oid FROM ours o UNION SELECT c.oid FROM cascade c) AS r (oid)
      JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid
     WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
), part (classid, objid) AS (
    SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass::oid, t.oid FROM user_trigger t
     UNION ALL
    -- What a rule writes for a row that is deleted with one of ours fires its triggers with the
    -- same rights as that row's.
    SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid
      FROM (SELECT o.oid FROM ours o UNION SELECT c.oid FROM cascade c
             UNION SELECT m.oid FROM member m WHERE m.relkind = 'v') AS o (oid)
      JOIN pg_catalog.pg_rewrite r ON r.ev_class = o.oid
     WHERE r.ev_enabled <> 'D'
     UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
      FROM ours o JOIN pg_catalog.pg_index i ON i.indrelid = o.oid
     UNION ALL
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, c.oid
      FROM ours o JOIN pg_catalog.pg_constraint c ON c.conrelid = o.oid
     UNION ALL
    SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid
      FROM ours o JOIN pg_catalog.pg_attrdef a ON a.adrelid = o.oid
     UNION ALL
    SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid
      FROM ours o
      JOIN pg_catalog.pg_class c ON c.oid = o.oid AND c.relforcerowsecurity
      JOIN pg_catalog.pg_policy p ON p.polrelid = o.oid
     UNION ALL
    -- The types of its columns.
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, o.oid FROM ours o
), code (part_class, part_id, classid, objid) AS (
    SELECT p.classid, p.objid, d.refclassid, d.refobjid
      FROM part p JOIN pg_catalog.pg_depend d ON d.classid = p.classid AND d.objid = p.objid
     WHERE d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass)
        -- A rule can write to another table, with triggers of its own. That of a view only reads.
        OR (d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
            OR d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
               AND p.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass)
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite r
                            WHERE p.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND r.oid = p.objid
                              AND (r.ev_type = '1' OR r.ev_class = d.refobjid))
     UNION
    SELECT c.part_class, c.part_id, d.refclassid, d.refobjid
      FROM code c
     CROSS JOIN LATERAL (
         SELECT c.classid AS classid, c.objid AS objid
          UNION ALL
         -- What a domain checks.
         SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
           FROM pg_catalog.pg_constraint k
          WHERE c.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND k.contypid = c.objid) s
      JOIN pg_catalog.pg_depend d ON d.classid = s.classid AND d.objid = s.objid
     WHERE d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass,
                            'pg_catalog.pg_type'::pg_catalog.regclass)
), owned (part_class, part_id, classid, objid, owner) AS (
    SELECT c.part_class, c.part_id, c.classid, c.objid,
           coalesce((SELECT p.proowner FROM pg_catalog.pg_proc p
                      WHERE c.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = c.objid),
                    (SELECT o.oprowner FROM pg_catalog.pg_operator o
                      WHERE c.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = c.objid),
                    -- Of types, only these can be given code by an owner who is no superuser.
                    (SELECT t.typowner FROM pg_catalog.pg_type t
                      WHERE c.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = c.objid
                        AND t.typtype IN ('c', 'd')),
                    (SELECT r.relowner FROM pg_catalog.pg_class r
                      WHERE c.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND r.oid = c.objid))
      FROM code c
), called (trigger_id, oid) AS (
    -- The functions of PostgreSQL itself too: by some of them, such as query_to_xml(), whoever has
    -- the right to create a trigger could have any other called.
    SELECT DISTINCT t.oid, found.number[1]::oid
      FROM user_trigger t
     CROSS JOIN LATERAL pg_catalog.regexp_matches(t.condition::text, ':funcid ([0-9]+)', 'g') AS found (number)
), objection (message) AS (
    SELECT pg_catalog.format('%s %s belongs to %I, who may not act as %I, the owner of user_signals: '
                             'run ALTER %s %2$s OWNER TO %4$I',
                             CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, c.oid::pg_catalog.regclass,
                             pg_catalog.pg_get_userbyid(c.relowner), pg_catalog.pg_get_userbyid(w.oid),
                             CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END)
      FROM owner w CROSS JOIN (SELECT o.oid FROM ours o UNION SELECT m.oid FROM member m) AS o (oid)
      JOIN pg_catalog.pg_class c ON c.oid = o.oid
     WHERE NOT pg_catalog.pg_has_role(c.relowner, w.oid, w.by_what)
     UNION ALL
    SELECT pg_catalog.format('table %s is not in the schema of the extension: run ALTER TABLE %1$s SET SCHEMA %s',
                             m.oid::pg_catalog.regclass, m.extnamespace::pg_catalog.regnamespace)
      FROM member m WHERE m.relnamespace <> m.extnamespace
     UNION ALL
    SELECT pg_catalog.format('the condition of %s calls function %s, which may run other code: '
                             'drop the trigger, or make the call in its function',
                             pg_catalog.pg_describe_object('pg_catalog.pg_trigger'::pg_catalog.regclass,
                                                           c.trigger_id, 0),
                             c.oid::pg_catalog.regprocedure)
      FROM called c JOIN pg_catalog.pg_proc p ON p.oid = c.oid
     WHERE CASE p.provolatile
               WHEN 'i' THEN false
               -- Those that read the text of a value call what checks its type.
               WHEN 's' THEN p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
                         AND (p.proname ~ '_to_xml|^pg_input_'
                              OR 'pg_catalog.cstring'::pg_catalog.regtype = ANY (p.proargtypes::oid[]))
               ELSE p.oid <> ALL (ARRAY['pg_catalog.clock_timestamp()', 'pg_catalog.random()',
                                        'pg_catalog.gen_random_uuid()']::pg_catalog.regprocedure[]::oid[])
           END
     UNION ALL
    SELECT pg_catalog.format('%s uses %s of %I, who may not act as %I, the owner of the tables: '
                             'drop the one, or give the other to %4$I',
                             pg_catalog.pg_describe_object(o.part_class, o.part_id, 0),
                             pg_catalog.pg_describe_object(o.classid, o.objid, 0),
                             pg_catalog.pg_get_userbyid(o.owner), pg_catalog.pg_get_userbyid(w.oid))
      FROM owner w CROSS JOIN owned o
     WHERE NOT pg_catalog.pg_has_role(o.owner, w.oid, w.by_what)
)
SELECT o.message FROM objection o ORDER BY o.message
