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
COMMENT ON TRIGGER stamp_marks ON @extschema@.user_signals IS 'keeps viewed_at and clicked_at true';

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
