-- From 0.1.0 to 0.2.0. As in the install scripts, nothing but pg_catalog is in the path.
SET LOCAL search_path = pg_catalog, pg_temp;

-- The functions below are in the new library.
DO $$
BEGIN
    IF (SELECT library_version FROM @extschema@.signal_worker_status()) = '0.1.0' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the server still uses library signal_hub 0.1.0',
            HINT = 'Restart the server, then run ALTER EXTENSION signal_hub UPDATE again.';
    END IF;
END
$$;

-- The fan-out: cursors in rows of their own, so that processes can share it.
-- A range is given out in one short transaction and worked off in others, each of
-- which moves next_user_id together with the rows it writes.
CREATE TABLE @extschema@.signal_delivery_ranges (
    range_id     bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    signal_id    bigint  NOT NULL,
    tier         text    NOT NULL,
    changed_only boolean NOT NULL,
    next_user_id uuid    NOT NULL,
    last_user_id uuid    NOT NULL,
    deliveries   bigint  NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE @extschema@.signal_delivery_ranges IS 'cursor of fan-outs under way: stretches of subscribers that a signal is yet to reach; empty when all is delivered';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.range_id IS 'number of the range; not gapless';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.signal_id IS 'the signal, see signals';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.tier IS 'tier of the subscribers';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.changed_only IS 'true in the second round, over subscribers who changed during the first';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.next_user_id IS 'first subscriber not served yet; commits together with the rows';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.last_user_id IS 'last subscriber of the range';
COMMENT ON COLUMN @extschema@.signal_delivery_ranges.deliveries IS 'rows written to user_signals so far';

ALTER TABLE @extschema@.signals ADD COLUMN delivery_next_user_id uuid, ADD COLUMN delivery_started_at timestamptz;
COMMENT ON COLUMN @extschema@.signals.delivered_tiers IS 'cursor: tiers given out in ranges in this round, see signal_delivery_ranges';
COMMENT ON COLUMN @extschema@.signals.delivery_tier IS 'cursor: tier being given out; null between tiers';
COMMENT ON COLUMN @extschema@.signals.delivery_next_user_id IS 'cursor: first subscriber of that tier who is in no range yet';
COMMENT ON COLUMN @extschema@.signals.created_at IS 'when the signal was recorded; the end of a subscriber''s period and the UTC day of quotas are judged by this time';
COMMENT ON COLUMN @extschema@.signals.delivery_started_at IS 'when the fan-out began; null before';
COMMENT ON COLUMN @extschema@.signals.deliveries IS 'rows written to user_signals in ranges that are done; all of them once delivered_at is set';
-- What a fan-out under way has left of a tier becomes a range.
INSERT INTO @extschema@.signal_delivery_ranges (signal_id, tier, changed_only, next_user_id, last_user_id)
SELECT s.signal_id, s.delivery_tier, s.delivery_changed_only, n.user_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'
  FROM @extschema@.signals s
 CROSS JOIN LATERAL (SELECT u.user_id FROM @extschema@.user_subscriptions u
                      WHERE u.status = 'active' AND u.tier = s.delivery_tier AND u.user_id > s.delivery_user_id
                      ORDER BY u.user_id LIMIT 1) n
 WHERE s.delivered_at IS NULL;
UPDATE @extschema@.signals
   SET delivered_tiers = delivered_tiers || delivery_tier, delivery_tier = NULL, delivery_started_at = created_at
 WHERE delivered_at IS NULL AND delivery_user_id IS NOT NULL;
ALTER TABLE @extschema@.signals DROP COLUMN delivery_user_id;
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_delivery_ranges', '');
SELECT pg_catalog.pg_extension_config_dump('@extschema@.signal_delivery_ranges_range_id_seq', '');
DROP INDEX @extschema@.user_subscriptions_tier_user_id_idx;
CREATE INDEX user_subscriptions_tier_user_id_idx ON @extschema@.user_subscriptions (tier, user_id)
    INCLUDE (current_period_end, created_at, updated_at) WHERE status = 'active';
-- Also when rows are changed by logical replication, or with session_replication_role
-- = replica: by this the fan-out finds who changed meanwhile.
ALTER TABLE @extschema@.user_subscriptions ENABLE ALWAYS TRIGGER set_updated_at;
-- The purge walks the primary key now.
DROP INDEX @extschema@.user_signals_created_at_idx;
ALTER TABLE @extschema@.user_signals
    SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE INDEX signal_runs_signals_idx ON @extschema@.signal_runs (run_id) WHERE signals_generated > 0;

-- Quotas are counted in user_signals itself; what the table held can be seen there.
ALTER EXTENSION signal_hub DROP TABLE @extschema@.user_signal_quotas;
DROP TABLE @extschema@.user_signal_quotas;
-- A quota is counted where it cannot go wrong: in the rows themselves. As the
-- caller, so that row-level security shows clients their own rows only.
CREATE VIEW @extschema@.user_signal_quotas WITH (security_invoker = true) AS
SELECT e.user_id,
       left(e.metadata ->> 'timestamp', 10)::date AS day,
       count(*)::integer AS received
  FROM @extschema@.user_signals e
 GROUP BY 1, 2;
COMMENT ON VIEW @extschema@.user_signal_quotas IS 'signals received per subscriber and UTC day, as far back as signal_hub.signal_retention keeps them; quotas are enforced by the same rows';
COMMENT ON COLUMN @extschema@.user_signal_quotas.user_id IS 'the subscriber';
COMMENT ON COLUMN @extschema@.user_signal_quotas.day IS 'the UTC day on which the signals were recorded';
COMMENT ON COLUMN @extschema@.user_signal_quotas.received IS 'signals received of that day; days without any have no row';

CREATE VIEW @extschema@.signal_delivery_progress AS
WITH under_way AS (
    SELECT s.signal_id, s.symbol, s.delivery_started_at AS started_at,
           clock_timestamp() - s.delivery_started_at AS elapsed,
           s.deliveries + coalesce((SELECT sum(r.deliveries) FROM @extschema@.signal_delivery_ranges r
                                     WHERE r.signal_id = s.signal_id), 0)::bigint AS delivered,
           -- What the signal before came to; without one, how many active
           -- subscribers there were when they were last analyzed.
           coalesce((SELECT nullif(b.deliveries, 0) FROM @extschema@.signals b
                      WHERE b.delivered_at IS NOT NULL AND b.signal_id < s.signal_id ORDER BY b.signal_id DESC LIMIT 1),
                    (SELECT nullif(greatest(c.reltuples, 0), 0)::bigint
                       FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
                      WHERE i.indrelid = '@extschema@.user_subscriptions'::pg_catalog.regclass
                        AND c.relname = 'user_subscriptions_tier_user_id_idx')) AS expected
      FROM @extschema@.signals s
     WHERE s.delivered_at IS NULL AND s.delivery_started_at IS NOT NULL
), measured AS (
    SELECT u.*, u.delivered / nullif(greatest(extract(epoch FROM u.elapsed), 0), 0)::double precision AS rows_per_second,
           greatest(u.expected - u.delivered, 0) AS remaining
      FROM under_way u
), timed AS (
    -- A clock that was wrong when the fan-out began may make the rate anything.
    SELECT m.*, CASE WHEN m.remaining < m.rows_per_second * extract(epoch FROM interval '1 year')::double precision
                     THEN clock_timestamp() + m.remaining / m.rows_per_second * interval '1 second' END AS estimated_end
      FROM measured m
)
SELECT signal_id, symbol, started_at, elapsed, delivered, expected, rows_per_second, estimated_end,
       format('delivering signal %s (%s): %s rows%s, %s rows/s%s', signal_id, symbol, delivered,
              coalesce(' of about ' || greatest(expected, delivered), ''), coalesce(round(rows_per_second::numeric), 0),
              coalesce(', until about ' || to_char(estimated_end AT TIME ZONE 'UTC', 'HH24:MI:SS') || ' UTC', '')) AS progress
  FROM timed;
COMMENT ON VIEW @extschema@.signal_delivery_progress IS 'one row per signal whose fan-out is under way; what a session delivers in its own transaction shows when that commits';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.signal_id IS 'the signal, see signals';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.symbol IS 'the pair';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.started_at IS 'when the fan-out began';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.elapsed IS 'time since then';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.delivered IS 'rows written to user_signals so far';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.expected IS 'about how many it will be, by the signal before or the last ANALYZE; null when neither is known';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.rows_per_second IS 'rate so far';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.estimated_end IS 'when it will be done at that rate; null when that is not within a year';
COMMENT ON COLUMN @extschema@.signal_delivery_progress.progress IS 'all of this in words, as pg_stat_activity shows it';

-- End of the fan-out.

-- Realtime: how clients follow user_signals, catch up, and write back.

-- Publications. They are ordinary ones of the database, not members of the
-- extension: pg_dump carries them, and they may hold other tables.

CREATE FUNCTION @extschema@.enable_realtime(publication name DEFAULT 'signal_hub', include_signals boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    wanted regclass[] := ARRAY['@extschema@.user_signals'::regclass];
    target regclass;
    existing pg_publication;
    done text[] := '{}';
BEGIN
    IF publication IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'publication must not be null';
    END IF;
    IF current_setting('wal_level') <> 'logical' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('wal_level is %s, realtime clients need logical', current_setting('wal_level')),
            HINT = 'Set wal_level = logical in the configuration file and restart the server.';
    END IF;
    IF include_signals THEN
        wanted := wanted || '@extschema@.signals'::regclass;
    END IF;
    FOREACH target IN ARRAY wanted LOOP
        IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = target), 'USAGE') THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('must be owner of table %s', target),
                HINT = format('Call this as %s.', (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = target));
        END IF;
    END LOOP;

    SELECT p.* INTO existing FROM pg_publication p WHERE p.pubname = publication;
    IF NOT FOUND THEN
        IF NOT has_database_privilege(current_database(), 'CREATE') THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = format('permission denied for database %s', current_database()),
                DETAIL = format('Publication "%s" does not exist, and creating one takes CREATE on the database.', publication),
                HINT = 'Have that granted, or name a publication that exists.';
        END IF;
        EXECUTE format('CREATE PUBLICATION %I WITH (publish = ''insert, update'')', publication);
        -- By this disable_realtime() knows what is its own to drop; pg_dump carries it.
        EXECUTE format('COMMENT ON PUBLICATION %I IS %L', publication, 'created by enable_realtime() of signal_hub');
        SELECT p.* INTO STRICT existing FROM pg_publication p WHERE p.pubname = publication;
        done := ARRAY[format('publication "%s" created', publication)];
    ELSIF NOT existing.pubinsert THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('publication "%s" does not publish inserts', publication),
            HINT = format('Run ALTER PUBLICATION %I SET (publish = ''insert, update'').', publication);
    END IF;

    FOREACH target IN ARRAY wanted LOOP
        -- As a table of its own, of its schema, or of FOR ALL TABLES.
        IF EXISTS (SELECT FROM pg_get_publication_tables(publication::text) t WHERE t.relid = target) THEN
            done := done || format('%s was in publication "%s" already', target, publication)
                || CASE WHEN EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = existing.oid AND r.prrelid = target
                                                                    AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL))
                        THEN ', with a row filter or a column list: others are not sent' ELSE '' END;
        ELSIF NOT pg_has_role(existing.pubowner, 'USAGE') THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('must be owner of publication %s', publication),
                HINT = format('Call this as %s, or name another publication.', pg_get_userbyid(existing.pubowner));
        ELSE
            EXECUTE format('ALTER PUBLICATION %I ADD TABLE %s', publication, target);
            done := done || format('%s added to publication "%s"', target, publication);
        END IF;
    END LOOP;
    RETURN array_to_string(done, '; ');
END
$$;
COMMENT ON FUNCTION @extschema@.enable_realtime(name, boolean) IS
'publishes user_signals to clients of logical replication: adds it, and signals when asked, to the publication, which is created for inserts and updates when missing. Takes no table away; calling it again changes nothing. Returns what it did.
signals has every price of every signal and no row-level security, and changes with every batch of a fan-out.
Call it again after restoring a dump: pg_dump carries the publication but not that a table of an extension is in it';

CREATE FUNCTION @extschema@.disable_realtime(publication name DEFAULT 'signal_hub') RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    target regclass;
    existing pg_publication;
    done text[] := '{}';
BEGIN
    IF publication IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'publication must not be null';
    END IF;
    SELECT p.* INTO existing FROM pg_publication p WHERE p.pubname = publication;
    IF NOT FOUND THEN
        RETURN format('there is no publication "%s"', publication);
    END IF;
    IF NOT pg_has_role(existing.pubowner, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('must be owner of publication %s', publication),
            HINT = format('Call this as %s.', pg_get_userbyid(existing.pubowner));
    END IF;
    FOREACH target IN ARRAY ARRAY['@extschema@.user_signals', '@extschema@.signals']::regclass[] LOOP
        IF EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = existing.oid AND r.prrelid = target) THEN
            EXECUTE format('ALTER PUBLICATION %I DROP TABLE %s', publication, target);
            done := done || format('%s taken out of publication "%s"', target, publication);
        END IF;
        IF EXISTS (SELECT FROM pg_get_publication_tables(publication::text) t WHERE t.relid = target) THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('cannot take %s out of publication "%s"', target, publication),
                DETAIL = CASE WHEN existing.puballtables THEN 'It publishes all tables.' ELSE 'It publishes all tables of the schema.' END,
                HINT = 'Drop the publication, or create it anew for the tables you want.';
        END IF;
    END LOOP;
    IF obj_description(existing.oid, 'pg_publication') = 'created by enable_realtime() of signal_hub'
       AND NOT existing.puballtables
       AND NOT EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = existing.oid)
       AND NOT EXISTS (SELECT FROM pg_publication_namespace n WHERE n.pnpubid = existing.oid)
       -- A slot cannot go past rows that were written while there was no such publication.
       AND NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.database = current_database()) THEN
        EXECUTE format('DROP PUBLICATION %I', publication);
        done := done || format('publication "%s" dropped', publication);
    END IF;
    IF done = '{}' THEN
        done := ARRAY[format('user_signals was not in publication "%s"', publication)];
    END IF;
    -- A slot nobody reads keeps WAL until the disk is full.
    RETURN array_to_string(done || (SELECT 'slots of this database that remain: ' || string_agg(s.slot_name, ', ' ORDER BY s.slot_name)
                                      FROM pg_replication_slots s WHERE s.database = current_database()), '; ');
END
$$;
COMMENT ON FUNCTION @extschema@.disable_realtime(name) IS
'takes user_signals and signals out of the publication, and drops it when enable_realtime() created it, nothing is left in it, and no replication slot of the database could ask for it. Replication slots are their owners'' to drop: the text returned names those of the database';

-- What signal_health says of realtime. A slot does not tell which publications its
-- reader asks for, so every logical slot of the database counts as a follower.
CREATE FUNCTION @extschema@.signal_hub_replication() RETURNS text
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH publications AS (
            SELECT string_agg(p.pubname, ', ' ORDER BY p.pubname) AS names FROM pg_publication p
             WHERE EXISTS (SELECT FROM pg_get_publication_tables(p.pubname::text) t
                            WHERE t.relid = '@extschema@.user_signals'::regclass)
        ), slots AS (
            SELECT s.slot_name, s.active, s.wal_status, to_jsonb(s) ->> 'inactive_since' AS inactive_since,
                   pg_size_pretty(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                                                  s.restart_lsn)) AS held
              FROM pg_replication_slots s
             WHERE s.slot_type = 'logical' AND s.database = current_database()
               -- Copies of the primary's on a standby, which nobody reads there.
               AND to_jsonb(s) ->> 'synced' IS DISTINCT FROM 'true'
        ), warnings AS (
            SELECT slot_name,
                   CASE WHEN wal_status = 'lost' THEN format('slot "%s" is lost, its WAL is gone: drop it, its reader needs a new one', slot_name)
                        WHEN wal_status = 'unreserved' THEN format('slot "%s" is about to be lost: it holds %s of WAL, more than max_slot_wal_keep_size', slot_name, held)
                        WHEN NOT active THEN format('slot "%s" has no reader%s and holds %s of WAL: start its reader or drop the slot',
                                                    slot_name, ' since ' || inactive_since::timestamptz(0), held)
                        WHEN wal_status = 'extended' THEN format('the reader of slot "%s" is behind: it holds %s of WAL, more than max_wal_size', slot_name, held)
                   END AS warning
              FROM slots
        )
        SELECT coalesce((SELECT string_agg(warning, '; ' ORDER BY slot_name)
                                || CASE current_setting('max_slot_wal_keep_size') WHEN '-1' THEN '; nothing limits the WAL held, see max_slot_wal_keep_size' ELSE '' END
                           FROM warnings),
                        format('published by %s, followed by %s slot(s)', names, (SELECT count(*) FROM slots)))
          FROM publications WHERE names IS NOT NULL;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_replication() IS
'for signal_health: whether user_signals is published, and what is wrong with the logical replication slots of the database; null when it is in no publication';

-- Catching up. A reader who asks for rows above the last number or time they saw
-- loses those of transactions that took their number early and commit late. Here
-- the mark is a transaction number, as PostgreSQL's own snapshots have them: when
-- a snapshot says that every transaction below N has ended, it shows all that
-- these wrote, and whatever commits later is not below N. Three things follow.
--
-- 1. Rows may be returned twice, never missed: those of transactions that had
--    ended but were not below N come again. Clients tell them by signal_id.
-- 2. The number of a row is its system column xmin, so the fan-out pays nothing,
--    and a row that was updated (viewed on another device) counts as new. A
--    subtransaction's number is above that of its transaction, which was below N
--    or running. xmin has 32 bits of the number; the missing ones are taken to be
--    the latest possible, so a row may seem younger than it is, not older.
-- 3. Numbers mean something in one history of one cluster only: another one, as
--    after a failover or a restored dump, starts again at the beginning. Nor does
--    a crash use a number twice: what a watermark has passed is flushed first.

CREATE FUNCTION @extschema@.signal_hub_transactions(OUT history text, OUT next_xid bigint) RETURNS SETOF record
    LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
    AS 'MODULE_PATHNAME', 'signal_hub_transactions_wrapper';
COMMENT ON FUNCTION @extschema@.signal_hub_transactions() IS
'for signals_since(): history names the server, timeline, database, role and subscriber for whom transaction numbers can be compared; next_xid is above all that exist. On a primary, WAL is flushed to the end first';

CREATE FUNCTION @extschema@.signals_since(
    INOUT watermark text DEFAULT NULL, IN max_rows integer DEFAULT 500,
    OUT more boolean, OUT signals @extschema@.user_signals[]
)
    -- Stable: rows and watermark are of one snapshot, the caller's.
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- history-number, and inside a page also -number-signal_id-user_id of its last row
    parts text[] := regexp_match(watermark, '^([0-9a-f]{16})-([0-9]{1,18})(?:-([0-9]{1,18})-([0-9]{1,18})-([0-9a-f]{32}))?$');
    oldest_running bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
    here record;
    since bigint := 0;
    last_xid bigint;
    last_row @extschema@.user_signals;
BEGIN
    IF max_rows <= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'max_rows must be positive';
    END IF;
    IF watermark IS NOT NULL AND parts IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_text_representation', MESSAGE = format('invalid watermark: "%s"', left(watermark, 100)),
            HINT = 'Pass what signals_since() returned last, or null to begin.';
    END IF;
    SELECT * INTO STRICT here FROM @extschema@.signal_hub_transactions();

    IF watermark IS NULL THEN
        signals := ARRAY(SELECT n.signal
                           FROM (SELECT s AS signal FROM @extschema@.user_signals s
                                  ORDER BY s.signal_id DESC, s.user_id DESC LIMIT max_rows) n
                          ORDER BY (n.signal).signal_id, (n.signal).user_id);
        more := false;
        watermark := format('%s-%s', here.history, oldest_running);
        RETURN;
    END IF;

    -- A standby that lags is behind its primary's watermark, and has nothing new.
    IF parts[1] = here.history AND (parts[2]::bigint <= here.next_xid OR pg_is_in_recovery()) THEN
        since := parts[2]::bigint;
        -- Nor does it have all the pages that the primary has.
        IF parts[3] IS NOT NULL AND oldest_running < since THEN
            signals := '{}';
            more := false;
            RETURN;
        END IF;
    ELSE
        parts[3] := NULL;
    END IF;

    SELECT coalesce(array_agg(p.signal ORDER BY p.xid, (p.signal).signal_id, (p.signal).user_id), '{}'), max(p.xid)
      INTO signals, last_xid
      FROM (SELECT s AS signal, x.xid
              FROM @extschema@.user_signals s
             CROSS JOIN LATERAL (SELECT here.next_xid - ((here.next_xid - s.xmin::text::bigint) & 4294967295)) x (xid)
             WHERE CASE WHEN parts[3] IS NULL THEN x.xid >= since
                        ELSE (x.xid, s.signal_id, s.user_id) > (parts[3]::bigint, parts[4]::bigint, parts[5]::uuid) END
             ORDER BY x.xid, s.signal_id, s.user_id
             LIMIT max_rows) p;
    more := coalesce(cardinality(signals) >= max_rows, false);

    -- While there are pages, the number is that of the first: what commits between
    -- them may belong before the page one is at.
    IF parts[3] IS NULL THEN
        since := greatest(since, oldest_running);
    END IF;
    watermark := format('%s-%s', here.history, since);
    IF more THEN
        last_row := signals[cardinality(signals)];
        watermark := format('%s-%s-%s-%s', watermark, last_xid, last_row.signal_id, replace(last_row.user_id::text, '-', ''));
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.signals_since(text, integer) IS
'the caller''s rows of user_signals since a watermark, as row-level security shows them, and the next watermark, an opaque text.
Without a watermark: the newest max_rows (null is no limit). With the one of the last call: every row written or changed since, oldest first; more says that a further page waits behind the new watermark. No row is missed, however late its transaction commits; some may come twice: tell them by signal_id.
A watermark is good for the same subscriber and role on the same server; one of another, or from before a failover or a restored dump, starts at the beginning. Deleted rows are not reported. Raises 22P02 when it is none';

-- What a subscriber writes back. On UPDATE only, so that the fan-out pays nothing.
CREATE FUNCTION @extschema@.signal_hub_stamp_marks() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NEW.viewed <> OLD.viewed THEN
        NEW.viewed_at := CASE WHEN NEW.viewed THEN clock_timestamp() END;
    END IF;
    IF NEW.clicked <> OLD.clicked THEN
        NEW.clicked_at := CASE WHEN NEW.clicked THEN clock_timestamp() END;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_stamp_marks() IS 'keeps viewed_at and clicked_at true, by the server''s clock';

CREATE TRIGGER stamp_marks BEFORE UPDATE ON @extschema@.user_signals
    FOR EACH ROW WHEN (NEW.viewed <> OLD.viewed OR NEW.clicked <> OLD.clicked)
    EXECUTE FUNCTION @extschema@.signal_hub_stamp_marks();

-- Grants. The names are Supabase's; any others can be given.

CREATE FUNCTION @extschema@.grant_realtime_access(
    subscribers name DEFAULT 'authenticated', strangers name DEFAULT 'anon', service name DEFAULT 'service_role'
) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    role name;
    member record;
BEGIN
    IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = '@extschema@.user_signals'::regclass), 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'must be owner of table @extschema@.user_signals';
    END IF;
    FOREACH role IN ARRAY ARRAY[subscribers, strangers] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role);
        -- Default privileges may have given them more than they should have.
        FOR member IN
            SELECT CASE d.classid WHEN 'pg_class'::regclass THEN 'TABLE ' || d.objid::regclass
                                  ELSE 'FUNCTION ' || d.objid::regprocedure END AS name
              FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
             WHERE e.extname = 'signal_hub' AND d.deptype = 'e' AND d.classid IN ('pg_class'::regclass, 'pg_proc'::regclass)
               AND NOT EXISTS (SELECT FROM pg_class i WHERE d.classid = 'pg_class'::regclass AND i.oid = d.objid AND i.relkind IN ('i', 'I'))
        LOOP
            EXECUTE format('REVOKE ALL ON %s FROM %I', member.name, role);
        END LOOP;
    END LOOP;

    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = subscribers) THEN
        EXECUTE 'GRANT USAGE ON SCHEMA @extschema@ TO ' || quote_ident(subscribers);
        EXECUTE 'GRANT SELECT ON @extschema@.user_signals, @extschema@.user_subscriptions, @extschema@.user_signal_quotas TO ' || quote_ident(subscribers);
        EXECUTE 'GRANT UPDATE (viewed, clicked) ON @extschema@.user_signals TO ' || quote_ident(subscribers);
        EXECUTE 'GRANT EXECUTE ON FUNCTION @extschema@.signals_since(text, integer), @extschema@.signal_hub_transactions() TO ' || quote_ident(subscribers);
        RETURN NEXT format('%s: reads its own rows of user_signals, user_subscriptions and user_signal_quotas; changes viewed and clicked; calls signals_since()', subscribers);
    ELSIF subscribers IS NOT NULL THEN
        RETURN NEXT format('%s: no such role', subscribers);
    END IF;

    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = strangers) THEN
        RETURN NEXT format('%s: nothing', strangers);
    ELSIF strangers IS NOT NULL THEN
        RETURN NEXT format('%s: no such role', strangers);
    END IF;

    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = service) THEN
        EXECUTE 'GRANT USAGE ON SCHEMA @extschema@ TO ' || quote_ident(service);
        EXECUTE 'GRANT SELECT, INSERT, UPDATE, DELETE ON @extschema@.user_subscriptions TO ' || quote_ident(service);
        EXECUTE 'GRANT SELECT ON @extschema@.user_signals, @extschema@.user_signal_quotas, @extschema@.signals, @extschema@.signal_runs, @extschema@.signal_tiers, @extschema@.signal_symbols, @extschema@.signal_rules, @extschema@.signal_pause, @extschema@.signal_health, @extschema@.signal_stats, @extschema@.signal_delivery_progress TO ' || quote_ident(service);
        EXECUTE 'GRANT EXECUTE ON FUNCTION @extschema@.signals_since(text, integer), @extschema@.signal_hub_transactions(), @extschema@.signal_worker_status(), @extschema@.signal_hub_replication() TO ' || quote_ident(service);
        RETURN NEXT format('%s: reads the rows of all, settings, history and health; keeps user_subscriptions; calls signals_since()', service)
            || CASE WHEN (SELECT r.rolbypassrls OR r.rolsuper FROM pg_roles r WHERE r.rolname = service) THEN ''
                    ELSE '; but has no BYPASSRLS, so the rows of subscribers stay hidden' END;
    ELSIF service IS NOT NULL THEN
        RETURN NEXT format('%s: no such role', service);
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.grant_realtime_access(name, name, name) IS
'gives the roles of an API in front of the database what they need, and takes from subscribers and strangers what they have beyond that on objects of the extension. Roles that do not exist are passed over. Returns a line for each';

REVOKE ALL ON FUNCTION @extschema@.signal_hub_stamp_marks() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.enable_realtime(name, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.disable_realtime(name) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.grant_realtime_access(name, name, name) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signals_since(text, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_transactions() FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.signal_hub_replication() FROM PUBLIC;
-- Default privileges may have given away what is new here, as on installing.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT DISTINCT o.kind, o.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee
          FROM (SELECT 'TABLE' AS kind, c.oid::regclass::text AS name, c.relowner AS owner, c.relacl AS acl
                  FROM pg_class c
                 WHERE c.relnamespace = '@extschema@'::regnamespace
                   AND c.relname IN ('signal_delivery_ranges', 'signal_delivery_ranges_range_id_seq', 'signal_delivery_progress', 'user_signal_quotas')
                 UNION ALL
                SELECT 'FUNCTION', p.oid::regprocedure::text, p.proowner, p.proacl
                  FROM pg_proc p
                 WHERE p.pronamespace = '@extschema@'::regnamespace
                   AND p.proname IN ('enable_realtime', 'disable_realtime', 'grant_realtime_access', 'signals_since',
                                     'signal_hub_transactions', 'signal_hub_replication', 'signal_hub_stamp_marks')) o
         CROSS JOIN LATERAL aclexplode(o.acl) a
         WHERE a.grantee <> o.owner
    LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION @extschema@.signal_hub_replication() TO pg_monitor;
GRANT SELECT ON @extschema@.signal_delivery_progress TO pg_monitor;
COMMENT ON COLUMN @extschema@.user_signals.viewed_at IS 'when viewed was set; kept by a trigger';
COMMENT ON COLUMN @extschema@.user_signals.clicked_at IS 'when clicked was set; kept by a trigger';
-- End of realtime.

-- Failed calls by hand are on record, and are nothing the worker is judged by.
COMMENT ON COLUMN @extschema@.signal_runs.trigger IS 'worker or manual (generate_signals_now); one that failed is entered by the worker, soon after';
COMMENT ON FUNCTION @extschema@.generate_signals_now() IS
'runs one cycle now, in the caller''s transaction: fetches the watched symbols in one request, judges, records and delivers.
Returns {run_id, success, signals_generated, deliveries, symbols_evaluated, timestamp, message}; message says why when nothing was generated.
success is false and run_id null when nothing was run, as signals are paused or another cycle is running; delivery_error is there when a subscriber''s row was refused.
Raises 08xxx when the exchange cannot be reached or refuses, and changes nothing then.
Constraints that the caller has deferred are checked by the call once the exchange has answered, and for the rest of the transaction at once, as by SET CONSTRAINTS ALL IMMEDIATE.
A call that fails or is canceled is put on record by the worker, as a failed run by hand; where no worker runs it leaves no record';
CREATE OR REPLACE VIEW @extschema@.signal_health AS
WITH facts AS (
    SELECT w.*,
           pg_catalog.pg_is_in_recovery() AS standby,
           clock_timestamp() - w.last_heartbeat AS heartbeat_age,
           (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'signal_hub') AS sql_version,
           l.started_at AS last_run, l.status AS last_status, l.message AS last_message,
           s.last_success, s.last_success_id,
           (SELECT count(*) FROM @extschema@.signal_runs f WHERE f.status = 'failed' AND f.trigger = 'worker' AND f.run_id > coalesce(s.last_success_id, 0)) AS consecutive_failures,
           f.error, f.failed_at, k.skipped_in_a_row, k.skipped_since, k.skipped_because,
           (SELECT count(*) FROM @extschema@.signals g WHERE g.created_at BETWEEN now() - interval '24 hours' AND clock_timestamp()) AS signals_24h,
           (SELECT coalesce(sum(g.deliveries), 0)::bigint FROM @extschema@.signals g WHERE g.created_at BETWEEN now() - interval '24 hours' AND clock_timestamp())
               + (SELECT coalesce(sum(r.deliveries), 0)::bigint FROM @extschema@.signal_delivery_ranges r JOIN @extschema@.signals g USING (signal_id)
                   WHERE g.created_at BETWEEN now() - interval '24 hours' AND clock_timestamp()) AS deliveries_24h,
           (SELECT count(*) FROM @extschema@.signals g WHERE g.delivered_at IS NULL) AS undelivered_signals,
           p.paused_at, p.paused_by, p.reason AS pause_reason
      FROM @extschema@.signal_worker_status() w
      -- A failed call by hand is its caller's trouble, unless the exchange asked to be left alone.
      LEFT JOIN LATERAL (SELECT r.* FROM @extschema@.signal_runs r
                          WHERE r.status <> 'skipped' AND NOT (r.trigger = 'manual' AND r.status = 'failed' AND r.retry_at IS NULL)
                          ORDER BY r.run_id DESC LIMIT 1) l ON true
      LEFT JOIN LATERAL (SELECT r.run_id AS last_success_id, r.started_at AS last_success
                           FROM @extschema@.signal_runs r WHERE r.status = 'ok' ORDER BY r.run_id DESC LIMIT 1) s ON true
      LEFT JOIN LATERAL (SELECT r.error, r.started_at AS failed_at
                           FROM @extschema@.signal_runs r
                          WHERE r.error IS NOT NULL AND NOT (r.trigger = 'manual' AND r.status = 'failed' AND r.retry_at IS NULL)
                          ORDER BY r.run_id DESC LIMIT 1) f ON true
      LEFT JOIN LATERAL (SELECT count(*) AS skipped_in_a_row, min(r.started_at) AS skipped_since, max(r.message) AS skipped_because
                           FROM @extschema@.signal_runs r WHERE r.status = 'skipped' AND r.run_id > coalesce(l.run_id, 0)) k ON true
      LEFT JOIN @extschema@.signal_pause p ON true
), judged AS (
    SELECT CASE
               WHEN standby THEN 'standby'
               WHEN NOT preloaded THEN 'not_preloaded'
               WHEN sql_version <> library_version THEN 'version_mismatch'
               WHEN NOT enabled THEN 'disabled'
               WHEN paused_at IS NOT NULL THEN 'paused'
               WHEN worker_pid IS NULL THEN 'stopped'
               WHEN heartbeat_age > interval '15 seconds' THEN 'stalled'
               WHEN skipped_in_a_row >= 3 THEN 'blocked'
               WHEN last_status = 'failed' OR trouble IS NOT NULL THEN 'failing'
               WHEN last_run IS NULL THEN 'starting'
               ELSE 'running'
           END AS state, facts.*
      FROM facts
)
SELECT state IN ('running', 'starting', 'standby') AS healthy,
       state,
       CASE state
           WHEN 'standby' THEN 'this server is a standby: the primary generates signals, this one starts by itself when promoted'
           WHEN 'not_preloaded' THEN 'no worker can run: add signal_hub to shared_preload_libraries and restart the server; generate_signals_now() works meanwhile'
           WHEN 'version_mismatch' THEN format(CASE WHEN string_to_array(library_version, '.')::integer[] < string_to_array(sql_version, '.')::integer[]
                                                    THEN 'the library in use is %s but the SQL objects are %s: install the matching library, then restart the server'
                                                    ELSE 'the library is %s but the SQL objects are %s: run ALTER EXTENSION signal_hub UPDATE' END, library_version, sql_version)
           WHEN 'disabled' THEN 'signal_hub.enabled is off: set it on and reload the configuration'
           WHEN 'paused' THEN format('paused by %s since %s%s: call resume_signals() to go on', paused_by, paused_at::timestamptz(0), coalesce(' (' || pause_reason || ')', ''))
           WHEN 'stopped' THEN 'no worker runs' || coalesce(': it died and is started again at ' || retry_at::timestamptz(0), ': the launcher starts one as soon as it can, see the server log if it does not')
           WHEN 'stalled' THEN format('worker %s has not beaten for %s s: look at it in pg_stat_activity', worker_pid, round(extract(epoch FROM heartbeat_age)))
           WHEN 'blocked' THEN format('%s runs in a row were skipped since %s: %s; see pg_locks for who holds the extension', skipped_in_a_row, skipped_since::timestamptz(0), skipped_because)
           WHEN 'failing' THEN CASE WHEN last_status = 'failed' THEN format('%s failed run(s) in a row: ', consecutive_failures) ELSE '' END
                               || coalesce(trouble, error) || coalesce('; next run at ' || next_run::timestamptz(0), '')
           WHEN 'starting' THEN 'the worker is up, its first run has not ended yet'
           ELSE coalesce((SELECT d.progress FROM @extschema@.signal_delivery_progress d ORDER BY d.signal_id LIMIT 1), last_message, 'all is well')
       END AS message,
       worker_pid,
       started_at,
       date_trunc('second', clock_timestamp() - started_at) AS uptime,
       last_heartbeat,
       heartbeat_age,
       restarts,
       last_run,
       last_success,
       consecutive_failures,
       CASE WHEN state IN ('running', 'starting', 'failing') THEN next_run END AS next_run,
       error AS last_error,
       failed_at AS last_error_at,
       signals_24h,
       deliveries_24h,
       undelivered_signals,
       @extschema@.signal_hub_replication() AS replication
  FROM judged;
COMMENT ON COLUMN @extschema@.signal_health.replication IS 'who publishes user_signals and how many slots follow, or what is wrong with a slot; null when it is in no publication. healthy does not depend on it';
COMMENT ON COLUMN @extschema@.signal_health.last_run IS 'start of the last run, by worker or by hand; failed calls by hand count only when the exchange asked to be left alone';
COMMENT ON COLUMN @extschema@.signal_health.consecutive_failures IS 'failed runs of the worker since then';
COMMENT ON COLUMN @extschema@.signal_health.last_error IS 'the last error of a run on record, also when runs have been ok since; of failed calls by hand only when the exchange asked to be left alone';
COMMENT ON COLUMN @extschema@.signal_stats.deliveries IS 'rows of user_signals written for them; of a fan-out under way, those of ranges that are done';
COMMENT ON COLUMN @extschema@.signal_rules.take_profit_percents IS 'distances of the targets from the entry, in any order; percent of the entry price';

-- What had no comment so far. An administrator may have removed what is no member
-- of the extension, such as a policy: then there is nothing to comment on.
COMMENT ON SEQUENCE @extschema@.signal_runs_run_id_seq IS 'numbers of runs';
COMMENT ON SEQUENCE @extschema@.signals_signal_id_seq IS 'numbers of signals';
COMMENT ON SEQUENCE @extschema@.signal_delivery_ranges_range_id_seq IS 'numbers of ranges';
DO $do$
DECLARE
    comment text;
BEGIN
    FOREACH comment IN ARRAY ARRAY[
        $$COMMENT ON INDEX @extschema@.user_subscriptions_tier_user_id_idx IS 'the fan-out walks one tier in the order of user_id, and finds all that it needs in here'$$,
        $$COMMENT ON INDEX @extschema@.user_subscriptions_updated_at_idx IS 'the second round of a fan-out looks at subscribers who changed meanwhile'$$,
        $$COMMENT ON INDEX @extschema@.signal_runs_started_at_idx IS 'runs are purged by age'$$,
        $$COMMENT ON INDEX @extschema@.signal_runs_error_idx IS 'signal_health shows the last error, which may be far back'$$,
        $$COMMENT ON INDEX @extschema@.signal_runs_signals_idx IS 'the live page shows when the last signal was, which may be far back'$$,
        $$COMMENT ON INDEX @extschema@.signals_created_at_idx IS 'the signals of a UTC day, of the last 24 hours, and those to purge'$$,
        $$COMMENT ON INDEX @extschema@.signals_undelivered_idx IS 'the signals whose fan-out is not complete'$$,
        $$COMMENT ON TRIGGER set_updated_at ON @extschema@.user_subscriptions IS 'keeps updated_at true'$$,
        $$COMMENT ON TRIGGER replace_shipped_row ON @extschema@.signal_tiers IS 'lets a restored dump replace the row that CREATE EXTENSION ships'$$,
        $$COMMENT ON TRIGGER replace_shipped_row ON @extschema@.signal_symbols IS 'lets a restored dump replace the row that CREATE EXTENSION ships'$$,
        $$COMMENT ON TRIGGER replace_shipped_row ON @extschema@.signal_rules IS 'lets a restored dump replace the row that CREATE EXTENSION ships'$$,
        $$COMMENT ON TRIGGER stamp_marks ON @extschema@.user_signals IS 'keeps viewed_at and clicked_at true'$$,
        $$COMMENT ON POLICY own_rows ON @extschema@.user_subscriptions IS 'subscribers read their own row'$$,
        $$COMMENT ON POLICY own_rows ON @extschema@.user_signals IS 'subscribers read their own rows'$$,
        $$COMMENT ON POLICY own_rows_marked ON @extschema@.user_signals IS 'subscribers change their own rows, in the columns granted to them'$$]
    LOOP
        BEGIN
            EXECUTE comment;
        EXCEPTION WHEN undefined_object OR undefined_table THEN NULL;
        END;
    END LOOP;
END
$do$;
