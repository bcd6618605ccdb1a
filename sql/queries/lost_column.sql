-- The first column that mapping names and the table source has not, or has with another type.
SELECT format('column %I%s', c.name, ' of type ' || array_to_string(c.allowed, ' or '))
  FROM (VALUES (1, mapping ->> 'user_id', '{uuid}'::text[]), (2, mapping ->> 'tier', NULL),
               (3, mapping ->> 'status', NULL),
               (4, mapping ->> 'current_period_end', '{timestamptz,timestamp}')) AS c (place, name, allowed)
 WHERE c.name IS NOT NULL
   AND NOT EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = source AND a.attname = c.name AND a.attnum > 0 AND NOT a.attisdropped
                      AND (c.allowed IS NULL OR a.atttypid::regtype = ANY (c.allowed::regtype[])))
 ORDER BY c.place LIMIT 1
