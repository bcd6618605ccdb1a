-- Part: replaceable
-- Whose push subscriptions they are, how many, and what the live service reads and writes of them. It
-- may if it may read the replication stream, which has everybody's rows anyway.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_limit_push() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE format('DELETE FROM %1$I.%2$I d
                     USING (SELECT o.user_id, o.endpoint,
                                   row_number() OVER (PARTITION BY o.user_id
                                                      ORDER BY o.created_at DESC, o.endpoint) AS place
                              FROM (SELECT DISTINCT a.user_id FROM added a) u
                              JOIN %1$I.%2$I o ON o.user_id = u.user_id) o
                     WHERE o.place > 20 AND d.user_id = o.user_id AND d.endpoint = o.endpoint',
                   TG_TABLE_SCHEMA, TG_TABLE_NAME);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_limit_push() IS
    'deletes the oldest push subscriptions of subscribers who have more than 20; those that another transaction adds '
    'meanwhile are not counted';
CREATE TRIGGER limit_push AFTER INSERT ON @extschema@.user_push_subscriptions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION @extschema@.signal_hub_limit_push();
COMMENT ON TRIGGER limit_push ON @extschema@.user_push_subscriptions IS 'keeps about the newest 20 of each subscriber';

CREATE POLICY own_rows ON @extschema@.user_push_subscriptions
    USING (user_id = (SELECT @extschema@.current_subscriber()))
    WITH CHECK (user_id = (SELECT @extschema@.current_subscriber()));
COMMENT ON POLICY own_rows ON @extschema@.user_push_subscriptions IS 'subscribers read and write their own rows';

-- The table may be on several servers: what is asked of it are statements with nothing but values.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_list_push(
    subscriptions regclass, wanted regclass, users uuid[], OUT user_id uuid, OUT endpoint text, OUT p256dh text,
    OUT auth text, OUT is_noted boolean, OUT quiet_from time, OUT quiet_until time, OUT time_zone text
) RETURNS SETOF record
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF users IS NULL THEN
        RETURN QUERY EXECUTE format(
            'SELECT s.user_id, NULL::text, NULL::text, NULL::text, false, NULL::time, NULL::time, NULL::text
               FROM %s s GROUP BY s.user_id', subscriptions);
    ELSE
        RETURN QUERY EXECUTE format(
            'SELECT s.user_id, s.endpoint, s.p256dh, s.auth,
                    s.failing_since IS NULL AND coalesce(s.last_sent_at > $2 - interval ''1 hour'', false),
                    r.quiet_from, r.quiet_until, r.time_zone
               FROM %s s LEFT JOIN %s r ON r.user_id = s.user_id
              WHERE s.user_id = ANY ($1) ORDER BY s.user_id, s.created_at DESC', subscriptions, wanted)
          USING users, clock_timestamp();
    END IF;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_list_push(regclass, regclass, uuid[]) IS
    'for signal_hub_push_subscribers() and signal_hub_push_targets(): push subscriptions of these users with their '
    'quiet hours, newest first; without a list, who has any';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_write_push(
    subscriptions regclass, is_allowed boolean, users uuid[], endpoints text[], results text[]
) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- What became of each, by user and endpoint.
    became jsonb := (SELECT jsonb_object_agg(d.key, d.result)
                       FROM (SELECT format('%s %s', u.user_id, u.endpoint) AS key, min(u.result) AS result
                               FROM unnest(users, endpoints, results) AS u (user_id, endpoint, result)
                              WHERE u.result IS NOT NULL
                              GROUP BY 1) d);
    -- Those that are gone by one of several results.
    gone text[] := ARRAY(SELECT format('%s %s', u.user_id, u.endpoint)
                           FROM unnest(users, endpoints, results) AS u (user_id, endpoint, result)
                          WHERE u.result = 'gone');
BEGIN
    IF is_allowed IS NOT TRUE OR became IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format(
        'UPDATE %s s
            SET last_sent_at = CASE $2 ->> (s.user_id::text || '' '' || s.endpoint)
                               WHEN ''sent'' THEN $3 ELSE s.last_sent_at END,
                failing_since = CASE WHEN $2 ->> (s.user_id::text || '' '' || s.endpoint) <> ''sent''
                                     THEN coalesce(s.failing_since, $3) END,
                last_failure = CASE WHEN $2 ->> (s.user_id::text || '' '' || s.endpoint) <> ''sent''
                                    THEN left($2 ->> (s.user_id::text || '' '' || s.endpoint), 200) END
          WHERE s.user_id = ANY ($1) AND $2 ->> (s.user_id::text || '' '' || s.endpoint) <> ''gone''', subscriptions)
      USING users, became, clock_timestamp();
    EXECUTE format(
        'DELETE FROM %s s
          WHERE s.user_id = ANY ($1) AND $2 ->> (s.user_id::text || '' '' || s.endpoint) <> ''sent''
            AND (s.user_id::text || '' '' || s.endpoint = ANY ($3) OR s.failing_since < $4)', subscriptions)
      USING users, became, gone, clock_timestamp() - interval '7 days';
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_write_push(regclass, boolean, uuid[], text[], text[]) IS
    'for signal_hub_push_results(): writes what became of messages, if that is allowed';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_replace_push(
    subscriptions regclass, is_allowed boolean, subscriber uuid, old_endpoint text, old_auth text, new_endpoint text,
    new_p256dh text, new_auth text
) RETURNS boolean
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    known bigint;
BEGIN
    IF is_allowed IS NOT TRUE OR (old_endpoint <> new_endpoint) IS NOT TRUE THEN
        RETURN false;
    END IF;
    EXECUTE format('DELETE FROM %s s WHERE s.user_id = $1 AND s.endpoint = $2 AND s.auth = $3', subscriptions)
      USING subscriber, old_endpoint, old_auth;
    GET DIAGNOSTICS known = ROW_COUNT;
    IF known > 0 THEN
        EXECUTE format(
            'INSERT INTO %s AS s (user_id, endpoint, p256dh, auth, created_at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT ON CONSTRAINT user_push_subscriptions_pkey
                 DO UPDATE SET p256dh = excluded.p256dh, auth = excluded.auth', subscriptions)
          USING subscriber, new_endpoint, new_p256dh, new_auth, now();
    END IF;
    RETURN known > 0;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_replace_push(regclass, boolean, uuid, text, text, text, text, text) IS
    'for signal_hub_move_push(): puts a push subscription in the place of another, if that is allowed';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_push_subscribers() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT s.user_id
          FROM @extschema@.signal_hub_list_push('@extschema@.user_push_subscriptions'::regclass,
                                                '@extschema@.user_preferences'::regclass, NULL) s
         WHERE @is_follower@;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_push_subscribers() IS
    'for the live service: who has push subscriptions. Nobody, for a login without REPLICATION';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_push_targets(
    users uuid[], OUT user_id uuid, OUT endpoint text, OUT p256dh text, OUT auth text, OUT is_noted boolean
) RETURNS SETOF record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT r.user_id, r.endpoint, r.p256dh, r.auth, r.is_noted
          FROM @extschema@.signal_hub_list_push('@extschema@.user_push_subscriptions'::regclass,
                                                '@extschema@.user_preferences'::regclass, coalesce(users, '{}')) r
         WHERE NOT @quiet_now@
           AND @is_follower@;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_push_targets(uuid[]) IS
    'for the live service: where to send what these subscribers are to know. Nothing of those whose quiet hours it '
    'is, nor for a login without REPLICATION. is_noted: it is on record that messages were accepted lately';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_claim_push(
    claim uuid, slot name, users uuid[], signals bigint[], OUT user_id uuid, OUT signal_id bigint
) RETURNS SETOF record
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        DELETE FROM @extschema@.signal_push_claims c
         WHERE c.ctid = ANY (ARRAY(SELECT o.ctid FROM @extschema@.signal_push_claims o
                                    WHERE o.claimed_at < clock_timestamp() - interval '1 hour'
                                    ORDER BY o.claimed_at LIMIT 5000 FOR UPDATE SKIP LOCKED))
           AND @is_follower@;
        INSERT INTO @extschema@.signal_push_claims AS c (user_id, signal_id, claim)
        SELECT n.user_id, n.signal_id, signal_hub_claim_push.claim
          FROM unnest(users, signals) AS n (user_id, signal_id)
         WHERE NOT EXISTS (SELECT FROM @extschema@.signal_watchers w
                            WHERE w.user_id = n.user_id AND w.in_view AND w.slot <> signal_hub_claim_push.slot
                              AND w.slot IN (SELECT s.slot_name FROM pg_replication_slots s WHERE s.active))
           AND @is_follower@
         ORDER BY n.user_id, n.signal_id
            ON CONFLICT DO NOTHING;
        SELECT c.user_id, c.signal_id
          FROM unnest(users, signals) AS n (user_id, signal_id)
          JOIN @extschema@.signal_push_claims c ON c.user_id = n.user_id AND c.signal_id = n.signal_id
         WHERE c.claim = signal_hub_claim_push.claim
           AND @is_follower@;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_claim_push(uuid, name, uuid[], bigint[]) IS
    'for the live service that reads a replication slot: claims notifications, by subscribers and signals at the same '
    'place of two lists, and returns those that are this claim''s: not what is another''s, nor what is for somebody '
    'who looks at a page of another service. Nothing, for a login without REPLICATION';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_push_results(users uuid[], endpoints text[], results text[])
    RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT @extschema@.signal_hub_write_push('@extschema@.user_push_subscriptions'::regclass, @is_follower@,
                                                 users, endpoints, results);
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_push_results(uuid[], text[], text[]) IS
    'for the live service: what became of messages to push subscriptions: sent, gone (the push service knows it no '
    'longer: the row is deleted), or why it failed; after 7 days of that the row is deleted, too. Does nothing for a '
    'login without REPLICATION';

-- A browser moves its subscription while nobody is signed in in it. That it knows the secret of the
-- old one shows that it is the same browser.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_move_push(
    subscriber uuid, old_endpoint text, old_auth text, new_endpoint text, new_p256dh text, new_auth text
) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT @extschema@.signal_hub_replace_push('@extschema@.user_push_subscriptions'::regclass, @is_follower@,
                                                   subscriber, old_endpoint, old_auth, new_endpoint, new_p256dh,
                                                   new_auth);
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_move_push(uuid, text, text, text, text, text) IS
    'for the live service: puts a push subscription in the place of one of the same browser, which proves itself by '
    'the secret of the old one. Returns whether there was such a one. Does nothing for a login without REPLICATION';
