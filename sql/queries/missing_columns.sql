-- The columns that a copy of a signal cannot do without and the table target has not.
SELECT string_agg(c.name, ', ')
  FROM unnest('{user_id,signal_id,symbol,signal_type}'::text[]) AS c (name)
 WHERE NOT EXISTS (SELECT FROM pg_attribute a
                    WHERE a.attrelid = target AND a.attname = c.name AND a.attnum > 0 AND NOT a.attisdropped)
