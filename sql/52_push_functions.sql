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

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_push_subscribers() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT DISTINCT s.user_id FROM @extschema@.user_push_subscriptions s
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
        SELECT s.user_id, s.endpoint, s.p256dh, s.auth,
               s.failing_since IS NULL AND coalesce(s.last_sent_at > clock_timestamp() - interval '1 hour', false)
          FROM @extschema@.user_push_subscriptions s
          LEFT JOIN @extschema@.user_preferences r ON r.user_id = s.user_id
         WHERE s.user_id = ANY (users) AND NOT @quiet_now@
           AND @is_follower@
         ORDER BY s.user_id, s.created_at DESC;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_push_targets(uuid[]) IS
    'for the live service: where to send what these subscribers are to know. Nothing of those whose quiet hours it '
    'is, nor for a login without REPLICATION. is_noted: it is on record that messages were accepted lately';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_push_results(users uuid[], endpoints text[], results text[])
    RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        UPDATE @extschema@.user_push_subscriptions s
           SET last_sent_at = CASE d.result WHEN 'sent' THEN clock_timestamp() ELSE s.last_sent_at END,
               failing_since = CASE WHEN d.result <> 'sent' THEN coalesce(s.failing_since, clock_timestamp()) END,
               last_failure = CASE WHEN d.result <> 'sent' THEN left(d.result, 200) END
          FROM (SELECT u.user_id, u.endpoint, min(u.result) AS result
                  FROM unnest(users, endpoints, results) AS u (user_id, endpoint, result)
                 GROUP BY u.user_id, u.endpoint) d
         WHERE s.user_id = d.user_id AND s.endpoint = d.endpoint AND d.result <> 'gone'
           AND @is_follower@;
        DELETE FROM @extschema@.user_push_subscriptions s
         USING unnest(users, endpoints, results) AS d (user_id, endpoint, result)
         WHERE s.user_id = d.user_id AND s.endpoint = d.endpoint AND d.result <> 'sent'
           AND (d.result = 'gone' OR s.failing_since < clock_timestamp() - interval '7 days')
           AND @is_follower@;
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
        WITH old AS (
            DELETE FROM @extschema@.user_push_subscriptions s
             WHERE s.user_id = subscriber AND s.endpoint = old_endpoint AND s.auth = old_auth
               AND old_endpoint <> new_endpoint
               AND @is_follower@
            RETURNING s.user_id
        ), moved AS (
            INSERT INTO @extschema@.user_push_subscriptions AS s (user_id, endpoint, p256dh, auth)
            SELECT o.user_id, new_endpoint, new_p256dh, new_auth FROM old o
                ON CONFLICT ON CONSTRAINT user_push_subscriptions_pkey
                DO UPDATE SET p256dh = excluded.p256dh, auth = excluded.auth
            RETURNING s.user_id
        )
        SELECT EXISTS (SELECT FROM moved);
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_move_push(uuid, text, text, text, text, text) IS
    'for the live service: puts a push subscription in the place of one of the same browser, which proves itself by '
    'the secret of the old one. Returns whether there was such a one. Does nothing for a login without REPLICATION';
