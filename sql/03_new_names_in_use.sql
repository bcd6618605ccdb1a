-- Part: update begins
-- What users have under names that are new in the release: told at once and all together, with
-- the way to go on.
DO $$
DECLARE
    taken record;
BEGIN
    SELECT (array_agg(f.code ORDER BY f.place))[1] AS code,
           (array_agg(f.message ORDER BY f.place))[1] AS message,
           string_agg(f.what, ', ' ORDER BY f.place) AS what,
           string_agg(f.way, '; ' ORDER BY f.place) AS way
      INTO taken
      FROM (SELECT n.place, '42P07' AS code, format('relation "%s" already exists', c.relname) AS message,
                   format('%s %I', lower(k.kind), c.relname) AS what,
                   format('ALTER %s %s.%I RENAME TO ...', k.kind, c.relnamespace::regnamespace, c.relname) AS way
              FROM unnest('@new_relations@'::text[]) WITH ORDINALITY AS n (name, place)
              JOIN pg_class c ON c.relname = n.name AND c.relnamespace = '@extschema@'::regnamespace
             CROSS JOIN LATERAL (SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                                             WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE'
                                             WHEN 'c' THEN 'TYPE' WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX'
                                             ELSE 'TABLE' END AS kind) k
             UNION ALL
            SELECT n.place, '42710', format('type "%s" already exists', t.typname), format('type %I', t.typname),
                   format('ALTER TYPE %s.%I RENAME TO ...', t.typnamespace::regnamespace, t.typname)
              FROM unnest('@new_relations@'::text[]) WITH ORDINALITY AS n (name, place)
              JOIN pg_type t ON t.typname = n.name AND t.typnamespace = '@extschema@'::regnamespace AND t.typrelid = 0
             UNION ALL
            SELECT 10000 + n.place, '42701',
                   format('column "%s" of relation "%s" already exists', a.attname, c.relname),
                   format('column %I of %I', a.attname, c.relname),
                   format('ALTER TABLE %s.%I RENAME %I TO ...', c.relnamespace::regnamespace, c.relname, a.attname)
              FROM unnest('@new_columns@'::text[]) WITH ORDINALITY AS n (name, place)
              JOIN pg_class c ON c.relname = split_part(n.name, '.', 1)
                             AND c.relnamespace = '@extschema@'::regnamespace
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = split_part(n.name, '.', 2)
                                 AND a.attnum > 0 AND NOT a.attisdropped
              -- The columns of a table that is new are new with it.
             WHERE c.relname <> ALL ('@new_relations@'::text[])) f;
    IF taken.what IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = taken.code, MESSAGE = taken.message,
            DETAIL = format('The update creates what it finds to be there already: %s. Nothing was changed.',
                            taken.what),
            HINT = format('Give what is yours another name for good, or move it into another schema, then run ALTER '
                          'EXTENSION signal_hub UPDATE again: %s', taken.way);
    END IF;
END
$$;
