-- The columns of user_signals, by its oid in TG_RELID, that have no longer the type they were made with.
SELECT string_agg(c.name, ', ')
  FROM (VALUES ('user_id', 'uuid'::regtype), ('signal_id', 'int8'), ('tier', 'text'), ('symbol', 'text'),
               ('signal_type', 'text'), ('confidence', 'numeric'), ('quality_score', 'numeric'),
               ('entry_price', 'numeric'), ('take_profit', 'numeric[]'), ('stop_loss', 'numeric'),
               ('expires_at', 'timestamptz'), ('full_details', 'bool'), ('metadata', 'jsonb'), ('viewed', 'bool'),
               ('viewed_at', 'timestamptz'), ('clicked', 'bool'), ('clicked_at', 'timestamptz'),
               ('created_at', 'timestamptz')) AS c (name, type)
 WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = TG_RELID AND a.attname = c.name
                                                AND a.atttypid = c.type AND NOT a.attisdropped)
