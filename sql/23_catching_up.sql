-- Part: replaceable
-- Catching up. A reader who asks for rows above the last number or time they saw
-- loses those of transactions that took their number early and commit late. Here
-- the mark is a transaction number, as PostgreSQL's own snapshots have them: when
-- a snapshot says that every transaction below N has ended, it shows all that
-- these wrote, and whatever commits later is not below N. Three things follow.
--
-- 1. Rows may be returned twice, never missed: those of transactions that had
--    ended but were not below N come again. Clients tell them by signal_id.
-- 2. The number of a row is its system column xmin, which costs the fan-out nothing,
--    and a row that was updated (viewed on another device) counts as new. A
--    subtransaction's number is above that of its transaction, which was below N
--    or running. xmin has 32 bits of the number; the missing ones are taken to be
--    the latest possible, so a row may seem younger than it is, not older.
-- 3. Numbers mean something in one history of one cluster only: another one, as
--    after a failover or a restored dump, starts again at the beginning. Nor does
--    a crash use a number twice: what a watermark has passed is flushed first. A disk
--    whose snapshot was put back does, so a history has a name for each start of the
--    server, and numbers of an earlier start count up to its end in this history.

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_transactions(OUT history text, OUT next_xid bigint)
    RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
    AS 'MODULE_PATHNAME', 'signal_hub_transactions_wrapper';
COMMENT ON FUNCTION @extschema@.signal_hub_transactions() IS
    'for signals_since(): history names the server and its start, timeline, database, role and subscriber for whom '
    'transaction numbers can be compared, then histories that are the same up to a number, as NAME:NUMBER; next_xid '
    'is above all that exist. On a primary, WAL is flushed to the end first. history is null where user_signals is '
    'sharded, whose rows have the numbers of other servers';

CREATE OR REPLACE FUNCTION @extschema@.signals_since(
    INOUT watermark text DEFAULT NULL, IN max_rows integer DEFAULT 500,
    OUT more boolean, OUT signals @extschema@.user_signals[]
)
    -- Stable: rows and watermark are of one snapshot, the caller's.
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- history-number, and inside a page also -number-signal_id-user_id of its last row
    parts text[] := regexp_match(
        left(watermark, 200),
        '^((?:[0-9]{1,10}[.])?[0-9a-f]{16})-([0-9]{1,18})(?:-([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]{32}))?$');
    oldest_running bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    hub name;
    history text;
    histories text[];
    next_xid bigint;
    -- Up to which number the watermark's history is the same as this one.
    same_up_to bigint;
    since bigint := 0;
    last_xid bigint;
    last_row record;
    -- By what they are, not by name: whoever renames the schema of the extension can put other
    -- objects under its old name.
    user_signals regclass := (SELECT t.typrelid FROM pg_type a JOIN pg_type t ON t.oid = a.typelem
                               WHERE a.oid = pg_typeof(signals));
    transactions regproc := (
        SELECT p.oid
          FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
         WHERE e.extname = 'signal_hub' AND d.deptype = 'e' AND p.proname = 'signal_hub_transactions');
BEGIN
    IF max_rows <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'max_rows must be positive';
    END IF;
    IF watermark IS NOT NULL AND parts IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_text_representation',
            MESSAGE = format('invalid watermark: "%s"', left(watermark, 100)),
            HINT = 'Pass what signals_since() returned last, or null to begin.';
    END IF;
    EXECUTE format('SELECT * FROM %s()', transactions) INTO STRICT history, next_xid;
    IF history IS NULL THEN
        -- Each of several servers has transaction numbers of its own, and a subscriber is on one of them.
        IF NOT row_security_active(user_signals) THEN
            RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
                MESSAGE = 'signals_since() is for one subscriber while user_signals is on several servers',
                DETAIL = format('Role "%s" reads the rows of all, which have no common order there.', current_user),
                HINT = 'Call it as a role that row-level security binds, with claims that name the subscriber.';
        END IF;
        SELECT n.nspname INTO STRICT hub
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = user_signals;
        EXECUTE format('SELECT * FROM %I.signal_hub_signals_on_node($1, $2)', hub)
           INTO watermark, more, signals USING watermark, max_rows;
        RETURN;
    END IF;
    histories := string_to_array(history, ' ');
    history := histories[1];

    IF watermark IS NULL THEN
        EXECUTE format(
            'SELECT ARRAY(SELECT n.signal
                            FROM (SELECT s AS signal FROM %s s
                                   ORDER BY s.signal_id DESC, s.user_id DESC LIMIT $1) n
                           ORDER BY (n.signal).signal_id, (n.signal).user_id)', user_signals)
           INTO signals USING max_rows;
        more := false;
        watermark := format('%s-%s', history, oldest_running);
        RETURN;
    END IF;

    IF pg_is_in_recovery() AND left(parts[1], 8) = left(history, 8) THEN
        history := parts[1];
    END IF;
    IF parts[1] = history THEN
        same_up_to := 9223372036854775807;
    ELSE
        SELECT split_part(h.name, ':', 2)::bigint INTO same_up_to
          FROM unnest(histories[2:]) h (name) WHERE split_part(h.name, ':', 1) = parts[1] LIMIT 1;
    END IF;
    -- A standby that lags is behind its primary's watermark, and has nothing new.
    IF same_up_to IS NOT NULL
       AND (least(parts[2]::bigint, same_up_to) <= next_xid OR pg_is_in_recovery()) THEN
        since := least(parts[2]::bigint, same_up_to);
        -- A page that reaches beyond is begun again.
        IF parts[3]::bigint >= same_up_to OR parts[2]::bigint > same_up_to THEN
            parts[3] := NULL;
        END IF;
        -- Nor does it have all the pages that the primary has.
        IF parts[3] IS NOT NULL AND oldest_running < since THEN
            signals := '{}';
            more := false;
            RETURN;
        END IF;
    ELSE
        parts[3] := NULL;
    END IF;

    EXECUTE format(
        'SELECT coalesce(array_agg(p.signal ORDER BY p.xid, (p.signal).signal_id, (p.signal).user_id), ''{}''),
                max(p.xid)
           FROM (SELECT s AS signal, x.xid
                   FROM %s s
                  CROSS JOIN LATERAL (SELECT $1 - (($1 - s.xmin::text::bigint) & 4294967295)) x (xid)
                  WHERE CASE WHEN $2[3] IS NULL THEN x.xid >= $3
                             ELSE (x.xid, s.signal_id, s.user_id) > ($2[3]::bigint, $2[4]::bigint, $2[5]::uuid) END
                  ORDER BY x.xid, s.signal_id, s.user_id
                  LIMIT $4) p', user_signals)
       INTO signals, last_xid USING next_xid, parts, since, max_rows;
    more := coalesce(cardinality(signals) >= max_rows, false);

    -- While there are pages, the number is that of the first: what commits between
    -- them may belong before the page one is at.
    IF parts[3] IS NULL THEN
        since := greatest(since, oldest_running);
    END IF;
    watermark := format('%s-%s', history, since);
    IF more THEN
        last_row := signals[cardinality(signals)];
        watermark := format('%s-%s-%s-%s', watermark, last_xid, last_row.signal_id,
                            replace(last_row.user_id::text, '-', ''));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.signals_since(text, integer) IS
'the caller''s rows of user_signals since a watermark, as row-level security shows them, and the next watermark, an '
'opaque text.
Without a watermark: the newest max_rows (null is no limit). With the one of the last call: every row written or '
'changed since, oldest first; more says that a further page waits behind the new watermark. No row is missed, '
'however late its transaction commits; some may come twice: tell them by signal_id.
A watermark is good for the same subscriber and role on the same server; one of another, or from before a failover '
'or a restored dump, starts at the beginning; so does one from before a disk was put back to an earlier state, or it '
'starts where the histories part. Deleted rows are not reported. Raises 22P02 when the text is not a '
'watermark';
