-- Part: replaceable
-- Moving in, first half: the subscriptions of a table that an application has already.
--
-- The application's table says who subscribes; user_subscriptions follows it by triggers. That
-- table is read as its owner (signal_hub_run_as), so that nothing that its owner has prepared runs
-- with other rights. Ours is read and written as its own owner in the same way, after the library
-- has locked it and looked for code of others (decision 0019). For the schema of the extension in a
-- statement on our tables stands what the variable hub_mark has, which the library replaces.

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_run_as(role oid, path text, statement text, argument text)
    RETURNS text
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'signal_hub_run_as_wrapper';
COMMENT ON FUNCTION @extschema@.signal_hub_run_as(oid, text, text, text) IS
    'runs one statement as a role that the caller may act as, in a security-restricted operation with this '
    'search_path; $1 in it is the argument. Returns the first column of its first row, a text. Role 0 is the owner of '
    'the tables of the extension: then nothing runs while these use code of others. For adopted tables';

-- Before a table is read that was altered since. A column of another type would bring code of its own.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_refuse_lost_column(source regclass, mapping jsonb) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    lost text := (@lost_column@);
BEGIN
    IF lost IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('table %s has no longer the %s by which signal_hub follows it', source, lost),
            HINT = 'Call adopt_subscriptions() with the columns that there are, or abandon_table().';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_refuse_lost_column(regclass, jsonb) IS
    'raises where an adopted table has lost a column by which it is followed, or given it another type';

-- The subscriptions of these users once more. Returns what was found.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_take_over(source regclass, mapping jsonb, users uuid[]) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    hub name := (@own_schema@);
    -- In two, so that the script of the extension leaves it alone.
    hub_mark CONSTANT text := '@' || 'extschema@';
    ends text := mapping ->> 'current_period_end';
    found jsonb;
    result jsonb;
    wanted bigint := (SELECT count(DISTINCT n.id) FROM unnest(users) AS n (id));
    held bigint;
BEGIN
    -- The rows of these users are held before the application's table is read: of two transactions
    -- that change subscriptions of one user, the second sees what the first did. A row that is there
    -- when we insert may be gone when we have waited for it; then we insert once more. Rows that a
    -- trigger does not let in are not waited for.
    FOR attempt IN 1 .. 10 LOOP
        EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)', hub)
          USING 0::oid, 'pg_catalog, pg_temp'::text, format(
            'INSERT INTO %1$s.user_subscriptions AS u (user_id, tier, status)
             SELECT DISTINCT n.id::uuid, t.tier, ''paused''
               FROM jsonb_array_elements_text($1::jsonb) AS n (id),
                    (SELECT tier FROM %1$s.signal_tiers ORDER BY priority, tier LIMIT 1) t
              WHERE n.id IS NOT NULL ORDER BY 1
                 ON CONFLICT (user_id) DO NOTHING', hub_mark), to_jsonb(users)::text;
        EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)::bigint', hub) INTO held
          USING 0::oid, 'pg_catalog, pg_temp'::text, format(
            'SELECT count(*)::text
               FROM (SELECT FROM %s.user_subscriptions
                      WHERE user_id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::uuid))
                      ORDER BY user_id FOR NO KEY UPDATE) held', hub_mark), to_jsonb(users)::text;
        EXIT WHEN held >= wanted;
    END LOOP;

    -- By format() and not by a cast, which the owner of a type may have defined.
    EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)::jsonb', hub) INTO found
      USING (SELECT c.relowner FROM pg_class c WHERE c.oid = source), 'pg_catalog, pg_temp'::text,
        format('SELECT jsonb_agg(jsonb_build_object(''u'', s.%1$I, ''t'', format(''%%s'', s.%2$I),
                                                    ''s'', format(''%%s'', s.%3$I), ''e'', %4$s))::text
                  FROM %5$s s
                 WHERE s.%1$I = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::uuid))',
               mapping ->> 'user_id', mapping ->> 'tier', mapping ->> 'status',
               CASE WHEN ends IS NULL THEN 'NULL'
                    WHEN (SELECT a.atttypid = 'timestamp'::regtype FROM pg_attribute a
                           WHERE a.attrelid = source AND a.attname = ends)
                    THEN format('s.%I AT TIME ZONE ''UTC''', ends)
                    ELSE format('s.%I', ends) END,
               source),
        to_jsonb(users)::text;

    -- The best subscription of a user is one that entitles now; of several, the one of the highest
    -- tier, then the one that lasts longest.
    EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)::jsonb', hub) INTO result
      USING 0::oid, 'pg_catalog, pg_temp'::text, format(
        $sql$
        WITH given AS MATERIALIZED (
            SELECT g.rows, g.mapping, g.users
              FROM jsonb_to_record($1::jsonb) AS g (rows jsonb, mapping jsonb, users uuid[])
        ), row AS MATERIALIZED (
            SELECT (f ->> 'u')::uuid AS user_id, f ->> 't' AS given_tier, f ->> 's' AS given_status,
                   coalesce(g.mapping -> 'tiers' ->> (f ->> 't'), btrim(f ->> 't')) AS tier,
                   CASE WHEN m.status IN ('active', 'trialing', 'past_due', 'canceled', 'paused') THEN m.status
                        WHEN m.status IN ('cancelled', 'expired', 'incomplete_expired') THEN 'canceled'
                        WHEN m.status = 'unpaid' THEN 'past_due' END AS status,
                   (f ->> 'e')::timestamptz AS ends
              FROM given g
             CROSS JOIN LATERAL jsonb_array_elements(g.rows) f
             CROSS JOIN LATERAL (
                 SELECT lower(btrim(coalesce(g.mapping -> 'statuses' ->> (f ->> 's'), f ->> 's'))) AS status) m
        ), tier AS (
            SELECT DISTINCT ON (r.user_id, r.given_tier, r.given_status, r.ends)
                   r.*, t.tier AS our_tier, t.priority, t.enabled,
                   coalesce(r.status = 'active' AND (r.ends IS NULL OR r.ends > now()), false) AS entitles
              FROM row r LEFT JOIN %1$s.signal_tiers t ON upper(t.tier) = upper(r.tier)
             ORDER BY r.user_id, r.given_tier, r.given_status, r.ends, t.tier = r.tier DESC, t.priority DESC, t.tier
        ), best AS (
            SELECT DISTINCT ON (t.user_id)
                   t.user_id, t.our_tier AS tier, coalesce(t.status, 'paused') AS status, t.ends, t.entitles, t.enabled
              FROM tier t WHERE t.our_tier IS NOT NULL
             ORDER BY t.user_id, t.entitles DESC, t.enabled DESC, t.priority DESC, t.ends DESC NULLS FIRST, t.our_tier
        ), kept AS (
            UPDATE %1$s.user_subscriptions u
               SET tier = b.tier, status = b.status, current_period_end = b.ends
              FROM best b
             WHERE u.user_id = b.user_id
               AND (u.tier, u.status, u.current_period_end) IS DISTINCT FROM (b.tier, b.status, b.ends)
        ), gone AS (
            DELETE FROM %1$s.user_subscriptions u
             WHERE u.user_id = ANY ((SELECT g.users FROM given g)::uuid[])
               AND NOT EXISTS (SELECT FROM best b WHERE b.user_id = u.user_id)
        )
        SELECT jsonb_build_object(
            'rows', (SELECT count(*) FROM row), 'users', (SELECT count(*) FROM best),
            'entitled', (SELECT count(*) FROM best b WHERE b.entitles AND b.enabled),
            'tiers', (SELECT jsonb_object_agg(g.given_tier, g.rows)
                        FROM (SELECT r.given_tier, count(*) AS rows FROM row r
                               WHERE NOT EXISTS (SELECT FROM %1$s.signal_tiers t WHERE upper(t.tier) = upper(r.tier))
                               GROUP BY r.given_tier) g),
            'statuses', (SELECT jsonb_object_agg(g.given_status, g.rows)
                           FROM (SELECT r.given_status, count(*) AS rows FROM row r WHERE r.status IS NULL
                                  GROUP BY r.given_status) g))::text
        $sql$, hub_mark),
        jsonb_build_object('rows', coalesce(found, '[]'), 'mapping', mapping, 'users', users)::text;
    RETURN result;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_take_over(regclass, jsonb, uuid[]) IS
    'makes user_subscriptions say of these users what an adopted table says, and returns what it found';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_follow_subscriptions() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    most CONSTANT integer := 50000;
    mapping jsonb := TG_ARGV[0]::jsonb;
    hub name := (@own_schema@);
    users uuid[];
    part jsonb;
    unknown jsonb := '{}'::jsonb;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)', hub)
          USING 0::oid, 'pg_catalog, pg_temp'::text,
            format('DELETE FROM %s.user_subscriptions', '@' || 'extschema@'), ''::text;
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT %I.signal_hub_refuse_lost_column($1, $2)', hub) USING TG_RELID::regclass, mapping;
    EXECUTE format(
        'SELECT array_agg(DISTINCT c.id ORDER BY c.id) FROM (%s) c (id) WHERE c.id IS NOT NULL',
        concat_ws(' UNION ALL ',
                  CASE WHEN TG_OP <> 'INSERT' THEN format('SELECT %I FROM old_rows', mapping ->> 'user_id') END,
                  CASE WHEN TG_OP <> 'DELETE' THEN format('SELECT %I FROM new_rows', mapping ->> 'user_id') END))
       INTO users;
    FOR begins IN 1 .. coalesce(cardinality(users), 0) BY most LOOP
        EXECUTE format('SELECT %I.signal_hub_take_over($1, $2, $3)', hub) INTO part
          USING TG_RELID::regclass, mapping, users[(begins):(begins + most - 1)];
        IF jsonb_typeof(part -> 'tiers') = 'object' THEN
            unknown := unknown || (part -> 'tiers');
        END IF;
    END LOOP;
    -- Not an error: the application is not to fail for a tier that this one does not know.
    IF unknown <> '{}' THEN
        RAISE WARNING USING
            MESSAGE = format('signal_hub has no tier %s: subscriptions of it receive no signals',
                             (SELECT string_agg(quote_literal(k), ', ' ORDER BY k) FROM jsonb_object_keys(unknown) k)),
            HINT = 'Add the tier to signal_tiers and call adopt_subscriptions() again, or name it in its tiers.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_follow_subscriptions() IS
    'lets user_subscriptions follow an adopted table. It reads that table as its owner and writes here as the owner '
    'of the tables, since whoever changes that table need not be able to write here';

CREATE OR REPLACE FUNCTION @extschema@.adopt_subscriptions(
    source regclass, user_id name DEFAULT 'user_id', tier name DEFAULT 'tier', status name DEFAULT 'status',
    current_period_end name DEFAULT 'current_period_end', tiers jsonb DEFAULT '{}', statuses jsonb DEFAULT '{}'
) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    most CONSTANT integer := 50000;
    hub name := (@own_schema@);
    ours regclass := format('%I.user_subscriptions', hub);
    owner oid := (SELECT c.relowner FROM pg_class c WHERE c.oid = source);
    mapping jsonb := jsonb_build_object('user_id', user_id, 'tier', tier, 'status', status,
                                        'current_period_end', current_period_end, 'tiers', tiers,
                                        'statuses', statuses);
    event text;
    other regclass;
    is_known boolean;
    lost text;
    after uuid;
    users uuid[];
    seen uuid[] := '{}'::uuid[];
    part jsonb;
    total jsonb := '{"rows": 0, "users": 0, "entitled": 0}'::jsonb;
    unknown record;
    strangers bigint;
    hub_mark CONSTANT text := '@' || 'extschema@';
    not_seen CONSTANT text :=
        'WHERE NOT EXISTS (SELECT FROM jsonb_array_elements_text($1::jsonb) s (id) WHERE s.id::uuid = u.user_id)';
BEGIN
    EXECUTE format('SELECT %I.signal_hub_refuse_if_sharded($1)', hub) USING 'adopt_subscriptions()'::text;
    IF num_nulls(source, user_id, tier, status, tiers, statuses) > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'only current_period_end may be null: subscriptions without an end',
            HINT = 'Leave the others away where their defaults will do.';
    END IF;
    IF jsonb_typeof(tiers) <> 'object' OR jsonb_typeof(statuses) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'tiers and statuses must be objects of JSON',
            HINT = 'Say what a word of the table means, as in tiers => ''{"premium": "MAX"}''.';
    END IF;
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = ours), 'USAGE')
       OR NOT pg_has_role(owner, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('must be owner of tables %s and %s', ours, source),
            HINT = 'Call it as a superuser, or as a role that is a member of both owners.';
    END IF;
    IF EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = source AND d.deptype = 'e')
       OR (SELECT c.relkind NOT IN ('r', 'p') FROM pg_class c WHERE c.oid = source)
       OR (SELECT c.relpersistence = 't' FROM pg_class c WHERE c.oid = source) THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = format('%s is not a table of an application', source),
            HINT = 'Name the table in which the application keeps its subscriptions; of a view, the one below it.';
    END IF;
    IF (SELECT c.relkind = 'p' FROM pg_class c WHERE c.oid = source)
       OR EXISTS (SELECT FROM pg_inherits i WHERE source IN (i.inhparent, i.inhrelid)) THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = format('%s has partitions, or tables inherit from it or it from others', source),
            DETAIL = 'What is written to one of these tables by its own name would not be noticed.',
            HINT = 'Name a plain table, such as one that triggers of yours keep in step with it.';
    END IF;
    lost := (@lost_column@);
    IF lost IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = format('table %s has no %s', source, lost),
            HINT = 'Name the columns, as in adopt_subscriptions(''' || source || ''', user_id => ''owner_id'', '
                   'current_period_end => NULL).';
    END IF;
    SELECT t.tgrelid INTO other
      FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE NOT t.tgisinternal AND p.proname = 'signal_hub_follow_subscriptions' AND n.nspname = hub
     ORDER BY t.tgrelid <> source LIMIT 1;
    is_known := coalesce(other = source, false);
    IF other <> source THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the subscriptions of %s are adopted already', other),
            HINT = format('One table says who subscribes. Call abandon_table(%L) before.', other::text);
    END IF;

    -- Nobody changes the table between what is read below and the triggers.
    FOREACH event IN ARRAY ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'] LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s
                 FOR EACH STATEMENT EXECUTE FUNCTION %I.signal_hub_follow_subscriptions(%L)',
            'signal_hub_follow_' || lower(event), event, source,
            CASE event WHEN 'INSERT' THEN 'REFERENCING NEW TABLE AS new_rows'
                       WHEN 'UPDATE' THEN 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'
                       WHEN 'DELETE' THEN 'REFERENCING OLD TABLE AS old_rows' ELSE '' END,
            hub, mapping::text);
    END LOOP;

    LOOP
        EXECUTE format('SELECT ARRAY(SELECT jsonb_array_elements_text(coalesce(
                            %I.signal_hub_run_as($1, $2, $3, $4)::jsonb, ''[]''))::uuid)', hub) INTO users
          USING owner, 'pg_catalog, pg_temp'::text,
            format('SELECT jsonb_agg(s.u)::text
                      FROM (SELECT DISTINCT r.%1$I AS u FROM %2$s r WHERE r.%1$I %4$s ORDER BY 1 LIMIT %3$s) s',
                   user_id, source, most, CASE WHEN after IS NULL THEN 'IS NOT NULL' ELSE '> $1::uuid' END),
            coalesce(after::text, '');
        EXIT WHEN users = '{}';
        EXECUTE format('SELECT %I.signal_hub_take_over($1, $2, $3)', hub) INTO part USING source, mapping, users;
        total := total || jsonb_build_object(
            'rows', (total ->> 'rows')::bigint + (part ->> 'rows')::bigint,
            'users', (total ->> 'users')::bigint + (part ->> 'users')::bigint,
            'entitled', (total ->> 'entitled')::bigint + (part ->> 'entitled')::bigint);
        FOR unknown IN
            SELECT k.kind, e.key, e.value::bigint AS rows
              FROM unnest(ARRAY['tiers', 'statuses']) AS k (kind)
             CROSS JOIN LATERAL jsonb_each_text(CASE jsonb_typeof(part -> k.kind) WHEN 'object' THEN part -> k.kind
                                                                                  ELSE '{}' END) e
        LOOP
            total := jsonb_set(total, ARRAY[unknown.kind], coalesce(total -> unknown.kind, '{}') || jsonb_build_object(
                unknown.key, coalesce((total -> unknown.kind ->> unknown.key)::bigint, 0) + unknown.rows));
        END LOOP;
        seen := seen || users;
        after := users[cardinality(users)];
    END LOOP;

    -- Whom the table does not know: left over while triggers were off, or somebody else's doing.
    EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)::bigint', hub) INTO strangers
      USING 0::oid, 'pg_catalog, pg_temp'::text,
        format('SELECT count(*)::text FROM %s.user_subscriptions u %s', hub_mark, not_seen), to_jsonb(seen)::text;
    IF strangers > 0 AND NOT is_known THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('%s has %s subscribers of whom %s has no row', ours, strangers, source),
            DETAIL = 'Once adopted, the table of the application alone says who subscribes.',
            HINT = format('Add them to %s, or delete them from %s.', source, ours);
    END IF;
    EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)', hub)
      USING 0::oid, 'pg_catalog, pg_temp'::text,
        format('DELETE FROM %s.user_subscriptions u %s', hub_mark, not_seen), to_jsonb(seen)::text;

    RETURN NEXT format('%s: %s rows of %s users; %s of them are entitled to signals now', source, total ->> 'rows',
                       total ->> 'users', total ->> 'entitled');
    FOR unknown IN
        SELECT e.key, e.value FROM jsonb_each_text(coalesce(total -> 'tiers', '{}')) e ORDER BY e.key
    LOOP
        RETURN NEXT format('tier %L of %s rows is not in signal_tiers: it gives no signals. Add it there and call '
                           'this again, or say what it is: tiers => ''{"%s": "MAX"}''',
                           unknown.key, unknown.value, unknown.key);
    END LOOP;
    FOR unknown IN
        SELECT e.key, e.value FROM jsonb_each_text(coalesce(total -> 'statuses', '{}')) e ORDER BY e.key
    LOOP
        RETURN NEXT format('status %L of %s rows is not known: taken as paused, which receives nothing. If it '
                           'entitles, say so: statuses => ''{"%s": "active"}''',
                           unknown.key, unknown.value, unknown.key);
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = source AND a.attname = user_id
                    WHERE i.indrelid = source AND i.indkey[0] = a.attnum AND i.indpred IS NULL) THEN
        RETURN NEXT format('no index begins with %I: each change reads all of %s. Run CREATE INDEX ON %s (%I)',
                           user_id, source, source, user_id);
    END IF;
    RETURN NEXT format('%s follows %s from now on', ours, source);
END
$$;
COMMENT ON FUNCTION @extschema@.adopt_subscriptions(regclass, name, name, name, name, jsonb, jsonb) IS
'lets user_subscriptions follow a table of subscriptions that an application has already: takes over what is in it, '
'and puts triggers on it that keep up with every change, in the same transaction. Of several subscriptions of a user '
'the best counts: one that entitles now, then the highest tier. Tiers are found in any case of letters. A status that '
'is not known is taken as paused. tiers and statuses translate others, such as {"premium": "MAX"} and '
'{"trialing": "active"}.
Called again, it takes over everything once more, with what is said then. abandon_table() ends it. Whoever calls it '
'owns both tables. Returns what it found and did';
