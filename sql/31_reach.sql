-- Part: replaceable
-- Whether signals reach anybody. What is counted over subscribers is counted only while the last
-- signal reached nobody.
CREATE OR REPLACE VIEW @extschema@.signal_reach AS
WITH recent AS (
    SELECT g.signal_id, g.created_at, g.deliveries, g.delivery_failures
      FROM @extschema@.signals g
     WHERE g.delivered_at IS NOT NULL AND g.withheld_by IS NULL
     ORDER BY g.signal_id DESC
     LIMIT 100
), missed AS (
    SELECT count(*) AS signals, min(r.created_at) AS since,
           coalesce((array_agg(r.delivery_failures ORDER BY r.signal_id DESC))[1], 0) AS refused,
           EXISTS (SELECT FROM @extschema@.user_subscriptions) AS has_subscriptions,
           EXISTS (SELECT FROM @extschema@.user_preferences) AS has_preferences
      FROM recent r
     WHERE r.signal_id > coalesce((SELECT max(b.signal_id) FROM recent b WHERE b.deliveries > 0), 0)
), told AS (
    SELECT m.*,
           -- Somebody who would receive a signal now. Where a thousand have no quota left, nobody is
           -- looked for further.
           CASE WHEN m.signals > 0 AND m.refused = 0 THEN EXISTS (
               SELECT FROM (SELECT u.user_id, t.daily_quota
                              FROM @extschema@.signal_tiers t
                              JOIN @extschema@.user_subscriptions u ON u.tier = t.tier
                             WHERE t.enabled AND coalesce(t.daily_quota, 1) > 0 AND u.status = 'active'
                               AND (u.current_period_end IS NULL OR u.current_period_end > clock_timestamp())
                             LIMIT 1000) c
                WHERE c.daily_quota IS NULL
                   OR (SELECT count(*)
                         FROM (SELECT FROM @extschema@.user_signals e
                                WHERE e.user_id = c.user_id
                                  AND e.signal_id >= (
                                          SELECT min(d.signal_id) FROM @extschema@.signals d
                                           WHERE d.created_at >= date_trunc('day', now() AT TIME ZONE 'UTC')
                                                                 AT TIME ZONE 'UTC')
                                LIMIT c.daily_quota) used) < c.daily_quota)
           END AS is_ready,
           CASE WHEN m.signals > 0 AND m.has_subscriptions THEN (
               SELECT string_agg(g.subscribers, ', ' ORDER BY g.place) || '; '
                      || (array_agg(g.remedy ORDER BY g.place))[1]
                 FROM (SELECT row_number() OVER (ORDER BY k.place, count(*) DESC, u.tier, u.status) AS place,
                              format('%s %s %s%s', count(*), u.status, left(u.tier, 20), k.cause) AS subscribers,
                              format(k.remedy, u.tier) AS remedy
                         FROM @extschema@.user_subscriptions u
                         JOIN @extschema@.signal_tiers t ON t.tier = u.tier
                        CROSS JOIN LATERAL (
                            SELECT *
                              FROM (VALUES
                                  (u.status <> 'active', 5, '',
                                   'to receive, their status in user_subscriptions has to be active'),
                                  (NOT t.enabled, 2, ' (tier disabled)',
                                   'run UPDATE signal_tiers SET enabled = true WHERE tier = %L to let them receive'),
                                  (u.current_period_end <= clock_timestamp(), 4, ' (period ended)',
                                   'to receive, they need a later current_period_end in user_subscriptions'),
                                  (t.daily_quota = 0, 3, ' (daily quota 0)',
                                   'raise daily_quota of %L in signal_tiers'),
                                  (m.refused > 0, 1, ' (row refused)',
                                   'see signal_runs.error for what refuses their rows of user_signals'),
                                  (true, 3, ' (daily quota used up)',
                                   'raise daily_quota of %L in signal_tiers, or wait for the next UTC day')
                              ) AS kind (applies, place, cause, remedy)
                             WHERE applies
                             LIMIT 1) k
                        GROUP BY u.tier, u.status, k.place, k.cause, k.remedy
                        ORDER BY 1
                        LIMIT 4) g)
           END AS subscribers
      FROM missed m
)
SELECT signals,
       since,
       signals > 0 AND has_subscriptions AND NOT coalesce(is_ready, false) AS unreached,
       CASE
           WHEN NOT has_subscriptions THEN
               'nobody subscribes: user_subscriptions is empty'
           WHEN signals = 0 THEN NULL
           WHEN is_ready THEN
               format('the last %s reached nobody, as no subscriber was entitled then%s', counted,
                      CASE WHEN has_preferences THEN ', or preferences of theirs left them out' END)
           WHEN refused > 0 THEN
               format('%s since %s reached nobody: %s', counted, since::timestamptz(0), subscribers)
           ELSE format('%s since %s reached nobody, no active subscriber in an enabled tier with quota left: %s',
                       counted, since::timestamptz(0), subscribers)
       END AS message
  FROM (SELECT told.*,
               CASE signals WHEN 1 THEN '1 signal' WHEN 100 THEN '100 signals or more'
                            ELSE signals || ' signals' END AS counted
          FROM told) AS counted;
COMMENT ON VIEW @extschema@.signal_reach IS
    'one row: whether the last signals reached anybody, and why not; signal_health shows it';
COMMENT ON COLUMN @extschema@.signal_reach.signals IS
    'how many of the last signals, up to 100, reached nobody; 0 when the last one reached somebody';
COMMENT ON COLUMN @extschema@.signal_reach.since IS 'when the first of them was recorded';
COMMENT ON COLUMN @extschema@.signal_reach.unreached IS
    'whether that needs somebody: there are subscriptions, and as they are now the next signal would reach nobody '
    'either';
COMMENT ON COLUMN @extschema@.signal_reach.message IS 'the cause in words, with the remedy; null when signals arrive';

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_reach(OUT unreached boolean, OUT message text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- By membership, not by name: the schema of the extension may have been renamed.
    reach regclass := (
        SELECT c.oid
          FROM pg_depend d
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
         WHERE e.extname = 'signal_hub' AND d.deptype = 'e' AND c.relname = 'signal_reach');
BEGIN
    IF NOT has_table_privilege(reach, 'SELECT') THEN
        unreached := false;
        message := format('whether signals reach anybody is not shown: run GRANT SELECT ON %s TO %I',
                          reach, current_user);
        RETURN;
    END IF;
    EXECUTE format('SELECT r.unreached, r.message FROM %s r', reach) INTO unreached, message;
EXCEPTION WHEN OTHERS THEN
    -- The tables of subscribers cannot be read, as on a disk that fails. signal_health has
    -- to be readable then above all, and its other parts say what is wrong.
    unreached := false;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_reach() IS
    'what signal_health shows of signal_reach; when that cannot be read unreached is false, and message says so where '
    'a right is missing';
