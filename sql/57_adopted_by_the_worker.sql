-- Part: replaceable
-- Moving in, what the worker does: it waits for nobody's lock on a table of the application who has
-- no right to it, and looks again at subscriptions that end.

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_lock_adopted(adopted oid, writes boolean) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'signal_hub_lock_adopted_wrapper';
COMMENT ON FUNCTION @extschema@.signal_hub_lock_adopted(oid, boolean) IS
    'in the worker, locks an adopted table and its indexes as a statement is about to that reads it or writes to it, '
    'and cancels statements that wait for a stronger lock without any right to it. Elsewhere it does nothing';

-- A subscription that ends by time alone writes no row. Whoever's has been looked at once after its
-- end needs no other look: what the application writes later is followed by its triggers.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_renew_adopted(after text DEFAULT '') RETURNS text
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    hub name := (@own_schema@);
    source regclass;
    mapping jsonb;
    ended jsonb;
BEGIN
    SELECT t.tgrelid::regclass,
           convert_from(substring(t.tgargs FOR position(decode('00', 'hex') IN t.tgargs) - 1),
                        getdatabaseencoding())::jsonb
      INTO source, mapping
      FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE p.proname = 'signal_hub_follow_subscriptions' AND n.nspname = hub AND t.tgnargs = 1 AND t.tgenabled <> 'D'
     LIMIT 1;
    IF source IS NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT %I.signal_hub_run_as($1, $2, $3, $4)::jsonb', hub) INTO ended
      USING 0::oid, 'pg_catalog, pg_temp'::text, format(
        $sql$
        SELECT jsonb_build_object('users', jsonb_agg(e.user_id ORDER BY e.current_period_end, e.user_id),
                                  'last', jsonb_agg(jsonb_build_array(e.current_period_end, e.user_id)
                                                    ORDER BY e.current_period_end, e.user_id) -> -1)::text
          FROM (SELECT u.user_id, u.current_period_end
                  FROM %s.user_subscriptions u
                 CROSS JOIN (SELECT nullif($1, '')::jsonb AS place) a
                 WHERE u.status = 'active' AND u.current_period_end <= now()
                   AND (a.place IS NULL OR (u.current_period_end, u.user_id)
                                           > ((a.place ->> 0)::timestamptz, (a.place ->> 1)::uuid))
                 ORDER BY u.current_period_end, u.user_id LIMIT 10000) e
        $sql$, '@' || 'extschema@'), after;
    IF jsonb_typeof(ended -> 'users') IS DISTINCT FROM 'array' THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT %I.signal_hub_lock_adopted($1, $2)', hub) USING source::oid, false;
    EXECUTE format('SELECT %I.signal_hub_refuse_lost_column($1, $2)', hub) USING source, mapping;
    EXECUTE format('SELECT %I.signal_hub_take_over($1, $2, $3)', hub)
      USING source, mapping, ARRAY(SELECT jsonb_array_elements_text(ended -> 'users')::uuid);
    RETURN ended ->> 'last';
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_renew_adopted(text) IS
    'looks again at users of an adopted table whose subscription has ended by time: at most 10,000, behind what an '
    'earlier call returned, in the order of their ends. Returns where to go on, null when none is left. The worker '
    'calls it every ten minutes';
