-- Part: replaceable
-- What signal_health says of realtime. A slot does not tell which publications its
-- reader asks for, so every logical slot of the database counts as a follower.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_replication() RETURNS text
    LANGUAGE sql STABLE PARALLEL RESTRICTED
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH publications AS (
            SELECT string_agg(p.pubname, ', ' ORDER BY p.pubname) AS names FROM pg_publication p
             WHERE EXISTS (SELECT FROM pg_get_publication_tables(p.pubname::text) t
                            WHERE t.relid = '@extschema@.user_signals'::regclass)
        ), slots AS (
            SELECT s.slot_name, s.active, s.wal_status, to_jsonb(s) ->> 'inactive_since' AS inactive_since,
                   pg_size_pretty(pg_wal_lsn_diff(
                       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
                       s.restart_lsn)) AS held
              FROM pg_replication_slots s
             WHERE s.slot_type = 'logical' AND s.database = current_database()
               -- Copies of the primary's on a standby, which nobody reads there.
               AND to_jsonb(s) ->> 'synced' IS DISTINCT FROM 'true'
        ), warnings AS (
            SELECT slot_name,
                   CASE WHEN wal_status = 'lost'
                        THEN format('slot "%s" is lost, its WAL is gone: drop it, its reader needs a new one',
                                    slot_name)
                        WHEN wal_status = 'unreserved'
                        THEN format('slot "%s" is about to be lost: '
                                    'it holds %s of WAL, more than max_slot_wal_keep_size', slot_name, held)
                        WHEN NOT active
                        THEN format('slot "%s" has no reader%s and holds %s of WAL: start its reader or drop the slot',
                                    slot_name, ' since ' || inactive_since::timestamptz(0), held)
                        WHEN wal_status = 'extended'
                        THEN format('the reader of slot "%s" is behind: it holds %s of WAL, more than max_wal_size',
                                    slot_name, held)
                   END AS warning
              FROM slots
        )
        SELECT coalesce((SELECT string_agg(warning, '; ' ORDER BY slot_name)
                                || CASE current_setting('max_slot_wal_keep_size')
                                       WHEN '-1' THEN '; nothing limits the WAL held, see max_slot_wal_keep_size'
                                       ELSE '' END
                           FROM warnings),
                        format('published by %s, followed by %s slot(s)', names, (SELECT count(*) FROM slots)))
          FROM publications WHERE names IS NOT NULL;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_replication() IS
    'for signal_health: whether user_signals is published, and what is wrong with the logical replication slots of '
    'the database; null when it is in no publication';
