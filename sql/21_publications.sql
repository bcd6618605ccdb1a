-- Part: replaceable
-- Realtime: how clients follow user_signals, catch up, and write back.

-- Publications. They are ordinary ones of the database, not members of the
-- extension: pg_dump carries them, and they may hold other tables.

CREATE OR REPLACE FUNCTION @extschema@.enable_realtime(
    publication name DEFAULT 'signal_hub', include_signals boolean DEFAULT false
) RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- By membership, not by name: whoever renames the schema of the extension can put other
    -- objects under its old name.
    wanted regclass[] := ARRAY(
        SELECT c.oid::regclass
          FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
         WHERE e.extname = 'signal_hub' AND d.deptype = 'e'
           AND (c.relname = 'user_signals' OR include_signals AND c.relname = 'signals')
         ORDER BY c.relname DESC);
    target regclass;
    owner oid;
    outcomes_owner oid;
    existing pg_publication;
    -- From 16 on a membership may be one that confers nothing.
    as_owner text := CASE WHEN current_setting('server_version_num')::integer < 160000 THEN 'MEMBER'
                          ELSE 'USAGE, SET, MEMBER WITH ADMIN OPTION' END;
    hub name;
    is_sharded boolean;
    on_nodes text;
    done text[] := ARRAY[]::text[];
BEGIN
    IF publication IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'publication must not be null';
    END IF;
    IF current_setting('wal_level') <> 'logical' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('wal_level is %s, realtime clients need logical', current_setting('wal_level')),
            HINT = 'Set wal_level = logical in the configuration file and restart the server.';
    END IF;
    FOREACH target IN ARRAY wanted LOOP
        SELECT c.relowner INTO STRICT owner FROM pg_class c WHERE c.oid = target;
        IF NOT pg_has_role(owner, 'USAGE') THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = format('must be owner of table %s', target),
                HINT = format('Call this as %s.', pg_get_userbyid(owner));
        END IF;
    END LOOP;

    SELECT n.nspname INTO STRICT hub
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'signal_hub';
    EXECUTE format('SELECT %I.signal_hub_is_sharded()', hub) INTO is_sharded;
    IF is_sharded THEN
        EXECUTE format('SELECT %I.signal_hub_prepare_nodes($1)', hub) INTO on_nodes USING publication;
    END IF;

    SELECT p.* INTO existing FROM pg_publication p WHERE p.pubname = publication;
    IF NOT FOUND THEN
        IF NOT has_database_privilege(current_database(), 'CREATE') THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = format('permission denied for database %s', current_database()),
                DETAIL = format('Publication "%s" does not exist, and creating one takes CREATE on the database.',
                                publication),
                HINT = 'Have that granted, or name a publication that exists.';
        END IF;
        EXECUTE format('CREATE PUBLICATION %I WITH (publish = ''insert, update'')', publication);
        -- By this disable_realtime() knows what is its own to drop; pg_dump carries it.
        EXECUTE format('COMMENT ON PUBLICATION %I IS %L', publication, 'created by enable_realtime() of signal_hub');
        SELECT p.* INTO STRICT existing FROM pg_publication p WHERE p.pubname = publication;
        done := ARRAY[format('publication "%s" created', publication)];
    ELSIF publication = 'signal_hub' AND NOT pg_has_role(existing.pubowner, owner, as_owner) THEN
        -- Whoever took the name in advance could alter or drop what clients rely on. A publication
        -- of a platform has another name, and whoever names it knows whose it is.
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('publication "%s" belongs to %s', publication, pg_get_userbyid(existing.pubowner)),
            DETAIL = format('Only a role that may act as %s, the owner of %s, is to decide what is published of it.',
                            pg_get_userbyid(owner), target),
            HINT = format('Name another publication, or run ALTER PUBLICATION %I OWNER TO %I.',
                          publication, pg_get_userbyid(owner));
    ELSIF NOT existing.pubinsert THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('publication "%s" does not publish inserts', publication),
            HINT = format('Run ALTER PUBLICATION %I SET (publish = ''insert, update'').', publication);
    END IF;

    FOREACH target IN ARRAY wanted LOOP
        -- As a table of its own, of its schema, or of FOR ALL TABLES.
        IF EXISTS (SELECT FROM pg_get_publication_tables(publication::text) t WHERE t.relid = target) THEN
            done := done || format('%s was in publication "%s" already', target, publication)
                || CASE WHEN EXISTS (SELECT FROM pg_publication_rel r
                                      WHERE r.prpubid = existing.oid AND r.prrelid = target
                                        AND (r.prqual IS NOT NULL OR r.prattrs IS NOT NULL))
                        THEN ', with a row filter or a column list: others are not sent' ELSE '' END;
        ELSIF NOT pg_has_role(existing.pubowner, 'USAGE') THEN
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = format('must be owner of publication %s', publication),
                HINT = format('Call this as %s, or name another publication.', pg_get_userbyid(existing.pubowner));
        ELSE
            EXECUTE format('ALTER PUBLICATION %I ADD TABLE %s', publication, target);
            done := done || format('%s added to publication "%s"', target, publication);
        END IF;
    END LOOP;

    -- One row for each signal, without prices and what leads to them; who follows it may know only
    -- what all may know.
    SELECT c.oid::regclass, c.relowner INTO STRICT target, outcomes_owner
      FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
      JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
     WHERE e.extname = 'signal_hub' AND d.deptype = 'e' AND c.relname = 'signal_outcomes';
    IF EXISTS (SELECT FROM pg_get_publication_tables(publication::text) t WHERE t.relid = target) THEN
        done := done || format('%s was in publication "%s" already', target, publication);
    ELSIF NOT pg_has_role(outcomes_owner, 'USAGE') OR NOT pg_has_role(existing.pubowner, 'USAGE') THEN
        done := done || format('%s not added to publication "%s": who adds it has to own both', target, publication);
    ELSIF EXISTS (SELECT FROM pg_publication_namespace s WHERE s.pnpubid = existing.oid) THEN
        done := done || format('%s not added to publication "%s": PostgreSQL takes no list of columns beside a schema',
                               target, publication);
    ELSE
        EXECUTE format('ALTER PUBLICATION %I ADD TABLE %s (@outcome_columns@)', publication, target);
        done := done || format('%s added to publication "%s" without prices', target, publication);
    END IF;
    IF NOT pg_has_role(existing.pubowner, owner, as_owner) THEN
        done := done || format('publication "%s" belongs to %s, who can change what it publishes', publication,
                               pg_get_userbyid(existing.pubowner));
    END IF;
    done := array_remove(done || on_nodes, NULL);
    RETURN array_to_string(done, '; ');
END
$$;
COMMENT ON FUNCTION @extschema@.enable_realtime(name, boolean) IS
'publishes user_signals to clients of logical replication: adds it, signal_outcomes without its prices, and signals '
'when asked, to the publication, which is created for inserts and updates when missing. Takes no table away; calling '
'it again changes nothing. Returns what it did.
signals has every price of every signal and no row-level security, and changes with every batch of a fan-out.
A PostgreSQL that subscribes to the publication needs a table for each that is in it: to leave outcomes out, run '
'ALTER PUBLICATION signal_hub DROP TABLE signal_outcomes.
Call it again after restoring a dump: pg_dump carries the publication but not that a table of an extension is in it';

CREATE OR REPLACE FUNCTION @extschema@.disable_realtime(publication name DEFAULT 'signal_hub') RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    target regclass;
    existing pg_publication;
    done text[] := ARRAY[]::text[];
BEGIN
    IF publication IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'publication must not be null';
    END IF;
    SELECT p.* INTO existing FROM pg_publication p WHERE p.pubname = publication;
    IF NOT FOUND THEN
        RETURN format('there is no publication "%s"', publication);
    END IF;
    IF NOT pg_has_role(existing.pubowner, 'USAGE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('must be owner of publication %s', publication),
            HINT = format('Call this as %s.', pg_get_userbyid(existing.pubowner));
    END IF;
    FOR target IN
        -- By membership, as in enable_realtime().
        SELECT c.oid::regclass
          FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
         WHERE e.extname = 'signal_hub' AND d.deptype = 'e'
           AND c.relname IN ('user_signals', 'signals', 'signal_outcomes')
         ORDER BY c.relname DESC
    LOOP
        IF EXISTS (SELECT FROM pg_publication_rel r WHERE r.prpubid = existing.oid AND r.prrelid = target) THEN
            EXECUTE format('ALTER PUBLICATION %I DROP TABLE %s', publication, target);
            done := done || format('%s taken out of publication "%s"', target, publication);
        END IF;
        IF EXISTS (SELECT FROM pg_get_publication_tables(publication::text) t WHERE t.relid = target) THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('cannot take %s out of publication "%s"', target, publication),
                DETAIL = CASE WHEN existing.puballtables THEN 'It publishes all tables.'
                              ELSE 'It publishes all tables of the schema.' END,
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
    RETURN array_to_string(
        done || (SELECT 'slots of this database that remain: ' || string_agg(s.slot_name, ', ' ORDER BY s.slot_name)
                   FROM pg_replication_slots s WHERE s.database = current_database()), '; ');
END
$$;
COMMENT ON FUNCTION @extschema@.disable_realtime(name) IS
    'takes user_signals, signals and signal_outcomes out of the publication, and drops it when enable_realtime() '
    'created it, nothing is left in it, and no replication slot of the database could ask for it. Replication slots '
    'are their owners'' to drop: the text returned names those of the database';
