-- Part: replaceable
-- Whether signals reach anybody. What is counted over subscribers is counted only while the last
-- signal reached nobody.
CREATE OR REPLACE VIEW @extschema@.signal_hub_missed AS
WITH recent AS (
    SELECT g.signal_id, g.created_at, g.deliveries, g.delivery_failures
      FROM @extschema@.signals g
     WHERE g.delivered_at IS NOT NULL AND g.withheld_by IS NULL
     ORDER BY g.signal_id DESC
     LIMIT 100
), missed AS (
    SELECT count(*) AS signals, min(r.created_at) AS since,
           coalesce((array_agg(r.delivery_failures ORDER BY r.signal_id DESC))[1], 0) AS refused,
           (SELECT min(d.signal_id) FROM @extschema@.signals d
             WHERE d.created_at >= date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS first_of_today
      FROM recent r
     WHERE r.signal_id > coalesce((SELECT max(b.signal_id) FROM recent b WHERE b.deliveries > 0), 0)
), somebody AS (
    SELECT count(*) > 0 AS subscribes FROM (SELECT u.user_id FROM @extschema@.user_subscriptions u LIMIT 1) u
)
SELECT m.signals, m.since, m.refused, m.first_of_today, s.subscribes AS has_subscriptions
  FROM missed m CROSS JOIN somebody s;
COMMENT ON VIEW @extschema@.signal_hub_missed IS
    'for signal_reach: which of the last signals reached nobody, and whether anybody subscribes';
COMMENT ON COLUMN @extschema@.signal_hub_missed.signals IS 'how many of the last signals, up to 100, reached nobody';
COMMENT ON COLUMN @extschema@.signal_hub_missed.since IS 'when the first of them was recorded';
COMMENT ON COLUMN @extschema@.signal_hub_missed.refused IS 'rows of the last signal that were refused';
COMMENT ON COLUMN @extschema@.signal_hub_missed.first_of_today IS 'the first signal of this UTC day';
COMMENT ON COLUMN @extschema@.signal_hub_missed.has_subscriptions IS 'whether user_subscriptions has rows';

CREATE OR REPLACE VIEW @extschema@.signal_reach AS
WITH missed AS (
    SELECT * FROM @extschema@.signal_hub_missed
-- The tables of subscribers may be on several servers: each of these is asked by itself.
), candidates AS MATERIALIZED (
    -- Where a thousand have no quota left, nobody is looked for further.
    SELECT u.user_id, t.daily_quota
      FROM @extschema@.signal_tiers t
      JOIN @extschema@.user_subscriptions u ON u.tier = t.tier
     WHERE (SELECT m.signals > 0 AND m.refused = 0 FROM missed m)
       AND t.enabled AND coalesce(t.daily_quota, 1) > 0 AND u.status = 'active'
       AND (u.current_period_end IS NULL OR u.current_period_end > clock_timestamp())
     LIMIT 1000
), used AS MATERIALIZED (
    SELECT e.user_id, count(*) AS signals
      FROM @extschema@.user_signals e
     WHERE e.user_id IN (SELECT c.user_id FROM candidates c WHERE c.daily_quota IS NOT NULL)
       AND e.signal_id >= (SELECT m.first_of_today FROM missed m)
     GROUP BY e.user_id
), subscriptions AS MATERIALIZED (
    SELECT u.tier, u.status, coalesce(u.current_period_end <= clock_timestamp(), false) AS is_over,
           count(*) AS number
      FROM @extschema@.user_subscriptions u
     WHERE (SELECT m.signals > 0 FROM missed m)
     GROUP BY 1, 2, 3
), wishes AS (
    SELECT count(*) > 0 AS are_there FROM (SELECT p.user_id FROM @extschema@.user_preferences p LIMIT 1) p
), told AS (
    SELECT m.*, w.are_there AS has_preferences,
           -- Somebody who would receive a signal now.
           EXISTS (SELECT FROM candidates c LEFT JOIN used x USING (user_id)
                    WHERE c.daily_quota IS NULL OR coalesce(x.signals, 0) < c.daily_quota) AS is_ready,
           (SELECT string_agg(g.subscribers, ', ' ORDER BY g.place) || '; '
                   || (array_agg(g.remedy ORDER BY g.place))[1]
              FROM (SELECT row_number() OVER (ORDER BY k.place, sum(u.number) DESC, u.tier, u.status) AS place,
                           format('%s %s %s%s', sum(u.number), u.status, left(u.tier, 20), k.cause) AS subscribers,
                           format(k.remedy, u.tier) AS remedy
                      FROM subscriptions u
                      JOIN @extschema@.signal_tiers t ON t.tier = u.tier
                     CROSS JOIN LATERAL (
                         SELECT *
                           FROM (VALUES
                               (u.status <> 'active', 5, '',
                                'to receive, their status in user_subscriptions has to be active'),
                               (NOT t.enabled, 2, ' (tier disabled)',
                                'run UPDATE signal_tiers SET enabled = true WHERE tier = %L to let them receive'),
                               (u.is_over, 4, ' (period ended)',
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
                     LIMIT 4) g) AS subscribers
      FROM missed m CROSS JOIN wishes w
)
SELECT signals,
       since,
       signals > 0 AND has_subscriptions AND NOT is_ready AS unreached,
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

CREATE OR REPLACE FUNCTION @extschema@.signal_hub_reach(IN nodes text, OUT unreached boolean, OUT message text)
    RETURNS record
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
    missed regclass := (
        SELECT c.oid
          FROM pg_depend d
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
          JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
         WHERE e.extname = 'signal_hub' AND d.deptype = 'e' AND c.relname = 'signal_hub_missed');
    arrive boolean;
BEGIN
    IF NOT has_table_privilege(reach, 'SELECT') THEN
        unreached := false;
        message := format('whether signals reach anybody is not shown: run GRANT SELECT ON %s TO %I',
                          reach, current_user);
        RETURN;
    END IF;
    -- Rows on a node that does not answer would be waited for. signal_health.nodes says so of it.
    IF nodes LIKE '%does not answer%' THEN
        unreached := false;
        RETURN;
    END IF;
    -- What all of it says, with less work, for readers who may ask for a part of it.
    IF has_table_privilege(missed, 'SELECT') THEN
        EXECUTE format('SELECT m.signals = 0 AND m.has_subscriptions FROM %s m', missed) INTO arrive;
        IF arrive THEN
            unreached := false;
            RETURN;
        END IF;
    END IF;
    EXECUTE format('SELECT r.unreached, r.message FROM %s r', reach) INTO unreached, message;
EXCEPTION WHEN OTHERS THEN
    -- The tables of subscribers cannot be read, as on a disk that fails. signal_health has
    -- to be readable then above all, and its other parts say what is wrong.
    unreached := false;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_reach(text) IS
    'what signal_health shows of signal_reach, while its column nodes says this; when that cannot be read unreached '
    'is false, and message says so where a right is missing';
