-- Part: replaceable
-- Realtime where user_signals is on several servers, each with a WAL of its own: a client follows a slot
-- of each. Citus itself sends on which tables a publication has.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_prepare_nodes(publication name) RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    lacking text;
    nodes bigint;
    -- What is published by the present transaction, the nodes do not show yet.
    is_published boolean := EXISTS (
        SELECT FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
          JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = r.prrelid AND d.deptype = 'e'
                          AND d.refclassid = 'pg_extension'::regclass
          JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'signal_hub'
          JOIN pg_class c ON c.oid = r.prrelid AND c.relname = 'user_signals'
         WHERE p.pubname = publication);
BEGIN
    EXECUTE 'SELECT count(*),
                    string_agg(format(''%s:%s: %s'', r.nodename, r.nodeport, r.result), ''; ''
                               ORDER BY r.nodename, r.nodeport) FILTER (WHERE NOT r.success OR r.result <> '''')
               FROM pg_catalog.run_command_on_workers($1) r'
       INTO nodes, lacking
      USING format(
          'SELECT concat_ws('', '',
              CASE WHEN current_setting(''wal_level'') <> ''logical''
                   THEN ''wal_level is '' || current_setting(''wal_level'') END,
              CASE WHEN current_setting(''citus.enable_change_data_capture'') <> ''on''
                   THEN ''citus.enable_change_data_capture is off'' END,
              CASE WHEN %L AND NOT EXISTS (SELECT FROM pg_publication_tables t
                                             JOIN pg_extension e ON e.extname = ''signal_hub''
                                             JOIN pg_namespace n ON n.oid = e.extnamespace
                                            WHERE t.pubname = %L AND t.schemaname = n.nspname
                                              AND t.tablename = ''user_signals'')
                   THEN ''publication %s lacks user_signals'' END)', is_published, publication,
          replace(quote_ident(publication), $q$'$q$, $q$''$q$));
    IF current_setting('citus.enable_change_data_capture') <> 'on' THEN
        lacking := concat_ws('; ', 'this server: citus.enable_change_data_capture is off', lacking);
    END IF;
    IF lacking IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the nodes of Citus cannot be followed', DETAIL = lacking || '.',
            HINT = CASE WHEN lacking ~ 'is off|wal_level' THEN
                       'Run ALTER SYSTEM SET citus.enable_change_data_capture = on and SELECT pg_reload_conf() on '
                       'each server; where wal_level is not logical, set it and restart that server.'
                   ELSE
                       format('Run SELECT disable_realtime(%L), and call this again.', publication)
                   END;
    END IF;
    RETURN format('%s node(s) publish it, each to slots of its own', nodes);
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_prepare_nodes(name) IS
    'for enable_realtime(): makes sure that the nodes of Citus can be followed, else refuses with what to do';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_nodes_to_follow(OUT node integer, OUT host text, OUT port integer)
    RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY EXECUTE
        'SELECT n.groupid, n.nodename, n.nodeport FROM pg_catalog.pg_dist_node n
          WHERE n.groupid <> 0 AND n.isactive AND n.noderole = ''primary''
            AND EXISTS (SELECT FROM pg_catalog.pg_dist_partition s JOIN pg_class c ON c.oid = s.logicalrelid
                          JOIN pg_depend d ON d.classid = ''pg_class''::regclass AND d.objid = c.oid
                                          AND d.refclassid = ''pg_extension''::regclass AND d.deptype = ''e''
                          JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = ''signal_hub''
                         WHERE c.relname = ''user_signals'')
          ORDER BY n.groupid';
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_nodes_to_follow() IS
    'for the live service: the nodes of Citus that have rows of user_signals, each with its number, and host and '
    'port as the coordinator knows them; none where all rows are on this server';
