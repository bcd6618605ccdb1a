-- Part: replaceable
-- Moving in, second half: rows of user_signals are copied into the table from which an application
-- reads signals already, in the same transaction, as the owner of that table. Its columns, its
-- row-level security, its publication and its history stay what they are.

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_copy_signals() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    target regclass := to_regclass(TG_ARGV[0]);
    first record;
    rows jsonb;
    changed text;
BEGIN
    IF target IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = format('signals are copied to %s, which does not exist', TG_ARGV[0]),
            HINT = format('Run DROP TRIGGER %I ON %s, and adopt_signals() if it has another name now.', TG_NAME,
                          TG_RELID::regclass);
    END IF;
    -- Whoever takes the name of a table that is gone is not to get everybody's signals.
    IF TG_ARGV[2] IS DISTINCT FROM (SELECT pg_get_userbyid(c.relowner)::text FROM pg_class c WHERE c.oid = target) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('%s is not the table of %s into which signals were to be copied', target, TG_ARGV[2]),
            HINT = format('Call adopt_signals(%L) if its new owner is to have them, or abandon_table(%1$L).',
                          target::text);
    END IF;
    -- A column of another type would bring code of its own, which would run as the owner of this function.
    changed := (@changed_columns@);
    IF changed IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('columns of %s have no longer the types that they were made with: %s',
                             TG_RELID::regclass, changed),
            HINT = 'Give them their types again, or call abandon_table() with the table that signals are copied to.';
    END IF;
    SELECT @copied_columns@
      INTO first FROM new_rows n LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- The rows of a batch differ in nothing but whose they are and when they were written: then they go
    -- as one. Compared with one of them, since grouping would compare each with many; an UPDATE of rows
    -- of several signals is grouped, as a row of JSON for each of a million would be too large.
    IF NOT EXISTS (SELECT FROM new_rows n WHERE ROW(@copied_columns@) IS DISTINCT FROM first) THEN
        SELECT jsonb_build_array(to_jsonb(first) || jsonb_build_object(
                   'user_ids', array_agg(n.user_id), 'created_ats', array_agg(n.created_at)))
          INTO rows FROM new_rows n;
    ELSE
        SELECT jsonb_agg(to_jsonb(g)) INTO rows
          FROM (SELECT @copied_columns@,
                       array_agg(n.user_id) AS user_ids, array_agg(n.created_at) AS created_ats
                  FROM new_rows n
                 GROUP BY @copied_columns@) g;
    END IF;
    EXECUTE format('SELECT %I.signal_hub_write_copies($1, $2, $3, $4)', TG_TABLE_SCHEMA)
      USING target, TG_OP, nullif(TG_ARGV[1], ''), rows;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_copy_signals() IS
    'copies rows of user_signals into an adopted table; as the owner of the tables, who acts as the owner of that one';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_copy_prices() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    target regclass := to_regclass(TG_ARGV[0]);
    changed text;
BEGIN
    -- The table is gone, or another has its name: the next new row tells.
    IF target IS NULL
       OR TG_ARGV[2] IS DISTINCT FROM (SELECT pg_get_userbyid(c.relowner)::text
                                         FROM pg_class c WHERE c.oid = target) THEN
        RETURN NULL;
    END IF;
    -- A column of another type would bring code of its own, which would run as the owner of this function.
    changed := (@changed_columns@);
    IF changed IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('columns of %s have no longer the types that they were made with: %s',
                             TG_RELID::regclass, changed),
            HINT = 'Give them their types again, or call abandon_table() with the table that signals are copied to.';
    END IF;
    EXECUTE format('SELECT %I.signal_hub_write_copies($1, $2, $3, $4)', TG_TABLE_SCHEMA)
      USING target, TG_OP, nullif(TG_ARGV[1], ''), jsonb_build_array(jsonb_build_object(
                'signal_id', NEW.signal_id, 'tier', NEW.tier, 'symbol', NEW.symbol, 'metadata', NEW.metadata,
                'entry_price', NEW.entry_price, 'take_profit', NEW.take_profit, 'stop_loss', NEW.stop_loss,
                'full_details', NEW.full_details, 'user_ids', jsonb_build_array(NEW.user_id),
                'created_ats', jsonb_build_array(NEW.created_at)));
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_copy_prices() IS
    'copies the prices that a row of user_signals gets later, as signal_hub_copy_signals() does';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_write_copies(
    target regclass, operation text, generated_by text, rows jsonb
) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    hub name := (@own_schema@);
    owner oid;
    path text;
    -- Our number where it is one of theirs, too. Else the form that such tables use,
    -- SYMBOL-MILLISECONDS-TIER, with the number behind it: nothing else is unique.
    number text := CASE WHEN (SELECT a.atttypid IN ('int8'::regtype, 'numeric'::regtype) FROM pg_attribute a
                               WHERE a.attrelid = target AND a.attname = 'signal_id') THEN 'j.signal_id'
                        ELSE 'format(''%s-%s-%s-%s'', j.symbol, trunc(extract(epoch FROM
                                  (j.metadata ->> ''timestamp'')::timestamptz) * 1000), j.tier, j.signal_id)' END;
    -- What is the same for many rows is made once: OFFSET keeps it from being made for each.
    source text := format('FROM (
        SELECT u.user_id, g.*, u.created_at
          FROM (SELECT j.*, %s AS their_signal_id, j.metadata%s AS their_metadata
                  FROM jsonb_to_recordset($1::jsonb) AS j (
                           signal_id bigint, tier text, symbol text, signal_type text, confidence numeric,
                           quality_score numeric, entry_price numeric, take_profit numeric[], stop_loss numeric,
                           expires_at timestamptz, full_details boolean, metadata jsonb, viewed boolean,
                           viewed_at timestamptz, clicked boolean, clicked_at timestamptz, user_ids uuid[],
                           created_ats timestamptz[])
                OFFSET 0) g
         CROSS JOIN LATERAL unnest(g.user_ids, g.created_ats) AS u (user_id, created_at)) n',
        number,
        CASE WHEN generated_by IS NULL THEN ''
             ELSE format(' || jsonb_build_object(''generatedBy'', %L, ''copiedBy'', ''signal_hub'')',
                         generated_by) END);
    columns text;
    expressions text;
    changes text;
    -- The types of the columns by which a row is found.
    user_type text;
    signal_type text;
    conflict text;
    missing text := (@missing_columns@);
BEGIN
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('table %s lacks columns that signals are copied to: %s', target, missing),
            HINT = 'Give them their names again, or call abandon_table() with the table: until then nothing is '
                   'delivered.';
    END IF;
    SELECT c.relowner, format('pg_catalog, %s, pg_temp', c.relnamespace::regnamespace) INTO owner, path
      FROM pg_class c WHERE c.oid = target;
    SELECT max(format_type(a.atttypid, -1)) FILTER (WHERE a.attname = 'user_id'),
           max(format_type(a.atttypid, -1)) FILTER (WHERE a.attname = 'signal_id')
      INTO user_type, signal_type
      FROM pg_attribute a WHERE a.attrelid = target AND a.attname IN ('user_id', 'signal_id');
    -- A row that is there already is one of this user and signal. Any other conflict is an error, so
    -- that a row which is not copied is told of.
    SELECT 'ON CONFLICT (user_id, signal_id) DO NOTHING' INTO conflict
      FROM pg_index i
     WHERE i.indrelid = target AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
       AND i.indnkeyatts = 2
       AND (SELECT array_agg(a.attname::text ORDER BY a.attname)
              FROM pg_attribute a
             WHERE a.attrelid = target AND a.attnum IN (i.indkey[0], i.indkey[1])) = '{signal_id,user_id}'::text[]
     LIMIT 1;
    -- The columns that both have, of their types without a length: a cast to one would cut off what
    -- an assignment refuses.
    SELECT string_agg(e.name, ', '), string_agg(e.expression, ', '),
           string_agg(format('%s = %s', e.name, e.expression), ', ')
               FILTER (WHERE e.name IN ('entry_price', 'take_profit', 'stop_loss', 'full_details'))
      INTO columns, expressions, changes
      FROM (SELECT quote_ident(a.attname) AS name,
                   format('(%s)::%s',
                          CASE a.attname
                              WHEN 'signal_id' THEN 'n.their_signal_id'
                              WHEN 'take_profit' THEN
                                  CASE WHEN a.atttypid IN ('jsonb'::regtype, 'json'::regtype)
                                       THEN 'to_jsonb(n.take_profit)'
                                       WHEN t.typcategory = 'N' THEN 'n.take_profit[1]' ELSE 'n.take_profit' END
                              WHEN 'metadata' THEN 'n.their_metadata'
                              ELSE format('n.%I', a.attname) END,
                          format_type(a.atttypid, -1)) AS expression
              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
             WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
               AND a.attname IN ('user_id', 'signal_id', 'tier', 'symbol', 'signal_type', 'confidence',
                                 'quality_score', 'entry_price', 'take_profit', 'stop_loss', 'expires_at',
                                 'full_details', 'metadata', 'viewed', 'viewed_at', 'clicked', 'clicked_at',
                                 'created_at')) e;
    -- A table without columns for prices, or one that is gone.
    IF operation = 'UPDATE' AND changes IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT %I.signal_hub_lock_adopted($1, $2)', hub) USING target::oid, true;
    EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)', hub)
      USING owner, path,
            CASE operation
                WHEN 'INSERT' THEN format('INSERT INTO %s (%s) SELECT %s %s %s',
                                          target, columns, expressions, source, conflict)
                ELSE format('UPDATE %s t SET %s %s WHERE t.user_id = (n.user_id)::%s
                                                     AND t.signal_id = (n.their_signal_id)::%s',
                            target, changes, source, user_type, signal_type) END,
            rows::text;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_write_copies(regclass, text, text, jsonb) IS
    'writes rows of user_signals into an adopted table, as its owner: the columns that both have. Rows that are alike '
    'come as one, with user_ids and created_ats. A row that is there is left alone';

CREATE OR REPLACE FUNCTION @extschema@.adopt_signals(target regclass, generated_by text DEFAULT 'edge-function')
    RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    hub name := (@own_schema@);
    ours regclass := format('%I.user_signals', hub);
    named text := (SELECT format('%I.%I', n.nspname, c.relname)
                     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = target);
    theirs pg_class;
    missing text;
    other text;
    operation text;
BEGIN
    EXECUTE format('SELECT %I.signal_hub_refuse_if_sharded($1)', hub) USING 'adopt_signals()'::text;
    SELECT c.* INTO theirs FROM pg_class c WHERE c.oid = target;
    IF theirs.oid IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'target must not be null',
            HINT = 'Name the table from which the application reads signals.';
    END IF;
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = ours), 'USAGE')
       OR NOT pg_has_role(theirs.relowner, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('must be owner of tables %s and %s', ours, target),
            HINT = 'Call it as a superuser, or as a role that is a member of both owners.';
    END IF;
    IF theirs.relkind NOT IN ('r', 'p')
       OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = target
                                            AND d.deptype = 'e') THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = format('%s is not a table of an application', target),
            HINT = 'Name the table from which the application reads signals.';
    END IF;
    missing := (@missing_columns@);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = format('table %s lacks columns that a signal has: %s', target, missing),
            HINT = 'Rename its columns, or let the application read user_signals of the extension.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                    WHERE a.attrelid = target AND a.attname = 'signal_id'
                      AND (t.typcategory = 'S' OR t.oid IN ('int8'::regtype, 'numeric'::regtype))) THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('signal_id of %s is no text, bigint or numeric', target),
            HINT = 'Change its type to text: ALTER TABLE ... ALTER signal_id TYPE text.';
    END IF;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO missing
      FROM pg_attribute a
     WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef
       AND a.attidentity = ''
       AND NOT EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = ours AND o.attname = a.attname
                                                    AND o.attnum > 0 AND NOT o.attisdropped);
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'not_null_violation',
            MESSAGE = format('columns of %s must not be null, and signal_hub has no value for them: %s',
                             target, missing),
            HINT = 'Give them a default, or drop NOT NULL.';
    END IF;
    SELECT i.indexrelid::regclass::text INTO other
      FROM pg_index i
     WHERE i.indrelid = target AND i.indisunique
       AND NOT EXISTS (SELECT FROM generate_series(0, i.indnkeyatts - 1) k (n)
                         JOIN pg_attribute a ON a.attrelid = target AND a.attnum = i.indkey[k.n]
                        WHERE NOT EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = ours AND o.attname = a.attname
                                                                       AND o.attnum > 0 AND NOT o.attisdropped))
       AND (SELECT count(*) FROM pg_attribute a
             WHERE a.attrelid = target AND a.attname IN ('user_id', 'signal_id')
               AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])) < 2
     LIMIT 1;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('index %s would refuse signals', other),
            DETAIL = 'A user receives several signals, and a signal goes to several users.',
            HINT = 'Make it unique by user_id and signal_id, or drop it.';
    END IF;
    SELECT t.tgname INTO other
      FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE t.tgrelid = ours AND p.proname IN ('signal_hub_copy_signals', 'signal_hub_copy_prices')
       AND target IS DISTINCT FROM CASE WHEN p.proname ~ '^signal_hub_copy_' THEN to_regclass(
               convert_from(substring(t.tgargs FOR position(decode('00', 'hex') IN t.tgargs) - 1),
                            getdatabaseencoding()))
           END LIMIT 1;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'signals are copied into another table already',
            HINT = format('Call abandon_table() with it, or run DROP TRIGGER %I ON %s.', other, ours);
    END IF;
    -- Whether its owner may write what would be written, and the types agree: without a row.
    -- Every argument has the type of its parameter: a function of the same name with others could
    -- be taken for this one.
    FOREACH operation IN ARRAY ARRAY['INSERT', 'UPDATE'] LOOP
        EXECUTE format('SELECT %I.signal_hub_write_copies($1, $2, $3, $4)', hub)
          USING target, operation, generated_by, '[]'::jsonb;
    END LOOP;

    EXECUTE format('CREATE OR REPLACE TRIGGER signal_hub_copy AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows
                        FOR EACH STATEMENT EXECUTE FUNCTION %I.signal_hub_copy_signals(%L, %L, %L)',
                   ours, hub, named, coalesce(generated_by, ''), pg_get_userbyid(theirs.relowner));
    EXECUTE format('CREATE OR REPLACE TRIGGER signal_hub_copy_prices AFTER UPDATE OF full_details ON %s
                        FOR EACH ROW WHEN (NEW.full_details AND NOT OLD.full_details)
                        EXECUTE FUNCTION %I.signal_hub_copy_prices(%L, %L, %L)',
                   ours, hub, named, coalesce(generated_by, ''), pg_get_userbyid(theirs.relowner));
    RETURN NEXT format('each new row of %s is copied into %s, in the same transaction', ours, target);
    -- Whose tier has no prices is refused where a price must not be null.
    EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)', hub) INTO other
      USING 0::oid, 'pg_catalog, pg_temp'::text,
            format('SELECT string_agg(tier, %L ORDER BY priority DESC, tier) FROM %s.signal_tiers
                     WHERE NOT full_details', ', ', '@' || 'extschema@'), ''::text;
    FOR missing IN
        SELECT quote_ident(a.attname) FROM pg_attribute a
         WHERE a.attrelid = target AND a.attname IN ('entry_price', 'take_profit', 'stop_loss') AND a.attnotnull
           AND other IS NOT NULL
         ORDER BY a.attnum
    LOOP
        RETURN NEXT format('%s of %s must not be null: rows of tiers without prices (%s) are refused. Run ALTER TABLE '
                           '%s ALTER %s DROP NOT NULL before such a tier is enabled', missing, target, other,
                           target, missing);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_publication p CROSS JOIN LATERAL pg_get_publication_tables(p.pubname::text) t
                    WHERE t.relid = target) THEN
        RETURN NEXT format('%s is in no publication: realtime clients do not see its rows', target);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.adopt_signals(regclass, text) IS
'copies each new row of user_signals into a table from which an application reads signals already, as the owner of '
'that table and in the transaction of the delivery: the columns that both have, with signal_id as '
'SYMBOL-MILLISECONDS-TIER-NUMBER where it is a text. generated_by is what metadata.generatedBy says there, so that '
'queries which look for it go on; null leaves it. Prices that a late joiner gets follow. A row that its table refuses '
'is refused as a delivery, see signal_health. What is in that table stays; nothing is purged there. abandon_table() '
'ends it. Whoever calls it owns both tables. Returns what it did';

CREATE OR REPLACE FUNCTION @extschema@.abandon_table(adopted regclass) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    hub name := (@own_schema@);
    found record;
    done boolean := false;
BEGIN
    FOR found IN
        SELECT t.tgname, t.tgrelid::regclass AS on_table
          FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname = hub AND NOT t.tgisinternal
           AND (p.proname = 'signal_hub_follow_subscriptions' AND t.tgrelid = adopted
                AND t.tgparentid = 0
                OR adopted = CASE WHEN p.proname ~ '^signal_hub_copy_' THEN to_regclass(
                       convert_from(substring(t.tgargs FOR position(decode('00', 'hex') IN t.tgargs) - 1),
                                    getdatabaseencoding())) END)
         ORDER BY t.tgname
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.on_table);
        RETURN NEXT format('trigger %I on %s dropped', found.tgname, found.on_table);
        done := true;
    END LOOP;
    IF NOT done THEN
        RETURN NEXT format('%s is not adopted: nothing was done', adopted);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.abandon_table(regclass) IS
'ends what adopt_subscriptions() or adopt_signals() began with a table: drops their triggers, and nothing else. The '
'rows of that table stay as they are, and so do those of user_subscriptions and user_signals. Returns what it did';
