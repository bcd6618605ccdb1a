-- Part: replaceable
-- Preferences are checked where a CHECK cannot do it, and belong to the subscriber.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_check_preferences() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Two settings tell, as the worker is told: pg_dump puts them at the head of every dump. Whoever is
    -- bound by row-level security is refused with the first.
    is_restored CONSTANT boolean := TG_OP = 'INSERT' AND current_setting('row_security') = 'off'
                                    AND current_setting('check_function_bodies') = 'off';
BEGIN
    IF NOT is_restored THEN
        NEW.updated_at := clock_timestamp();
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.time_zone IS NOT DISTINCT FROM OLD.time_zone OR NEW.time_zone IS NULL THEN
        RETURN NEW;
    END IF;
    BEGIN
        -- A specification such as XYZ+3 would pass, with a sign that people take for the other.
        IF NEW.time_zone ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$' THEN
            PERFORM now() AT TIME ZONE NEW.time_zone;
            RETURN NEW;
        END IF;
    EXCEPTION WHEN invalid_parameter_value THEN
        NULL;
    END;
    -- An error would leave the table empty: a dump has all rows in one COPY.
    IF is_restored THEN
        RAISE WARNING USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('time zone "%s" is not known', left(NEW.time_zone, 50)),
            DETAIL = format('The preferences of %s are kept, but without quiet hours.', NEW.user_id),
            HINT = 'Give the row a zone of pg_timezone_names, or let the operating system have this one.',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'time_zone';
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
        MESSAGE = format('time zone "%s" is not known', left(NEW.time_zone, 50)),
        HINT = 'Write one as in pg_timezone_names, such as Europe/Berlin or UTC.',
        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'time_zone';
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_check_preferences() IS
    'refuses a time zone that there is not, and keeps updated_at true; a row that a dump brings is kept as it is';

-- A zone that was known when it was written may be gone, with an operating system that lacks it.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_time_of_day(at timestamptz, zone text) RETURNS time
    LANGUAGE plpgsql STABLE STRICT
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN (at AT TIME ZONE zone)::time;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_time_of_day(timestamptz, text) IS
    'the time of day in a time zone, for quiet hours; null where the zone is not known';

CREATE TRIGGER check_preferences BEFORE INSERT OR UPDATE ON @extschema@.user_preferences
    FOR EACH ROW EXECUTE FUNCTION @extschema@.signal_hub_check_preferences();
COMMENT ON TRIGGER check_preferences ON @extschema@.user_preferences IS 'checks the time zone, keeps updated_at true';

CREATE POLICY own_row ON @extschema@.user_preferences
    USING (user_id = (SELECT @extschema@.current_subscriber()))
    WITH CHECK (user_id = (SELECT @extschema@.current_subscriber()));
COMMENT ON POLICY own_row ON @extschema@.user_preferences IS 'subscribers read and write their own row';

-- What the tables of subscribers have of one: in a statement that asks for nobody else and for nothing
-- but values, as these tables may be on another server than those of signals.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_read_subscriber(
    id uuid, subscriptions regclass, tiers regclass, wanted regclass, received regclass,
    first_of_today bigint, today text,
    OUT subscription @extschema@.user_subscriptions, OUT tier @extschema@.signal_tiers,
    OUT preferences @extschema@.user_preferences, OUT received_today integer,
    OUT last_id bigint, OUT last_received_at timestamptz
)
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found record;
BEGIN
    EXECUTE format(
        'SELECT u, t, p, e.received_today, l.signal_id, l.created_at
           FROM (SELECT count(*)::integer AS received_today FROM %1$s e
                  WHERE e.user_id = $1 AND e.signal_id >= $2 AND e.metadata ->> ''timestamp'' >= $3) e
           LEFT JOIN (SELECT e.signal_id, e.created_at FROM %1$s e
                       WHERE e.user_id = $1 ORDER BY e.signal_id DESC LIMIT 1) l ON true
           LEFT JOIN %2$s u ON u.user_id = $1
           LEFT JOIN %3$s t ON t.tier = u.tier
           LEFT JOIN %4$s p ON p.user_id = $1', received, subscriptions, tiers, wanted)
       INTO found USING id, first_of_today, today;
    subscription := found.u;
    tier := found.t;
    preferences := found.p;
    received_today := found.received_today;
    last_id := found.signal_id;
    last_received_at := found.created_at;
END
$$;
COMMENT ON FUNCTION @extschema@.signal_hub_read_subscriber(
    uuid, regclass, regclass, regclass, regclass, bigint, text) IS
    'for subscriber_status(): the subscription of a user, its tier, their preferences, how many signals they have of '
    'those from a number and a day on, and the last one they received';

-- Whether signals reach one subscriber, and why not, in words for them. As the owner: subscribers
-- read neither tiers nor signals.
CREATE OR REPLACE FUNCTION @extschema@.subscriber_status(
    user_id uuid, OUT entitled boolean, OUT reason text, OUT message text, OUT tier text, OUT status text,
    OUT current_period_end timestamptz, OUT full_details boolean, OUT daily_limit integer, OUT received_today integer,
    OUT resets_at timestamptz, OUT next_possible_at timestamptz, OUT last_received_at timestamptz,
    OUT last_signal_at timestamptz, OUT missed_signals integer, OUT filtered_signals integer, OUT quiet boolean
)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        WITH received AS (
            SELECT (a.subscription).tier, (a.subscription).status, (a.subscription).current_period_end,
                   (a.tier).enabled, (a.tier).daily_quota, (a.tier).full_details, (a.tier).min_gap,
                   least((a.tier).daily_quota, (a.preferences).max_per_day) AS daily_limit,
                   (a.preferences).max_per_day, (a.preferences).time_zone, (a.preferences).quiet_from,
                   (a.preferences).quiet_until, (a.subscription).tier IS NOT NULL AS subscribes, d.today,
                   -- To the millisecond, as times of signals are.
                   CASE WHEN (a.subscription).tier IS NOT NULL
                        THEN date_trunc('milliseconds', greatest((a.subscription).updated_at,
                                                                 (a.preferences).updated_at)) END AS as_it_is_since,
                   a.preferences, a.received_today, a.last_id, a.last_received_at,
                   (SELECT s.created_at FROM @extschema@.signals s WHERE s.signal_id = a.last_id) AS last_of_theirs_at
              FROM (SELECT date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') AS today) d
             CROSS JOIN LATERAL (SELECT min(s.signal_id) AS first FROM @extschema@.signals s
                                  WHERE s.created_at >= d.today AT TIME ZONE 'UTC') f
             CROSS JOIN LATERAL @extschema@.signal_hub_read_subscriber(
                 subscriber_status.user_id, '@extschema@.user_subscriptions'::regclass,
                 '@extschema@.signal_tiers'::regclass, '@extschema@.user_preferences'::regclass,
                 '@extschema@.user_signals'::regclass, f.first, to_char(d.today, 'YYYY-MM-DD')) a
        ), missed AS (
            SELECT r.*, a.last_signal_at, m.missed, m.filtered, m.by,
                   CASE WHEN r.last_of_theirs_at + r.min_gap > clock_timestamp()
                        THEN r.last_of_theirs_at + r.min_gap END AS next_possible_at,
                   @quiet_now@ AS quiet,
                   (SELECT true FROM @extschema@.signal_pause) AS paused
              FROM received r
              LEFT JOIN LATERAL (SELECT s.created_at AS last_signal_at FROM @extschema@.signals s
                                  WHERE s.withheld_by IS NULL AND s.delivered_at IS NOT NULL
                                  ORDER BY s.signal_id DESC LIMIT 1) a ON true
             CROSS JOIN LATERAL (
                 -- Of the last hundred signals those after the last one that they received, made while
                 -- subscription and preferences were what they are.
                 SELECT count(*)::integer AS missed,
                        count(*) FILTER (WHERE NOT (@preferences_allow@))::integer AS filtered,
                        concat_ws(', ',
                            CASE WHEN bool_or(g.symbol <> ALL (p.only_symbols) OR g.symbol = ANY (p.not_symbols))
                                 THEN 'symbols' END,
                            CASE WHEN bool_or(g.signal_type <> ALL (p.sides)) THEN 'sides' END,
                            CASE WHEN bool_or(g.strategy <> ALL (p.strategies)) THEN 'strategies' END,
                            CASE WHEN bool_or(g.confidence < p.min_confidence) THEN 'least confidence' END,
                            CASE WHEN bool_or(g.quality_score < p.min_quality) THEN 'least quality' END) AS by
                   FROM (SELECT s.signal_id, s.symbol, s.signal_type, s.strategy, s.confidence, s.quality_score,
                                s.created_at
                           FROM @extschema@.signals s
                          WHERE s.withheld_by IS NULL AND s.delivered_at IS NOT NULL
                            AND s.created_at > clock_timestamp() - interval '7 days'
                          ORDER BY s.signal_id DESC LIMIT 100) g
                  CROSS JOIN LATERAL (SELECT (r.preferences).*) p
                  WHERE g.signal_id > coalesce(r.last_id, 0) AND g.created_at >= r.as_it_is_since) m
        ), judged AS (
            SELECT m.*,
                   CASE
                       WHEN NOT subscribes THEN 'no_subscription'
                       WHEN m.status <> 'active' THEN 'status'
                       WHEN m.current_period_end <= clock_timestamp() THEN 'period_ended'
                       WHEN NOT enabled THEN 'tier_disabled'
                       WHEN daily_quota = 0 THEN 'no_quota'
                       WHEN m.max_per_day = 0 THEN 'own_limit'
                       WHEN m.received_today >= m.daily_limit AND (daily_quota <= m.max_per_day) IS NOT TRUE
                            AND m.max_per_day IS NOT NULL THEN 'own_limit'
                       WHEN m.received_today >= m.daily_limit THEN 'quota_used'
                       WHEN paused THEN 'paused'
                       WHEN m.missed > 0 AND m.filtered = m.missed THEN 'filtered'
                       WHEN m.next_possible_at IS NOT NULL THEN 'min_gap'
                       WHEN m.last_signal_at > clock_timestamp() - interval '24 hours' THEN 'ok'
                       ELSE 'no_signal'
                   END AS reason
              FROM missed m
        )
        SELECT j.reason NOT IN ('no_subscription', 'status', 'period_ended', 'tier_disabled', 'no_quota', 'own_limit',
                                'quota_used'),
               j.reason,
               CASE j.reason
                   WHEN 'no_subscription' THEN 'You have no subscription, so no signals come'
                   WHEN 'status' THEN format('Your subscription is %s; signals come while it is active',
                                             replace(j.status, '_', ' '))
                   -- An end that no calendar has, such as -infinity, is only a way to say that it is over.
                   WHEN 'period_ended' THEN format(
                       'Your subscription %s; signals come once it is renewed',
                       CASE WHEN j.current_period_end >= '0001-01-01 00:00Z'
                            THEN to_char(j.current_period_end AT TIME ZONE 'UTC',
                                         '"ended on" YYYY-MM-DD "at" HH24:MI "UTC"') ELSE 'has ended' END)
                   WHEN 'tier_disabled' THEN format('Signals of the tier %s are switched off at present', j.tier)
                   WHEN 'no_quota' THEN format('The tier %s has no signals', j.tier)
                   WHEN 'own_limit' THEN
                       CASE j.max_per_day
                           WHEN 0 THEN 'Your preferences say no signals at all'
                           ELSE format('You have received %s of the %s signals a day that you want; the next can '
                                       'come after 00:00 UTC', j.received_today, j.max_per_day) END
                   WHEN 'quota_used' THEN format('You have received %s of %s signals of today; the next can come '
                                                 'after 00:00 UTC', j.received_today, j.daily_limit)
                   WHEN 'paused' THEN 'Signals are paused at present, for all subscribers'
                   WHEN 'filtered' THEN
                       CASE j.missed WHEN 1 THEN 'The last signal was' ELSE format('The last %s signals were',
                            CASE WHEN j.missed >= 100 THEN '100 or more' ELSE j.missed::text END) END
                       || format(' left out by your preferences: %s', j.by)
                   WHEN 'min_gap' THEN format('The next signal can come from %s on',
                                              to_char(j.next_possible_at AT TIME ZONE 'UTC', 'HH24:MI "UTC"'))
                   ELSE 'The next signal will reach you; '
                        || coalesce('the last one was made on ' || to_char(j.last_signal_at AT TIME ZONE 'UTC',
                                                                        'YYYY-MM-DD "at" HH24:MI "UTC"'),
                                    'there has been none yet')
               END,
               j.tier, j.status, j.current_period_end, coalesce(j.full_details, false), j.daily_limit,
               coalesce(j.received_today, 0),
               (j.today + interval '1 day') AT TIME ZONE 'UTC', j.next_possible_at, j.last_received_at,
               j.last_signal_at, j.missed, j.filtered, j.quiet
          FROM judged j;
    END;
COMMENT ON FUNCTION @extschema@.subscriber_status(uuid) IS
'whether signals reach a subscriber, and why not. entitled: whether the subscription lets the next signal through; '
'reason: no_subscription, status, period_ended, tier_disabled, no_quota, own_limit or quota_used (not entitled), '
'paused, filtered (all of missed_signals were left out by their preferences), min_gap, no_signal (none for a day) '
'or ok; message: the same in one sentence, written for the subscriber; tier, status, '
'current_period_end, full_details: of the subscription; daily_limit: most signals of a UTC day, by tier and '
'preferences, null is no limit; received_today: signals received of this UTC day; resets_at: when the next begins; '
'next_possible_at: when min_gap of the tier lets the next signal through, null for at once; last_received_at; '
'last_signal_at: when the last signal was made for anybody; missed_signals: how many since the last one received and '
'since subscription and preferences were last changed, of the last hundred and seven days; filtered_signals: how many '
'of these their preferences left out; quiet: whether their quiet hours keep notifications back now';

CREATE OR REPLACE FUNCTION @extschema@.subscriber_status(
    OUT entitled boolean, OUT reason text, OUT message text, OUT tier text, OUT status text,
    OUT current_period_end timestamptz, OUT full_details boolean, OUT daily_limit integer, OUT received_today integer,
    OUT resets_at timestamptz, OUT next_possible_at timestamptz, OUT last_received_at timestamptz,
    OUT last_signal_at timestamptz, OUT missed_signals integer, OUT filtered_signals integer, OUT quiet boolean
)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT s.* FROM @extschema@.subscriber_status(@extschema@.current_subscriber()) s;
    END;
COMMENT ON FUNCTION @extschema@.subscriber_status() IS
    'the same for the subscriber whom the claims of the session name, for that subscriber to call';

-- For queries/is_follower.sql.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_in_restricted_operation() RETURNS boolean
    LANGUAGE c STABLE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'signal_hub_in_restricted_operation_wrapper';
COMMENT ON FUNCTION @extschema@.signal_hub_in_restricted_operation() IS
    'whether the calling code runs for somebody else, as that of an index does while a superuser analyzes the table';

-- Who keeps signal_watchers may read the replication stream anyway, which has everybody's rows.
CREATE OR REPLACE FUNCTION @extschema@.signal_hub_keep_watchers(
    slot name, watching uuid[], gone uuid[] DEFAULT NULL,
    in_view uuid[] DEFAULT NULL, out_of_view uuid[] DEFAULT NULL
) RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        DELETE FROM @extschema@.signal_watchers w
         WHERE w.slot = signal_hub_keep_watchers.slot
           AND CASE WHEN gone IS NULL THEN w.user_id NOT IN (SELECT u FROM unnest(watching) u)
                    ELSE w.user_id IN (SELECT u FROM unnest(gone) u) END
           AND @is_follower@;
        INSERT INTO @extschema@.signal_watchers (user_id, slot)
        SELECT DISTINCT u, signal_hub_keep_watchers.slot FROM unnest(watching) u
         WHERE u IS NOT NULL
           AND @is_follower@
         ORDER BY u
            ON CONFLICT DO NOTHING;
        UPDATE @extschema@.signal_watchers w SET in_view = v.seen
          FROM (SELECT u, true FROM unnest(in_view) u
                 UNION ALL
                SELECT u, false FROM unnest(out_of_view) u) v (user_id, seen)
         WHERE w.user_id = v.user_id AND w.slot = signal_hub_keep_watchers.slot AND w.in_view <> v.seen
           AND @is_follower@;
        SELECT @is_follower@;
    END;
COMMENT ON FUNCTION @extschema@.signal_hub_keep_watchers(name, uuid[], uuid[], uuid[], uuid[]) IS
    'for the live service that reads a replication slot: adds those who are watching to signal_watchers, takes out '
    'those who are gone (without gone, all others of its slot), and notes of those whose page came into view or is '
    'no longer so. Returns whether the login may, which takes REPLICATION';
