-- Part: update begins
-- What the tables consist of before the update. What there is more at its end came with
-- it, see 96_shipped_parts.sql.
DO $$
BEGIN
    PERFORM set_config('signal_hub_update.parts', jsonb_agg(to_jsonb(b))::text, true)
       FROM (
    SELECT c.relname AS table_name, p.kind, p.name
      FROM pg_extension e
      JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                      AND d.classid = 'pg_class'::regclass
      JOIN pg_class c ON c.oid = d.objid AND c.relkind IN ('r', 'p')
     CROSS JOIN LATERAL (
         SELECT 'column' AS kind, a.attname AS name
           FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          UNION ALL
         -- PostgreSQL 18 and later list what is NOT NULL, too, which a column has.
         SELECT 'constraint', k.conname FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n'
          UNION ALL
         SELECT 'index', i.relname
           FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid
          UNION ALL
         SELECT 'trigger', t.tgname FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
          UNION ALL
         SELECT 'policy', p.polname FROM pg_policy p WHERE p.polrelid = c.oid
          UNION ALL
         SELECT 'rule', r.rulename FROM pg_rewrite r WHERE r.ev_class = c.oid
          UNION ALL
         SELECT 'row security', 'enabled' WHERE c.relrowsecurity) p
     WHERE e.extname = 'signal_hub') b;
END
$$;
