-- Whether the quiet hours in r, preferences, keep notifications back now: not in a zone that is not known.
coalesce((SELECT CASE WHEN r.quiet_from < r.quiet_until THEN z.now >= r.quiet_from AND z.now < r.quiet_until
                      ELSE z.now >= r.quiet_from OR z.now < r.quiet_until END
            FROM (SELECT @extschema@.signal_hub_time_of_day(clock_timestamp(), r.time_zone) AS now
                   WHERE r.quiet_from IS NOT NULL) z), false)
