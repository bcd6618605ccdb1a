-- Part: replaceable
-- On several servers, by Citus. Without it these functions say what is missing, and nothing else of
-- the extension knows of it. What is of Citus is named in texts, see 06_servers.sql.

-- The tables of subscribers have policies with a subselect, evaluated once a statement. Citus takes
-- none, and has the condition on each shard in an index.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_write_policies(once boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    policy record;
    own text := CASE WHEN once THEN 'user_id = (SELECT %s())' ELSE 'user_id = %s()' END;
BEGIN
    FOR policy IN
        SELECT p.polname, c.oid::regclass AS of_table, p.polwithcheck IS NOT NULL AS checks,
               f.oid::regproc AS subscriber
          FROM pg_extension e
          JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                          AND d.classid = 'pg_class'::regclass
          JOIN pg_class c ON c.oid = d.objid
          JOIN pg_policy p ON p.polrelid = c.oid
          JOIN pg_depend u ON u.classid = 'pg_policy'::regclass AND u.objid = p.oid
                          AND u.refclassid = 'pg_proc'::regclass
          JOIN pg_proc f ON f.oid = u.refobjid AND f.proname = 'current_subscriber'
         WHERE e.extname = 'signal_hub' AND p.polname IN ('own_rows', 'own_rows_marked', 'own_row')
         GROUP BY 1, 2, 3, 4
    LOOP
        EXECUTE format('ALTER POLICY %I ON %s USING (%s)', policy.polname, policy.of_table,
                       format(own, policy.subscriber))
             || CASE WHEN policy.checks THEN format(' WITH CHECK (%s)', format(own, policy.subscriber)) ELSE '' END;
    END LOOP;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_write_policies(boolean) IS
    'for enable_citus() and disable_citus(): writes the policies of subscribers'' own rows, with a subselect or '
    'without';

-- Also makes sure of what both functions need: rights, that nothing is under way, and that it stays so.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_tables_to_shard(
    OUT tier_table regclass, OUT sharded regclass[], OUT are_sharded boolean
) RETURNS record
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    signals regclass;
    waiting bigint;
    adopted regclass;
    objection record;
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'citus is not installed in this database',
            HINT = 'Put citus first in shared_preload_libraries of each server, restart them, run CREATE EXTENSION '
                   'citus, and add the servers with citus_set_coordinator_host() and citus_add_node().';
    END IF;
    -- By membership, not by name.
    SELECT min(c.oid) FILTER (WHERE c.relname = 'signal_tiers'), min(c.oid) FILTER (WHERE c.relname = 'signals'),
           array_agg(c.oid::regclass ORDER BY array_position(s.names, c.relname))
               FILTER (WHERE c.relname = ANY (s.names))
      INTO tier_table, signals, sharded
      FROM (SELECT ARRAY['user_subscriptions', 'user_signals', 'user_preferences', 'user_push_subscriptions']::name[]
                       AS names) s
      JOIN pg_extension e ON e.extname = 'signal_hub'
      JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                      AND d.classid = 'pg_class'::regclass
      JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'r';
    EXECUTE 'SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition p
                             WHERE p.logicalrelid = $1[1] AND p.partmethod = ''h'')'
       INTO are_sharded USING sharded;
    EXECUTE 'SELECT bool_or(g.groupid <> 0)::integer FROM pg_catalog.pg_dist_local_group g' INTO waiting;
    IF waiting = 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'this server is a worker node of Citus',
            HINT = 'Call this on the coordinator.';
    END IF;
    IF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'must be superuser to move the tables of signal_hub between servers',
            HINT = 'Call this as a superuser.';
    END IF;
    IF are_sharded IS NOT TRUE THEN
        SELECT t.tgrelid::regclass INTO adopted
          FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE NOT t.tgisinternal AND p.proname IN ('signal_hub_follow_subscriptions', 'signal_hub_copy_signals')
         LIMIT 1;
        IF adopted IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = 'a table of an application is kept in step with the tables to move',
                DETAIL = format('It cannot be across servers: %s.', adopted),
                HINT = 'Call abandon_table() for what adopt_subscriptions() and adopt_signals() adopted.';
        END IF;
    END IF;
    -- Until this commits, no run and no batch begins.
    EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE',
                   (SELECT string_agg(t::text, ', ') FROM unnest(ARRAY[tier_table, signals] || sharded) t));
    -- Rows are moved with the rights of the superuser who calls, and so is what indexes and constraints of
    -- the tables compute.
    FOR objection IN
        SELECT format('table %s belongs to %I, who is no superuser: run ALTER TABLE %1$s OWNER TO %3$I', t,
                      r.rolname, current_user) AS message
          FROM unnest(tier_table || sharded) t
          JOIN pg_class c ON c.oid = t JOIN pg_roles r ON r.oid = c.relowner
         WHERE NOT r.rolsuper
         UNION ALL
        SELECT o.message FROM (@untrusted_code@) o
    LOOP
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = 'the tables would be moved with your rights, and run code of others',
            DETAIL = format('%s.', objection.message),
            HINT = 'Do what the detail says at its end, and call this again.';
    END LOOP;
    EXECUTE format('SELECT count(*) FROM %s s WHERE s.delivered_at IS NULL', signals) INTO waiting;
    IF waiting > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('%s signal(s) are not delivered', waiting),
            DETAIL = 'How far a delivery is holds for the servers that it was begun on.',
            HINT = 'Wait until signal_health.undelivered_signals is 0, and call this again.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_tables_to_shard() IS
    'for enable_citus() and disable_citus(): the table that all servers have, those that are sharded by user_id, and '
    'whether they are; refuses, with what to do, where they cannot be moved, and keeps runs away meanwhile';

CREATE OR REPLACE FUNCTION @extschema@.enable_citus() RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    tier_table regclass;
    tables regclass[];
    target regclass;
    are_sharded boolean;
    moved regclass[] := ARRAY[]::regclass[];
    nodes bigint;
    has_coordinator boolean;
    done text[] := ARRAY[]::text[];
    schema name := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                     WHERE e.extname = 'signal_hub');
BEGIN
    EXECUTE format('SELECT * FROM %I.signal_hub_tables_to_shard()', schema) INTO tier_table, tables, are_sharded;
    EXECUTE 'SELECT count(*) FILTER (WHERE n.groupid <> 0 OR n.shouldhaveshards), bool_or(n.groupid = 0)
               FROM pg_catalog.pg_dist_node n WHERE n.isactive AND n.noderole = ''primary'''
       INTO nodes, has_coordinator;
    IF has_coordinator IS NOT TRUE OR nodes = 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = CASE WHEN nodes = 0 THEN 'Citus has no worker node'
                           ELSE 'Citus does not know how its nodes reach the coordinator' END,
            HINT = CASE WHEN nodes = 0 THEN 'Run SELECT citus_add_node(HOST, PORT) for each, with this database there.'
                        ELSE 'Run SELECT citus_set_coordinator_host(HOST, PORT).' END;
    END IF;
    -- The triggers of these tables look at their own row and at signal_tiers, which all servers have.
    PERFORM set_config('citus.enable_unsafe_triggers', 'on', true),
            set_config('citus.enable_local_reference_table_foreign_keys', 'off', true),
            set_config('citus.multi_shard_modify_mode', 'sequential', true),
            set_config('client_min_messages', 'warning', true);
    EXECUTE format('SELECT %I.signal_hub_write_policies(false)', schema);
    IF NOT are_sharded THEN
        EXECUTE format('SELECT pg_catalog.create_reference_table(%L)', tier_table);
        done := done || format('%s is on all servers', tier_table);
    END IF;
    FOREACH target IN ARRAY tables LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition p WHERE p.logicalrelid = $1)'
           INTO are_sharded USING target;
        CONTINUE WHEN are_sharded;
        EXECUTE format('SELECT pg_catalog.create_distributed_table(%L, ''user_id'', colocate_with => %L)', target,
                       CASE WHEN target = tables[1] THEN 'none' ELSE tables[1]::text END);
        moved := moved || target;
        done := done || format('%s is sharded by user_id', target);
    END LOOP;
    -- The rows that were here; of tiers, once nothing here refers to them.
    FOREACH target IN ARRAY moved || CASE WHEN tables[1] = ANY (moved) THEN ARRAY[tier_table] ELSE '{}' END LOOP
        EXECUTE format('SELECT pg_catalog.truncate_local_data_after_distributing_table(%L)', target);
    END LOOP;
    IF done = '{}' THEN
        RETURN format('the tables were on %s node(s) already', nodes);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_event_trigger t WHERE t.evtname = 'signal_hub_keep_shards') THEN
        -- No members of the extension, as they have to be there when it is dropped.
        PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
        EXECUTE format($text$
            CREATE FUNCTION %1$I.signal_hub_keep_shards() RETURNS event_trigger LANGUAGE plpgsql
                SET search_path = pg_catalog, pg_temp AS $body$
            BEGIN
                -- A dump of the whole database takes this along, to a server without shards, too.
                IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL
                   AND EXISTS (SELECT FROM pg_event_trigger_dropped_objects() o
                                WHERE o.object_type = 'extension' AND o.object_identity = 'signal_hub') THEN
                    RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
                        MESSAGE = 'cannot drop extension signal_hub while its tables are sharded',
                        HINT = 'Run SELECT disable_citus() first, which brings all rows back.';
                END IF;
            END $body$;
            CREATE EVENT TRIGGER signal_hub_keep_shards ON sql_drop WHEN TAG IN ('DROP EXTENSION', 'DROP SCHEMA')
                EXECUTE FUNCTION %1$I.signal_hub_keep_shards()$text$, schema);
        PERFORM set_config('citus.enable_ddl_propagation', 'on', true);
    END IF;
    RETURN array_to_string(done || format('%s node(s) have the rows; run VACUUM (ANALYZE) %s', nodes,
                                          array_to_string(tables, ', ')), '; ');
END
$$;
COMMENT ON FUNCTION @extschema@.enable_citus() IS
    'moves user_subscriptions, user_signals, user_preferences and user_push_subscriptions to the nodes of Citus, '
    'sharded by user_id, and signal_tiers to all; all else stays on this server, the coordinator, which goes on '
    'generating and delivering. Runs wait meanwhile. Nothing may be undelivered. Calling it again changes nothing. '
    'Returns what it did. Raises 55000 where Citus or its nodes are missing, and says what to do';

CREATE OR REPLACE FUNCTION @extschema@.disable_citus() RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    tier_table regclass;
    tables regclass[];
    target regclass;
    are_sharded boolean;
    table_name name;
    left_over record;
    rows bigint;
    done text[] := ARRAY[]::text[];
    schema name := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                     WHERE e.extname = 'signal_hub');
BEGIN
    EXECUTE format('SELECT * FROM %I.signal_hub_tables_to_shard()', schema) INTO tier_table, tables, are_sharded;
    IF NOT are_sharded THEN
        RETURN 'the tables were on this server alone already';
    END IF;
    PERFORM set_config('client_min_messages', 'warning', true),
            set_config('citus.multi_shard_modify_mode', 'sequential', true);
    -- Out of the shards first: what is here of a table is not seen while it has any.
    FOREACH target IN ARRAY tables || tier_table LOOP
        EXECUTE format('CREATE TEMPORARY TABLE %I ON COMMIT DROP AS SELECT * FROM %s',
                       'signal_hub_' || target::oid, target);
    END LOOP;
    FOREACH target IN ARRAY tables || tier_table LOOP
        SELECT c.relname INTO table_name FROM pg_class c WHERE c.oid = target;
        EXECUTE 'SELECT pg_catalog.citus_drop_all_shards($1, $2, $3, false)' USING target, schema, table_name;
        EXECUTE 'SELECT pg_catalog.master_remove_distributed_table_metadata_from_workers($1, $2, $3)'
          USING target, schema, table_name;
        EXECUTE 'SELECT pg_catalog.master_remove_partition_metadata($1, $2, $3)' USING target, schema, table_name;
        -- What Citus leaves on the table refuses TRUNCATE, and is dropped as any trigger.
        FOR left_over IN SELECT t.oid, t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                          WHERE t.tgrelid = target AND t.tgisinternal AND p.proname = 'citus_truncate_trigger' LOOP
            UPDATE pg_trigger SET tgisinternal = false WHERE oid = left_over.oid;
            EXECUTE format('DROP TRIGGER %I ON %s', left_over.tgname, target);
        END LOOP;
    END LOOP;
    -- Tiers first, which subscriptions refer to. Rows are put back as they were.
    PERFORM set_config('session_replication_role', 'replica', true);
    FOREACH target IN ARRAY tier_table || tables LOOP
        EXECUTE format('DELETE FROM %s', target);
        EXECUTE format('INSERT INTO %s SELECT * FROM pg_temp.%I', target, 'signal_hub_' || target::oid);
        GET DIAGNOSTICS rows = ROW_COUNT;
        done := done || format('%s rows of %s', rows, target);
    END LOOP;
    PERFORM set_config('session_replication_role', 'origin', true);
    EXECUTE format('SELECT %I.signal_hub_write_policies(true)', schema);
    IF EXISTS (SELECT FROM pg_event_trigger t WHERE t.evtname = 'signal_hub_keep_shards') THEN
        PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
        EXECUTE 'DROP EVENT TRIGGER signal_hub_keep_shards';
        EXECUTE format('DROP FUNCTION %I.signal_hub_keep_shards()', schema);
        PERFORM set_config('citus.enable_ddl_propagation', 'on', true);
    END IF;
    RETURN 'back on this server: ' || array_to_string(done, ', ');
END
$$;
COMMENT ON FUNCTION @extschema@.disable_citus() IS
    'brings all rows back to this server, the coordinator of Citus, and leaves no shard. Runs wait meanwhile. Nothing '
    'may be undelivered. Takes room for the rows three times while it runs. Returns what it did';
