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

-- What needs all rows to be in the WAL of this server, or under its transaction numbers.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_refuse_if_sharded(what text) RETURNS void
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
    IF is_sharded THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = format('%s does not work while user_signals is sharded', what),
            DETAIL = 'Its rows are written by the nodes of Citus, each with a WAL and transaction numbers of its own.',
            HINT = 'Run SELECT disable_citus() where it is needed; docs/scaling.md says what a client can do instead.';
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_refuse_if_sharded(text) IS
    'for enable_realtime(): refuses what cannot be right while the tables of subscribers are on several servers';
