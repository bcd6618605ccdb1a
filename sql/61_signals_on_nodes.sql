-- Part: replaceable
-- signals_since() where the rows are on several servers. All rows of a subscriber are on one of these, a
-- node of Citus, and a watermark is of that node: its number, a dot, and a watermark as of one server,
-- made of the node's transaction numbers. Where the rows are on another node later, as after a move of
-- their shard, the history is another one, and reading begins at the beginning.

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_transactions_for(
    subscriber uuid, OUT node integer, OUT history text, OUT next_xid bigint
)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
    AS 'MODULE_PATHNAME', 'signal_hub_transactions_for_wrapper';
COMMENT ON FUNCTION @extschema@.signal_hub_transactions_for(uuid) IS
    'for signal_hub_signals_on_node(): on which node of Citus this is asked, and what signal_hub_transactions() says '
    'there, for a subscriber and whatever role';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_signals_on_node(
    INOUT watermark text, IN max_rows integer, OUT more boolean, OUT signals @extschema@.user_signals[]
)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Node, history and number; inside a page also number and signal of its last row.
    parts text[] := regexp_match(
        left(watermark, 200),
        '^([0-9]{1,10})[.]([0-9a-f]{16})-([0-9]{1,18})(?:-([0-9]{1,18})-([0-9]{1,18})-[0-9a-f]{32})?$');
    -- By what they are, not by name: whoever renames the schema of the extension can put other
    -- objects under its old name.
    user_signals regclass := (SELECT t.typrelid FROM pg_type a JOIN pg_type t ON t.oid = a.typelem
                               WHERE a.oid = pg_typeof(signals));
    hub name := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE c.oid = user_signals);
    -- In a statement about one user, which their node runs whole.
    there text := format(
        'WITH t AS MATERIALIZED (SELECT * FROM %I.signal_hub_transactions_for($1))
         SELECT t.node, t.history, t.next_xid, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS ended,
                p.signal, p.xid
           FROM (SELECT count(*) FROM %s s WHERE s.user_id = $1 AND s.signal_id < 0) one
          CROSS JOIN t', hub, user_signals);
    subscriber uuid;
    node record;
    was record;
    same_up_to bigint;
    since bigint;
BEGIN
    EXECUTE format('SELECT %I.current_subscriber()', hub) INTO subscriber;
    IF subscriber IS NULL THEN
        signals := '{}';
        more := false;
        watermark := '0.0000000000000000-0';
        RETURN;
    END IF;
    EXECUTE there || ' LEFT JOIN (SELECT NULL AS signal, NULL AS xid) p ON true' INTO STRICT was USING subscriber;
    FOR attempt IN 1..5 LOOP
        same_up_to := NULL;
        IF parts[1] = was.node::text THEN
            IF parts[2] = split_part(was.history, ' ', 1) THEN
                same_up_to := 9223372036854775807;
            ELSE
                SELECT split_part(h.name, ':', 2)::bigint INTO same_up_to
                  FROM unnest((string_to_array(was.history, ' '))[2:]) h (name)
                 WHERE split_part(h.name, ':', 1) = parts[2] LIMIT 1;
            END IF;
        END IF;
        since := least(parts[3]::bigint, same_up_to);
        IF same_up_to IS NULL OR since > was.next_xid THEN
            since := 0;
            parts[4] := NULL;
        ELSIF parts[4]::bigint >= same_up_to OR parts[3]::bigint > same_up_to THEN
            -- A page that reaches beyond is begun again.
            parts[4] := NULL;
        END IF;

        signals := '{}';
        node := NULL;
        FOR node IN EXECUTE there || format(
            ' LEFT JOIN LATERAL (
                  SELECT s AS signal, x.xid, s.signal_id
                    FROM %s s
                   CROSS JOIN LATERAL (SELECT t.next_xid - ((t.next_xid - s.xmin::text::bigint) & 4294967295)) x (xid)
                   WHERE s.user_id = $1 AND %s LIMIT $2) p ON true
               ORDER BY p.xid, p.signal_id', user_signals,
            CASE WHEN watermark IS NULL THEN 'true ORDER BY s.signal_id DESC'
                 WHEN parts[4] IS NULL THEN 'x.xid >= $3 ORDER BY x.xid, s.signal_id'
                 ELSE '(x.xid, s.signal_id) > ($4, $5) ORDER BY x.xid, s.signal_id' END)
          USING subscriber, max_rows, since, parts[4]::bigint, parts[5]::bigint
        LOOP
            signals := signals || CASE WHEN node.signal IS NULL THEN '{}' ELSE ARRAY[node.signal] END;
        END LOOP;
        EXIT WHEN (node.node, node.history) = (was.node, was.history);
        -- The rows went to another node in between, or it was started again.
        was := node;
    END LOOP;
    IF (node.node, node.history) <> (was.node, was.history) THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
            MESSAGE = 'the rows of the subscriber are on their way to another node', HINT = 'Call this again.';
    END IF;
    IF watermark IS NULL THEN
        signals := ARRAY(SELECT s FROM unnest(signals) s ORDER BY s.signal_id);
        more := false;
        since := was.ended;
    ELSE
        more := coalesce(cardinality(signals) >= max_rows, false);
        -- While there are pages, the number is that of the first: what commits between
        -- them may belong before the page one is at.
        IF parts[4] IS NULL THEN
            since := greatest(since, was.ended);
        END IF;
    END IF;
    watermark := format('%s.%s-%s', was.node, split_part(was.history, ' ', 1), since);
    IF more THEN
        watermark := format('%s-%s-%s-%s', watermark, node.xid, (signals[cardinality(signals)]).signal_id,
                            replace(subscriber::text, '-', ''));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_signals_on_node(text, integer) IS
    'for signals_since(), where user_signals is sharded by Citus: the same for the subscriber whom the claims of the '
    'session name';
