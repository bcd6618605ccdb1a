-- Part: replaceable
-- The record of outcomes can be added to and not be changed.
--
-- The chain: a row of signal_outcomes is taken in when it is opened and again when it is settled
-- or found void. Each of these has the next place, 1, 2 and so on, and the digest
--
--     sha256(digest of the place before || canonical row in UTF-8)
--
-- where nothing stands before place 1. Whoever changes, adds or takes away a row in between has to
-- make every digest after it anew, the last one included, which may have been published.
--
-- Digests are for everybody, also while prices are withheld: a random nonce in the row as opened
-- keeps them from telling whether a guess of the prices is right.
--
-- docs/track-record.md has the canonical rows for those who check the chain themselves.

-- The order and the form of the values never change: digests of years depend on it.
CREATE OR REPLACE FUNCTION @extschema@.signal_outcome_opened(outcome @extschema@.signal_outcomes) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT @outcome_opened@;
    END;
COMMENT ON FUNCTION @extschema@.signal_outcome_opened(@extschema@.signal_outcomes) IS
'the canonical row of an outcome as it was opened: a JSON array with ", " between its values, of
"opened", signal_id, strategy, symbol, signal_type, reason, signal_at, expires_at, entry_price, stop_loss, '
'take_profit, stop_loss_percent, take_profit_percents, confidence, quality_score, price_change_percent, '
'range_percent, forecast_target, forecast_stop, source, withheld_by, opened_at, nonce.
Numbers with a fraction are strings with all their digits, lists of them {1.5,3}; times are UTC as '
'2026-01-31T23:59:59.000000Z';

CREATE OR REPLACE FUNCTION @extschema@.signal_outcome_settled(outcome @extschema@.signal_outcomes) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT @outcome_settled@;
    END;
COMMENT ON FUNCTION @extschema@.signal_outcome_settled(@extschema@.signal_outcomes) IS
'the canonical row of an outcome as it was settled or found void: a JSON array of
state, signal_id, opened_digest (hexadecimal), void_why, best_target, first_touch, ended, target_at, stop_at, '
'ended_at, returns_percent, ladder_percent, hold_percent, mirror_percent, mirror_returns_percent, mfe_percent, '
'mae_percent, fee_percent, resolution, ambiguous, gap, high_seen, low_seen, superseded_at, settled_at,
in the form of signal_outcome_opened(); ambiguous and gap are true or false';

-- Its schema may have been renamed, so the table is named by its own. It calls no function of the
-- extension, as the tables may belong to a role that has no right to that.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_keep_outcomes() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    outcome ALIAS FOR NEW;
    locked_position bigint;
    head_position bigint;
    head_digest bytea;
BEGIN
    IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = CASE TG_OP WHEN 'DELETE' THEN format('the outcome of signal %s cannot be deleted', OLD.signal_id)
                                 ELSE 'outcomes cannot be deleted' END,
            HINT = 'The record is only added to, so that nobody can improve it afterwards.',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
    ELSIF TG_OP = 'UPDATE' THEN
        IF OLD.state <> 'open' THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('the outcome of signal %s is %s and never changes', OLD.signal_id, OLD.state),
                HINT = 'The record is only added to, so that nobody can improve it afterwards.',
                SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
        END IF;
        -- By their bytes: 1.0 and 1.00 are different digits in the canonical row.
        IF ROW(OLD.signal_id, OLD.strategy, OLD.symbol, OLD.signal_type, OLD.reason, OLD.signal_at, OLD.expires_at,
               OLD.entry_price, OLD.stop_loss, OLD.take_profit, OLD.stop_loss_percent, OLD.take_profit_percents,
               OLD.confidence, OLD.quality_score, OLD.price_change_percent, OLD.range_percent,
               OLD.forecast_target, OLD.forecast_stop, OLD.source, OLD.withheld_by,
               OLD.opened_position, OLD.opened_at, OLD.nonce, OLD.opened_digest)::record
           *<> ROW(NEW.signal_id, NEW.strategy, NEW.symbol, NEW.signal_type, NEW.reason, NEW.signal_at, NEW.expires_at,
                   NEW.entry_price, NEW.stop_loss, NEW.take_profit, NEW.stop_loss_percent, NEW.take_profit_percents,
                   NEW.confidence, NEW.quality_score, NEW.price_change_percent, NEW.range_percent,
                   NEW.forecast_target, NEW.forecast_stop, NEW.source, NEW.withheld_by,
                   NEW.opened_position, NEW.opened_at, NEW.nonce, NEW.opened_digest)::record
           OR OLD.superseded_at IS NOT NULL AND OLD.superseded_at IS DISTINCT FROM NEW.superseded_at THEN
            RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = format('what the outcome of signal %s was opened with never changes', OLD.signal_id),
                HINT = 'The record is only added to, so that nobody can improve it afterwards.',
                SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
        END IF;
    END IF;

    -- What enable_realtime() publishes has no prices, and is no record where it is copied to.
    IF TG_OP = 'INSERT' AND NEW.opened_digest IS NOT NULL AND NEW.entry_price IS NULL THEN
        RETURN NULL;
    END IF;
    -- A row that has its digest comes from a dump or from another server. Whether it is the right
    -- one verify_track_record() finds.
    IF TG_OP = 'INSERT' AND NEW.opened_digest IS NOT NULL
       OR TG_OP = 'UPDATE' AND (NEW.state = 'open' OR NEW.digest IS NOT NULL) THEN
        RETURN NEW;
    ELSIF TG_OP = 'INSERT' AND NEW.state <> 'open' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the outcome of signal %s has to be open at first', NEW.signal_id),
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
    END IF;

    -- One session at a time appends: who waits here for another looks for the head again.
    LOOP
        EXECUTE format('SELECT greatest(o.opened_position, o.settled_position) FROM %I.%I o
                         ORDER BY greatest(o.opened_position, o.settled_position) DESC LIMIT 1 FOR UPDATE',
                       TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO locked_position;
        EXECUTE format('SELECT greatest(o.opened_position, o.settled_position), coalesce(o.digest, o.opened_digest)
                          FROM %I.%I o ORDER BY greatest(o.opened_position, o.settled_position) DESC LIMIT 1',
                       TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO head_position, head_digest;
        EXIT WHEN head_position IS NOT DISTINCT FROM locked_position;
    END LOOP;
    IF TG_OP = 'INSERT' THEN
        NEW.opened_at := clock_timestamp();
        NEW.nonce := gen_random_uuid();
        NEW.opened_position := coalesce(head_position, 0) + 1;
        NEW.opened_digest := sha256(coalesce(head_digest, '') || convert_to(@outcome_opened@, 'UTF8'));
    ELSE
        NEW.settled_at := clock_timestamp();
        NEW.settled_position := head_position + 1;
        NEW.digest := sha256(head_digest || convert_to(@outcome_settled@, 'UTF8'));
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_keep_outcomes() IS
    'refuses to change or delete what is on record in signal_outcomes, also to the owner, and takes a row into the '
    'chain of digests when it is opened and when it is settled or found void';

-- Also with session_replication_role = replica, and when logical replication brings the rows.
CREATE TRIGGER keep_outcomes BEFORE INSERT OR UPDATE OR DELETE ON @extschema@.signal_outcomes
    FOR EACH ROW EXECUTE FUNCTION @extschema@.signal_hub_keep_outcomes();
ALTER TABLE @extschema@.signal_outcomes ENABLE ALWAYS TRIGGER keep_outcomes;
COMMENT ON TRIGGER keep_outcomes ON @extschema@.signal_outcomes IS
    'the record is only added to, and each row has its place in the chain of digests';
CREATE TRIGGER keep_all_outcomes BEFORE TRUNCATE ON @extschema@.signal_outcomes
    FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.signal_hub_keep_outcomes();
ALTER TABLE @extschema@.signal_outcomes ENABLE ALWAYS TRIGGER keep_all_outcomes;
COMMENT ON TRIGGER keep_all_outcomes ON @extschema@.signal_outcomes IS 'the record is only added to';

CREATE OR REPLACE VIEW @extschema@.signal_outcome_chain AS
SELECT o.opened_position AS position, o.signal_id, 'opened' AS event, o.opened_at AS at, o.opened_digest AS digest
  FROM @extschema@.signal_outcomes o
 UNION ALL
SELECT o.settled_position, o.signal_id, o.state, o.settled_at, o.digest
  FROM @extschema@.signal_outcomes o WHERE o.settled_position IS NOT NULL;
COMMENT ON VIEW @extschema@.signal_outcome_chain IS
    'the chain of digests of outcomes, one row for each place; verify_track_record() checks it';
COMMENT ON COLUMN @extschema@.signal_outcome_chain.position IS 'the place: 1, 2 and so on, without gaps';
COMMENT ON COLUMN @extschema@.signal_outcome_chain.signal_id IS 'signal whose outcome was taken in there';
COMMENT ON COLUMN @extschema@.signal_outcome_chain.event IS 'opened, settled or void';
COMMENT ON COLUMN @extschema@.signal_outcome_chain.at IS 'when, by the server''s clock';
COMMENT ON COLUMN @extschema@.signal_outcome_chain.digest IS 'sha256(digest of the place before || canonical row)';

CREATE OR REPLACE FUNCTION @extschema@.track_record_digest(day date) RETURNS bytea
    LANGUAGE sql STABLE STRICT SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT c.digest FROM @extschema@.signal_outcome_chain c
         WHERE c.at < (track_record_digest.day + 1)::timestamp AT TIME ZONE 'UTC'
         ORDER BY c.position DESC LIMIT 1;
    END;
COMMENT ON FUNCTION @extschema@.track_record_digest(date) IS
    'head of the chain of outcomes at the end of that UTC day, or now when the day has not ended: publish it, and '
    'verify_track_record() finds later whether anything before it was changed or removed. Null before the first '
    'outcome';

CREATE OR REPLACE FUNCTION @extschema@.verify_track_record(
    known_digest bytea DEFAULT NULL,
    OUT ok boolean, OUT rows bigint, OUT head bytea, OUT broken_signal_id bigint, OUT why text
) RETURNS record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH place AS (
            SELECT o.opened_position AS position, o.signal_id, o.opened_digest AS digest,
                   @extschema@.signal_outcome_opened(o) AS canonical, false AS is_lost
              FROM @extschema@.signal_outcomes o
             UNION ALL
            SELECT o.settled_position, o.signal_id, o.digest, @extschema@.signal_outcome_settled(o),
                   o.settled_position IS NULL OR o.settled_position <= o.opened_position
              FROM @extschema@.signal_outcomes o WHERE o.state <> 'open' OR o.settled_position IS NOT NULL
        ), compared AS (
            SELECT p.*, lag(p.position, 1, 0::bigint) OVER chain AS position_before,
                   lag(p.digest, 1, ''::bytea) OVER chain AS digest_before
              FROM place p WINDOW chain AS (ORDER BY p.position NULLS FIRST)
        ), broken AS (
            SELECT c.signal_id,
                   CASE WHEN c.is_lost THEN format('signal %s has no right place in the chain', c.signal_id)
                        WHEN c.position = c.position_before
                        THEN format('place %s is taken twice, the second time by signal %s', c.position, c.signal_id)
                        WHEN c.position <> c.position_before + 1
                        THEN format('places %s to %s, before signal %s, are missing: rows were deleted',
                                    c.position_before + 1, c.position - 1, c.signal_id)
                        ELSE format('signal %s at place %s does not match its digest: it, or a row before it, '
                                    'was changed', c.signal_id, c.position)
                   END AS why
              FROM compared c
             WHERE c.is_lost OR c.position IS DISTINCT FROM c.position_before + 1
                OR c.digest IS DISTINCT FROM sha256(c.digest_before || convert_to(c.canonical, 'UTF8'))
             ORDER BY c.position NULLS FIRST LIMIT 1
        ), removed AS (
            -- Of a signal that is recorded, the outcome is opened in the same transaction.
            SELECT s.signal_id, format('the outcome of signal %s is missing: its row was deleted', s.signal_id) AS why
              FROM @extschema@.signals s
             WHERE s.signal_id > (SELECT min(o.signal_id) FROM @extschema@.signal_outcomes o)
               AND NOT EXISTS (SELECT FROM @extschema@.signal_outcomes o WHERE o.signal_id = s.signal_id)
             ORDER BY s.signal_id LIMIT 1
        ), cut AS (
            SELECT NULL::bigint AS signal_id,
                   'the known digest is of no place of the chain: rows at its end were removed, or the chain was '
                   'made anew' AS why
             WHERE verify_track_record.known_digest IS NOT NULL
               AND NOT EXISTS (SELECT FROM place p WHERE p.digest = verify_track_record.known_digest)
        ), unguarded AS (
            SELECT NULL::bigint AS signal_id,
                   format('trigger %s of signal_outcomes is not enabled always: what is on record can be changed',
                          n.name) AS why
              FROM (VALUES ('keep_all_outcomes'::name), ('keep_outcomes')) AS n (name)
             WHERE NOT EXISTS (SELECT FROM pg_trigger t
                                WHERE t.tgrelid = '@extschema@.signal_outcomes'::regclass AND t.tgname = n.name
                                  AND t.tgenabled = 'A'
                                  AND t.tgfoid = '@extschema@.signal_hub_keep_outcomes()'::regprocedure)
             ORDER BY n.name LIMIT 1
        ), fault AS (
            SELECT 1 AS rank, b.signal_id, b.why FROM broken b
             UNION ALL
            SELECT 2, r.signal_id, r.why FROM removed r
             UNION ALL
            SELECT 3, c.signal_id, c.why FROM cut c
             UNION ALL
            SELECT 4, u.signal_id, u.why FROM unguarded u
        ), first AS (
            SELECT f.signal_id, f.why FROM fault f ORDER BY f.rank LIMIT 1
        )
        SELECT NOT EXISTS (SELECT FROM first),
               (SELECT count(*) FROM @extschema@.signal_outcomes),
               (SELECT p.digest FROM place p ORDER BY p.position DESC NULLS LAST LIMIT 1),
               (SELECT f.signal_id FROM first f), (SELECT f.why FROM first f);
    END;
COMMENT ON FUNCTION @extschema@.verify_track_record(bytea) IS
'checks the whole chain of outcomes. ok is true when every row is as it was taken in, and the triggers that keep the '
'rows are in force; rows are the outcomes, head is the digest at the end of the chain.
Otherwise why says what is wrong and broken_signal_id names the first row of the chain that does not match.
Who can change the tables can make all digests anew: give a digest that track_record_digest() showed and that was '
'published, and its absence from the chain is found, too';
