-- Part: replaceable
-- Which of several servers this is, where Citus shards the tables of subscribers. What is of Citus
-- is named in texts: without it there are no such catalogs. They are in pg_catalog, where nobody
-- but a superuser creates anything.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_is_node() RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    is_node boolean := false;
BEGIN
    IF to_regclass('pg_catalog.pg_dist_local_group') IS NOT NULL THEN
        EXECUTE 'SELECT coalesce(bool_or(g.groupid <> 0), false) FROM pg_catalog.pg_dist_local_group g' INTO is_node;
    END IF;
    RETURN is_node;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_is_node() IS
    'for signal_health: whether this server is a worker node of Citus, where no signals are made';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_is_sharded() RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    is_sharded boolean := false;
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL THEN
        EXECUTE 'SELECT EXISTS (SELECT FROM pg_catalog.pg_dist_partition s JOIN pg_class c ON c.oid = s.logicalrelid
                                  JOIN pg_depend d ON d.classid = ''pg_class''::regclass AND d.objid = c.oid
                                                  AND d.refclassid = ''pg_extension''::regclass AND d.deptype = ''e''
                                  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = ''signal_hub''
                                 WHERE c.relname = ''user_signals'')' INTO is_sharded;
    END IF;
    RETURN is_sharded;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_is_sharded() IS
    'whether the tables of subscribers are on several servers, by enable_citus()';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_refuse_if_sharded(what text) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    hub name := (@own_schema@);
    is_sharded boolean;
BEGIN
    EXECUTE format('SELECT %I.signal_hub_is_sharded()', hub) INTO is_sharded;
    IF is_sharded THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = format('%s does not work while the tables of subscribers are on several servers', what),
            DETAIL = 'It keeps two tables in step by locks and triggers, which do not reach over servers.',
            HINT = 'Write to user_subscriptions and read user_signals themselves, or run SELECT disable_citus().';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_refuse_if_sharded(text) IS
    'for adopt_subscriptions() and adopt_signals(): refuses while the tables of subscribers are on several servers';

-- As the owner, who is known on all servers; it asks them one question, and nothing of the caller's.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_nodes() RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    said text;
    patience text;
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL OR pg_is_in_recovery() THEN
        RETURN NULL;
    END IF;
    -- Each node is asked by a connection of its own. One that hangs takes connections and says nothing.
    patience := current_setting('citus.node_connection_timeout');
    PERFORM set_config('citus.node_connection_timeout', '2s', true);
    EXECUTE
        'SELECT CASE WHEN count(*) > 0
                     THEN format(''%s node(s), %s'', count(*),
                                 coalesce(string_agg(format(''%s:%s%s: %s'', r.nodename, r.nodeport,
                                                            CASE WHEN NOT r.success THEN '' does not answer'' END,
                                                            left(replace(r.result, E''\n'', '' ''), 200)), ''; ''
                                                     ORDER BY r.nodename, r.nodeport)
                                              FILTER (WHERE NOT r.success OR r.result <> ''''),
                                          ''nothing is pending'')) END
           FROM pg_catalog.run_command_on_workers(
               ''SELECT concat_ws('''', '''',
                     (SELECT format(''''%s transaction(s) are prepared and not visible yet, since %s'''', count(*),
                                    min(x.prepared)::timestamptz(0))
                        FROM pg_prepared_xacts x
                       WHERE x.database = current_database()
                         AND x.prepared < clock_timestamp() - interval ''''5 seconds''''
                      HAVING count(*) > 0),
                     (SELECT string_agg(format(''''slot "%s" %s and holds %s of WAL'''', s.slot_name,
                                               CASE WHEN s.wal_status = ''''lost'''' THEN ''''is lost''''
                                                    ELSE ''''has no reader'''' END,
                                               pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn))),
                                        '''', '''')
                        FROM pg_replication_slots s
                       WHERE s.slot_type = ''''logical'''' AND s.database = current_database()
                         AND (NOT s.active OR s.wal_status = ''''lost'''')))'') r'
       INTO said;
    PERFORM set_config('citus.node_connection_timeout', patience, true);
    RETURN said;
EXCEPTION WHEN OTHERS THEN
    -- signal_health has to be readable above all when something is wrong.
    RETURN 'the nodes cannot be asked: ' || left(SQLERRM, 200);
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_nodes() IS
    'for signal_health: what is pending on the nodes of Citus, and which of them do not answer; null without nodes';
